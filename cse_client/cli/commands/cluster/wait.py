"""`vcd cse cluster wait`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cse_client.cli.options import org_option, runtime_option, timeout_option, vdc_option
from cse_client.cli.run import Run, command
from cse_client.cli.target import cluster_reference, id_option
from cse_client.model import ClusterRef, footprint
from cse_client.plurals import counted

if TYPE_CHECKING:
    from cse_client.engines.conditions import Condition

__all__ = ["wait_command"]

_NODE = "node="
_FORMS = "`ready`, `deleted`, `node=NAME` or `node=N` for N workers"


# click made ParamType generic in one of its 8.x versions
class _ConditionType(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """`ready`, `deleted` or `node=N`."""

    name = "condition"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; complain as click's own types do."""
        text = str(value)
        if text and text not in ("ready", "deleted") and not text.startswith(_NODE):
            self.fail(f"'{text}' is not a condition; use {_FORMS}.", param, ctx)
        if text == _NODE:
            self.fail(f"'{text}' names no node and no number; use {_FORMS}.", param, ctx)
        return text


@click.command("wait")
@click.argument("name", required=False)
@click.option(
    "--for",
    "condition",
    type=_ConditionType(),
    required=True,
    metavar="ready|deleted|node=N",
    help="Condition: ready (all nodes are Ready), deleted, node=NAME (this node is Ready) or node=N"
    " (there are exactly N workers, and all nodes are Ready).",
)
@vdc_option
@org_option
@runtime_option
@id_option
@timeout_option
@command
def wait_command(
    run: Run,
    name: str | None,
    condition: str,
    vdc: str,
    org: str,
    cluster_id: str,
    timeout: float,
) -> None:
    """Wait until a cluster is ready, or until it is deleted.

    Changes nothing: the cluster may be changed by another command, by another administrator or by
    a CSE server. The exit code is 5 if the condition is not met in time. With a CSE server, `ready`
    is the server's own status.

    \b
    Example
        vcd -n cse cluster create demo --network net1
        vcd cse cluster wait demo --for ready --timeout 20m
    """
    from cse_client.engines.conditions import wait_for

    reference = cluster_reference(name, cluster_id)
    wanted = _condition(condition)
    engine = run.engine_of(reference)
    ref = ClusterRef(reference, vdc, org)
    with run.console.progress() as progress:
        cluster = wait_for(engine, ref, wanted, timeout=timeout, progress=progress)
    run.console.sentence(_met(reference, wanted), {"cluster": reference, "condition": condition})
    if cluster is not None and cluster.summary.phase == footprint.PHASE_CREATING:
        run.console.hint(
            "That the creation is complete is not recorded yet: run the same `cluster create`"
            " command again, without -n."
        )


def _condition(text: str) -> Condition:
    from cse_client.engines.conditions import Condition

    if not text.startswith(_NODE):
        return Condition(state=text)
    value = text[len(_NODE) :]
    if value.isascii() and value.isdigit():
        return Condition(workers=int(value))
    return Condition(node=value)


def _met(cluster: str, condition: Condition) -> str:
    if condition.node:
        return f"Node {condition.node} of cluster {cluster} is Ready."
    if condition.workers is not None:
        workers = counted(condition.workers, "worker")
        return f"Cluster {cluster} has {workers}, and all nodes are Ready."
    return f"Cluster {cluster} is {condition.state}."
