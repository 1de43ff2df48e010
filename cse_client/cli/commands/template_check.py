"""`vcd cse template check`."""

from __future__ import annotations

import click

from cse_client import suggest
from cse_client.cli.options import (
    accept_eulas_option,
    org_option,
    storage_profile_option,
    timeout_option,
    vdc_option,
)
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command

__all__ = ["check_command"]

COLUMNS = ("Result", "Check", "Finding", "Cure")


@shows("check", "template-check", many=True)
@click.argument("template", metavar="TEMPLATE")
@click.option("--boot", is_flag=True, help="Also look into the template, by a short-lived VM.")
@click.option(
    "-n", "--network", default="", metavar="NAME", help="Org VDC network for the VM of --boot."
)
@storage_profile_option("Storage profile for the VM.")
@accept_eulas_option
@vdc_option
@org_option
@timeout_option
@command
def check_command(
    run: Run,
    template: str,
    boot: bool,
    network: str,
    storage_profile: str,
    accept_eulas: bool,
    vdc: str,
    org: str,
    timeout: float,
) -> None:
    """Check whether nodes can be made from a template.

    TEMPLATE is a name, an id or CATALOG/ITEM. Looks at what VCD knows of the template. With --boot,
    a VM of it is created, asked and deleted; this needs the right 'vApp: Allow All Extra Config'.
    The exit code is 1 if there are errors.
    """
    from cse_client.engines.template_work import Building
    from cse_client.errors import WrongUsage
    from cse_client.model.templates import BootSpec, Level

    if boot and not network:
        raise WrongUsage(
            "--boot requires --network.",
            hint=f"`{suggest.vcd('network list')}` shows the networks of the VDC.",
        )
    work = run.require(Building, "template check").template_work
    found = work.find(template)
    results = list(work.check(found))
    if boot:
        spec = BootSpec(network, storage_profile, vdc, org, accept_eulas)
        with run.console.progress() as progress:
            results += work.check_booted(found, spec, run.options(timeout), progress)
    rows = [
        {"Result": one.level.value, "Check": one.subject, "Finding": one.text, "Cure": one.cure}
        for one in results
    ]
    run.console.table(rows, COLUMNS, empty="Nothing was checked.")
    if any(one.level is Level.ERROR for one in results):
        raise click.exceptions.Exit(1)
