"""The tree of commands, for `vcd cse` and for the program `cse`.

Commands are known only by name here, and each one's module is loaded when it is called: vcd-cli
imports its extensions at every start. click's public interface of 7.1 to 8.5 is enough for that.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import FrameType
from typing import Any, cast

import click

from cse_client.command_table import COMMANDS, FORMER, GROUPS

__all__ = ["LazyGroup", "cse", "options_before", "stand_alone", "stop_early"]

_NOT_FINISHED = 5
_STOPPED = "Interrupted; nothing was changed."
#: The same for --progress json; see `cli.progress.object_line`.
_STOPPED_OBJECT = (
    f'{{"kind": "error", "text": "{_STOPPED}", "step": null, "total": null, "node": null, '
    f'"phase": null, "elapsed": 0.0, "hint": "", "exit_code": {_NOT_FINISHED}}}\n'
)
#: How the commands are called as an extension of vcd-cli, and in the texts of their help.
_EXTENSION = "vcd cse"


def stop_early(words: Sequence[str]) -> None:
    """Let Ctrl-C end this program like an interrupted command until a command begins.

    Nothing has begun yet that would have to be reported or undone, imports take most of a second,
    and a KeyboardInterrupt among imports is a long traceback. `words` are the command line's.
    """
    as_json = bool({"-j", "--json"} & set(options_before(words)))
    message = _STOPPED_OBJECT if _wants_objects(words) else f"Error: {_STOPPED}\n"

    def end(_number: int, _frame: FrameType | None) -> None:
        os.write(2, message.encode())
        if as_json:
            text = f'"error": "{_STOPPED}",\n    "exit_code": {_NOT_FINISHED},\n    "hint": ""'
            os.write(1, f"{{\n    {text}\n}}\n".encode())
        os._exit(_NOT_FINISHED)

    # tells `cli/run.py` that SIGINT is this program's to handle
    end.early = True  # type: ignore[attr-defined]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end)


def _wants_objects(words: Sequence[str]) -> bool:
    """Return whether stderr is to have JSON objects only."""
    pairs = zip(words, words[1:])
    typed = "--progress=json" in words or ("--progress", "json") in pairs
    return typed or os.environ.get("CSE_PROGRESS") == "json"


def options_before(words: Sequence[str]) -> Sequence[str]:
    """Return the options before the first command, and that command."""
    ends = [at for at, word in enumerate(words) if not word.startswith("-")]
    return words[: ends[0] + 1] if ends else words


class LazyGroup(click.Group):
    """A group that lists its commands from a table and imports a command when it is called.

    Without a command it prints its help and ends with 0 under every click, as `vcd` itself does.
    """

    #: How the program is called, where the texts of commands say `vcd cse`.
    program = _EXTENSION

    def __init__(
        self,
        *,
        table: Mapping[str, tuple[str, str]],
        former: Mapping[str, tuple[str, str]] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.table = table
        self._known = {**table, **(former or {})}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read a bare group as a request for its help; keep what was typed for suggestions."""
        ctx.meta.setdefault("cse_client.typed", tuple(args))
        if not args and not ctx.resilient_parsing:
            args = list(ctx.help_option_names[:1])
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all commands' names, sorted."""
        return sorted({*self.table, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module; None when there is no such command."""
        if cmd_name not in self._known:
            return super().get_command(ctx, cmd_name)
        import gc

        # What is loaded by now stays: looking through all of vcd-cli's and pyvcloud's objects for
        # garbage again and again would take longer than the imports of a command.
        gc.freeze()
        command = getattr(import_module(self._known[cmd_name][0]), _attribute(cmd_name))
        assert isinstance(command, click.Command)  # noqa: S101 - a wrong table, not wrong input
        if self.program != _EXTENSION:
            _rename(command, self.program)
        return cast(click.Command, import_module("cse_client.cli.values").guard(command))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command where there is none of the name that was typed."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            if args[0].startswith("-") or self.get_command(ctx, args[0]) is not None:
                raise
            message = f"No such command {args[0]!r}."
            raise click.UsageError(f"{message}{self._nearest(ctx, args[0])}", ctx) from None

    def _nearest(self, ctx: click.Context, name: str) -> str:
        """Return a question about commands that may be meant, after a blank; or nothing."""
        from difflib import get_close_matches

        names = self.list_commands(ctx)
        found = get_close_matches(name.lower(), names, n=1)
        if not found:
            # the right command without its group
            groups = [(one, super(LazyGroup, self).get_command(ctx, one)) for one in names]
            found = [
                f"{one} {name}"
                for one, group in groups
                if isinstance(group, LazyGroup) and name in group.list_commands(ctx)
            ]
        listed = ", ".join(f"'{one}'" for one in found)
        one_of = "one of: " if len(found) > 1 else ""
        return f" Did you mean {one_of}{listed}?" if found else ""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any of them."""
        rows = []
        for name in self.list_commands(ctx):
            if name in self.table:
                rows.append((name, self.table[name][1]))
            else:
                command = super().get_command(ctx, name)
                rows.append((name, command.get_short_help_str() if command else ""))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _rename(command: click.Command, program: str) -> None:
    """Let the help of a command name the program that was called; again changes nothing."""
    command.help = (command.help or "").replace(_EXTENSION, program)
    for option in command.params:
        if isinstance(option, click.Option) and option.help:
            option.help = option.help.replace(_EXTENSION, program)


def _attribute(command: str) -> str:
    """Return the module attribute that holds a command; `list` would hide the builtin."""
    return f"{command.replace('-', '_')}_command"


_HELP = """\
Kubernetes clusters on VMware Cloud Director.

\b
Examples
    vcd cse login vcd.example.com acme alice
        Log in to the organization 'acme'; asks for the password.

\b
    vcd cse template list
        List the templates available for nodes.

\b
    vcd cse cluster create demo --network net1 --nodes 2
        Create the cluster 'demo' with two workers on the network 'net1'.

\b
    vcd cse cluster config demo --save
    kubectl get nodes
        Add the cluster to your kubeconfig and use it.

\b
    vcd cse cluster delete demo
        Delete the cluster.
"""

_ENGINE = click.Option(
    ["--engine"],
    type=click.Choice(["auto", "direct", "server"]),
    envvar="CSE_ENGINE",
    help="Engine: `direct` (no CSE server), `server` (through a CSE server) or `auto` (default: "
    "the server if there is one). Environment variable: CSE_ENGINE. Key in ~/.vcd-cli/"
    "profiles.yaml: cse_engine.",
)

cse = LazyGroup(
    name="cse",
    table=COMMANDS,
    former=FORMER,
    help=_HELP,
    short_help="Kubernetes clusters",
    params=[_ENGINE],
)
for _path, (_help, _table) in GROUPS.items():
    _parent: click.Group = cse
    *_above, _name = _path.split()
    for _step in _above:
        _parent = cast(click.Group, _parent.commands[_step])
    _parent.add_command(LazyGroup(name=_name, help=_help, short_help=_help, table=_table))


def stand_alone(program: str) -> click.Group:
    """Return the same commands as a program of its own, with the options that `vcd` has for all.

    `program` is how it is called.
    """
    LazyGroup.program = program
    root = LazyGroup(
        name="cse",
        table=COMMANDS,
        former=FORMER,
        help=_HELP.replace(_EXTENSION, program),
        params=[
            click.Option(["-j", "--json", "json_output"], is_flag=True, help="Print JSON."),
            click.Option(["-n", "--no-wait"], is_flag=True, help="Do not wait for completion."),
            click.Option(
                ["--colorized/--no-colorized", "is_colorized"],
                default=True,
                help="Print messages in color on a terminal (default).",
            ),
            _ENGINE,
        ],
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for group in cse.commands.values():
        root.add_command(group)
    return root
