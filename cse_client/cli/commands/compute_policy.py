"""`vcd cse ovdc compute-policy list|add|remove`."""

from __future__ import annotations

import click

from cse_client.cli.options import org_unless_format, timeout_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command

__all__ = ["add_command", "list_command", "remove_command"]

_ORG = click.option(
    "-o",
    "--org",
    required=True,
    metavar="NAME",
    callback=org_unless_format,
    help="Organization.",
)
_VDC = click.option("-v", "--vdc", required=True, metavar="NAME", help="Org VDC.")


@shows("list", "compute-policy", many=True)
@_ORG
@_VDC
@command
def list_command(run: Run, org: str, vdc: str) -> None:
    """List the compute policies of an org VDC.

    Requires a CSE server and system administrator rights.
    """
    from cse_client.cli.tables import plain
    from cse_client.engines.servers import Provider

    provider = run.require(Provider, "ovdc compute-policy list")
    policies = [plain(policy) for policy in provider.compute_policies(vdc, org)]
    empty = f"No compute policies in VDC {vdc} of organization {org}."
    run.console.table(policies, ("name",), empty=empty)


@click.command("add")
@click.argument("policy")
@_ORG
@_VDC
@command
def add_command(run: Run, policy: str, org: str, vdc: str) -> None:
    """Add a compute policy to an org VDC.

    Requires a CSE server and system administrator rights.
    """
    from cse_client.engines.servers import Provider

    provider = run.require(Provider, "ovdc compute-policy add")
    message = provider.add_compute_policy(policy, vdc, org)
    run.console.sentence(message, {"message": message})


@click.command("remove")
@click.argument("policy")
@_ORG
@_VDC
@click.option("-f", "--force", is_flag=True, help="Also remove the policy from VMs that use it.")
@timeout_option
@command
def remove_command(run: Run, policy: str, org: str, vdc: str, force: bool, timeout: float) -> None:
    """Remove a compute policy from an org VDC.

    Requires a CSE server and system administrator rights.
    """
    from cse_client.cli.server_tables import show_task
    from cse_client.engines.servers import Provider

    provider = run.require(Provider, "ovdc compute-policy remove")
    options = run.options(timeout)
    with run.console.progress() as progress:
        task = provider.remove_compute_policy(policy, vdc, org, options, progress, force=force)
    value = {"policy": policy, "vdc": vdc}
    if task and not run.wait:
        show_task(run, task, f"VDC {vdc}", value)
        return
    run.console.sentence(
        f"Policy {policy} is removed from VDC {vdc}.", {**value, "task_href": task}
    )
