"""The commands of `vcd` and `cse` with their options and arguments, as completion needs them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

__all__ = ["describe", "programs"]

#: What the value of a parameter names, by the parameter's name.
_KINDS: Mapping[str, str] = {
    "cluster": "clusters",
    "network": "networks",
    "node": "nodes",
    "storage_profile": "storage_profiles",
    "template": "templates",
    "vdc": "vdcs",
    "vdc_name": "vdcs",
}
#: The same for arguments only, or for the commands of a group only.
_ARGUMENTS: Mapping[str, str] = {"nodes": "nodes"}
_IN_GROUPS: Mapping[tuple[str, str], str] = {("cluster", "name"): "clusters"}
#: Values that are not names.
_VALUES: Mapping[str, Sequence[str]] = {
    "addon": ("contour", "metallb"),
    "condition": ("deleted", "ready"),
}
#: A cluster that does not exist yet has a new name.
_NEW = frozenset([("cluster", "create"), ("cluster", "restore")])
#: Arguments that a command sorts out itself.
_SORTED_OUT: Mapping[tuple[str, ...], Sequence[tuple[str, str]]] = {
    ("cluster", "upgrade"): (("name", "clusters"), ("template", "templates")),
}
_WIDEST = 80
_HELP = ["-h", "--help"]


def programs() -> dict[str, Any]:
    """Return the commands of `vcd`, if there is one, and of `cse`."""
    from cse_client.commands import cse, stand_alone

    found = {}
    # it fails in any way where its profiles file is damaged
    with contextlib.suppress(Exception, SystemExit), _elsewhere():
        # writes its logs to the working directory
        from vcd_cli.vcd import vcd

        found["vcd"] = describe(vcd)
        found["vcd"]["commands"]["cse"] = describe(cse, ("cse",))
    found["cse"] = describe(stand_alone("cse"), ("cse",))
    return found


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """Work in a folder that is removed."""
    here = os.open(".", os.O_RDONLY)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)
            os.close(here)


def describe(command: click.Command, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a command and those below it, in the form that `line.candidates` reads.

    `path` begins with `cse` for the commands of this package.
    """
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    found: dict[str, Any] = {
        "help": command.get_short_help_str(_WIDEST),
        "options": [_option(one, path) for one in shown if isinstance(one, click.Option)],
        "arguments": [_argument(one, path) for one in shown if isinstance(one, click.Argument)],
    }
    if path[1:] in _SORTED_OUT:
        found["arguments"] = [
            {"name": name, "many": False, "offers": kind} for name, kind in _SORTED_OUT[path[1:]]
        ]
    if isinstance(command, click.Group):
        context = click.Context(command)
        children = (
            (name, command.get_command(context, name)) for name in command.list_commands(context)
        )
        found["commands"] = {
            name: describe(child, (*path, name) if path else ())
            for name, child in children
            if child is not None and not child.hidden
        }
    help_option = command.get_help_option(click.Context(command, help_option_names=_HELP))
    if help_option is not None:
        found["options"].append(_option(help_option, path))
    return found


def _option(option: click.Option, path: tuple[str, ...]) -> dict[str, Any]:
    takes = not option.is_flag and not option.count
    return {
        "name": option.name,
        "names": [*option.opts, *option.secondary_opts],
        "help": " ".join((option.help or "").split()).partition(". ")[0].rstrip("."),
        "takes": takes,
        "many": bool(option.multiple or option.count),
        "offers": _offers(option, path) if takes else "",
    }


def _argument(argument: click.Argument, path: tuple[str, ...]) -> dict[str, Any]:
    offers = _offers(argument, path)
    return {"name": argument.name, "many": argument.nargs == -1, "offers": offers}


def _offers(parameter: click.Parameter, path: tuple[str, ...]) -> Any:
    """Return the values of a parameter, or what they name; empty if nothing can be offered."""
    name = parameter.name or ""
    choices = getattr(parameter.type, "choices", None)
    if choices is not None:
        return [str(getattr(one, "value", one)) for one in choices]
    if "FILE" in (parameter.metavar or ""):
        return "files"
    if path[:1] != ("cse",) or (name == "name" and path[1:] in _NEW):
        return ""
    if name in _VALUES:
        return list(_VALUES[name])
    if isinstance(parameter, click.Argument) and name in _ARGUMENTS:
        return _ARGUMENTS[name]
    return _KINDS.get(name) or _IN_GROUPS.get((path[1] if path[1:] else "", name), "")
