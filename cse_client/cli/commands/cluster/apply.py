"""`vcd cse cluster apply`: clusters that files declare.

The direct engine has a format of its own; CSE servers 3.x keep clusters as entities, and their
files are these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cse_client import suggest
from cse_client.cli.cluster_files import (
    ApplyOptions,
    apply_declared,
    called,
    getting_a_file,
    read_cluster_file,
)
from cse_client.cli.options import (
    as_object,
    break_lock_option,
    disable_rollback_option,
    timeout_option,
)
from cse_client.cli.output import FORMATS, Output, ShowingOrWritingCommand
from cse_client.cli.run import Run, command
from cse_client.cli.target import cluster_reference, id_option, tkg_sentence

if TYPE_CHECKING:
    from cse_client.engines.base import Engine
    from cse_client.yamldocs import Reading

__all__ = ["apply_command"]


@click.command(
    "apply",
    cls=ShowingOrWritingCommand,
    schema="cluster-plan",
    other="--sample-file",
    note=" With --dry-run; or a FILE, with --sample.",
)
@click.argument("file", required=False, metavar="[FILE]")
@click.option("-f", "--file", "option_file", default="", metavar="FILE", help="File to apply.")
@click.option(
    "--dry-run", is_flag=True, help="Show what would be changed, without changing anything."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation of removals.")
@disable_rollback_option
@click.option("--force", is_flag=True, help="Delete pods that cannot be evicted.")
@click.option("--strict", is_flag=True, help="Treat warnings about a new cluster as errors.")
@break_lock_option
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a file.")
@click.option("-s", "--sample", is_flag=True, help="Print a sample file for a CSE server.")
@click.option("-n", "--native", is_flag=True, help="With --sample: a native cluster (default).")
@click.option("-t", "--tkg", is_flag=True, hidden=True)
@click.option("-k", "--tkg-s", is_flag=True, hidden=True)
@click.option("-p", "--tkg-plus", is_flag=True, hidden=True)
@click.option("--sample-file", default="", metavar="FILE", hidden=True)
@click.option(
    "--cse-version",
    type=click.Choice(["3.0", "3.1"]),
    help="With --sample: release of the CSE server. Default: the release of your server, or 3.1.",
)
@click.option("--vdc", default="", metavar="NAME", help="Org VDC. Default: the one in the file.")
@click.option(
    "--org", default="", metavar="NAME", help="Organization. Default: the one in the file."
)
@id_option
@timeout_option
@command
@as_object(ApplyOptions, "options")
def apply_command(
    run: Run,
    file: str | None,
    option_file: str,
    options: ApplyOptions,
    schema: bool,
    sample: bool,
    native: bool,
    tkg: bool,
    tkg_s: bool,
    tkg_plus: bool,
    sample_file: str,
    cse_version: str | None,
    vdc: str,
    org: str,
    cluster_id: str,
    timeout: float,
) -> None:
    """Create or update a cluster from a file.

    FILE is YAML; `-` reads standard input. A cluster that does not exist is created; an existing
    one is changed until it is as FILE describes it, and settings that FILE omits are left
    unchanged. --dry-run shows the changes. To resume an interrupted run, run the same command
    again. To get the file of an existing cluster, run `vcd cse cluster export`.

    With a CSE server 3, FILE has the form of that server: see --sample, and `vcd cse cluster info`.

    \b
    Examples
        vcd cse cluster apply -f demo.yaml --dry-run
        vcd cse cluster apply -f demo.yaml
    """
    from cse_client.engines.declared.reading import (
        is_declared,
        is_for_server,
        read_declared,
        refuse_unread,
    )
    from cse_client.errors import WrongUsage

    _refuse_tkg(("--tkg", tkg), ("--tkg-s", tkg_s), ("--tkg-plus", tkg_plus))
    if file is not None and option_file:
        raise WrongUsage("Specify the file once: as FILE, or with -f.")
    file = file or option_file or None
    if schema:
        _print_schema(run)
        return
    if sample:
        if file is not None:
            raise WrongUsage(
                "--sample cannot be combined with FILE.",
                hint="To write the sample to a file, use -o FILE.",
            )
        _print_sample(run, cse_version, sample_file)
        return
    if sample_file:
        raise WrongUsage(
            f"'{sample_file}' is not an output format ({', '.join(FORMATS)}); to write a sample to"
            " a file, add --sample."
        )
    for value, option in ((native, "--native"), (cse_version, "--cse-version")):
        if value:
            raise WrongUsage(f"{option} requires --sample.")
    if file is None:
        raise WrongUsage(
            "Missing argument 'FILE'.",
            hint=getting_a_file(),
        )
    if not options.dry_run and not Output.of(click.get_current_context()).is_default:
        raise WrongUsage("-o and --query require --dry-run.")
    reading = read_cluster_file(file)
    if isinstance(reading.value, Mapping) and not is_declared(reading.value):
        refuse_unread(reading, called(file))
        for_server = is_for_server(reading.value)
        identity = cluster_reference(None, cluster_id) if cluster_id else ""
        engine = run.engine_of(identity, needs_server=for_server)
        if for_server or engine.has_server:
            _refuse_engine(engine, reading.value, file)
            _refuse_options([*options.given(), *(["--vdc"] if vdc else [])], reading.value, file)
            _apply_served(run, engine, reading, identity, org, timeout)
            return
    if cluster_id:
        raise WrongUsage("--id requires a file for a CSE server 3.")
    declared = read_declared(reading, called(file)).as_typed(
        vdc=vdc, org=org, strict=options.strict
    )
    spec = declared.declared.spec
    run.aim_at(spec.ref)
    apply_declared(run, declared, options, timeout)


def _refuse_tkg(*options: tuple[str, bool]) -> None:
    from cse_client.errors import WrongUsage

    for option, is_given in options:
        if is_given:
            raise WrongUsage(tkg_sentence(f"{option} is an option for Tanzu Kubernetes Grid"))


def _refuse_engine(engine: Engine, document: Mapping[str, Any], file: str) -> None:
    """Refuse a file for a CSE server where there is none.

    Raises:
        WrongUsage: the direct engine is in use.
    """
    from cse_client.content import capitalized
    from cse_client.engines.declared.served import stated_by_served
    from cse_client.errors import WrongUsage

    if engine.has_server:
        return
    stated = stated_by_served(document)
    create = suggest.cse(
        "cluster create",
        stated.name or "NAME",
        network=stated.network or "NETWORK",
        nodes=stated.workers,
        dry_run=True,
    )
    raise WrongUsage(
        f"{capitalized(called(file))} is for a CSE server 3, and the direct engine is in use.",
        hint=f"`{create} -o yaml` prints a file for the direct engine;"
        f" `{suggest.cse('system info')}` shows why that is in use.",
    )


def _refuse_options(options: Sequence[str], document: Mapping[str, Any], file: str) -> None:
    """Refuse options that a CSE server knows nothing of.

    Raises:
        WrongUsage: one was typed.
    """
    from cse_client.content import capitalized
    from cse_client.engines.declared.served import stated_by_served
    from cse_client.errors import WrongUsage

    if not options:
        return
    if "--dry-run" in options:
        name = stated_by_served(document).name
        info = f"`{suggest.cse('cluster info', name)}` shows the cluster as it is now."
        raise WrongUsage(
            f"{capitalized(called(file))} is for a CSE server 3, which cannot show what it would"
            " change: --dry-run is not supported.",
            hint=info if name else "Omit --dry-run to apply the file.",
        )
    raise WrongUsage(
        f"{options[0]} is not supported with {called(file)}, which is for a CSE server 3.",
        hint=f"Omit {options[0]}.",
    )


def _apply_served(
    run: Run,
    engine: Engine,
    reading: Reading,
    identity: str,
    org: str,
    timeout: float,
) -> None:
    from cse_client.cli.needs import lacking
    from cse_client.cli.node_options import print_cluster_change
    from cse_client.engines.servers import Entities

    if not isinstance(engine, Entities):
        raise lacking("cluster apply", Entities, engine)
    run.when_interrupted = suggest.RESUME
    options = run.options(timeout)
    with run.console.progress() as progress:
        cluster = engine.apply(
            reading.value,
            options,
            progress,
            identity=identity,
            org=org,
            positions=reading.positions,
        )
    print_cluster_change(run, cluster)


def _print_schema(run: Run) -> None:
    from cse_client.engines.declared.schema import schema, schema_text

    run.console.passage(schema_text(), schema())


def _print_sample(run: Run, release: str | None, output: str) -> None:
    from cse_client.engines.server.entities.samples import GENERATIONS, sample

    version = GENERATIONS[release] if release else _served_version(run)
    text = sample(version or GENERATIONS["3.1"])
    if output and output != "-":
        from cse_client.errors import WrongUsage

        try:
            Path(output).expanduser().write_text(text, encoding="utf-8")
        except OSError as error:
            raise WrongUsage(
                f"The file '{output}' cannot be written: {error.strerror or error}."
            ) from None
        run.console.sentence(f"The sample is written to {output}.", {"file": output})
    elif run.console.as_json:
        import yaml

        run.console.document(yaml.safe_load(text))
    else:
        run.console.text(text)
    if not version:
        run.console.hint(
            "No CSE server 3 is available; this sample is for CSE 3.1. For CSE 3.0, use"
            " --cse-version 3.0. For a file without a CSE server:"
            f" {suggest.cse('cluster create', 'NAME', network='NETWORK', dry_run=True)} -o yaml"
        )


def _served_version(run: Run) -> str:
    """Return the entity type of the server that answers; empty where none can be asked."""
    from cse_client.engines.servers import Entities
    from cse_client.errors import CseError

    try:
        return run.require(Entities, "cluster apply").entity_type
    except CseError:
        return ""
