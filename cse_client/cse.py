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
_STOPPED = "Interrupted; nothing was changed."


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
        "Install a load balancer and an ingress controller in a cluster.",
        {
            "install": (
                "cse_client.cli.commands.addon",
                "Install or upgrade an add-on and verify that it works.",
            ),
            "list": (
                "cse_client.cli.commands.addon",
                "List the available add-ons and their versions.",
            ),
            "remove": ("cse_client.cli.commands.addon", "Remove an add-on and its resources."),
            "status": ("cse_client.cli.commands.addon", "Show the status of a cluster's add-ons."),
        },
    ),
    "cluster": (
        "Create, show, change and delete Kubernetes clusters.",
        {
            "apply": (
                "cse_client.cli.commands.cluster.apply",
                "Create or update a cluster from a file.",
            ),
            "config": (
                "cse_client.cli.commands.cluster.config",
                "Print or save a cluster's kubeconfig.",
            ),
            "create": (
                "cse_client.cli.commands.cluster.create",
                "Create a cluster, or resume a creation that was interrupted.",
            ),
            "delete": (
                "cse_client.cli.commands.cluster.delete",
                "Delete a cluster and verify that nothing is left.",
            ),
            "delete-nfs": (
                "cse_client.cli.commands.cluster.delete_nfs",
                "Delete an NFS node from a cluster.",
            ),
            "grant": (
                "cse_client.cli.commands.cluster.grants",
                "Grant a user or a group a role in a cluster.",
            ),
            "grants": (
                "cse_client.cli.commands.cluster.grants",
                "List the roles granted in a cluster.",
            ),
            "info": ("cse_client.cli.commands.cluster.info", "Show a cluster and its nodes."),
            "list": (
                "cse_client.cli.commands.cluster.list",
                "List clusters.",
            ),
            "repair": (
                "cse_client.cli.commands.cluster.repair",
                "Show how to repair a cluster; apply the repairs with --yes.",
            ),
            "resize": (
                "cse_client.cli.commands.cluster.resize",
                "Scale a cluster to a number of workers.",
            ),
            "revoke": (
                "cse_client.cli.commands.cluster.grants",
                "Revoke roles granted to a user or a group.",
            ),
            "seal": (
                "cse_client.cli.commands.cluster.seal",
                "Remove a cluster's CA key from VCD and keep it on this machine.",
            ),
            "share": (
                "cse_client.cli.commands.cluster.share",
                "Share a cluster with users of its organization.",
            ),
            "share-list": (
                "cse_client.cli.commands.cluster.share",
                "List the users a cluster is shared with.",
            ),
            "start": ("cse_client.cli.commands.cluster.power", "Start a stopped cluster."),
            "stop": ("cse_client.cli.commands.cluster.power", "Stop a running cluster."),
            "unshare": (
                "cse_client.cli.commands.cluster.share",
                "Stop sharing a cluster with users.",
            ),
            "upgrade": (
                "cse_client.cli.commands.cluster.upgrade",
                "Upgrade a cluster to a newer template.",
            ),
            "upgrade-plan": (
                "cse_client.cli.commands.cluster.upgrade",
                "List the templates a cluster can be upgraded to.",
            ),
        },
    ),
    "node": (
        "Add, show and delete the nodes of a cluster.",
        {
            "create": ("cse_client.cli.commands.node", "Add workers to a cluster."),
            "delete": (
                "cse_client.cli.commands.node",
                "Drain workers, remove them from the cluster and delete their VMs.",
            ),
            "info": ("cse_client.cli.commands.node", "Show a node of a cluster."),
            "list": ("cse_client.cli.commands.node", "List the nodes of a cluster."),
        },
    ),
    "ovdc": (
        "Enable and disable org VDCs for clusters (requires a CSE server).",
        {
            "disable": (
                "cse_client.cli.commands.ovdc",
                "Disable cluster creation in an org VDC.",
            ),
            "enable": ("cse_client.cli.commands.ovdc", "Enable cluster creation in an org VDC."),
            "info": (
                "cse_client.cli.commands.ovdc",
                "Show which clusters an org VDC is enabled for.",
            ),
            "list": (
                "cse_client.cli.commands.ovdc",
                "List org VDCs and the clusters they are enabled for.",
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
                "Remove a compute policy from an org VDC.",
            ),
        },
    ),
    "system": (
        "Show versions, engine and session; manage the CSE server.",
        {
            "config": ("cse_client.cli.commands.system", "Show the CSE server's configuration."),
            "disable": (
                "cse_client.cli.commands.system",
                "Disable the CSE server, so that it rejects requests.",
            ),
            "enable": (
                "cse_client.cli.commands.system",
                "Enable the CSE server, so that it accepts requests.",
            ),
            "info": (
                "cse_client.cli.commands.system",
                "Show the version, the engine in use, VCD and the session.",
            ),
            "stop": ("cse_client.cli.commands.system", "Stop the CSE server."),
        },
    ),
    "template": (
        "Build, list, check and delete VM templates for nodes.",
        {
            "build": (
                "cse_client.cli.commands.template_build",
                "Build a node template from a plain Ubuntu template, or resume a build.",
            ),
            "check": (
                "cse_client.cli.commands.template_check",
                "Check whether nodes can be made from a template.",
            ),
            "delete": (
                "cse_client.cli.commands.template_one",
                "Delete a template, or what an unfinished build of it left.",
            ),
            "info": ("cse_client.cli.commands.template_one", "Show a template."),
            "list": (
                "cse_client.cli.commands.template",
                "List the templates available for nodes.",
            ),
            "register": (
                "cse_client.cli.commands.template",
                "Register a prepared VM template for use as nodes.",
            ),
            "reload": (
                "cse_client.cli.commands.template",
                "Reload the CSE server's templates.",
            ),
        },
    ),
}

COMMANDS: Mapping[str, tuple[str, str]] = {
    "version": ("cse_client.cli.commands.system", "Show the version of this client."),
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


def _attribute(command: str) -> str:
    """Return the module attribute that holds a command; `list` would hide the builtin."""
    return f"{command.replace('-', '_')}_command"


_HELP = """\
Kubernetes clusters on VMware Cloud Director.

\b
Examples
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
vcd.add_command(cse)
