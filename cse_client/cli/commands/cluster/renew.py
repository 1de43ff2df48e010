"""`vcd cse cluster renew`."""

from __future__ import annotations

import click

from cse_client.cli.options import (
    break_lock_option,
    org_option,
    timeout_option,
    vdc_option,
    yes_option,
)
from cse_client.cli.run import Asking, Question, Run, command
from cse_client.cli.text import numbered
from cse_client.model import ClusterRef, Progress

__all__ = ["renew_command"]


@click.command("renew")
@click.argument("name")
@yes_option
@break_lock_option
@vdc_option
@org_option
@timeout_option
@command
def renew_command(
    run: Run, name: str, yes: bool, break_lock: bool, vdc: str, org: str, timeout: float
) -> None:
    """Renew the certificates of a cluster's control planes.

    kubeadm issues them for one year. Restarts the control plane VMs, one after the other; with a
    single control plane, the Kubernetes API does not answer for about a minute. Workloads keep
    running. Also works after the certificates have expired.

    The cluster's CA and its users' kubeconfigs stay as they are.
    """
    from cse_client.engines.base import Maintaining

    ref, options = ClusterRef(name, vdc, org), run.options(timeout, break_lock=break_lock)

    def look(engine: Maintaining, progress: Progress) -> Question:
        text = f"Renew the certificates of the control planes of cluster {name}?"
        return Question(text, numbered(engine.plan_renew(ref, options, progress)))

    end = run.change(
        name,
        "cluster renew",
        Maintaining,
        lambda engine, progress: engine.renew(ref, options, progress),
        asking=None if yes else Asking(f"Renewing the certificates of {name}", look),
    )
    run.console.sentence(
        f"The certificates of cluster {name} are renewed; they end on {end:%Y-%m-%d}.",
        {"cluster": name, "certificates_end": end.isoformat()},
    )
