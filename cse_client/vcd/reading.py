"""Reading VCD's XML documents: elements in, model types out. No requests, no decisions.

Names and order of elements: VCD's schemas (vApp.xsd, task.xsd, vdc.xsd, vAppTemplate.xsd) and
recorded answers. Namespaces are matched by wildcard, because servers differ in their prefixes and
an embedded Error has none of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from lxml import etree

from cse_client.model import Capacity, SnapshotState, Template, TemplateVm, VApp, Vm
from cse_client.vcd import errors
from cse_client.vcd.tasks import Task

__all__ = [
    "STATUS_NAMES",
    "VdcDocument",
    "children",
    "disks",
    "first_task",
    "hardware",
    "link",
    "metadata",
    "moment",
    "number",
    "status_name",
    "task",
    "template_problem",
    "template_vm",
    "text",
    "truth",
    "vapp",
    "vdc",
    "vm",
]

_VCLOUD = "http://www.vmware.com/vcloud/v1.5"
_OVF = "http://schemas.dmtf.org/ovf/envelope/1"
_VMW = "http://www.vmware.com/schema/ovf"

#: Status numbers of entities, as the query service spells them (vcd-api documentation; 18 to 21
#: came with VCD 10.x, and pyvcloud's own table ends at 15).
STATUS_NAMES: Mapping[int, str] = {
    -1: "FAILED_CREATION",
    0: "UNRESOLVED",
    1: "RESOLVED",
    2: "DEPLOYED",
    3: "SUSPENDED",
    4: "POWERED_ON",
    5: "WAITING_FOR_INPUT",
    6: "UNKNOWN",
    7: "UNRECOGNIZED",
    8: "POWERED_OFF",
    9: "INCONSISTENT_STATE",
    10: "MIXED",
    16: "REJECTED",
    17: "TRANSFER_TIMEOUT",
    18: "VAPP_UNDEPLOYED",
    19: "VAPP_PARTIALLY_DEPLOYED",
    20: "PARTIALLY_POWERED_OFF",
    21: "PARTIALLY_SUSPENDED",
}

_CPU = "3"
_MEMORY = "4"
_DISK = "17"


_MOST_REASON = 20_000


@dataclass(frozen=True)
class VdcDocument:
    """What an org VDC's document holds: names, links and limits.

    `networks` maps a network's name to its href; `compose_href` is empty where this user may not
    make a vApp in it, `affinity_add_href` where none may add an affinity rule; `vm_quota` 0 means
    none, `vcpu_mhz` None not known. `overcommits`: VMs may ask for more than the limits
    (reservation pools leave that to vSphere).
    """

    name: str
    href: str
    compose_href: str
    networks: Mapping[str, str]
    capacity: Capacity
    vm_quota: int
    vcpu_mhz: int | None
    enabled: bool
    overcommits: bool = False
    affinity_href: str = ""
    affinity_add_href: str = ""


def text(element: etree._Element | None, path: str, default: str = "") -> str:
    """Return the stripped text below `path` (`A/B`, any namespace), or the default."""
    if element is None:
        return default
    found = element.findtext("/".join("{*}" + step for step in path.split("/")))
    return found.strip() if found else default


def number(value: str | None) -> int | None:
    """Read a whole number; None for anything else."""
    try:
        return int(value) if value else None
    except ValueError:
        return None


def moment(value: str | None) -> datetime | None:
    """Read an XML dateTime into UTC; None where there is none."""
    if not value:
        return None
    value = value.strip().replace("Z", "+00:00")
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    if read.tzinfo is None:
        read = read.replace(tzinfo=timezone.utc)
    return read.astimezone(timezone.utc)


def truth(value: str | None) -> bool:
    """Read an XML boolean."""
    return (value or "").strip().lower() in ("true", "1")


def children(element: etree._Element, path: str) -> Iterator[etree._Element]:
    """Yield the elements at `path` (`A/B`, any namespace)."""
    yield from element.iterfind("/".join("{*}" + step for step in path.split("/")))


def link(element: etree._Element, rel: str, media_type: str = "") -> str:
    """Return the href of the first Link with this rel and XML media type; empty if absent.

    Newer servers send a `+json` twin of each link, so the type is compared as a whole, and
    without case, because servers differ in it.
    """
    for one in children(element, "Link"):
        if one.get("rel") != rel:
            continue
        if not media_type or (one.get("type") or "").lower() == media_type.lower():
            return one.get("href") or ""
    return ""


def task(element: etree._Element) -> Task:
    """Read a Task document."""
    error = element.find("{*}Error")
    # a CSE server's reason holds the output of its scripts, and it can be read nowhere else
    said = (
        errors.read_error(error, limit=_MOST_REASON) if error is not None else errors.VcdMessage()
    )
    reason = said.text
    if not reason and element.get("status") in ("error", "aborted", "canceled"):
        reason, _request = errors.clean(text(element, "Details"))
    return Task(
        href=element.get("href") or "",
        status=element.get("status") or "",
        operation=element.get("operation") or "",
        operation_name=element.get("operationName") or "",
        error=reason,
        code=said.code,
        request_id=said.request_id,
        progress=number(text(element, "Progress")),
    )


def first_task(element: etree._Element) -> Task | None:
    """Return the first unfinished task of an entity, or else its last; None where it has none."""
    tasks = [task(one) for one in children(element, "Tasks/Task")]
    for one in tasks:
        if not one.ended:
            return one
    return tasks[-1] if tasks else None


def metadata(element: etree._Element) -> dict[str, str]:
    """Read the GENERAL entries of a Metadata document, key to text."""
    entries: dict[str, str] = {}
    for entry in children(element, "MetadataEntry"):
        domain = text(entry, "Domain", "GENERAL")
        key = text(entry, "Key")
        if key and domain == "GENERAL":
            entries[key] = entry.findtext("{*}TypedValue/{*}Value") or text(entry, "Value")
    return entries


def status_name(element: etree._Element) -> str:
    """Return an entity's status as a word."""
    value = number(element.get("status"))
    if value is None:
        return "UNKNOWN"
    return STATUS_NAMES.get(value, f"STATUS_{value}")


def vm(element: etree._Element) -> Vm:
    """Read a Vm document, or a Vm inside its vApp."""
    nic = _primary_nic(element)
    cpus, memory_mb = hardware(element)
    return Vm(
        name=element.get("name") or "",
        href=element.get("href") or "",
        status=status_name(element),
        deployed=truth(element.get("deployed")),
        ip=text(nic, "IpAddress"),
        network=(nic.get("network") or "") if nic is not None else "",
        cpus=cpus,
        memory_mb=memory_mb,
        guestinfo=_guestinfo(element),
        customization=text(element, "GuestCustomizationStatusSection/GuestCustStatus"),
        busy=_unfinished(element) != (),
        description=text(element, "Description"),
        disk_mb=next((size for _id, size in disks(element)), 0),
    )


def snapshot_state(element: etree._Element) -> SnapshotState:
    """Read what a Vm document tells of its snapshot.

    VCD offers the action as a Link to whoever has the right (API reference, POST-CreateSnapshot).
    """
    found = element.find("{*}SnapshotSection/{*}Snapshot")
    allowed = any(link.get("rel") == "snapshot:create" for link in element.iterfind("{*}Link"))
    created = moment(found.get("created")) if found is not None else None
    if found is not None and created is None:
        created = datetime.fromtimestamp(0, timezone.utc)
    return SnapshotState(allowed, created)


def customization_scripts(element: etree._Element) -> dict[str, str]:
    """Return the customization scripts that a VApp document shows, by the VMs' addresses.

    A user without the right to see one gets no section, and no entry here. The scripts are secret.
    """
    found = {}
    for one in children(element, "Children/Vm"):
        section = one.find("{*}GuestCustomizationSection")
        script = section.findtext("{*}CustomizationScript") if section is not None else None
        if script:
            found[one.get("href") or ""] = script
    return found


def vapp(element: etree._Element) -> VApp:
    """Read a VApp document with its VMs."""
    lease = element.find("{*}LeaseSettingsSection")
    owner = element.find("{*}Owner/{*}User")
    return VApp(
        name=element.get("name") or "",
        href=element.get("href") or "",
        id=element.get("id") or "",
        status=status_name(element),
        deployed=truth(element.get("deployed")),
        description=text(element, "Description"),
        owner=(owner.get("name") or "") if owner is not None else "",
        networks=tuple(
            config.get("networkName") or ""
            for config in children(element, "NetworkConfigSection/NetworkConfig")
            if config.get("networkName") != "none"
        ),
        vms=tuple(vm(one) for one in children(element, "Children/Vm")),
        running_tasks=_unfinished(element),
        lease_ends=_lease_end(lease),
        deployment_lease_seconds=number(text(lease, "DeploymentLeaseInSeconds")),
        created=moment(text(element, "DateCreated")),
        vdc_href=link(element, "up", "application/vnd.vmware.vcloud.vdc+xml"),
    )


def template_vm(element: etree._Element) -> TemplateVm | None:
    """Read the first VM of a VAppTemplate document; None where there is none."""
    source = element.find("{*}Children/{*}Vm")
    if source is None:
        return None
    nic = _primary_nic(source)
    cpus, memory_mb = hardware(source)
    found = disks(source)
    licences = [
        text(eula, "License") or "license without a text"
        for holder in (element, source)
        for eula in children(holder, "EulaSection")
    ]
    return TemplateVm(
        href=source.get("href") or "",
        name=source.get("name") or "",
        id=source.get("id") or "",
        nic_index=(number(text(nic, "NetworkConnectionIndex")) or 0) if nic is not None else 0,
        has_nic=nic is not None,
        eulas=tuple(dict.fromkeys(licences)),
        disk_mb=sum(size for _id, size in found),
        cpus=cpus or 0,
        memory_mb=memory_mb or 0,
        disks=found,
    )


def hardware(element: etree._Element) -> tuple[int | None, int | None]:
    """Return CPUs and memory in MiB of a Vm, as far as known.

    From the VmSpecSection of newer servers, else from the OVF hardware items.
    """
    spec = element.find("{*}VmSpecSection")
    cpus = number(text(spec, "NumCpus"))
    memory_mb = number(text(spec, "MemoryResourceMb/Configured"))
    for item in children(element, "VirtualHardwareSection/Item"):
        kind = text(item, "ResourceType")
        if kind == _CPU and cpus is None:
            cpus = number(text(item, "VirtualQuantity"))
        elif kind == _MEMORY and memory_mb is None:
            memory_mb = number(text(item, "VirtualQuantity"))
    return cpus, memory_mb


def disks(element: etree._Element) -> tuple[tuple[str, int], ...]:
    """Return the disks of a Vm: the id of the hardware item, and the size in MB."""
    return tuple(
        (text(item, "InstanceID"), _disk_size(item))
        for item in children(element, "VirtualHardwareSection/Item")
        if text(item, "ResourceType") == _DISK
    )


def vdc(element: etree._Element) -> VdcDocument:
    """Read an org VDC's document."""
    networks = {
        one.get("name") or "": one.get("href") or ""
        for one in children(element, "AvailableNetworks/Network")
    }
    quota = number(text(element, "VmQuota")) or 0
    return VdcDocument(
        name=element.get("name") or "",
        href=element.get("href") or "",
        compose_href=link(element, "add", "application/vnd.vmware.vcloud.composeVAppParams+xml"),
        affinity_href=link(element, "down", "application/vnd.vmware.vcloud.vmaffinityrules+xml"),
        affinity_add_href=link(element, "add", "application/vnd.vmware.vcloud.vmaffinityrule+xml"),
        networks=networks,
        capacity=Capacity(
            cpu_mhz_left=_left(element.find("{*}ComputeCapacity/{*}Cpu")),
            memory_mb_left=_left(element.find("{*}ComputeCapacity/{*}Memory")),
        ),
        vm_quota=quota,
        vcpu_mhz=number(text(element, "VCpuInMhz2")),
        enabled=text(element, "IsEnabled") != "false",
        overcommits=text(element, "AllocationModel") == "ReservationPool",
    )


def template_problem(element: etree._Element, template: Template) -> str:
    """Return why a template cannot be used yet; empty when it can."""
    status = status_name(element)
    if status in ("POWERED_OFF", "RESOLVED"):
        return ""
    return f"Template '{template.item}' is not ready: its state is {status}."


def _primary_nic(element: etree._Element) -> etree._Element | None:
    section = element.find("{*}NetworkConnectionSection")
    if section is None:
        return None
    nics = list(children(section, "NetworkConnection"))
    primary = text(section, "PrimaryNetworkConnectionIndex")
    for nic in nics:
        if text(nic, "NetworkConnectionIndex") == primary:
            return nic
    return nics[0] if nics else None


def _guestinfo(element: etree._Element) -> Mapping[str, str] | None:
    """Read the `guestinfo.` values; None where VCD shows no ExtraConfig at all."""
    section = element.find("{*}VirtualHardwareSection")
    found = list(children(section, "ExtraConfig")) if section is not None else []
    if not found:
        return None
    values = {_own_attribute(one, _VMW, "key"): _own_attribute(one, _VMW, "value") for one in found}
    return {key: value for key, value in values.items() if key.startswith("guestinfo.")}


def _own_attribute(element: etree._Element, namespace: str, name: str) -> str:
    return element.get(f"{{{namespace}}}{name}") or element.get(name) or ""


def _unfinished(element: etree._Element) -> tuple[str, ...]:
    """Return the hrefs of the tasks at work; finished failures stay in `Tasks`, so look."""
    tasks = (task(one) for one in children(element, "Tasks/Task"))
    return tuple(one.href for one in tasks if not one.ended)


def _lease_end(lease: etree._Element | None) -> datetime | None:
    ends = (
        moment(text(lease, "DeploymentLeaseExpiration")),
        moment(text(lease, "StorageLeaseExpiration")),
    )
    known = [end for end in ends if end is not None]
    return min(known) if known else None


def _left(pool: etree._Element | None) -> int | None:
    limit = number(text(pool, "Limit"))
    if not limit:
        return None
    return max(0, limit - (number(text(pool, "Used")) or 0))


def _disk_size(item: etree._Element) -> int:
    """Return a disk's size in MB; `capacity` of the HostResource is MB, VirtualQuantity bytes."""
    host = item.find("{*}HostResource")
    if host is not None:
        capacity = number(_own_attribute(host, _VCLOUD, "capacity"))
        if capacity is not None:
            return capacity
    quantity = number(text(item, "VirtualQuantity"))
    return quantity // (1024 * 1024) if quantity else 0
