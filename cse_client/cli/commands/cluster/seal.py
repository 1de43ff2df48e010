"""`vcd cse cluster seal`."""

from __future__ import annotations

import click

from cse_client import suggest
from cse_client.cli.options import org_option, progress_option, vdc_option
from cse_client.cli.run import Run, command
from cse_client.model import ClusterRef

__all__ = ["seal_command"]


@click.command("seal")
@click.argument("name")
@click.option(
    "--adopt",
    "adopted",
    default="",
    metavar="FILE",
    help="Use the CA key in FILE, which was kept for the cluster before it was restored or moved.",
)
@vdc_option
@org_option
@progress_option
@command
def seal_command(run: Run, name: str, adopted: str, vdc: str, org: str) -> None:
    """Remove a cluster's CA key from VCD and keep it on this machine.

    Afterwards, access to the control plane VM in VCD no longer gives administrator access to the
    cluster. `cluster config` works only on a machine that has the key: keep a backup of the file.

    The key belongs to this vApp. A vApp that was restored from a backup or moved has a new id in
    VCD: use --adopt FILE to keep the same key for it. The key is verified with the cluster's API
    first.
    """
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.base import Sealing

    check_existing_name(name)
    run.when_interrupted = suggest.RESUME
    engine = run.require(Sealing, "cluster seal")
    with run.console.progress() as progress:
        path = engine.seal(ClusterRef(name, vdc, org), progress, adopted=adopted)
    if adopted:
        run.console.sentence(
            f"The CA key of cluster {name} is kept in {path}; {adopted} is unchanged.",
            {"cluster": name, "kept_in": path},
        )
        return
    run.console.sentence(
        f"Cluster {name} is sealed; its CA key is kept in {path}.",
        {"cluster": name, "kept_in": path},
    )
