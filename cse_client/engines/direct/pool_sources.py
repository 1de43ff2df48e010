"""What the workers of each pool are made from."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cse_client.engines.direct.pools import pool_of
from cse_client.engines.direct.specs import inherited_spec, pool_spec
from cse_client.engines.direct.templates import choose
from cse_client.errors import CseError, NotFound
from cse_client.model import (
    WORKER,
    ClusterSpec,
    StorageProfile,
    Template,
    TemplateVm,
    VApp,
    node_kind,
)
from cse_client.model.hardware import Hardware
from cse_client.model.nodes import NodesSpec
from cse_client.model.pools import Pool
from cse_client.vcd import preflight

if TYPE_CHECKING:
    from cse_client.engines.direct.existing import ExistingCluster
    from cse_client.vcd.client import VcdClient
    from cse_client.vcd.findings import Lot

__all__ = [
    "PoolSource",
    "chosen_template",
    "growth_problems",
    "made_of",
    "pool_requests",
    "recorded_pool",
    "workers_by_pool",
]


@dataclass(frozen=True)
class PoolSource:
    """What the workers of a pool are made from; `pool.size` is how many there are to be."""

    pool: Pool
    template: Template
    template_vm: TemplateVm
    storage_profile: StorageProfile | None
    hardware: Hardware


def workers_by_pool(vapp: VApp) -> Mapping[str, int]:
    """Return how many workers there are of each pool."""
    return Counter(pool_of(vm) for vm in vapp.vms if node_kind(vm.name) == WORKER)


def made_of(lot: Lot) -> tuple[StorageProfile | None, Hardware]:
    """Return the last two fields of a `PoolSource`."""
    return lot.storage_profile, lot.hardware


def recorded_pool(pool: Pool, template: Template) -> Pool:
    """Return a pool as it is recorded: with the template that its name means now."""
    if not pool.template:
        return pool
    return replace(
        pool,
        template=template.name,
        template_revision=template.revision,
        template_id=template.id,
    )


def pool_requests(
    vcd: VcdClient,
    spec: ClusterSpec,
    offered: Sequence[Template],
    present: Mapping[str, int],
    problems: list[CseError],
) -> list[preflight.PoolRequest]:
    """Return the new workers of each pool; add to `problems` why a template cannot be found."""
    found = []
    for pool in spec.pools:
        own = pool_spec(spec, pool)
        template: Template | None = None
        try:
            template = chosen_template(vcd, own, offered)
        except NotFound as problem:
            problem.pool = pool.name
            if problem.message not in {one.message for one in problems}:
                problems.append(problem)
        count = max(0, pool.size - present.get(pool.name, 0))
        found.append(preflight.PoolRequest(own, template, count, pool.name))
    return found


def growth_problems(
    cluster: ExistingCluster, pools: Sequence[Pool], heads: int, offered: Sequence[Template]
) -> Sequence[CseError]:
    """Return why the VDC has no room for all that several pools and control planes grow by.

    `pools` have the sizes that they are to have, `heads` is how many control planes are added.
    What is wrong with one pool alone is not in it.
    """
    known = {pool.name: pool for pool in cluster.pools}
    requests = []
    for wish in pools:
        pool = replace(known.get(wish.name, wish), size=wish.size)
        count = max(0, pool.size - len(cluster.workers_of(pool.name)))
        wanted = NodesSpec(cluster.name, len(cluster.workers) + count)
        spec = inherited_spec(cluster, wanted, wanted.workers, pool)
        with contextlib.suppress(NotFound):
            template = chosen_template(cluster.vcd, spec, offered)
            requests.append(preflight.PoolRequest(spec, template, count, pool.name))
    network = next((one.spec.network for one in requests), "")
    return preflight.check_room(cluster.vcd, cluster.vdc, network, requests, heads)


def chosen_template(vcd: VcdClient, spec: ClusterSpec, offered: Sequence[Template]) -> Template:
    """Return the template that is meant; one of TKG must be named, for only its document tells.

    Raises:
        NotFound: there is none.
    """
    try:
        return choose(offered, spec.template, spec.template_revision, earlier=spec.template_id)
    except NotFound:
        item = spec.template.rpartition("/")[2]
        found = vcd.templates.tkg(item) if item else []
        if not found:
            raise
        return choose(found, spec.template, spec.template_revision, earlier=spec.template_id)
