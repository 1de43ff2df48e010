"""The shapes of accepted bodies: which elements, in which order, how often.

Written after the published schemas of API level 30 (vApp.xsd, common.xsd, vdc.xsd, network.xsd,
dsp8023_1.1.0.xsd) with what newer levels added. A shape is a list of words: `Name` once, `Name?`
at most once, `Name*` any number, `Name+` at least once; `Name:boolean` and `Name:int` check the
text too. `(SECTION)*` stands for OVF sections, `(OTHER)*` for elements of
another namespace than vCloud's, `(FOREIGN)*` for those of another than OVF's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from cse_client.simulator.vcd.errors import VcdError, bad_request
from cse_client.simulator.vcd.markup import NS, VCLOUD, local

__all__ = ["ALIASES", "MEDIA_TYPES", "Particle", "check", "particles"]

_MEDIA = "application/vnd.vmware.vcloud."

#: Document element to the content type that it must be sent with.
MEDIA_TYPES: Mapping[str, str] = {
    "ComposeVAppParams": _MEDIA + "composeVAppParams+xml",
    "RecomposeVAppParams": _MEDIA + "recomposeVAppParams+xml",
    "InstantiateVAppTemplateParams": _MEDIA + "instantiateVAppTemplateParams+xml",
    "DeployVAppParams": _MEDIA + "deployVAppParams+xml",
    "UndeployVAppParams": _MEDIA + "undeployVAppParams+xml",
    "CreateSnapshotParams": _MEDIA + "createSnapshotParams+xml",
    "CaptureVAppParams": _MEDIA + "captureVAppParams+xml",
    "UploadVAppTemplateParams": _MEDIA + "uploadVAppTemplateParams+xml",
    "VApp": _MEDIA + "vApp+xml",
    "Vm": _MEDIA + "vm+xml",
    "Metadata": _MEDIA + "metadata+xml",
    "MetadataValue": _MEDIA + "metadata.value+xml",
    "GuestCustomizationSection": _MEDIA + "guestCustomizationSection+xml",
    "NetworkConnectionSection": _MEDIA + "networkConnectionSection+xml",
    "NetworkConfigSection": _MEDIA + "networkConfigSection+xml",
    "VirtualHardwareSection": _MEDIA + "virtualHardwareSection+xml",
    "Item": _MEDIA + "rasdItem+xml",
    "LeaseSettingsSection": _MEDIA + "leaseSettingsSection+xml",
    "ControlAccessParams": _MEDIA + "controlAccess+xml",
    "ProductSectionList": _MEDIA + "productSections+xml",
    "VmAffinityRule": _MEDIA + "vmaffinityrule+xml",
}

_COMPOSITION = (
    "VCloudExtension* Description? VAppParent? InstantiationParams? SourcedItem* CreateItem*"
    " AllEULAsAccepted?:boolean"
)
_ENTITY = "VCloudExtension* Link* Description? Tasks?"

_SHAPES: Mapping[str, str] = {
    "ComposeVAppParams": _COMPOSITION,
    "RecomposeVAppParams": _COMPOSITION + " DeleteItem* ReconfigureItem*",
    "InstantiateVAppTemplateParams": (
        "VCloudExtension* Description? VAppParent? InstantiationParams? Source"
        " IsSourceDelete?:boolean SourcedVmInstantiationParams* SourcedItem*"
        " AllEULAsAccepted?:boolean"
    ),
    "SourcedItem": (
        "VCloudExtension* Source VmGeneralParams? VAppScopedLocalId? InstantiationParams?"
        " NetworkAssignment* StorageProfile? LocalityParams? VdcComputePolicy? ComputePolicy?"
        " VmCapabilities?"
    ),
    "VmGeneralParams": (
        "VCloudExtension* Name? Description? NeedsCustomization?:boolean"
        " RegenerateBiosUuid?:boolean"
    ),
    "ComputePolicy": (
        "VCloudExtension* Link* VmPlacementPolicy? VmPlacementPolicyFinal?:boolean"
        " VmSizingPolicy? VmSizingPolicyFinal?:boolean"
    ),
    "InstantiationParams": "VCloudExtension* (SECTION)*",
    "UploadVAppTemplateParams": "VCloudExtension* Description? VdcStorageProfile?",
    "DeployVAppParams": "VCloudExtension*",
    "UndeployVAppParams": "VCloudExtension* UndeployPowerAction?",
    "CreateSnapshotParams": "VCloudExtension* Description?",
    "CaptureVAppParams": (
        "VCloudExtension* Description? Source (SECTION)* VdcStorageProfile? TargetCatalogItem?"
        " CopyTpmOnInstantiate?:boolean"
    ),
    "CustomizationSection": "Info CustomizeOnInstantiate:boolean Link* (OTHER)*",
    "VApp": (
        _ENTITY + " Files? VAppParent? (SECTION)* DateCreated? Owner? autoNature?:boolean"
        " InMaintenanceMode?:boolean Children?"
    ),
    "Vm": (
        _ENTITY + " Files? VAppParent? (SECTION)* DateCreated? VAppScopedLocalId? Environment?"
        " VmCapabilities? StorageProfile? VdcComputePolicy? ComputePolicy? BootOptions? Media?"
    ),
    "Metadata": "VCloudExtension* Link* MetadataEntry*",
    "MetadataEntry": "VCloudExtension* Link* Domain? Key Value? TypedValue?",
    "MetadataValue": "VCloudExtension* Link* Domain? Value? TypedValue?",
    "GuestCustomizationSection": (
        "Info Enabled?:boolean ChangeSid?:boolean VirtualMachineId? JoinDomainEnabled?:boolean"
        " UseOrgSettings?:boolean DomainName? DomainUserName? DomainUserPassword?"
        " MachineObjectOU? AdminPasswordEnabled?:boolean AdminPasswordAuto?:boolean AdminPassword?"
        " AdminAutoLogonEnabled?:boolean AdminAutoLogonCount?:int"
        " ResetPasswordRequired?:boolean CustomizationScript? ComputerName? Link* (OTHER)*"
    ),
    "NetworkConnectionSection": (
        "Info PrimaryNetworkConnectionIndex?:int NetworkConnection* Link* (OTHER)*"
    ),
    "NetworkConnection": (
        "VCloudExtension* NetworkConnectionIndex:int IpAddress? IpType? SecondaryIpAddress?"
        " SecondaryIpType? ExternalIpAddress? IsConnected:boolean MACAddress?"
        " IpAddressAllocationMode SecondaryIpAddressAllocationMode? NetworkAdapterType?"
    ),
    "NetworkConfigSection": "Info Link* NetworkConfig* (OTHER)*",
    "NetworkConfig": ("VCloudExtension* Link* Description? Configuration IsDeployed?:boolean"),
    "Configuration": (
        "VCloudExtension* BackwardCompatibilityMode?:boolean IpScope? IpScopes? ParentNetwork?"
        " FenceMode RetainNetInfoAcrossDeployments?:boolean Features? SyslogServerSettings?"
        " RouterInfo? AdvancedNetworkingEnabled?:boolean SubInterface?:boolean"
        " DistributedInterface?:boolean GuestVlanAllowed?:boolean"
    ),
    "VirtualHardwareSection": "Info System? Item* (FOREIGN)*",
    "Item": (
        "Address? AddressOnParent? AllocationUnits? AutomaticAllocation?:boolean"
        " AutomaticDeallocation?:boolean Caption? ChangeableType? ConfigurationName? Connection*"
        " ConsumerVisibility? Description? ElementName Generation? HostResource* InstanceID"
        " Limit?:int MappingBehavior? OtherResourceType? Parent? PoolID? Reservation?:int"
        " ResourceSubType? ResourceType?:int VirtualQuantity?:int VirtualQuantityUnits?"
        " Weight?:int (FOREIGN)*"
    ),
    "VmSpecSection": (
        "Info OsType? NumCpus?:int NumCoresPerSocket?:int CpuResourceMhz? MemoryResourceMb?"
        " MediaSection? DiskSection? HardwareVersion VmToolsVersion? ToolsGuestOsId?"
        " VirtualCpuType? TimeSyncWithHost?:boolean"
    ),
    "DiskSection": "VCloudExtension* DiskSettings*",
    "DiskSettings": (
        "VCloudExtension* DiskId? SizeMb:int UnitNumber:int BusNumber:int AdapterType"
        " ThinProvisioned?:boolean Disk? StorageProfile? overrideVmDefault?:boolean iops?:int"
        " VirtualQuantityUnit? VirtualQuantity?:int"
    ),
    "MemoryResourceMb": (
        "VCloudExtension* Configured:int Reservation?:int Limit?:int SharesLevel? Shares?:int"
    ),
    "LeaseSettingsSection": (
        "Info Link* DeploymentLeaseInSeconds?:int StorageLeaseInSeconds?:int"
        " DeploymentLeaseExpiration? StorageLeaseExpiration? (OTHER)*"
    ),
    "ControlAccessParams": (
        "VCloudExtension* IsSharedToEveryone:boolean EveryoneAccessLevel? AccessSettings?"
    ),
    "AccessSettings": "VCloudExtension* AccessSetting+",
    "AccessSetting": "VCloudExtension* Subject? ExternalSubject? AccessLevel",
    "ProductSectionList": "VCloudExtension* Link* ProductSection*",
    "VmAffinityRule": (
        "VCloudExtension* Link* Name? IsEnabled?:boolean IsMandatory?:boolean Polarity? Scope?"
        " VmReferences"
    ),
    "VmReferences": "VCloudExtension* Link* VmReference*",
}
#: The same name, other shapes: a VM in a recompose is a `Vm` under another name.
ALIASES = {"ReconfigureItem": "Vm", "CreateItem": "Vm"}
_SECTION_SUFFIX = "Section"


@dataclass(frozen=True)
class Particle:
    """A word of a shape: what may come at its place."""

    name: str
    least: int
    most: int | None
    kind: str

    def takes(self, element: etree._Element) -> bool:
        """Return whether an element may stand here."""
        tag = local(element)
        if self.name == "(SECTION)":
            return tag.endswith(_SECTION_SUFFIX)
        if self.name == "(OTHER)":
            return _namespace(element) != VCLOUD
        if self.name == "(FOREIGN)":
            return _namespace(element) != NS["ovf"]
        return tag == self.name


def _namespace(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[0].lstrip("{")


@lru_cache(maxsize=128)
def particles(name: str) -> tuple[Particle, ...]:
    """Return what an element may hold, in order; nothing for an element without a shape."""
    found = []
    for word in _SHAPES.get(name, "").split():
        head, _, kind = word.partition(":")
        mark = head[-1]
        least, most = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(mark, (1, 1))
        found.append(Particle(head.rstrip("?*+"), least, most, kind))
    return tuple(found)


def check(element: etree._Element) -> None:
    """Check an element and everything below it; raise 400 with Xerces' words."""
    name = ALIASES.get(local(element), local(element))
    if name not in _SHAPES:
        return
    kids = [one for one in element if isinstance(one.tag, str)]
    _match(local(element), kids, particles(name))
    for kid in kids:
        check(kid)


def _match(name: str, kids: Sequence[etree._Element], particles: Sequence[Particle]) -> None:
    position, count = 0, 0
    for kid in kids:
        while True:
            if position == len(particles):
                raise _unexpected(kid, [])
            particle = particles[position]
            free = particle.most is None or count < particle.most
            if free and particle.takes(kid):
                count += 1
                _check_text(kid, particle.kind)
                break
            if count < particle.least:
                raise _unexpected(kid, [particle])
            if not _later(kid, particles[position + 1 :]):
                raise _unexpected(kid, particles[position:])
            position, count = position + 1, 0
    for index in range(position, len(particles)):
        particle = particles[index]
        if (count if index == position else 0) < particle.least:
            raise bad_request(
                "Bad request - cvc-complex-type.2.4.b: The content of element"
                f" '{name}' is not complete. One of '{_expected([particle])}' is expected."
            )


def _later(kid: etree._Element, rest: Sequence[Particle]) -> bool:
    return any(particle.takes(kid) for particle in rest)


def _unexpected(kid: etree._Element, expected: Sequence[Particle]) -> VcdError:
    text = f"Invalid content was found starting with element '{local(kid)}'."
    if expected:
        text += f" One of '{_expected(expected)}' is expected."
    else:
        text += " No child element is expected at this point."
    return bad_request(f"Bad request - cvc-complex-type.2.4.a: {text}")


def _expected(particles: Sequence[Particle]) -> str:
    """Name what may come, up to and with the first that must."""
    names = []
    for particle in particles:
        names.append(f'"{VCLOUD}":{particle.name.strip("()")}')
        if particle.least:
            break
    return "{" + ", ".join(names) + "}"


def _check_text(kid: etree._Element, kind: str) -> None:
    text = (kid.text or "").strip()
    if kind == "boolean" and text not in ("true", "false", "1", "0"):
        raise _bad_value(text, "boolean")
    if kind == "int" and not text.lstrip("+-").isdigit():
        raise _bad_value(text, "integer")


def _bad_value(text: str, kind: str) -> VcdError:
    return bad_request(
        f"Bad request - cvc-datatype-valid.1.2.1: '{text}' is not a valid value for '{kind}'."
    )
