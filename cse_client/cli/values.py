"""Values that nobody can have meant, of any option and any argument of any command.

An empty value is mostly a shell variable that is not set: `--user "$who"` must not become an
administrator's kubeconfig. The rule is one for all commands, so it is put on their parameters
where they are loaded (`guard`), and what it finds is raised where the command begins (`check`):
click's own complaints would know no hint and no JSON.

An empty environment variable counts as unset, as it does with click and most programs.
"""

from __future__ import annotations

from typing import Any

import click

from cse_client import suggest
from cse_client.errors import CseError, WrongUsage

__all__ = ["check", "guard"]

_FOUND = "cse_client.values"
_GUARDED = "cse_client_guarded"
#: Longer than any name in VCD and Kubernetes, and than any path (PATH_MAX).
_LONGEST = 4096
_SPACE = 0x20
_FILE = "FILE"


def guard(command: click.Command) -> click.Command:
    """Look at the values of all parameters of a command before its own code does."""
    if getattr(command, _GUARDED, False):
        return command
    for parameter in command.params:
        _watch(parameter)
    setattr(command, _GUARDED, True)
    return command


def check(ctx: click.Context) -> None:
    """Raise what was found in this run's values. Raises CseError, a WrongUsage."""
    from cse_client.cli.validation import raise_all

    raise_all(ctx.meta.get(_FOUND, ()))


def _watch(parameter: click.Parameter) -> None:
    default, inner = parameter.default, parameter.callback
    blank = default == ""
    if blank:
        # so that an empty default and an empty value can be told apart
        parameter.default = None

    def look(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if value is None and blank:
            value = ""
        else:
            found: list[CseError] = ctx.meta.setdefault(_FOUND, [])
            for one in value if isinstance(value, (list, tuple)) else [value]:
                problem = _problem(param, one) if isinstance(one, str) else None
                if problem is not None and not ctx.resilient_parsing:
                    found.append(problem)
                    break
        return inner(ctx, param, value) if inner is not None else value

    parameter.callback = look


def _problem(parameter: click.Parameter, value: str) -> WrongUsage | None:
    name = _name(parameter)
    if not value.strip():
        what = "empty" if not value else "blank"
        hint = "Specify a value. A shell variable may not be set."
        if isinstance(parameter, click.Option) and not parameter.required:
            hint = "Specify a value (a shell variable may not be set), or omit the option."
        return WrongUsage(f"The value of {name} is {what}.", hint=hint)
    if len(value) > _LONGEST:
        return WrongUsage(
            f"The value of {name} is too long: it has {len(value)} characters; the maximum is"
            f" {_LONGEST}."
        )
    if _is_file(parameter):
        return _format_problem(parameter, value)
    strange = next((c for c in value if ord(c) < _SPACE or "\ud800" <= c <= "\udfff"), "")
    if strange:
        kind = "a control character" if ord(strange) < _SPACE else "bytes that are not UTF-8"
        return WrongUsage(f"The value of {name} contains {kind}: '{value}'.")
    return None


def _format_problem(parameter: click.Parameter, value: str) -> WrongUsage | None:
    """Return that `-o json` does not choose a format where -o is the file to write."""
    from cse_client.cli.output import FORMATS

    chooses = isinstance(parameter.type, click.Choice)
    if chooses or "-o" not in parameter.opts or value.lower() not in FORMATS:
        return None
    return WrongUsage(
        f"-o is the file to write for this command, and '{value}' is an output format.",
        hint=f"To get JSON, begin with `{suggest.for_json()}`. To write a file with this name, use"
        f" -o ./{value}.",
    )


def _name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return (parameter.metavar or str(parameter.name).upper()).strip("[]")


def _is_file(parameter: click.Parameter) -> bool:
    """Return whether a parameter names a file: those may be called anything."""
    return _FILE in (parameter.metavar or "") or parameter.name in ("file", "cni_manifest")
