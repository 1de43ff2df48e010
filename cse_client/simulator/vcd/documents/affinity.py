"""Affinity rules of a VDC: the list, and one rule (schema: vmAffinityRule.xsd)."""

from __future__ import annotations

from lxml import etree

from cse_client.simulator.vcd.documents.view import View, media
from cse_client.simulator.vcd.entities import AffinityRule, Vdc
from cse_client.simulator.vcd.markup import add, boolean, document
from cse_client.simulator.vcd.people import Right

__all__ = ["rule", "rules"]


def rules(view: View, vdc: Vdc) -> etree._Element:
    """Render all rules of a VDC."""
    place = f"{view.href(vdc)}/vmAffinityRules/"
    root = document("VmAffinityRules", {"href": place, "type": media("vmaffinityrules")})
    if view.user.may(Right.AFFINITY_EDIT):
        view.link(root, "add", place, "vmaffinityrule")
    for one in vdc.affinity_rules:
        root.append(rule(view, one))
    return root


def rule(view: View, one: AffinityRule) -> etree._Element:
    """Render a rule."""
    href = view.href(one)
    identity = {key: value for key, value in view.identity(one).items() if key != "name"}
    root = document("VmAffinityRule", identity)
    if view.user.may(Right.AFFINITY_EDIT):
        view.link(root, "edit", href, "vmaffinityrule")
        view.link(root, "remove", href)
    add(root, "Name", one.name)
    add(root, "IsEnabled", boolean(one.enabled))
    add(root, "IsMandatory", boolean(one.mandatory))
    add(root, "Polarity", one.polarity)
    add(root, "Scope", "Host")
    references = add(root, "VmReferences")
    for vm in one.vms:
        view.reference(references, "VmReference", view.cloud.vms[vm][1])
    return root
