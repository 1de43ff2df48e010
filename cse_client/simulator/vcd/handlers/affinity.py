"""Affinity and anti-affinity rules between VMs of a VDC.

Sources: vmAffinityRule.xsd; go-vcloud-director (govcd/vm_affinity_rule.go: the VDC's links, tasks
whose owner is the rule, names that need not be unique, at least two VMs, and 403 with the right
ORG_VDC_VM_VM_AFFINITY_EDIT also for VMs that are not there). That a rule loses a VM that is
deleted, and stays without any, is an assumption; so are the names of the operations.
"""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.documents import affinity
from cse_client.simulator.vcd.entities import AffinityRule, Vdc
from cse_client.simulator.vcd.errors import VcdError, bad_request, forbidden, no_access
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.reading import child, children, last_part, text, truth
from cse_client.simulator.vcd.routes import Call, route
from cse_client.simulator.vcd.tasks import Task

_RULES = "/api/vdc/{vdc}/vmAffinityRules"
_RULE = "/api/vmAffinityRule/{rule}"
_POLARITIES = ("Affinity", "Anti-Affinity")
_LEAST_VMS = 2


@route("GET", _RULES)
def _list(call: Call) -> Response:
    return call.xml(affinity.rules(call.view, call.cloud.vdc(call.ids["vdc"])), "vmaffinityrules")


@route("GET", _RULE)
def _read(call: Call) -> Response:
    _vdc, rule = _find(call)
    return call.xml(affinity.rule(call.view, rule), "vmaffinityrule")


@route("POST", _RULES)
def _create(call: Call) -> Response:
    call.user.require(Right.AFFINITY_EDIT)
    vdc = call.cloud.vdc(call.ids["vdc"])
    fresh = AffinityRule("")
    change = _change(call, call.body("VmAffinityRule"), fresh)

    def effect(task: Task) -> None:
        change(task)
        vdc.affinity_rules.append(fresh)

    return _begin(call, "vdcCreateVmAffinityRule", "Creat", fresh, effect)


@route("PUT", _RULE)
def _update(call: Call) -> Response:
    call.user.require(Right.AFFINITY_EDIT)
    _vdc, rule = _find(call)
    call.cloud.tasks.refuse_if_busy(rule)
    body = call.body("VmAffinityRule", current=lambda _scope: affinity.rule(call.view, rule))
    return _begin(call, "vdcUpdateVmAffinityRule", "Updat", rule, _change(call, body, rule))


@route("DELETE", _RULE)
def _delete(call: Call) -> Response:
    call.user.require(Right.AFFINITY_EDIT)
    vdc, rule = _find(call)
    call.cloud.tasks.refuse_if_busy(rule)

    def effect(_task: Task) -> None:
        vdc.affinity_rules.remove(rule)

    return _begin(call, "vdcDeleteVmAffinityRule", "Delet", rule, effect)


def _find(call: Call) -> tuple[Vdc, AffinityRule]:
    for vdc in call.cloud.vdcs.values():
        for rule in vdc.affinity_rules:
            if rule.id == call.ids["rule"]:
                return vdc, rule
    raise no_access("vmaffinityrule", call.ids["rule"])


def _change(call: Call, body: etree._Element, rule: AffinityRule) -> Callable[[Task], None]:
    """Check a body and return what makes the rule as it says."""
    name, polarity = text(body, "Name"), text(body, "Polarity")
    if not name:
        raise bad_request("validation error on field 'name': may not be empty.")
    if polarity not in _POLARITIES:
        raise bad_request(f"validation error on field 'polarity': {polarity!r} is not valid.")
    vms = _vms(call, body)

    def effect(_task: Task) -> None:
        rule.name, rule.polarity = name, polarity
        rule.enabled = truth(body, "IsEnabled", True)
        rule.mandatory = truth(body, "IsMandatory", True)
        rule.vms = [one for one in vms if one in call.cloud.vms]

    rule.name = rule.name or name
    return effect


def _vms(call: Call, body: etree._Element) -> list[str]:
    references = child(body, "VmReferences")
    found = []
    for one in children(references, "VmReference") if references is not None else ():
        try:
            _vapp, vm = call.cloud.vm(last_part(one.get("href")), call.user)
        except VcdError:
            raise forbidden(Right.AFFINITY_EDIT) from None
        found.append(vm.id)
    if len({*found}) < max(_LEAST_VMS, len(found)):
        raise bad_request("An affinity rule must have at least two different VMs.")
    return found


def _begin(
    call: Call, name: str, verb: str, rule: AffinityRule, effect: Callable[[Task], None]
) -> Response:
    label = f"VM Affinity Rule {rule.name}({rule.id})"
    texts = (f"{verb}ing {label}", f"{verb}ed {label}")
    return call.accepted(call.cloud.tasks.start(name, texts, rule, call.user, effect))
