"""`vcd cse template upload`."""

from __future__ import annotations

import click

from cse_client import suggest
from cse_client.cli.options import timeout_option
from cse_client.cli.run import Run, command
from cse_client.cli.text import duration

__all__ = ["upload_command"]


@click.command("upload")
@click.argument("catalog")
@click.argument("name")
@click.argument("file", metavar="FILE.ova")
@timeout_option
@command
def upload_command(run: Run, catalog: str, name: str, file: str, timeout: float) -> None:
    """Upload an OVA file to a catalog.

    For example Ubuntu's cloud image, from which `template build` makes a node template. The file
    must contain exactly one virtual machine. It is sent from the archive as it is; nothing is
    unpacked. After a failure, the unfinished item is deleted: run the same command again to start
    over.

    \b
    Example
        vcd cse template upload images noble noble-server-cloudimg-amd64.ova
    """
    from time import monotonic

    from cse_client.cli.tables import template_row
    from cse_client.cli.template_words import check_template_name
    from cse_client.cli.validation import raise_all
    from cse_client.engines.template_work import Building
    from cse_client.errors import WrongUsage
    from cse_client.model.templates import UploadSpec

    problems = check_template_name(name)
    if "://" in file:
        problems.append(
            WrongUsage(
                f"'{file}' is a URL, and VCD cannot fetch an OVA file by itself.",
                hint="Download the file, and specify it.",
            )
        )
    if not run.wait:
        problems.append(
            WrongUsage(
                "`template upload` cannot run in the background: this client sends the file.",
                hint="Omit -n / --no-wait of `vcd`.",
            )
        )
    raise_all(problems)
    work = run.require(Building, "template upload").template_work
    began = monotonic()
    with run.console.progress() as progress:
        uploaded = work.upload(UploadSpec(catalog, name, file), run.options(timeout), progress)
    template = uploaded.template
    megabytes = max(1, round(uploaded.size / (1024 * 1024)))
    run.console.sentence(
        f"Template {template.catalog}/{template.item} is uploaded: {megabytes} MB,"
        f" {duration(monotonic() - began)}.",
        template_row(template),
    )
    if not run.console.as_json:
        run.console.hint(
            f"To build a node template from it: {suggest.cse('template build', help=True)}"
        )
