"""`vcd cse cluster apply|delete-nfs`: for CSE servers 3.x, which keep clusters as entities."""

from __future__ import annotations

from pathlib import Path

import click

from cse_client import suggest
from cse_client.cli.options import timeout_option
from cse_client.cli.run import Run, command
from cse_client.cli.target import id_option, tkg_sentence
from cse_client.yamldocs import Bounds, Reading

__all__ = ["apply_command"]

#: A cluster's description has some 40 values.
_BOUNDS = Bounds(size=256 * 1024, depth=16, values=2_000)


@click.command("apply")
@click.argument("file", required=False, metavar="[FILE]")
@click.option("-s", "--sample", is_flag=True, help="Print a sample file.")
@click.option("-n", "--native", is_flag=True, help="With --sample: a native cluster (default).")
@click.option("-t", "--tkg", is_flag=True, hidden=True)
@click.option("-k", "--tkg-s", is_flag=True, hidden=True)
@click.option("-p", "--tkg-plus", is_flag=True, hidden=True)
@click.option(
    "-o", "--output", default="", metavar="FILE", help="With --sample: write the sample to FILE."
)
@click.option(
    "--cse-version",
    type=click.Choice(["3.0", "3.1"]),
    help="With --sample: release of the CSE server. Default: the release of your server, or 3.1.",
)
@click.option(
    "--org", default="", metavar="NAME", help="Organization. Default: the one in the file."
)
@id_option
@timeout_option
@command
def apply_command(
    run: Run,
    file: str | None,
    sample: bool,
    native: bool,
    tkg: bool,
    tkg_s: bool,
    tkg_plus: bool,
    output: str,
    cse_version: str | None,
    org: str,
    cluster_id: str,
    timeout: float,
) -> None:
    """Create or update a cluster from a file.

    Requires a CSE server 3. FILE is YAML; `-` reads standard input. Organization, VDC and site
    default to the session's. If the cluster exists, its number of workers and NFS nodes (and with
    CSE 3.1 its template) are updated, and settings that FILE omits are left unchanged. To get the
    YAML of an existing cluster, run `vcd cse cluster info`.

    \b
    Examples
        vcd cse cluster apply --sample --native -o demo.yaml
        vcd cse cluster apply demo.yaml
    """
    from cse_client.errors import WrongUsage

    for given, option in ((tkg, "--tkg"), (tkg_s, "--tkg-s"), (tkg_plus, "--tkg-plus")):
        if given:
            raise WrongUsage(tkg_sentence(f"{option} is an option for Tanzu Kubernetes Grid"))
    if sample:
        if file is not None:
            raise WrongUsage(
                "--sample cannot be combined with FILE.",
                hint="To write the sample to a file, use -o FILE.",
            )
        _print_sample(run, cse_version, output)
        return
    sampling = ((native, "--native"), (output, "--output"), (cse_version, "--cse-version"))
    for value, option in sampling:
        if value:
            raise WrongUsage(f"{option} requires --sample.")
    if file is None:
        raise WrongUsage(
            "Missing argument 'FILE'.",
            hint=f"`{suggest.cse('cluster apply', sample=True, native=True)}` prints a sample"
            " file.",
        )
    _apply(run, _read(file), cluster_id, org, timeout)


def _apply(run: Run, reading: Reading, cluster_id: str, org: str, timeout: float) -> None:
    from cse_client.cli.node_options import print_cluster_change
    from cse_client.cli.target import cluster_reference
    from cse_client.engines.base import Entities

    identity = cluster_reference(None, cluster_id) if cluster_id else ""
    run.when_interrupted = suggest.RESUME
    options = run.options(timeout)
    engine = run.require(Entities, "cluster apply")
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


def _read(file: str) -> Reading:
    """Return what a file holds. Raises WrongUsage; no value of it gets into the message."""
    import sys

    from cse_client.errors import WrongUsage
    from cse_client.inputs import read_file
    from cse_client.yamldocs import BadYaml, read_yaml

    name = "standard input" if file == "-" else f"the file '{file}'"
    try:
        if file == "-":
            data = sys.stdin.buffer.read(_BOUNDS.size + 1)
        else:
            data = read_file(Path(file).expanduser(), _BOUNDS.size + 1)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WrongUsage(f"{name} cannot be read: {reason}.") from None
    try:
        return read_yaml(data, _BOUNDS)
    except BadYaml as error:
        raise WrongUsage(f"{name} does not describe a cluster: {error}.") from None


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
            " --cse-version 3.0."
        )


def _served_version(run: Run) -> str:
    """Return the entity type of the server that answers; empty where none can be asked."""
    from cse_client.engines.base import Entities
    from cse_client.errors import CseError

    try:
        return run.require(Entities, "cluster apply").entity_type
    except CseError:
        return ""
