"""Everything that can be known to stop a cluster's creation, looked at before the first write.

Problems are collected, not raised: a user who has two of them should hear of both at once. What
cannot be seen (rights are often missing) is no problem; what looks bad without being certain is a
warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cse_client.errors import (
    CseError,
    NotFound,
    Refused,
    WrongUsage,
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
from cse_client.model.capacity import Need
from cse_client.model.hardware import Hardware
from cse_client.model.settings import ClusterSettings
from cse_client.plurals import counted, noun
from cse_client.vcd.client import VcdClient, no_compose_right
from cse_client.vcd.findings import Findings, Lot
from cse_client.vcd.hardware import settle
from cse_client.vcd.room import check_capacity, check_storage

__all__ = [
    "PoolRequest",
    "check_addresses",
    "check_create",
    "check_dns",
    "check_egress",
    "check_rights",
    "check_room",
    "check_template",
    "find_network",
    "find_profile",
    "usable_network",
]

#: What a guide for CSE tells its readers to look for, and what a missing way out looks like.
_EGRESS_HINT = "without it, nodes can use only what their template contains"


@dataclass(frozen=True)
class PoolRequest:
    """New workers of one pool: `spec` is what they are to be, as if all workers were of it.

    `template` is None where that is a problem already. `name` is the pool's.
    """

    spec: ClusterSpec
    template: Template | None
    count: int
    name: str = ""


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
    check_storage(lots, findings)
    check_capacity(vcd, vdc, lots, findings)
    return findings


def check_room(
    vcd: VcdClient, vdc: Vdc, network: str, pools: Sequence[PoolRequest], heads: int
) -> Sequence[CseError]:
    """Return why there is no room for the new workers of several pools, and `heads`, together.

    What is wrong with one pool alone is not in it. Of control planes, only the number counts.
    """
    ignored, findings = Findings(), Findings()
    templates: dict[str, TemplateVm | None] = {}
    lots = [_lot(vcd, one, vdc, ignored, templates) for one in pools]
    lots.append(Lot(heads, Hardware()))
    check_storage(lots, findings)
    check_capacity(vcd, vdc, lots, findings)
    found = find_network(vcd, network, vdc, ignored)
    if found is not None:
        check_addresses(found, sum(lot.count for lot in lots), findings)
    return findings.problems


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
    for problem in own.problems:
        problem.pool = pool.name
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
        findings.problems.append(
            NotFound(
                f"VDC '{vdc.name}' has no network '{name}'; available: {_usable(known)}.",
                hint="Specify one of them with --network.",
            )
        )
        return None
    network = vcd.surroundings.network_details(network)
    findings.network = network
    return network


def _usable(networks: Sequence[Network]) -> str:
    return ", ".join(one.name for one in networks if one.fence is not Fence.ISOLATED) or "none"


def _no_network(vcd: VcdClient, spec: ClusterSpec, vdc: Vdc) -> WrongUsage:
    known = vcd.surroundings.networks(vdc)
    return WrongUsage(
        f"Cluster '{spec.name}' does not exist, and a new cluster requires a network; available in"
        f" VDC '{vdc.name}': {_usable(known)}.",
        hint="Specify one of them with --network.",
    )


def _check_network(
    vcd: VcdClient, spec: ClusterSpec, vdc: Vdc, nodes: int, findings: Findings
) -> None:
    if not spec.network:
        findings.problems.append(_no_network(vcd, spec, vdc))
        return
    network = usable_network(vcd, spec.network, vdc, findings)
    if network is None:
        return
    findings.needs.append(Need(f"addresses in {network.name}", nodes, network.free_addresses))
    check_addresses(network, nodes, findings)
    check_dns(network, spec.settings, findings)
    if not spec.settings.has_proxy:
        check_egress(vcd, network, findings, strict=spec.strict)


def usable_network(vcd: VcdClient, name: str, vdc: Vdc, findings: Findings) -> Network | None:
    """Find the network and its details; None where it is in the problems, or is isolated."""
    network = find_network(vcd, name, vdc, findings)
    if network is None or network.fence is not Fence.ISOLATED:
        return network
    findings.problems.append(
        Refused(
            f"The network '{network.name}' is isolated: machines on it cannot reach the Internet.",
            hint="Choose a routed or direct network with --network.",
        )
    )
    return None


def check_dns(network: Network, settings: ClusterSettings, findings: Findings) -> None:
    """Warn where neither the network nor what is requested has a DNS server."""
    if not network.dns and not settings.dns:
        findings.warnings.append(
            f"The network '{network.name}' has no DNS server: machines on it cannot resolve names."
        )


def check_addresses(
    network: Network, count: int, findings: Findings, *, made: str = "node"
) -> None:
    """Look for free addresses for so many nodes, or for what else is `made`."""
    free = network.free_addresses
    hint = "Enlarge the pool, or release addresses."
    if made == "node":
        hint = "Enlarge the pool, release addresses, or use fewer --nodes."
    if free is not None and free < count:
        findings.problems.append(
            Refused(
                f"The network '{network.name}' has"
                f" {counted(free, 'free address', 'free addresses')} in its static"
                f" pool, and {counted(count, made)} {noun(count, 'needs', 'need')} an address.",
                hint=hint,
            )
        )


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
