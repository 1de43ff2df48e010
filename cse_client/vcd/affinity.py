"""Rules of an org VDC that keep VMs on different hosts.

Calls and documents: VMware Cloud Director API, `vmAffinityRules` of a VDC, VmAffinityRuleType.
go-vcloud-director (govcd/vm_affinity_rule.go): names need not be unique, a rule has at least two
VMs, and a change needs the right that `RIGHT` names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from cse_client.errors import Refused
from cse_client.model import Vdc
from cse_client.vcd.errors import Action
from cse_client.vcd.reading import VdcDocument, children, text
from cse_client.vcd.tasks import Task
from cse_client.vcd.transport import Transport
from cse_client.vcd.writing import checked

__all__ = ["RIGHT", "AffinityRules", "AntiAffinityRule"]

RIGHT = "Organization vDC: VM-VM Affinity Edit"

_VCLOUD = "http://www.vmware.com/vcloud/v1.5"
_NSMAP: Any = {None: _VCLOUD}
_MEDIA = "application/vnd.vmware.vcloud.vmaffinityrule+xml"
_ANTI = "Anti-Affinity"


@dataclass(frozen=True)
class AntiAffinityRule:
    """A rule that keeps the VMs with these addresses on different hosts."""

    name: str
    href: str
    vms: frozenset[str]
    enabled: bool = True


class AffinityRules:
    """The anti-affinity rules of one VDC.

    Raises (every method):
        Refused: this user may not.
    """

    def __init__(self, transport: Transport, vdc: Vdc, document: VdcDocument) -> None:
        self._transport = transport
        self._vdc = vdc
        self._document = document

    @property
    def may_change(self) -> bool:
        """Whether VCD offers this user to add a rule."""
        return bool(self._document.affinity_add_href)

    def all(self) -> list[AntiAffinityRule]:
        """List the anti-affinity rules; one request."""
        action = Action(f"list the affinity rules of VDC '{self._vdc.name}'")
        href = self._document.affinity_href
        if not href:
            return []
        root = self._transport.get(href, action, "VmAffinityRules")
        return [
            AntiAffinityRule(
                name=text(one, "Name"),
                href=one.get("href") or "",
                vms=frozenset(
                    vm.get("href") or "" for vm in children(one, "VmReferences/VmReference")
                ),
                enabled=text(one, "IsEnabled") != "false",
            )
            for one in children(root, "VmAffinityRule")
            if text(one, "Polarity") == _ANTI
        ]

    def add(self, name: str, vms: Sequence[str]) -> Task:
        """Make a rule for two or more VMs, which VCD may break when hosts fail."""
        action = self._action(f"keep the VMs of rule '{name}' on different hosts")
        if not self.may_change:
            raise Refused(f"Cannot {action.doing}: the right '{RIGHT}' is missing.")
        href = self._document.affinity_add_href
        return self._transport.post(href, _body(name, vms), _MEDIA, action).task(action)

    def change(self, rule: AntiAffinityRule, vms: Sequence[str]) -> Task:
        """Give a rule other VMs, at least two."""
        action = self._action(f"change the affinity rule '{rule.name}'")
        body = _body(rule.name, vms)
        return self._transport.put(rule.href, body, _MEDIA, action).task(action)

    def delete(self, rule: AntiAffinityRule) -> Task:
        """Delete a rule."""
        action = self._action(f"delete the affinity rule '{rule.name}'")
        return self._transport.delete(rule.href, action).task(action)

    @staticmethod
    def _action(doing: str) -> Action:
        return Action(doing, right=RIGHT, changes=True)


def _body(name: str, vms: Sequence[str]) -> etree._Element:
    root = etree.Element(f"{{{_VCLOUD}}}VmAffinityRule", nsmap=_NSMAP)
    for tag, value in (
        ("Name", checked(name, "the name")),
        ("IsEnabled", "true"),
        # With a mandatory rule a VM would stay off where too few hosts are left.
        ("IsMandatory", "false"),
        ("Polarity", _ANTI),
    ):
        etree.SubElement(root, f"{{{_VCLOUD}}}{tag}").text = value
    references = etree.SubElement(root, f"{{{_VCLOUD}}}VmReferences")
    for vm in vms:
        etree.SubElement(references, f"{{{_VCLOUD}}}VmReference").set("href", vm)
    return root
