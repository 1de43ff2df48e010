"""The parts of a request body that the handlers support; the rest is refused by name.

A real VCD carries out every element of a body. The simulator carries out fewer; an element or
attribute that no handler reads is answered with 501 and its name, so that a client never takes a
success without effect for the real thing. Two things pass unread: what VCD itself does not read
(links, `Info`, read-only state, schema defaults), and echoes: clients such as pyvcloud read a
document, change one value and send everything back, so what equals the current document asks for
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Optional

from lxml import etree

from cse_client.simulator.vcd.errors import VcdError, not_implemented
from cse_client.simulator.vcd.markup import NS, local

__all__ = ["UNREAD", "Current", "check", "parts"]

#: Gives the document as it is now of what an element of the body changes; None for what is new.
Current = Callable[[etree._Element], "etree._Element | None"]

_CREATION = "@name @deploy @powerOn Description InstantiationParams SourcedItem AllEULAsAccepted"
_VM = (
    "@name Description VirtualHardwareSection NetworkConnectionSection GuestCustomizationSection"
    " VmSpecSection ProductSection StorageProfile ComputePolicy VdcComputePolicy"
)
#: Element to the children and `@attributes` that are carried out; a child without an entry is
#: read for its text, or for its href. `Parent/Name` is the element in that parent only.
_SUPPORTED: Mapping[str, str] = {
    "ComposeVAppParams": _CREATION,
    "RecomposeVAppParams": f"{_CREATION} DeleteItem ReconfigureItem",
    "InstantiateVAppTemplateParams": f"{_CREATION} Source",
    "InstantiationParams": "NetworkConfigSection",
    "SourcedItem/InstantiationParams": (
        "VirtualHardwareSection NetworkConnectionSection GuestCustomizationSection VmSpecSection"
        " ProductSection"
    ),
    "SourcedItem": (
        "Source VmGeneralParams VAppScopedLocalId InstantiationParams StorageProfile ComputePolicy"
        " VdcComputePolicy"
    ),
    "VmGeneralParams": "Name Description NeedsCustomization RegenerateBiosUuid",
    "ComputePolicy": "VmPlacementPolicy VmSizingPolicy",
    "ReconfigureItem": _VM,
    "Vm": _VM,
    # The API reference of PUT vApp/ID: only name and description of a VM or vApp are changed.
    "PUT Vm": "@name Description",
    "VApp": "@name Description",
    "UploadVAppTemplateParams": "@name Description",
    "DeployVAppParams": "@powerOn @forceCustomization",
    "UndeployVAppParams": "UndeployPowerAction",
    # VCD shows neither name nor description of a snapshot (SnapshotType)
    "CreateSnapshotParams": "@name @memory @quiesce Description",
    "CaptureVAppParams": "@name Description Source CustomizationSection TargetCatalogItem",
    "CustomizationSection": "CustomizeOnInstantiate",
    "VmAffinityRule": "Name IsEnabled IsMandatory Polarity VmReferences",
    "VmReferences": "VmReference",
    "NetworkConfigSection": "NetworkConfig",
    "NetworkConfig": "@networkName Description Configuration",
    "Configuration": "ParentNetwork FenceMode",
    "GuestCustomizationSection": (
        "Enabled ChangeSid AdminPasswordEnabled AdminPasswordAuto AdminPassword"
        " AdminAutoLogonEnabled AdminAutoLogonCount ResetPasswordRequired CustomizationScript"
        " ComputerName"
    ),
    "NetworkConnectionSection": "PrimaryNetworkConnectionIndex NetworkConnection",
    "NetworkConnection": (
        "@network NetworkConnectionIndex IpAddress IsConnected MACAddress IpAddressAllocationMode"
        " NetworkAdapterType"
    ),
    "VirtualHardwareSection": "Item ExtraConfig",
    "ExtraConfig": "@key @value",
    "HostResource": "@capacity",
    "VmSpecSection": "@Modified NumCpus NumCoresPerSocket MemoryResourceMb DiskSection",
    "MemoryResourceMb": "Configured",
    "DiskSection": "DiskSettings",
    "DiskSettings": "DiskId SizeMb",
    "ProductSectionList": "ProductSection",
    "ProductSection": "Info Property @required",
    "Property": (
        "@key @type @qualifiers @userConfigurable @value @password Label Description Value"
    ),
    "Property/Value": "@value",
    "Metadata": "MetadataEntry",
    "MetadataEntry": "Domain Key Value TypedValue",
    "MetadataValue": "Domain Value TypedValue",
    "Domain": "@visibility",
    "TypedValue": "Value",
    "LeaseSettingsSection": "DeploymentLeaseInSeconds StorageLeaseInSeconds",
    "ControlAccessParams": "IsSharedToEveryone EveryoneAccessLevel AccessSettings",
    "AccessSettings": "AccessSetting",
    "AccessSetting": "Subject AccessLevel",
}
#: What of a hardware item is carried out, by its ResourceType; other kinds must be as they are.
_ITEMS: Mapping[str, str] = {
    "3": "VirtualQuantity CoresPerSocket",
    "4": "VirtualQuantity",
    "17": "HostResource VirtualQuantity",
}
#: What VCD's schemas call read-only, or what describes an element without asking for anything.
UNREAD = frozenset(
    (
        *("Link", "Info", "Tasks", "Files", "DateCreated", "IsDeployed", "Environment"),
        *("VirtualMachineId", "ExternalIpAddress", "VmToolsVersion"),
        *("DeploymentLeaseExpiration", "StorageLeaseExpiration"),
        # of hardware items, generated from the quantity
        *("ElementName", "InstanceID", "ResourceType"),
        *("@href", "@id", "@type", "@required", "@rel"),
        *("@status", "@deployed", "@needsCustomization", "@ovfDescriptorUploaded"),
        # "Ignored by vCloud Director 5.5 and later." (vApp.xsd, CaptureVAppParamsType)
        "VdcStorageProfile",
        # "Reserved. Unimplemented." (vApp.xsd)
        *("@linkedClone", "VAppParent"),
    )
)
#: Values that ask for what is so anyway: the schemas' defaults.
_DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "@sourceDelete": ("false", "0"),
    "IsSourceDelete": ("false", "0"),
    "CopyTpmOnInstantiate": ("false", "0"),
    "@goldMaster": ("false", "0"),
    "BackwardCompatibilityMode": ("false", "0"),
    "RetainNetInfoAcrossDeployments": ("false", "0"),
    "JoinDomainEnabled": ("false", "0"),
    "UseOrgSettings": ("false", "0"),
    "VmPlacementPolicyFinal": ("false", "0"),
    "VmSizingPolicyFinal": ("false", "0"),
    "IpType": ("IPV4",),
    "SecondaryIpAddressAllocationMode": ("NONE",),
    "Reservation": ("0",),
    "Weight": ("0",),
    "AllocationUnits": ("hertz * 10^6", "byte * 2^20"),
}
#: What may come several times.
_LISTS = frozenset(
    (
        *("SourcedItem", "DeleteItem", "ReconfigureItem", "NetworkConfig", "NetworkConnection"),
        *("Item", "ExtraConfig", "DiskSettings", "Property", "MetadataEntry", "AccessSetting"),
        "VmReference",
    )
)
#: What distinguishes the elements of a list.
_KEYS: Mapping[str, str] = {
    "Item": "InstanceID",
    "NetworkConnection": "NetworkConnectionIndex",
    "NetworkConfig": "@networkName",
    "DiskSettings": "DiskId",
    "Property": "@key",
}
_Step = tuple[str, Optional[str]]
#: Elements below which another entity is meant: its current document is requested again.
_SCOPES = frozenset(("SourcedItem", "ReconfigureItem"))


def check(body: etree._Element, method: str, path: str, current: Current) -> None:
    """Raise 501 for the first part of a body that nothing carries out and that is not an echo."""
    name = local(body)
    form = f"PUT {name}" if f"{method} {name}" in _SUPPORTED else name
    _Walk(f"{method} {path}", current).look(body, form, body, ())


@lru_cache(maxsize=128)
def parts(form: str) -> frozenset[str]:
    """Return the children and `@attributes` of an element that are carried out."""
    return frozenset(_SUPPORTED.get(form, "").split())


class _Walk:
    """One look through a body; current documents are made only when something needs them."""

    def __init__(self, call: str, current: Current) -> None:
        self._call = call
        self._current = current
        self._documents: list[tuple[etree._Element, etree._Element | None]] = []

    def look(
        self, element: etree._Element, form: str, scope: etree._Element, path: Sequence[_Step]
    ) -> None:
        """Look at an element; `path` leads to it from `scope`, whose document is compared."""
        if form == "VmSpecSection" and element.get("Modified", "true") in ("false", "0"):
            return  # "Modified": VCD reads the section only where the client says that it did
        known = self._known(element, form)
        for key, value in element.attrib.items():
            name = "@" + str(key).rpartition("}")[2]
            if name in known or name in UNREAD or value in _DEFAULTS.get(name, ()):
                continue
            if not (_is_schema_instance(str(key)) or _is_label(element, name)):
                self._echo(element, name, scope, path)
        seen = set()
        for kid in _elements(element):
            name = local(kid)
            # Of what the handlers take as one thing, a second is not carried out.
            usable = known if name in _LISTS or name not in seen else known - {name}
            seen.add(name)
            self._look_at_child(kid, usable, form, scope, path)

    def _look_at_child(
        self,
        kid: etree._Element,
        known: frozenset[str],
        form: str,
        scope: etree._Element,
        path: Sequence[_Step],
    ) -> None:
        name = local(kid)
        if name not in known:
            if name not in UNREAD and not _is_default(kid):
                self._echo(kid, name, scope, (*path, _step(kid)))
            return
        if name == "Item" and _resource_type(kid) not in _ITEMS:
            self._echo(kid, name, scope, (*path, _step(kid)))
            return
        parent = form.rpartition(" ")[2].rpartition("/")[2]
        inner = f"{parent}/{name}" if f"{parent}/{name}" in _SUPPORTED else name
        if name in _SCOPES:
            self.look(kid, inner, kid, ())
        elif name == "InstantiationParams":
            # Its sections are the entity's own.
            self.look(kid, inner, scope, path)
        else:
            self.look(kid, inner, scope, (*path, _step(kid)))

    @staticmethod
    def _known(element: etree._Element, form: str) -> frozenset[str]:
        if form == "Item":
            return frozenset(_ITEMS.get(_resource_type(element), "").split())
        return parts(form)

    def _echo(
        self, element: etree._Element, name: str, scope: etree._Element, path: Sequence[_Step]
    ) -> None:
        """Raise 501 unless what is asked for is already so."""
        if not name.startswith("@") and _is_empty(element):
            return
        document = self._document(scope)
        places = list(_at(document, path)) if document is not None else []
        if name.startswith("@"):
            wanted = _attribute(element, name[1:])
            if any(_attribute(place, name[1:]) == wanted for place in places):
                return
        elif any(_within(element, place) for place in places):
            return
        holder = element if name.startswith("@") else element.getparent()
        where = local(holder) if holder is not None else local(element)
        raise _refused(self._call, name, where)

    def _document(self, scope: etree._Element) -> etree._Element | None:
        for known, document in self._documents:
            if known is scope:
                return document
        document = self._current(scope)
        # with the scope itself, since the id of an element that is gone comes again
        self._documents.append((scope, document))
        return document


def _refused(call: str, name: str, where: str) -> VcdError:
    method, _, path = call.partition(" ")
    what = f"the attribute {name[1:]}" if name.startswith("@") else f"the element {name}"
    return not_implemented(f"{what} of {where} in {method} {path}")


def _resource_type(item: etree._Element) -> str:
    return next(((one.text or "").strip() for one in item if local(one) == "ResourceType"), "")


def _attribute(element: etree._Element, name: str) -> str | None:
    for key, value in element.attrib.items():
        if str(key).rpartition("}")[2] == name:
            return str(value)
    return None


def _step(element: etree._Element) -> _Step:
    """Return what finds an element among its siblings: its name, and its key in a list."""
    name = local(element)
    key = _KEYS.get(name, "")
    if key.startswith("@"):
        return name, _attribute(element, key[1:])
    return name, next(((one.text or "").strip() for one in element if local(one) == key), None)


def _at(document: etree._Element, path: Sequence[_Step]) -> Iterator[etree._Element]:
    """Yield the elements of a document at a path."""
    if not path:
        yield document
        return
    for kid in _elements(document):
        if _step(kid) == path[0]:
            yield from _at(kid, path[1:])


def _is_default(element: etree._Element) -> bool:
    plain = not len(element) and not element.attrib
    return plain and (element.text or "").strip() in _DEFAULTS.get(local(element), ())


def _is_schema_instance(key: str) -> bool:
    return key.startswith(f"{{{NS['xsi']}}}")


def _is_label(element: etree._Element, name: str) -> bool:
    """Return whether an attribute is a reference's name: the address alone counts."""
    return name == "@name" and element.get("href") is not None


def _elements(element: etree._Element) -> Iterator[etree._Element]:
    """Yield the child elements, without comments."""
    return (kid for kid in element if local(kid))


def _is_empty(element: etree._Element) -> bool:
    """Return whether an element holds nothing at all: it asks for nothing."""
    if (element.text or "").strip() or element.attrib:
        return False
    return all(_is_empty(kid) for kid in _elements(element))


def _within(wanted: etree._Element, there: etree._Element) -> bool:
    """Return whether everything that `wanted` says is said by the current element, too."""
    if local(wanted) in UNREAD:
        return True
    if (wanted.text or "").strip() != (there.text or "").strip() and not len(wanted):
        return False
    for key, value in wanted.attrib.items():
        name = str(key).rpartition("}")[2]
        if f"@{name}" not in UNREAD and _attribute(there, name) != value:
            return False
    # What is only a reference is the same when it leads to the same place.
    href = wanted.get("href") or ""  # clients write an empty one where they know none
    if href and href != there.get("href"):
        return False
    for kid in _elements(wanted):
        if local(kid) in UNREAD or _is_empty(kid):
            continue
        if not any(_within(kid, one) for one in there if local(one) == local(kid)):
            return False
    return True
