"""Bodies are checked as by VCD's schema validation (vcd-api 7.2, point 3)."""

from __future__ import annotations

from typing import Any

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import (
    NAMESPACES,
    Answer,
    Tenant,
    compose_body,
    recompose_body,
    sourced_item,
)


def compose(tenant: Tenant, body: str, kind: str = "composeVAppParams") -> Answer:
    return tenant.post(f"{tenant.one('orgVdc', 'vdc1')}/action/composeVApp", body, kind)


def test_elements_out_of_order_get_the_words_of_xerces(tenant: Tenant) -> None:
    body = compose_body("demo", "net1", tenant.network())
    wrong = body.replace("<Description></Description>", "").replace(
        "</ComposeVAppParams>", "<Description>late</Description></ComposeVAppParams>"
    )
    answer = compose(tenant, wrong)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert (
        "cvc-complex-type.2.4.a: Invalid content was found starting with element 'Description'."
        in answer.message
    )
    assert tenant.query("type=vApp") == []


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("<FenceMode>bridged</FenceMode>", "", "cvc-complex-type.2.4.b"),
        ("<FenceMode>bridged</FenceMode>", "<FenceMode/><FenceMode/>", "element 'FenceMode'"),
        ("<Description></Description>", "<Colour/>", "element 'Colour'"),
        ("ComposeVAppParams", "DecomposeVAppParams", "cvc-elt.1"),
        ("</ComposeVAppParams>", "", "Bad request"),
    ],
)
def test_missing_doubled_and_unknown_elements(
    tenant: Tenant, old: str, new: str, text: str
) -> None:
    body = compose_body("demo", "net1", tenant.network())
    assert old in body
    answer = compose(tenant, body.replace(old, new))
    assert answer.status == 400
    assert text in answer.message


def test_values_have_types(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    items = sourced_item(tenant.template_vm(), "one").replace(
        "<IsConnected>true</IsConnected>", "<IsConnected>perhaps</IsConnected>"
    )
    answer = tenant.post(
        f"{vapp}/action/recomposeVApp", recompose_body(items), "recomposeVAppParams"
    )
    assert answer.status == 400
    assert "'perhaps' is not a valid value for 'boolean'" in answer.message


def test_another_content_type_is_415(tenant: Tenant) -> None:
    body = compose_body("demo", "net1", tenant.network())
    assert compose(tenant, body, "recomposeVAppParams").status == 415
    assert compose(tenant, body, "COMPOSEvappPARAMS").status == 201


def test_pyvclouds_misplaced_script_is_refused_as_by_real_servers(
    simulator: Simulator, tenant: Tenant, pyvcloud: Any
) -> None:
    """vcd-cli issue 508: the script is appended behind Link when the section has none."""
    from pyvcloud.vcd.exceptions import BadRequestException
    from pyvcloud.vcd.vm import VM

    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one"))
    href = tenant.one("vm", "one")
    simulator.cloud.vms[href[-36:]][1].customization.script = None
    with pytest.raises(
        BadRequestException, match=r"cvc-complex-type\.2\.4\.a.*CustomizationScript"
    ):
        VM(pyvcloud, href=href).update_guest_customization_section(
            enabled=True, customization_script="#!/bin/sh\n"
        )


def test_a_whole_section_read_and_put_back_is_accepted(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    tenant.done(tenant.add_vms(vapp, "one", script="echo 1"))
    vm = tenant.one("vm", "one")
    for name in (
        "guestCustomizationSection",
        "networkConnectionSection",
        "virtualHardwareSection",
        "virtualHardwareSection/cpu",
        "virtualHardwareSection/memory",
    ):
        answer = tenant.send("GET", f"{vm}/{name}/")
        kind = "rasdItem" if "/" in name else name
        tenant.done(tenant.send("PUT", f"{vm}/{name}/", answer.body, kind))
    script = tenant.get(f"{vm}/guestCustomizationSection/").findtext("{*}CustomizationScript")
    assert script == "echo 1"


def test_newer_elements_pass(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    vdc = tenant.get(tenant.one("orgVdc", "vdc1"))
    place = next(
        link.get("href")
        for link in vdc.iterfind("{*}Link")
        if (link.get("type") or "").endswith("vdcComputePolicyReferences+xml")
    )
    policy = tenant.get(place).findall("{*}VdcComputePolicyReference")[2]
    assert policy.get("name") == "4core-8gb"
    item = sourced_item(tenant.template_vm(), "one").replace(
        "</SourcedItem>",
        f'<ComputePolicy><VmSizingPolicy href="{policy.get("href")}"/></ComputePolicy>'
        "</SourcedItem>",
    )
    body = recompose_body(item)
    tenant.done(tenant.post(f"{vapp}/action/recomposeVApp", body, "recomposeVAppParams"))
    record = tenant.query("type=vm&filter=name==one")[0]
    assert (record.get("numberOfCpus"), record.get("memoryMB")) == ("4", "8192")


def test_bodies_that_name_unknown_things_are_refused(tenant: Tenant) -> None:
    vapp = tenant.vapp("demo")
    late = tenant.add_vms(vapp, "one", network="net9")
    task = tenant.task(late)
    assert task.get("status") == "error"
    assert 'network "net9" does not exist' in task.find("{*}Error").get("message")
    body = f"<UndeployVAppParams {NAMESPACES}><UndeployPowerAction>kick</UndeployPowerAction>"
    answer = tenant.post(
        f"{vapp}/action/undeploy", f"{body}</UndeployVAppParams>", "undeployVAppParams"
    )
    assert answer.status == 400
