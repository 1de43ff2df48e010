"""Affinity rules between the VMs of a VDC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cse_client.simulator.vcd.people import Right
from tests.simulator.client import NAMESPACES, Answer, Tenant, V
from tests.simulator.vcd.place import Place

OTHER = "https://localhost/api/vApp/vm-00000000-0000-0000-0000-000000000000"
POLARITIES = ("Affinity", "Anti-Affinity")
FORBIDDEN, BAD_REQUEST = 403, 400


@pytest.fixture
def vms(place: Place) -> list[str]:
    """Add two VMs; return the addresses of all three."""
    place.tenant.done(place.tenant.add_vms(place.vapp, "two", "three"))
    return [place.tenant.one("vm", name) for name in ("one", "two", "three")]


def body(vms: Sequence[str], *, name: str = "apart", polarity: str = "Anti-Affinity") -> str:
    references = "".join(f'<VmReference href="{vm}"/>' for vm in vms)
    return (
        f"<VmAffinityRule {NAMESPACES}><Name>{name}</Name><IsEnabled>true</IsEnabled>"
        f"<IsMandatory>false</IsMandatory><Polarity>{polarity}</Polarity>"
        f"<VmReferences>{references}</VmReferences></VmAffinityRule>"
    )


def link(tenant: Tenant, vdc: str, rel: str, kind: str) -> str | None:
    media = f"application/vnd.vmware.vcloud.{kind}+xml"
    found = (one for one in tenant.get(vdc).iterfind(f"{V}Link") if one.get("rel") == rel)
    return next((one.get("href") for one in found if one.get("type") == media), None)


def rules(place: Place) -> list[Any]:
    href = link(place.tenant, place.vdc, "down", "vmaffinityrules")
    return list(place.tenant.get(str(href)).iterfind(f"{V}VmAffinityRule"))


def add(place: Place, text: str) -> Answer:
    href = link(place.tenant, place.vdc, "add", "vmaffinityrule")
    return place.tenant.post(str(href), text, "vmaffinityrule")


def of(rule: Any) -> list[str | None]:
    return [one.get("href") for one in rule.iterfind(f"{V}VmReferences/{V}VmReference")]


def test_a_rule_lives(place: Place, vms: list[str]) -> None:
    tenant = place.tenant
    assert rules(place) == []
    task = tenant.done(add(place, body(vms)))
    (rule,) = rules(place)
    assert task.find(f"{V}Owner").get("href") == rule.get("href")
    assert (rule.findtext(f"{V}Name"), rule.findtext(f"{V}IsMandatory")) == ("apart", "false")
    assert of(rule) == vms
    tenant.done(tenant.send("PUT", rule.get("href"), body(vms[:2]), "vmaffinityrule"))
    (rule,) = rules(place)
    assert of(rule) == vms[:2]
    tenant.done(tenant.send("DELETE", vms[0]))
    (rule,) = rules(place)
    assert of(rule) == vms[1:2]
    tenant.done(tenant.send("DELETE", rule.get("href")))
    assert rules(place) == []
    assert tenant.send("GET", rule.get("href")).status == FORBIDDEN


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("one", BAD_REQUEST),
        ("twice", BAD_REQUEST),
        ("other", FORBIDDEN),
        ("nameless", BAD_REQUEST),
        ("neither", BAD_REQUEST),
    ],
)
def test_what_is_refused(place: Place, vms: list[str], text: str, status: int) -> None:
    bodies = {
        "one": body(vms[:1]),
        "twice": body([vms[0], vms[0]]),
        "other": body([vms[0], OTHER]),
        "nameless": body(vms, name=""),
        "neither": body(vms, polarity="Indifference"),
    }
    assert add(place, bodies[text]).status == status
    assert rules(place) == []


def test_it_takes_a_right(place: Place, vms: list[str]) -> None:
    tenant = place.tenant
    tenant.control("POST", "users/admin", {"rights": {Right.AFFINITY_EDIT: False}})
    assert link(tenant, place.vdc, "add", "vmaffinityrule") is None
    url = link(tenant, place.vdc, "down", "vmaffinityrules")
    assert tenant.post(str(url), body(vms), "vmaffinityrule").status == FORBIDDEN
