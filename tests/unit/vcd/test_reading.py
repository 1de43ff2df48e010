"""Reading VCD's documents."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from lxml import etree

from cse_client.model import Capacity, Template
from cse_client.vcd import reading

_HEAD = (
    'xmlns="http://www.vmware.com/vcloud/v1.5" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" '
    'xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/'
    'CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf" '
    'xmlns:vcloud="http://www.vmware.com/vcloud/v1.5"'
)


def parse(text: str) -> etree._Element:
    """Parse a document whose first tag gets the namespaces."""
    return etree.fromstring(re.sub(r"^<(\w+)", rf"<\1 {_HEAD}", text))


TASK = """<Task status="error" operation="Stopped Virtual Application demo(21e9)"
  operationName="vappUndeployPowerOff" href="https://h/api/task/7c31">
  <Owner href="https://h/api/vApp/vapp-1"/>
  <Error majorErrorCode="400" minorErrorCode="BAD_REQUEST"
   message="[ 24e9f319-05bd-474e-bd1d-2b8bb3ea9c98 ] There are insufficient IP addresses."/>
  <Progress>40</Progress><Details>  [ 24e9f319 ] There are ...</Details></Task>"""

VAPP = """<VApp name="demo" id="urn:vcloud:vapp:1" href="https://h/api/vApp/vapp-1"
  status="20" deployed="true">
  <Link rel="up" type="application/vnd.vmware.vcloud.vdc+json" href="https://h/json"/>
  <Link rel="up" type="application/vnd.vmware.vcloud.vdc+xml" href="https://h/api/vdc/1"/>
  <Description>cluster 'demo'</Description>
  <Tasks>
    <Task status="error" href="https://h/api/task/old"/>
    <Task status="running" href="https://h/api/task/new"/>
  </Tasks>
  <LeaseSettingsSection><ovf:Info/>
    <DeploymentLeaseInSeconds>604800</DeploymentLeaseInSeconds>
    <DeploymentLeaseExpiration>2026-12-01T12:00:00.000+02:00</DeploymentLeaseExpiration>
    <StorageLeaseExpiration>2026-12-24T12:00:00Z</StorageLeaseExpiration>
  </LeaseSettingsSection>
  <NetworkConfigSection><ovf:Info/><NetworkConfig networkName="none"/>
    <NetworkConfig networkName="net1"/></NetworkConfigSection>
  <DateCreated>2026-11-23T06:00:00.123Z</DateCreated>
  <Owner><User name="bob" href="https://h/u"/></Owner>
  <Children>
    <Vm name="mstr-ab12" href="https://h/api/vApp/vm-1" status="4" deployed="true">
      <ovf:VirtualHardwareSection><ovf:Info/>
        <ovf:Item><rasd:HostResource vcloud:capacity="16384"/>
          <rasd:ResourceType>17</rasd:ResourceType>
          <rasd:VirtualQuantity>17179869184</rasd:VirtualQuantity></ovf:Item>
        <ovf:Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></ovf:Item>
        <ovf:Item><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>2048</rasd:VirtualQuantity></ovf:Item>
        <vmw:ExtraConfig ovf:required="false" vmw:key="guestinfo.cse.phase" vmw:value="ready"/>
        <vmw:ExtraConfig ovf:required="false" vmw:key="disk.enableUUID" vmw:value="1"/>
      </ovf:VirtualHardwareSection>
      <NetworkConnectionSection><ovf:Info/>
        <PrimaryNetworkConnectionIndex>1</PrimaryNetworkConnectionIndex>
        <NetworkConnection network="other"><NetworkConnectionIndex>0</NetworkConnectionIndex>
          <IpAddress>10.9.9.9</IpAddress></NetworkConnection>
        <NetworkConnection network="net1"><NetworkConnectionIndex>1</NetworkConnectionIndex>
          <IpAddress>127.20.0.10</IpAddress></NetworkConnection>
      </NetworkConnectionSection>
    </Vm>
    <Vm name="node-cd34" href="https://h/api/vApp/vm-2" status="77"/>
  </Children></VApp>"""


def test_a_failed_task_speaks_with_vcds_words_without_the_noise() -> None:
    task = reading.task(parse(TASK))
    assert (task.status, task.ended, task.id, task.progress) == ("error", True, "7c31", 40)
    assert task.error == "There are insufficient IP addresses."
    assert task.code == "BAD_REQUEST"
    assert task.request_id == "24e9f319-05bd-474e-bd1d-2b8bb3ea9c98"


def test_a_failed_task_without_an_error_element_falls_back_to_its_details() -> None:
    task = reading.task(
        parse('<Task status="aborted" href="t"><Details>  gone wrong</Details></Task>')
    )
    assert (task.error, task.code) == ("gone wrong", "")


def test_a_vapp_with_all_its_parts() -> None:
    vapp = reading.vapp(parse(VAPP))
    assert (vapp.name, vapp.status, vapp.deployed) == ("demo", "PARTIALLY_POWERED_OFF", True)
    assert (vapp.owner, vapp.description, vapp.networks) == ("bob", "cluster 'demo'", ("net1",))
    assert vapp.vdc_href == "https://h/api/vdc/1"
    assert vapp.running_tasks == ("https://h/api/task/new",)
    assert vapp.lease_ends == datetime(2026, 12, 1, 10, tzinfo=timezone.utc)
    assert vapp.deployment_lease_seconds == 604800
    assert vapp.created is not None
    assert vapp.created.tzinfo is timezone.utc
    first, second = vapp.vms
    assert (first.status, first.ip, first.network) == ("POWERED_ON", "127.20.0.10", "net1")
    assert (first.cpus, first.memory_mb) == (2, 2048)
    assert first.guestinfo == {"guestinfo.cse.phase": "ready"}
    assert (second.status, second.ip, second.guestinfo) == ("STATUS_77", "", None)


def test_a_vapp_without_a_lease_never_ends() -> None:
    vapp = reading.vapp(parse('<VApp name="demo" status="0"/>'))
    assert (vapp.lease_ends, vapp.deployment_lease_seconds, vapp.vms) == (None, None, ())


def test_the_newer_spec_section_has_the_last_word_on_sizes() -> None:
    vm = reading.vm(
        parse(
            '<Vm name="n" status="8"><VmSpecSection><NumCpus>8</NumCpus><MemoryResourceMb>'
            "<Configured>4096</Configured></MemoryResourceMb></VmSpecSection></Vm>"
        )
    )
    assert (vm.cpus, vm.memory_mb) == (8, 4096)


def test_a_template_vm_with_its_nic_licences_and_sizes() -> None:
    root = parse(
        """<VAppTemplate name="t" status="8" href="x"><Children>
        <Vm name="tpl" href="https://h/api/vAppTemplate/vm-7" id="urn:vcloud:vm:7">
          <ovf:EulaSection><ovf:Info/><ovf:License>Be nice.</ovf:License></ovf:EulaSection>
          <NetworkConnectionSection><ovf:Info/>
            <PrimaryNetworkConnectionIndex>3</PrimaryNetworkConnectionIndex>
            <NetworkConnection><NetworkConnectionIndex>3</NetworkConnectionIndex></NetworkConnection>
          </NetworkConnectionSection>
          <GuestCustomizationSection><ovf:Info/><Enabled>false</Enabled></GuestCustomizationSection>
        </Vm></Children>
        <ovf:EulaSection><ovf:Info/><ovf:License>Be nice.</ovf:License></ovf:EulaSection>
        </VAppTemplate>"""
    )
    vm = reading.template_vm(root)
    assert vm is not None
    assert (vm.name, vm.nic_index, vm.has_nic) == ("tpl", 3, True)
    assert vm.eulas == ("Be nice.",)


def test_a_template_vm_without_a_nic_says_so() -> None:
    vm = reading.template_vm(
        parse('<VAppTemplate><Children><Vm name="v"/></Children></VAppTemplate>')
    )
    assert vm is not None
    assert not vm.has_nic
    assert reading.template_vm(parse("<VAppTemplate><Children/></VAppTemplate>")) is None


def test_a_template_in_the_making_is_not_ready() -> None:
    template = Template("t", 1, "cat", "t_rev1", "x")
    assert reading.template_problem(parse('<VAppTemplate status="8"/>'), template) == ""
    text = reading.template_problem(parse('<VAppTemplate status="0"/>'), template)
    assert text == "Template 't_rev1' is not ready: its state is UNRESOLVED."


def test_a_vdc_with_links_networks_and_limits() -> None:
    vdc = reading.vdc(
        parse(
            """<Vdc name="vdc1" href="https://h/api/vdc/1">
            <Link rel="add" type="application/vnd.vmware.vcloud.composeVAppParams+json" href="j"/>
            <Link rel="add" type="application/vnd.vmware.vcloud.composevappparams+xml" href="c"/>
            <ComputeCapacity><Cpu><Units>MHz</Units><Limit>1000</Limit><Used>1200</Used></Cpu>
              <Memory><Units>MB</Units><Limit>0</Limit><Used>5</Used></Memory></ComputeCapacity>
            <AvailableNetworks><Network name="net1" href="https://h/api/network/1"/>
            </AvailableNetworks><VmQuota>10</VmQuota><IsEnabled>true</IsEnabled>
            <VCpuInMhz2>1000</VCpuInMhz2></Vdc>"""
        )
    )
    assert (vdc.compose_href, vdc.networks) == ("c", {"net1": "https://h/api/network/1"})
    assert vdc.capacity == Capacity(None, 0, None)
    assert (vdc.vm_quota, vdc.vcpu_mhz, vdc.enabled) == (10, 1000, True)


def test_only_general_metadata_counts() -> None:
    entries = reading.metadata(
        parse(
            """<Metadata><MetadataEntry><Domain>SYSTEM</Domain><Key>a</Key><TypedValue><Value>1
            </Value></TypedValue></MetadataEntry><MetadataEntry><Domain>GENERAL</Domain><Key>b</Key>
            <TypedValue><Value> two </Value></TypedValue></MetadataEntry><MetadataEntry>
            <Key>c</Key><TypedValue><Value></Value></TypedValue></MetadataEntry></Metadata>"""
        )
    )
    assert entries == {"b": " two ", "c": ""}
