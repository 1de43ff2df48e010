"""The `vcd cse` commands: what `extensions: [cse_client.cse]` in ~/.vcd-cli/profiles.yaml names.

vcd-cli imports this module at every start, so it knows the commands only by name and loads each
one's module when it is called. click's public interface of 7.1 to 8.5 is enough for that.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from types import FrameType
from typing import Any, cast

import click
from vcd_cli.vcd import vcd

__all__ = ["cse"]

_NOT_FINISHED = 5
_STOPPED = "Stopped before anything was done."


def _stop_early(_number: int, _frame: FrameType | None) -> None:
    """End like an interrupted command; nothing has begun yet that would have to be told or undone.

    vcd-cli imports for most of a second after this module, and a KeyboardInterrupt among imports
    is a long traceback.
    """
    os.write(2, f"Error: {_STOPPED}\n".encode())
    if {"-j", "--json"} & set(_words_of_vcd()):
        text = f'"error": "{_STOPPED}",\n    "exit_code": {_NOT_FINISHED},\n    "hint": ""'
        os.write(1, f"{{\n    {text}\n}}\n".encode())
    os._exit(_NOT_FINISHED)


#: Tells `cli/run.py` that SIGINT is this program's to handle.
_stop_early.early = True  # type: ignore[attr-defined]


def _words_of_vcd() -> list[str]:
    """Return the options before `vcd`'s command, and the command."""
    words = sys.argv[1:]
    ends = [at for at, word in enumerate(words) if not word.startswith("-")]
    return words[: ends[0] + 1] if ends else words


if _words_of_vcd()[-1:] == ["cse"] and signal.getsignal(signal.SIGINT) is (
    signal.default_int_handler
):
    signal.signal(signal.SIGINT, _stop_early)

#: Group (and group in it) -> its help, and its commands: name -> (module, one line of help). The
#: command is the module's attribute of the same name; `-` and Python keywords become `_`.
GROUPS: Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]] = {
    "addon": (
        "Give a cluster a load balancer and an ingress.",
        {
            "install": (
                "cse_client.cli.commands.addon",
                "Install or upgrade an add-on and see it work.",
            ),
            "list": ("cse_client.cli.commands.addon", "List the add-ons and their versions."),
            "remove": ("cse_client.cli.commands.addon", "Remove an add-on and everything of it."),
            "status": ("cse_client.cli.commands.addon", "Show how a cluster's add-ons stand."),
        },
    ),
    "cluster": (
        "Create, show, change and delete Kubernetes clusters.",
        {
            "apply": (
                "cse_client.cli.commands.cluster.apply",
                "Create or change a cluster as a file describes it.",
            ),
            "config": (
                "cse_client.cli.commands.cluster.config",
                "Print or save a cluster's kubeconfig.",
            ),
            "create": (
                "cse_client.cli.commands.cluster.create",
                "Create a cluster, or finish creating it.",
            ),
            "delete": (
                "cse_client.cli.commands.cluster.delete",
                "Delete a cluster and prove that it is gone.",
            ),
            "delete-nfs": (
                "cse_client.cli.commands.cluster.delete_nfs",
                "Delete an NFS node of a cluster.",
            ),
            "grant": (
                "cse_client.cli.commands.cluster.grants",
                "Give a user or a group rights in a cluster.",
            ),
            "grants": (
                "cse_client.cli.commands.cluster.grants",
                "List the rights that were granted.",
            ),
            "info": ("cse_client.cli.commands.cluster.info", "Show a cluster and its nodes."),
            "list": (
                "cse_client.cli.commands.cluster.list",
                "List the clusters that you can see.",
            ),
            "repair": (
                "cse_client.cli.commands.cluster.repair",
                "Propose how to put a cluster right; do it with --yes.",
            ),
            "resize": (
                "cse_client.cli.commands.cluster.resize",
                "Bring a cluster to a number of workers, up or down.",
            ),
            "revoke": ("cse_client.cli.commands.cluster.grants", "Take granted rights back."),
            "seal": (
                "cse_client.cli.commands.cluster.seal",
                "Take a cluster's CA key out of VCD.",
            ),
            "share": (
                "cse_client.cli.commands.cluster.share",
                "Share a cluster with users of its organisation.",
            ),
            "share-list": (
                "cse_client.cli.commands.cluster.share",
                "List with whom a cluster is shared.",
            ),
            "start": ("cse_client.cli.commands.cluster.power", "Start a stopped cluster."),
            "stop": ("cse_client.cli.commands.cluster.power", "Shut a cluster down."),
            "unshare": (
                "cse_client.cli.commands.cluster.share",
                "Share a cluster with users no more.",
            ),
            "upgrade": (
                "cse_client.cli.commands.cluster.upgrade",
                "Upgrade a cluster to a template of its plan.",
            ),
            "upgrade-plan": (
                "cse_client.cli.commands.cluster.upgrade",
                "List the templates that a cluster can be upgraded to.",
            ),
        },
    ),
    "node": (
        "Add, show and remove the nodes of a cluster.",
        {
            "create": ("cse_client.cli.commands.node", "Add workers to a cluster."),
            "delete": (
                "cse_client.cli.commands.node",
                "Drain workers, take them out of Kubernetes and delete their VMs.",
            ),
            "info": ("cse_client.cli.commands.node", "Show one node of a cluster."),
            "list": ("cse_client.cli.commands.node", "List a cluster's nodes."),
        },
    ),
    "ovdc": (
        "Show and choose what org VDCs may be used for (needs a CSE server).",
        {
            "disable": (
                "cse_client.cli.commands.ovdc",
                "Let no more clusters be made in an org VDC.",
            ),
            "enable": ("cse_client.cli.commands.ovdc", "Let clusters be made in an org VDC."),
            "info": ("cse_client.cli.commands.ovdc", "Show what an org VDC may be used for."),
            "list": (
                "cse_client.cli.commands.ovdc",
                "List the org VDCs and what they may be used for.",
            ),
        },
    ),
    "ovdc compute-policy": (
        "Show and change the compute policies of an org VDC.",
        {
            "add": (
                "cse_client.cli.commands.compute_policy",
                "Add a compute policy to an org VDC.",
            ),
            "list": (
                "cse_client.cli.commands.compute_policy",
                "List the compute policies of an org VDC.",
            ),
            "remove": (
                "cse_client.cli.commands.compute_policy",
                "Take a compute policy from an org VDC.",
            ),
        },
    ),
    "system": (
        "Show what this client works with; control the CSE server.",
        {
            "config": ("cse_client.cli.commands.system", "Show the CSE server's configuration."),
            "disable": ("cse_client.cli.commands.system", "Have the CSE server refuse requests."),
            "enable": (
                "cse_client.cli.commands.system",
                "Let the CSE server carry out requests again.",
            ),
            "info": ("cse_client.cli.commands.system", "Show product, engine, VCD and session."),
            "stop": ("cse_client.cli.commands.system", "Stop the CSE server."),
        },
    ),
    "template": (
        "Show and register VM templates for nodes.",
        {
            "list": (
                "cse_client.cli.commands.template",
                "List the templates that nodes can be made from.",
            ),
            "register": (
                "cse_client.cli.commands.template",
                "Mark a prepared VM template as usable.",
            ),
            "reload": (
                "cse_client.cli.commands.template",
                "Have the CSE server read its templates anew.",
            ),
        },
    ),
}

COMMANDS: Mapping[str, tuple[str, str]] = {
    "version": ("cse_client.cli.commands.system", "Show this client's version."),
}

#: Commands that older clients had and this one only refuses: their names are in no help.
FORMER: Mapping[str, tuple[str, str]] = {
    "pks": ("cse_client.cli.commands.pks", "Enterprise PKS is not supported."),
}


class LazyGroup(click.Group):
    """A group that lists its commands from a table and imports a command when it is called.

    Without a command it prints its help and ends with 0 under every click, as `vcd` itself does.
    """

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
        command = getattr(import_module(self._known[cmd_name][0]), _attribute(cmd_name))
        assert isinstance(command, click.Command)  # noqa: S101 - a wrong table, not wrong input
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
            said = f"No such command {args[0]!r}."
            raise click.UsageError(f"{said}{self._nearest(ctx, args[0])}", ctx) from None

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


def _attribute(command: str) -> str:
    """Return the module attribute that holds a command; `list` would hide the builtin."""
    return f"{command.replace('-', '_')}_command"


_HELP = """\
Kubernetes clusters on VMware Cloud Director.

\b
Examples
    vcd cse template list
        List the templates that nodes can be made from.

\b
    vcd cse cluster create demo --network net1 --nodes 2
        Create the cluster 'demo' with two workers on the network 'net1'.

\b
    vcd cse cluster config demo --save
    kubectl get nodes
        Use it.

\b
    vcd cse cluster delete demo
        Delete it.
"""

_ENGINE = click.Option(
    ["--engine"],
    type=click.Choice(["auto", "direct", "server"]),
    envvar="CSE_ENGINE",
    help="Who does it: a CSE server, this client alone (direct), or the server where one answers "
    "(auto, the default). Also CSE_ENGINE, or cse_engine in ~/.vcd-cli/profiles.yaml.",
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
vcd.add_command(cse)
