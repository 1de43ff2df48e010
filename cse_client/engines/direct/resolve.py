"""Everything that must be known before the first write: the request, resolved against VCD.

For a new cluster, and for new workers of an existing one.
All problems are reported at once. A vApp of that name is either another one (refused),
a finished cluster (refused), or this very creation, interrupted earlier (resumed).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.direct import requirements
from cse_client.engines.direct.addresses import read_pool
from cse_client.engines.direct.no_proxy import with_no_proxy
from cse_client.engines.direct.pool_sources import (
    PoolSource,
    chosen_template,
    made_of,
    pool_requests,
    recorded_pool,
    workers_by_pool,
)
from cse_client.engines.direct.request_check import show_check
from cse_client.engines.direct.resolved import Resolved
from cse_client.engines.direct.specs import (
    inherited_spec,
    refuse_other_options,
    resumed_spec,
    unusable_records,
    with_recorded_key,
)
from cse_client.engines.direct.templates import namesakes, support_ended
from cse_client.engines.direct.unfinished import UnfinishedCreation, find_unfinished
from cse_client.engines.direct.virtual_address import (
    VirtualAddress,
    address_problems,
    address_warnings,
    choose_address,
)
from cse_client.errors import Conflict, CseError, NotFound, raise_all
from cse_client.model import (
    ClusterSpec,
    Event,
    EventKind,
    Network,
    Progress,
    Template,
    Vdc,
    footprint,
    silent,
)
from cse_client.model.hrefs import href_id
from cse_client.model.nodes import NodesSpec
from cse_client.model.pools import Pool
from cse_client.vcd import preflight
from cse_client.vcd.preflight import PoolRequest

if TYPE_CHECKING:
    from cse_client.engines.direct.existing import ExistingCluster
    from cse_client.vcd.client import VcdClient
    from cse_client.vcd.findings import Findings


__all__ = ["resolve_creation", "resolve_growth"]

_AddressChoice = Callable[[Network, Template], "tuple[VirtualAddress, list[CseError]]"]


def resolve_creation(
    vcd: VcdClient,
    spec: ClusterSpec,
    templates: Callable[[], Sequence[Template]],
    progress: Progress = silent,
    *,
    owner: str,
    break_lock: bool = False,
) -> Resolved:
    """Resolve `spec` and check it against the cloud without writing anything.

    `owner` is that of the lock. Unless `break_lock`, a vApp that another owner has only just made,
    and not recorded as a cluster yet, is left to it.

    Raises the one problem found, or PreflightFailed with all of them.
    """
    found = show_check(
        lambda: _resolve_creation(vcd, spec, templates, "" if break_lock else owner), progress
    )
    if found.vapp is not None:
        progress(Event(EventKind.NOTE, f"Resuming the unfinished cluster '{spec.name}'."))
    return found


def resolve_growth(
    vcd: VcdClient,
    cluster: ExistingCluster,
    wanted: NodesSpec,
    target: int,
    templates: Callable[[], Sequence[Template]],
    progress: Progress,
    *,
    heads: int = 0,
    pool: Pool | None = None,
    moving: str = "",
) -> Resolved:
    """Resolve what new workers are made from and check it against the cloud; reads only.

    With `heads`, new control planes, up to that number. `pool` is the pool of the workers, with the
    size that it is to have; `target` is the number of all workers. `moving` is what to do where the
    recorded template is not there any more; by default, the command that takes another one.

    What is not specified is as the cluster was created: CSE takes the server's default template
    instead, and drops the ssh key (container-service-extension 2.6.1, its resize operation).

    Raises the one problem found, or PreflightFailed with all of them.
    """
    return show_check(
        lambda: _resolve_growth(
            *(vcd, cluster, wanted, target, templates, heads, pool),
            "" if wanted.template else moving or _moving(cluster, pool, heads),
        ),
        progress,
    )


def _resolve_creation(
    vcd: VcdClient,
    spec: ClusterSpec,
    templates: Callable[[], Sequence[Template]],
    owner: str,
) -> Resolved:
    vdc = vcd.surroundings.vdc(spec.vdc, spec.org)
    problems: list[CseError] = []
    earlier: UnfinishedCreation | None = None
    try:
        earlier = find_unfinished(vcd, vdc, spec.name, owner)
    except Conflict as taken:
        problems.append(taken)
    warning, typed = "", spec
    if earlier is not None:
        try:
            spec = resumed_spec(spec, earlier.metadata)
            spec, warning = with_recorded_key(vcd, spec, earlier.vapp, earlier.metadata)
        except CseError as problem:
            problems.append(problem)
    present = earlier.count_nodes() if earlier is not None else (0, 0)

    def address(network: Network, template: Template) -> tuple[VirtualAddress, list[CseError]]:
        if earlier is None:
            return choose_address(vcd, spec, network, template)
        return VirtualAddress(earlier.virtual_address, href_id(network.href)), []

    pool_workers = workers_by_pool(earlier.vapp) if earlier is not None else {}
    resolved = _resolve(
        *(vcd, spec, vdc, templates, present, problems),
        address=address,
        pool_workers=pool_workers,
    )
    raise_all(problems, f"Cluster '{spec.name}' cannot be created")
    assert resolved is not None  # noqa: S101  (that is a problem above)
    facts = resolved.template.facts
    resolved = replace(
        resolved,
        pool=read_pool(vcd, resolved.network),
        spec=with_no_proxy(resolved.spec, resolved.network, facts),
    )
    if earlier is None:
        return resolved
    typed = with_no_proxy(replace(typed, pools=resolved.spec.pools), resolved.network, facts)
    refuse_other_options(earlier.vapp, earlier.metadata, typed, resolved.template)
    return replace(
        resolved,
        vapp=earlier.vapp,
        cluster_id=earlier.cluster_id,
        metadata=earlier.metadata,
        warnings=(*resolved.warnings, *([warning] if warning else [])),
    )


def _resolve_growth(
    vcd: VcdClient,
    cluster: ExistingCluster,
    wanted: NodesSpec,
    target: int,
    templates: Callable[[], Sequence[Template]],
    heads: int,
    pool: Pool | None,
    moving: str,
) -> Resolved:
    spec = inherited_spec(cluster, wanted, target, pool)
    if heads:
        spec = replace(spec, control_planes=heads)
    problems: list[CseError] = list(unusable_records(cluster, wanted))
    warning = ""
    try:
        spec, warning = with_recorded_key(vcd, spec, cluster.vapp, cluster.metadata)
    except CseError as problem:
        problems.append(problem)
    workers = len(cluster.workers)
    if pool is not None:
        # workers that other pools lack are not made
        workers = target - max(0, pool.size - len(cluster.workers_of(pool.name)))
    present = len(cluster.control_planes), workers
    if spec.network not in cluster.vapp.networks:
        problems.append(
            Conflict(
                f"Cluster '{cluster.name}' is on the network"
                f" '{', '.join(cluster.vapp.networks)}', not on '{spec.network}'.",
                hint="All nodes of a cluster share one network: omit --network.",
            )
        )
    found = _resolve(
        *(vcd, spec, cluster.vdc, templates, present, problems),
        heads=bool(heads),
        moving=moving,
    )
    raise_all(problems, f"Cluster '{cluster.name}' cannot be changed")
    assert found is not None  # noqa: S101  (that is a problem above)
    made_of = found.template, found.template_vm, found.storage_profile, found.worker
    return replace(
        found,
        pools=(PoolSource(pool, *made_of),) if pool is not None else (),
        vapp=cluster.vapp,
        cluster_id=cluster.metadata[footprint.CLUSTER_ID],
        metadata=cluster.metadata,
        virtual=VirtualAddress(cluster.virtual_address),
        warnings=(*found.warnings, *([warning] if warning else [])),
    )


def _moving(cluster: ExistingCluster, pool: Pool | None, heads: int) -> str:
    """Return how nodes get another template where the recorded one is not there any more."""
    if pool is not None and pool.template:
        command = suggest.cse("pool upgrade", cluster.name, pool.name, template="NAME")
        return f"Pool '{pool.name}' was created from it; to move it to another template: {command}"
    if heads:
        command = suggest.cse("cluster upgrade", cluster.name, template="NAME")
        return f"Cluster '{cluster.name}' was created from it; to move it to another one: {command}"
    name = pool.name if pool is not None and len(cluster.pools) > 1 else ""
    command = suggest.cse("node create", cluster.name, pool=name, template="NAME")
    return f"Cluster '{cluster.name}' was created from it; to add workers of another: {command}"


def _resolve(
    vcd: VcdClient,
    spec: ClusterSpec,
    vdc: Vdc,
    templates: Callable[[], Sequence[Template]],
    present: tuple[int, int],
    problems: list[CseError],
    *,
    address: _AddressChoice | None = None,
    heads: bool = False,
    pool_workers: Mapping[str, int] | None = None,
    moving: str = "",
) -> Resolved | None:
    """Find what `spec` names; add to `problems` what is wrong, None when there is any.

    `present` are the control planes and workers that exist already. `address` chooses the virtual
    address of a new cluster; with `heads`, control planes are made. `pool_workers` is how many
    workers each pool has already. `moving` is what to do about a template that is not there.

    The requirements of a control plane and of ranges are those of a new cluster: in one that
    stands they were met, or changing its workers does not make it worse.
    """
    template: Template | None = None
    offered: Sequence[Template] = ()
    try:
        offered = templates()
        template = chosen_template(vcd, spec, offered)
    except CseError as problem:
        if moving and offered and isinstance(problem, NotFound):
            problem.hint += f" {moving}"
        problems.append(problem)
    is_new = address is not None or heads
    pools = pool_requests(vcd, spec, offered, pool_workers or {}, problems)
    checked = preflight.check_create(
        *(vcd, spec, vdc, template),
        heads_present=present[0],
        workers_present=present[1],
        is_new=is_new,
        pools=pools,
    )
    problems.extend(checked.problems)
    if template is not None and not spec.template_id:
        checked.warnings.extend(namesakes(offered, template, spec.template))
        if address is not None and not spec.template:
            checked.warnings.extend(support_ended(offered, template))
    if template is not None:
        problems.extend(requirements.room_problems(spec, template))
        if address is not None:
            problems.extend(_unmet(spec, template, checked))
        problems.extend(_unfit(pools, template.facts.kubernetes))
    virtual = VirtualAddress()
    if address is not None and template is not None and checked.network is not None:
        virtual, wrong = address(checked.network, template)
        problems.extend(wrong)
        problems.extend(address_problems(spec, virtual, template) if not wrong else ())
        checked.warnings.extend(address_warnings(virtual))
    if problems:
        return None
    assert template is not None  # noqa: S101  (a missing template is a problem above)
    return _resolved(spec, vdc, template, virtual, pools, checked)


def _unfit(pools: Sequence[PoolRequest], kubernetes: str) -> Iterator[CseError]:
    """Yield why the templates of pools do not fit the cluster's Kubernetes."""
    for request in pools:
        for problem in requirements.pool_problems(request.template, kubernetes):
            problem.pool = request.name
            yield problem


def _resolved(
    spec: ClusterSpec,
    vdc: Vdc,
    template: Template,
    virtual: VirtualAddress,
    pools: Sequence[PoolRequest],
    checked: Findings,
) -> Resolved:
    """Return what was found for a request without problems."""
    assert checked.network is not None and checked.template_vm is not None  # noqa: S101
    made = [
        PoolSource(recorded_pool(pool, found), found, lot.template_vm, *made_of(lot))
        for pool, request, lot in zip(spec.pools, pools, checked.pools)
        if (found := request.template) is not None and lot.template_vm is not None
    ]
    return Resolved(
        spec=replace(spec, pools=tuple(one.pool for one in made)),
        vdc=vdc,
        template=template,
        template_vm=checked.template_vm,
        network=checked.network,
        storage_profile=checked.storage_profile,
        warnings=tuple(checked.warnings),
        head=checked.head,
        worker=checked.worker,
        virtual=virtual,
        needs=tuple(checked.needs),
        pools=tuple(made),
    )


def _unmet(spec: ClusterSpec, template: Template, checked: Findings) -> Iterator[CseError]:
    facts = template.facts
    yield from requirements.template_problems(template)
    yield from requirements.range_problems(spec, template)
    yield from requirements.mirror_problems(spec, template)
    if checked.network is not None:
        yield from requirements.network_problems(spec, checked.network, facts)
        checked.warnings.extend(requirements.network_warnings(spec, checked.network, facts))
    if checked.template_vm is not None:
        yield from requirements.machine_problems(
            checked.head, checked.template_vm, facts.kubernetes
        )
