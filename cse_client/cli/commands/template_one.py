"""`vcd cse template info` and `vcd cse template delete`."""

from __future__ import annotations

import click

from cse_client import suggest
from cse_client.cli.options import org_option, timeout_option, vdc_option, yes_option
from cse_client.cli.output import shows
from cse_client.cli.run import Question, Run, command
from cse_client.model import Progress
from cse_client.plurals import noun

__all__ = ["delete_command", "info_command"]


@shows("info", "template-details")
@click.argument("template", metavar="TEMPLATE")
@command
def info_command(run: Run, template: str) -> None:
    """Show a template.

    TEMPLATE is a name, an id or CATALOG/ITEM; only the latter finds one that is not registered.
    """
    from cse_client.cli.records import template_details_record
    from cse_client.cli.tables import template_object, template_properties
    from cse_client.engines.template_work import Building

    work = run.require(Building, "template info").template_work
    found = work.find(template)
    details = work.details(found)
    clusters = work.clusters_of(found) if found.facts.kubernetes else ()
    run.console.properties(
        template_properties(found, details, clusters),
        template_object(found, details, clusters),
        record=template_details_record(found, details, clusters),
    )


@click.command("delete")
@click.argument("template", metavar="TEMPLATE")
@yes_option
@click.option(
    "-f", "--force", is_flag=True, help="Delete it although clusters were created from it."
)
@vdc_option
@org_option
@timeout_option
@command
def delete_command(
    run: Run, template: str, yes: bool, force: bool, vdc: str, org: str, timeout: float
) -> None:
    """Delete a template, or what an unfinished build of it left.

    TEMPLATE is a name, an id or CATALOG/ITEM. A template that clusters were created from is only
    deleted with --force: adding nodes to these clusters then requires --template.
    """
    from cse_client.engines.template_work import Building
    from cse_client.errors import NotFound, Refused

    work = run.require(Building, "template delete").template_work

    def check() -> None:
        try:
            found = work.find(template)
        except NotFound:
            return
        clusters = work.clusters_of(found) if found.facts.kubernetes else ()
        if clusters and not force:
            raise Refused(
                f"Template '{template}' is in use: {', '.join(clusters)}"
                f" {noun(len(clusters), 'was', 'were')} created from it.",
                hint="Delete it with --force; new nodes of these clusters then require --template.",
            )

    def look(_progress: Progress) -> Question:
        check()
        what = " and ".join(work.remains(template, vdc, org))
        return Question(f"Delete {what}?", declined="Nothing was deleted.")

    if yes:
        check()
    else:
        run.confirm(f"Deleting {template}", look)
    run.when_interrupted = suggest.RESUME
    with run.console.progress() as progress:
        deleted = work.delete(template, vdc, org, run.options(timeout), progress)
    run.console.sentence(f"Deleted: {', '.join(deleted)}.", {"deleted": list(deleted)})
