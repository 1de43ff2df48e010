"""Documents of templates: schema-valid bodies, and nothing secret left in them."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from lxml import etree

from cse_client.vcd import template_documents
from tests.unit.vcd.schema import complaints
from tests.unit.vcd.sections import CUSTOMIZATION

NS = 'xmlns="http://www.vmware.com/vcloud/v1.5" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"'


def test_a_capture_is_what_the_schema_wants() -> None:
    body = template_documents.capture("ubuntu", "Kubernetes 1.37", "https://h/api/vApp/vapp-1")
    assert complaints(body) == []
    assert body.findtext("{*}CustomizationSection/{*}CustomizeOnInstantiate") == "true"
    assert body.findtext("{*}CustomizationSection/{http://schemas.dmtf.org/ovf/envelope/1}Info")


def test_script_and_password_are_taken_out_of_a_customization() -> None:
    section = etree.fromstring(
        etree.tostring(CUSTOMIZATION).replace(
            b"<ComputerName>",
            b"<CustomizationScript>#!/bin/sh s3cr3t</CustomizationScript><ComputerName>",
        )
    )
    cleared = template_documents.cleared_customization(section)
    assert complaints(cleared) == []
    text = etree.tostring(cleared)
    assert b"hunter2" not in text and b"s3cr3t" not in text
    assert cleared.find("{*}CustomizationScript") is not None
    assert cleared.findtext("{*}AdminPasswordEnabled") == "false"
    assert cleared.findtext("{*}Enabled") == "true"


def properties(user: str, given: str) -> etree._Element:
    return etree.fromstring(
        f"""<ProductSectionList {NS}><ovf:ProductSection ovf:required="true"><ovf:Info>i</ovf:Info>
        <ovf:Property ovf:key="VERSION" ovf:type="string" ovf:userConfigurable="false"
          ovf:value="v1.30.2"/>
        <ovf:Property ovf:key="user-data" ovf:type="string" ovf:userConfigurable="true"
          ovf:value="{user}"><ovf:Label>l</ovf:Label>{given}</ovf:Property>
        </ovf:ProductSection></ProductSectionList>"""
    )


@pytest.mark.parametrize(
    ("user", "given"), [("s3cr3t", ""), ("", '<ovf:Value ovf:value="s3cr3t"/>')]
)
def test_values_of_users_are_taken_out_of_guest_properties(user: str, given: str) -> None:
    cleared = template_documents.cleared_properties(properties(user, given))
    assert cleared is not None
    assert complaints(cleared) == []
    text = etree.tostring(cleared)
    assert b"s3cr3t" not in text and b"v1.30.2" in text and b"user-data" in text


def test_properties_without_values_of_users_stay_as_they_are() -> None:
    assert template_documents.cleared_properties(properties("", "")) is None


def test_a_template_tells_what_it_is() -> None:
    root = etree.fromstring(
        f"""<VAppTemplate {NS} xmlns:vssd="urn:v" name="t" status="8">
        <Description>d</Description><Owner><User name="bob"/></Owner>
        <Children><Vm name="v" href="https://h/vm"><NetworkConnectionSection>
        <NetworkConnection><NetworkConnectionIndex>0</NetworkConnectionIndex></NetworkConnection>
        </NetworkConnectionSection>
        <GuestCustomizationSection><Enabled>false</Enabled></GuestCustomizationSection>
        <ovf:ProductSection><ovf:Property ovf:key="VERSION" ovf:value="v1.30.2+vmware.1"/>
        </ovf:ProductSection>
        <ovf:VirtualHardwareSection><ovf:System><vssd:VirtualSystemType>vmx-10
        </vssd:VirtualSystemType></ovf:System></ovf:VirtualHardwareSection></Vm></Children>
        <LeaseSettingsSection><StorageLeaseExpiration>2027-01-01T00:00:00Z</StorageLeaseExpiration>
        </LeaseSettingsSection>
        <CustomizationSection><CustomizeOnInstantiate>true</CustomizeOnInstantiate>
        </CustomizationSection></VAppTemplate>"""
    )
    found = template_documents.details(root)
    assert (found.status, found.owner, found.vms, found.nics) == ("POWERED_OFF", "bob", 1, 1)
    assert found.properties == {"VERSION": "v1.30.2+vmware.1"}
    assert (found.customizes, found.vm_customizes) == (True, False)
    assert found.hardware_version == "vmx-10"
    assert found.lease_ends == datetime(2027, 1, 1, tzinfo=timezone.utc)
