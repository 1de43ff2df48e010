"""Checks of a session and of what its VDC offers, for `doctor`; nothing is changed.

A check that cannot be made is a finding, too, and the checks that need it are left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cse_client import suggest
from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.errors import CseError
from cse_client.model import Network, Session, Template, TemplateFacts, Vdc
from cse_client.model.addons import ManifestSource
from cse_client.model.findings import ERROR, OK, WARNING, Finding
from cse_client.model.ranges import internal_ranges
from cse_client.plurals import counted
from cse_client.vcd.client import VcdClient, no_compose_right
from cse_client.vcd.errors import login_line
from cse_client.vcd.login import roughly, seconds_ahead, version_to_use

__all__ = ["examine"]

#: Seconds by which clocks may differ: certificates are valid from an hour before they are issued.
_CLOCKS_ERROR, _CLOCKS_WARNING = 3000, 300
_ADDRESSES = 3
_GB = 1024
_ADDON_SECONDS = 10.0
_NO_FACTS = TemplateFacts()
_ASK = "Ask an organization administrator to add it to your role."


@dataclass(frozen=True)
class _Right:
    """A right, and the commands that fail without it; or, if `limits`, what they then cannot do."""

    name: str
    without: str
    limits: bool = False


#: Names as in VCD's API (tenant guide, "Predefined Roles and Their Rights").
_RIGHTS = (
    _Right("vApp: Create / Reconfigure", "cluster create, resize and repair, node create fail"),
    _Right("vApp: Edit Properties", "every command that changes a cluster fails"),
    _Right("vApp: Power Operations", "cluster create, start and stop fail"),
    _Right("vApp: Delete", "cluster delete and node delete fail"),
    _Right(
        "vApp: Snapshot Operations",
        "control planes without a virtual address are upgraded with --no-rollback only",
        limits=True,
    ),
    _Right("vApp: Sharing", "clusters cannot be shared", limits=True),
    _Right(
        "vApp: Allow All Extra Config",
        "the progress of nodes is seen only where their network can be reached",
        limits=True,
    ),
    _Right(
        "Organization vDC Network: View Properties",
        "free addresses and DNS servers are not checked before a creation",
        limits=True,
    ),
    _Right(
        "Organization vDC Gateway: View NAT",
        "whether a network has a way to the Internet is not checked before a creation",
        limits=True,
    ),
    _Right(
        "Organization vDC: VM-VM Affinity Edit",
        "several control planes of a cluster may run on the same host",
        limits=True,
    ),
    _Right("vApp Template / Media: Edit", "template register fails", limits=True),
    _Right("Catalog: Add vApp from My Cloud", "template build fails", limits=True),
    _Right("API Tokens: Manage", "you cannot log in with an API token", limits=True),
)


def examine(session: Session, vdc: str, *, clock: Clock = SYSTEM_CLOCK) -> Iterator[Finding]:
    """Yield what is found with a session, and in a VDC (by default the one in use)."""
    vcd = VcdClient.attach(session, clock=clock)
    try:
        yield from _examine(vcd, session, vdc)
    finally:
        vcd.close()


def _examine(vcd: VcdClient, session: Session, wanted: str) -> Iterator[Finding]:
    try:
        served = vcd.session.served_versions()
    except CseError as error:
        yield _failed("connection", error)
        return
    yield from _clock(vcd.session.server_time())
    yield _version(session, served)
    if session.api_version not in served:
        return
    try:
        vcd.session.identify()
    except CseError as error:
        yield _failed("login", error)
        return
    renewed = "; it renews itself by an API token" if session.renew else ""
    who = f"{vcd.session.user_name} of organization {vcd.session.org_name}"
    yield Finding(OK, "login", f"Logged in to {session.host} as {who}{renewed}.")
    rights = vcd.session.rights()
    yield from _rights(rights)
    try:
        vdc = vcd.surroundings.vdc(wanted)
    except CseError as error:
        yield _failed("VDC", error)
        return
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("VDC", lambda: _vdc(vcd, vdc, rights)),
        ("leases", lambda: _leases(vcd)),
        ("templates", lambda: _templates(vcd)),
        ("networks", lambda: _networks(vcd, vdc)),
        ("add-ons", _addons),
    )
    for name, check in checks:
        try:
            yield from check()
        except CseError as error:
            yield _failed(name, error)


def _failed(check: str, error: CseError) -> Finding:
    return Finding(ERROR, check, error.message, error.hint)


def _clock(server_time: str) -> Iterator[Finding]:
    ahead = seconds_ahead(server_time)
    if not server_time or abs(ahead) < _CLOCKS_WARNING:
        yield Finding(OK, "clock", "The clocks of this machine and of VCD agree.")
        return
    state = ERROR if abs(ahead) > _CLOCKS_ERROR else WARNING
    where = "ahead of" if ahead > 0 else "behind"
    yield Finding(
        state,
        "clock",
        f"The clock of this machine is {roughly(abs(ahead))} {where} VCD's; the certificates of a"
        " new cluster would not be valid in time.",
        "Set the clock of this machine, for example with NTP.",
    )


def _version(session: Session, served: list[str]) -> Finding:
    mine = session.api_version
    again = f"Log in again: {login_line(session)}"
    if mine not in served:
        offered = ", ".join(served) or "none"
        message = f"VCD does not serve API version {mine}; it offers {offered}."
        return Finding(ERROR, "API version", message, again)
    if version_to_use(served) not in ("", mine):
        message = f"The session uses API version {mine}, and {version_to_use(served)} is possible."
        return Finding(OK, "API version", message, again)
    return Finding(OK, "API version", f"The session uses API version {mine}.")


def _rights(rights: frozenset[str] | None) -> Iterator[Finding]:
    if rights is None:
        yield Finding(
            OK,
            "rights",
            "Your rights cannot be read; only an organization administrator sees those of a role.",
        )
        return
    missing = [one for one in _RIGHTS if one.name not in rights]
    for one in missing:
        yield Finding(
            WARNING if one.limits else ERROR,
            "rights",
            f'You do not have the right "{one.name}": {one.without}.',
            _ASK,
        )
    if not missing:
        yield Finding(OK, "rights", "You have the rights that all commands need.")


def _vdc(vcd: VcdClient, vdc: Vdc, rights: frozenset[str] | None) -> Iterator[Finding]:
    document = vcd.surroundings.vdc_document(vdc)
    if not document.enabled:
        yield Finding(ERROR, "VDC", f"VDC '{vdc.name}' is disabled.", "Ask your provider.")
    elif not document.compose_href and rights is None:
        yield _failed("rights", no_compose_right(vdc))
    left = vcd.surroundings.capacity(vdc)
    for number, noun in (
        (left.vms_left, "VM"),
        (left.cpu_mhz_left, "MHz of CPU"),
        (left.memory_mb_left, "MB of memory"),
    ):
        if number is not None and number <= 0:
            yield Finding(
                ERROR,
                "quota",
                f"VDC '{vdc.name}' has no {noun} left.",
                "Delete what is not needed, or ask your provider for more.",
            )
    known = [counted(left.vms_left, "VM")] if left.vms_left is not None else []
    if left.memory_mb_left is not None:
        known.append(f"{left.memory_mb_left // _GB} GB of memory")
    room = f" with room for {' and '.join(known)}" if known else ""
    yield Finding(OK, "VDC", f"VDC '{vdc.name}' is in use{room}.")
    yield from _storage(vcd, vdc)


def _storage(vcd: VcdClient, vdc: Vdc) -> Iterator[Finding]:
    profiles = [one for one in vcd.surroundings.storage_profiles(vdc) if one.enabled]
    if not profiles:
        yield Finding(
            ERROR,
            "storage",
            f"VDC '{vdc.name}' has no storage profile that is enabled.",
            "Ask your provider.",
        )
    full = [one.name for one in profiles if one.limit_mb and one.used_mb >= one.limit_mb]
    for name in full:
        yield Finding(
            ERROR if len(full) == len(profiles) else WARNING,
            "storage",
            f"The storage profile '{name}' of VDC '{vdc.name}' is full.",
            "Use another one with --storage-profile, or ask your provider for more.",
        )


def _leases(vcd: VcdClient) -> Iterator[Finding]:
    longest = vcd.session.longest_lease()
    if longest:
        yield Finding(
            WARNING,
            "leases",
            f"The organization's policy stops running vApps after {roughly(longest)}.",
            "Renew the lease of a cluster's vApp in VCD in time, or ask an organization"
            " administrator to allow leases that never expire.",
        )


def _templates(vcd: VcdClient) -> Iterator[Finding]:
    templates = vcd.surroundings.templates()
    usable = [one for one in templates if one.facts.kubernetes]
    if not usable:
        yield Finding(
            ERROR,
            "templates",
            "There is no template for nodes in the catalogs that you can see.",
            f"Register one: {suggest.cse('template register', help=True)}",
        )
        return
    for template in usable:
        yield from _template(vcd, template)
    yield Finding(OK, "templates", f"{counted(len(usable), 'template')} for nodes.")


def _template(vcd: VcdClient, template: Template) -> Iterator[Finding]:
    try:
        source = vcd.surroundings.template_vm(template)
    except CseError as error:
        yield Finding(WARNING, "templates", error.message, error.hint)
        return
    if not source.has_nic:
        yield Finding(
            WARNING,
            "templates",
            f"The VM of the template '{template.item}' has no network adapter.",
            "Add one in VCD, or use another template.",
        )


def _networks(vcd: VcdClient, vdc: Vdc) -> Iterator[Finding]:
    networks = vcd.surroundings.networks(vdc)
    if not networks:
        yield Finding(ERROR, "networks", f"VDC '{vdc.name}' has no network.", "Create one in VCD.")
        return
    seen = [vcd.surroundings.egress(vcd.surroundings.network_details(one)) for one in networks]
    good = []
    reasons = []
    for network in seen:
        trouble = _trouble(network)
        if trouble:
            reasons.append(f"{network.name}: {trouble}")
        else:
            good.append(network.name)
    if not good:
        yield Finding(
            ERROR,
            "networks",
            f"No network of VDC '{vdc.name}' is fit for a cluster: {'; '.join(reasons)}.",
            "Create a routed network with a static IP pool, DNS and an SNAT rule.",
        )
        return
    but = f"; not fit: {'; '.join(reasons)}" if reasons else ""
    yield Finding(OK, "networks", f"Networks for clusters: {', '.join(good)}{but}.")


def _trouble(network: Network) -> str:
    """Return why a network is not fit for a cluster; empty where nothing is known against it."""
    if network.egress is False:
        return network.egress_reason or "no way to the Internet was found"
    if not network.dns:
        return "it has no DNS server"
    if network.free_addresses is not None and network.free_addresses < _ADDRESSES:
        return f"its pool has {counted(network.free_addresses, 'free address', 'free addresses')}"
    for subnet in network.subnets:
        try:
            own = ipaddress.ip_interface(subnet).network
        except ValueError:
            continue
        for what, range_ in internal_ranges(_NO_FACTS).items():
            if own.version == range_.version and own.overlaps(range_):
                return f"it overlaps the addresses of a cluster's {what} ({range_})"
    return ""


def _addons() -> Iterator[Finding]:
    from cse_client.kube.addons.fetch import obtain
    from cse_client.kube.addons.table import HOST, METALLB, RELEASES

    release = next(one for one in RELEASES if one.addon == METALLB)
    try:
        obtain(release, ManifestSource(), timeout=_ADDON_SECONDS)
    except CseError as error:
        yield Finding(
            WARNING,
            "add-ons",
            f"Add-ons cannot be downloaded from {HOST}: {error.clause}.",
            "Use a proxy (HTTPS_PROXY), or install add-ons from a mirror or a file: "
            + suggest.cse("addon install", help=True),
        )
        return
    yield Finding(OK, "add-ons", f"Add-ons can be downloaded from {HOST}.")
