"""`vcd cse template check`."""

from __future__ import annotations

import click

from cse_client.cli.run import Run, command

__all__ = ["check_command"]

COLUMNS = ("Result", "Check", "Finding", "Cure")


@click.command("check")
@click.argument("template", metavar="[CATALOG/]TEMPLATE")
@command
def check_command(run: Run, template: str) -> None:
    """Check whether nodes can be made from a template.

    Looks at what VCD knows of the template, without a VM. The exit code is 1 if there are errors.
    """
    from cse_client.engines.base import Building
    from cse_client.model.templates import Level

    work = run.require(Building, "template check").template_work
    results = work.check(work.find(template))
    rows = [
        {
            "Result": one.level.value,
            "Check": one.subject,
            "Finding": one.text,
            "Cure": one.cure,
        }
        for one in results
    ]
    run.console.table(rows, COLUMNS, empty="Nothing was checked.")
    if any(one.level is Level.ERROR for one in results):
        raise click.exceptions.Exit(1)
