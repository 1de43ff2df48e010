"""Everything that can be known to stop a cluster's creation, looked at before the first write.

Problems are collected, not raised: a user who has two of them should hear of both at once. What
cannot be seen (rights are often missing) is no problem; what looks bad without being certain is a
warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from cse_client.errors import (
    CseError,
    NotFound,
    Refused,
    SessionInvalid,
    VcdFault,
)
from cse_client.model import (
    ClusterSpec,
    Fence,
    Network,
    StorageProfile,
    Template,
    TemplateVm,
    Vdc,
    VmPolicy,
)
from cse_client.model.hardware import Hardware
from cse_client.vcd.client import VcdClient, no_compose_right
from cse_client.vcd.hardware import settle

__all__ = [
    "Findings",
    "PoolRequest",
    "check_create",
    "check_egress",
    "check_rights",
    "check_template",
    "find_network",
    "find_profile",
]

_Value = TypeVar("_Value")

#: What a guide for CSE tells its readers to look for, and what a missing way out looks like.
_EGRESS_HINT = "without it, nodes can use only what their template contains"


@dataclass(frozen=True)
class PoolRequest:
    """New workers of one pool: `spec` is what they are to be, as if all workers were of it.

    `template` is None where that is a problem already.
    """

    spec: ClusterSpec
    template: Template | None
    count: int


@dataclass(frozen=True)
class Lot:
    """A number of new VMs that are made alike; None: see `Findings`."""

    count: int
    hardware: Hardware
    template_vm: TemplateVm | None = None
    storage_profile: StorageProfile | None = None


@dataclass
class Findings:
    """What the checks found: problems, warnings, and the things that the names stand for.

    `network`, `template_vm` and `storage_profile` are None where they are in `problems` (or, for
    the storage profile, where none was asked for: VCD then takes the VDC's default). `head` and
    `worker` are what a control plane and a worker are made of; `pools` has the workers of each
    pool that was asked about, in that order.
    """

    problems: list[CseError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    network: Network | None = None
    template_vm: TemplateVm | None = None
    storage_profile: StorageProfile | None = None
    head: Hardware = field(default_factory=Hardware)
    worker: Hardware = field(default_factory=Hardware)
    pools: list[Lot] = field(default_factory=list)

    def add(self, problems: Iterable[CseError]) -> None:
        """Add problems, each once: two kinds of node may have the same one."""
        known = {one.message for one in self.problems}
        self.problems.extend(one for one in problems if one.message not in known)

    def collect(self, look: Callable[[], _Value]) -> _Value | None:
        """Return what `look` returns; keep its error as a problem instead of raising it.

        An invalid session and an unreachable VCD are raised: nothing else can be checked then.
        """
        try:
            return look()
        except (SessionInvalid, VcdFault):
            raise
        except CseError as problem:
            self.problems.append(problem)
            return None


def check_create(
    vcd: VcdClient,
    spec: ClusterSpec,
    vdc: Vdc,
    template: Template | None,
    *,
    heads_present: int = 0,
    workers_present: int = 0,
    is_new: bool = True,
    pools: Sequence[PoolRequest] = (),
) -> Findings:
    """Check all that a creation needs but the name, which the caller has looked up; reads only.

    Args:
        vcd: the open session.
        spec: what the user asked for.
        vdc: the org VDC that it resolved to.
        template: the template that it resolved to; None where that is a problem already, so that
            the other problems are still found.
        heads_present: control planes that exist already, and need no address, quota or storage.
        workers_present: workers of which the same is true.
        is_new: control planes are made, too; otherwise only workers are.
        pools: the new workers, where not all of them are made as `spec` says.

    Raises:
        SessionInvalid, VcdFault: nothing could be checked. All else is in the findings.
    """
    findings = Findings()
    heads = max(0, spec.control_planes - heads_present) if is_new else 0
    nodes = heads + max(0, spec.workers - workers_present)
    check_rights(vcd, vdc, findings)
    if template is not None:
        check_template(vcd, template, findings, accept_eulas=spec.accept_eulas)
    _settle_hardware(vcd, spec, vdc, findings, is_new=is_new)
    _check_network(vcd, spec, vdc, nodes, findings)
    profile = find_profile(vcd, spec.storage_profile, vdc, findings)
    if profile is not None and spec.storage_profile:
        findings.storage_profile = profile
    workers = [Lot(nodes - heads, findings.worker, findings.template_vm, profile)]
    if pools:
        templates = {template.id: findings.template_vm} if template is not None else {}
        workers = [_lot(vcd, one, vdc, findings, templates) for one in pools]
        asked = [bool(one.spec.storage_profile) for one in pools]
        findings.pools = [
            lot if named else replace(lot, storage_profile=None)
            for lot, named in zip(workers, asked)
        ]
    lots = [Lot(heads, findings.head, findings.template_vm, profile), *workers]
    _check_storage(lots, findings)
    _check_capacity(vcd, vdc, lots, findings)
    return findings


def _lot(
    vcd: VcdClient,
    pool: PoolRequest,
    vdc: Vdc,
    findings: Findings,
    templates: dict[str, TemplateVm | None],
) -> Lot:
    """Find what the workers of a pool are made of; `templates` are those that were checked."""
    spec, template = pool.spec, pool.template
    own = Findings()
    if template is not None and template.id not in templates:
        check_template(vcd, template, own, accept_eulas=spec.accept_eulas)
        templates[template.id] = own.template_vm
    own.template_vm = templates.get(template.id) if template is not None else None
    _settle_hardware(vcd, spec, vdc, own, is_new=False)
    profile = find_profile(vcd, spec.storage_profile, vdc, own)
    findings.add(own.problems)
    return Lot(pool.count, own.worker, own.template_vm, profile)


def check_rights(vcd: VcdClient, vdc: Vdc, findings: Findings) -> None:
    """Check that this user may make vApps in the VDC."""
    document = findings.collect(lambda: vcd.surroundings.vdc_document(vdc))
    if document is None:
        return
    if not document.compose_href:
        findings.problems.append(no_compose_right(vdc))
    if not document.enabled:
        findings.problems.append(Refused(f"VDC '{vdc.name}' is disabled."))


def check_template(
    vcd: VcdClient, template: Template, findings: Findings, *, accept_eulas: bool
) -> None:
    """Check that VMs can be made from the template's."""
    source = findings.collect(lambda: vcd.surroundings.template_vm(template))
    if source is None:
        return
    findings.template_vm = source
    if not source.has_nic:
        findings.problems.append(
            Refused(
                f"The VM of the template '{template.item}' has no network adapter.",
                hint="Add one to the template, or choose another template.",
            )
        )
    if source.eulas and not accept_eulas:
        first = source.eulas[0].splitlines()[0][:80]
        count = "a license agreement that has"
        if len(source.eulas) > 1:
            count = f"{len(source.eulas)} license agreements that have"
        findings.problems.append(
            Refused(
                f"The template '{template.item}' has {count} not been accepted: \"{first}\".",
                hint="Read it in VCD, then accept it with --accept-eulas.",
            )
        )


def _settle_hardware(
    vcd: VcdClient, spec: ClusterSpec, vdc: Vdc, findings: Findings, *, is_new: bool
) -> None:
    """Find the policies, and what the nodes are made of."""
    wanted = [spec.hardware(control_plane=False)]
    if is_new:
        wanted.insert(0, spec.hardware(control_plane=True))
    policies: Sequence[VmPolicy] | None = ()
    if any(one.sizing_policy or one.placement_policy for one in wanted):
        policies = findings.collect(lambda: vcd.surroundings.vm_policies(vdc))
    if policies is None:
        return
    settled = [settle(one, vdc, policies, findings.template_vm) for one in wanted]
    for one in settled:
        findings.add(one.problems)
    findings.head, findings.worker = settled[0].hardware, settled[-1].hardware


def find_network(vcd: VcdClient, name: str, vdc: Vdc, findings: Findings) -> Network | None:
    """Find the network and its details; None where it is in the problems."""
    known = findings.collect(lambda: vcd.surroundings.networks(vdc))
    if known is None:
        return None
    network = next((one for one in known if one.name == name), None)
    if network is None:
        usable = ", ".join(one.name for one in known if one.fence is not Fence.ISOLATED) or "none"
        findings.problems.append(
            NotFound(
                f"VDC '{vdc.name}' has no network '{name}'; available: {usable}.",
                hint="Specify one of them with --network.",
            )
        )
        return None
    network = vcd.surroundings.network_details(network)
    findings.network = network
    return network


def _check_network(
    vcd: VcdClient, spec: ClusterSpec, vdc: Vdc, nodes: int, findings: Findings
) -> None:
    network = find_network(vcd, spec.network, vdc, findings)
    if network is None:
        return
    if network.fence is Fence.ISOLATED:
        findings.problems.append(
            Refused(
                f"The network '{network.name}' is isolated: nodes on it cannot reach the Internet.",
                hint="Choose a routed or direct network with --network.",
            )
        )
        return
    free = network.free_addresses
    if free is not None and free < nodes:
        findings.problems.append(
            Refused(
                f"The network '{network.name}' has {free} free addresses in its static pool, "
                f"and {nodes} nodes need one each.",
                hint="Enlarge the pool, release addresses, or use fewer --nodes.",
            )
        )
    if not network.dns and not spec.settings.dns:
        findings.warnings.append(
            f"The network '{network.name}' has no DNS server: nodes will not resolve names."
        )
    if not spec.settings.has_proxy:
        check_egress(vcd, network, findings, strict=spec.strict)


def check_egress(
    vcd: VcdClient,
    network: Network,
    findings: Findings,
    *,
    strict: bool = False,
    without: str = _EGRESS_HINT,
) -> None:
    """Look for the network's way to the Internet; `without` says what is impossible otherwise."""
    network = vcd.surroundings.egress(network)
    findings.network = network
    if network.egress is True:
        return
    if network.egress is None:
        findings.warnings.append(
            f"It is unknown whether the network '{network.name}' has access to the Internet: "
            f"{network.egress_reason}."
        )
        return
    reason = network.egress_reason
    text = f"The network '{network.name}' has no visible access to the Internet: {reason}"
    if strict:
        findings.problems.append(
            Refused(f"{text}.", hint="Add a SNAT rule for it, or omit --strict.")
        )
    else:
        findings.warnings.append(f"{text}; {without}.")


def find_profile(vcd: VcdClient, name: str, vdc: Vdc, findings: Findings) -> StorageProfile | None:
    """Find a storage profile, by default that of the VDC; None where it is in the problems."""
    profiles = findings.collect(lambda: vcd.surroundings.storage_profiles(vdc))
    if profiles is None:
        return None
    wanted = [one for one in profiles if (one.name == name if name else one.is_default)]
    if wanted:
        if not wanted[0].enabled:
            text = f"The storage profile '{wanted[0].name}' is disabled."
            findings.problems.append(Refused(text))
        return wanted[0]
    if name:
        listed = ", ".join(one.name for one in profiles) or "none"
        findings.problems.append(
            NotFound(
                f"VDC '{vdc.name}' has no storage profile '{name}'; available: {listed}.",
                hint="Specify one of them with --storage-profile.",
            )
        )
    return None


def _check_storage(lots: Sequence[Lot], findings: Findings) -> None:
    profiles = {
        lot.storage_profile.name: lot.storage_profile for lot in lots if lot.storage_profile
    }
    for name, profile in profiles.items():
        used_by = [
            lot
            for lot in lots
            if lot.storage_profile is not None and lot.storage_profile.name == name
        ]
        _check_room(profile, used_by, findings)


def _check_room(profile: StorageProfile, lots: Sequence[Lot], findings: Findings) -> None:
    known = [lot.template_vm for lot in lots]
    if not profile.limit_mb or any(source is None or not source.disk_mb for source in known):
        return
    left = max(0, profile.limit_mb - profile.used_mb)
    needed = sum(lot.count * _disk_mb(lot) for lot in lots)
    nodes = sum(lot.count for lot in lots)
    if needed > left:
        findings.problems.append(
            Refused(
                f"The storage profile '{profile.name}' has {left} MB left, "
                f"and {nodes} nodes need {needed} MB.",
                hint="Use fewer --nodes or another --storage-profile, or have the limit raised.",
            )
        )


def _disk_mb(lot: Lot) -> int:
    """Return how much storage a VM takes, as far as its template is known."""
    source = lot.template_vm
    if source is None:
        return 0
    first = next((mb for _id, mb in source.disks), 0)
    return source.disk_mb + max(0, (lot.hardware.disk_mb or 0) - first)


def _check_capacity(vcd: VcdClient, vdc: Vdc, lots: Sequence[Lot], findings: Findings) -> None:
    nodes = sum(lot.count for lot in lots)
    capacity = findings.collect(lambda: vcd.surroundings.capacity(vdc))
    document = findings.collect(lambda: vcd.surroundings.vdc_document(vdc))
    if capacity is None or document is None:
        return
    if capacity.vms_left is not None and capacity.vms_left < nodes:
        noun = "VM" if capacity.vms_left == 1 else "VMs"
        findings.problems.append(
            Refused(
                f"VDC '{vdc.name}' has room for {capacity.vms_left} more {noun}, "
                f"and {nodes} are required.",
                hint="Use fewer --nodes, delete VMs, or have the VM quota raised.",
            )
        )
    memory = cpus = 0
    for lot in lots:
        source, hardware = lot.template_vm, lot.hardware
        memory += lot.count * (hardware.known_memory_mb or (source.memory_mb if source else 0))
        cpus += lot.count * (hardware.known_cpus or (source.cpus if source else 0))
    mhz = cpus * (document.vcpu_mhz or 0)
    short = [
        _short("memory", "MB", capacity.memory_mb_left, memory, vdc),
        _short("CPU", "MHz", capacity.cpu_mhz_left, mhz, vdc),
    ]
    for text in filter(None, short):
        if document.overcommits:
            findings.warnings.append(text)
        else:
            hint = "Use fewer or smaller nodes, or have the limit raised."
            findings.problems.append(Refused(text, hint=hint))


def _short(what: str, unit: str, left: int | None, needed: int, vdc: Vdc) -> str:
    """Say what does not fit into the VDC's limit; empty when it fits or nothing is known."""
    if left is None or needed <= left:
        return ""
    return f"VDC '{vdc.name}' has {left} {unit} of {what} left, but the nodes need {needed} {unit}."
