"""What the server does to a cluster, step by step, as VCD's client and inside the guests.

Each method does one step that the genuine server does (container-service-extension
2.6.1:container_service_extension/vcdbroker.py), with the caller's token, and raises what went
wrong. Neither protocol nor tasks are known here.
"""

from __future__ import annotations

import contextlib
import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from cse_client.simulator.cse.calls import VcdCalls, VcdRefused
from cse_client.simulator.cse.clusters import CONTROL_PLANE, NFS, WORKER, address_of, vms_of
from cse_client.simulator.cse.guestops import GuestOperationFailed, Outcome, fetch, run_script
from cse_client.simulator.cse.templates import KnownTemplate
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Vdc
from cse_client.simulator.vcd.markup import add, document
from cse_client.simulator.vcd.networks import OrgNetwork
from cse_client.simulator.vcd.vapps import VApp, Vm

__all__ = ["KUBECONFIG", "Lifecycle", "NodesNotMade", "NodesWanted", "StepFailed", "drain_words"]

KUBECONFIG = "/root/.kube/config"
#: Where the NFS server of a node lists its exports; there is no NFS in the guests.
EXPORTS = "/etc/exports"
_EXPORTED = ("/home", "/data")
_NAME_LETTERS = string.ascii_lowercase + string.digits
_ADDRESS = "ip route get 1 | awk '{print $NF;exit}'\n"
_SHEBANG = "#!/usr/bin/env bash\n"


class StepFailed(Exception):
    """A step failed; the text is what the server puts into its task."""


class NodesNotMade(StepFailed):
    """Making VMs failed; some may be there."""

    def __init__(self, names: Sequence[str], why: str) -> None:
        super().__init__(f"failure on creating nodes {list(names)}\nError:{why}")
        self.names = tuple(names)


@dataclass(frozen=True)
class NodesWanted:
    """VMs to be made. CPUs and memory (MB) of None are the template's."""

    kind: str
    count: int
    template: KnownTemplate
    network: str
    cpu: int | None = None
    memory: int | None = None
    storage_profile: str | None = None
    sizing_policy: str | None = None
    ssh_key: str | None = None


class Lifecycle:
    """Steps on the clusters of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    # VCD

    def compose(self, vcd: VcdCalls, vdc: Vdc, name: str, network: str) -> VApp:
        """Make the empty vApp of a cluster; raises VcdRefused or StepFailed.

        A user without the right is shown no link to do so, of which pyvcloud says only that the
        operation is not supported (pyvcloud:pyvcloud/vcd/client.py `post_linked_resource`).
        """
        found = self._network(vdc, network)
        shown = vcd.read(f"{vcd.api}/vdc/{vdc.id}")
        if not any("composeVAppParams" in link.get("type", "") for link in shown.iter("{*}Link")):
            raise VcdRefused("Operation is not supported")
        root = document("ComposeVAppParams", {"name": name, "deploy": "false", "powerOn": "false"})
        add(root, "Description", f"cluster '{name}'")
        section = add(add(root, "InstantiationParams"), "NetworkConfigSection")
        add(section, "ovf:Info", "Configuration for logical networks")
        config = add(section, "NetworkConfig", None, {"networkName": network})
        configuration = add(config, "Configuration")
        add(configuration, "ParentNetwork", None, {"href": f"{vcd.api}/network/{found.id}"})
        add(configuration, "FenceMode", "bridged")
        href = f"{vcd.api}/vdc/{vdc.id}/action/composeVApp"
        made = vcd.change("POST", href, root, "composeVAppParams")
        return self.cloud.vapps[made.rpartition("vapp-")[2]]

    def _network(self, vdc: Vdc, name: str) -> OrgNetwork:
        for network in self.cloud.networks.values():
            if network.name == name and vdc.id in network.shared_in:
                return network
        raise StepFailed(
            f"Error while creating vApp: Network '{name}' not found in the Virtual Datacenter."
        )

    def tag(self, vcd: VcdCalls, vapp: VApp, values: Mapping[str, str]) -> None:
        """Write metadata of a vApp, all in one request; raises VcdRefused."""
        root = document("Metadata", {})
        for key, value in values.items():
            entry = add(root, "MetadataEntry")
            add(entry, "Domain", "GENERAL", {"visibility": "READWRITE"})
            add(entry, "Key", key)
            typed = add(entry, "TypedValue", None, {"xsi:type": "MetadataStringValue"})
            add(typed, "Value", value)
        vcd.change("POST", f"{vcd.api}/vApp/vapp-{vapp.id}/metadata", root, "metadata")

    def add_nodes(self, vcd: VcdCalls, vapp: VApp, wanted: NodesWanted) -> list[str]:
        """Make VMs, size and start them one after the other; return their names.

        Raises:
            NodesNotMade: whatever went wrong.
        """
        names: list[str] = []
        if wanted.count < 1:
            return names
        try:
            if wanted.storage_profile is not None:  # looked for before any name is made up
                self._storage_profile(vapp.vdc, wanted.storage_profile)
            root = document("RecomposeVAppParams", {"deploy": "true", "powerOn": "false"})
            for _ in range(wanted.count):
                names.append(self._free_name(vapp, wanted.kind))
                self._sourced_item(vcd, vapp, root, names[-1], wanted)
            href = f"{vcd.api}/vApp/vapp-{vapp.id}/action/recomposeVApp"
            vcd.change("POST", href, root, "recomposeVAppParams")
            for name in names:
                self._size_and_start(vcd, vapp, name, wanted)
        except Exception as error:
            raise NodesNotMade(names, str(error)) from error
        return names

    @staticmethod
    def _free_name(vapp: VApp, kind: str) -> str:
        while True:
            name = f"{kind}-{''.join(random.choices(_NAME_LETTERS, k=4))}"  # noqa: S311
            if vapp.vm_named(name) is None:
                return name

    def _sourced_item(
        self, vcd: VcdCalls, vapp: VApp, root: etree._Element, name: str, wanted: NodesWanted
    ) -> None:
        template = wanted.template.template
        item = add(root, "SourcedItem")
        source = f"{vcd.api}/vAppTemplate/vm-{template.vm_id}"
        add(item, "Source", None, {"href": source, "name": template.vm_name})
        general = add(item, "VmGeneralParams")
        add(general, "Name", name)
        add(general, "NeedsCustomization", "true")
        parameters = add(item, "InstantiationParams")
        nics = add(parameters, "NetworkConnectionSection")
        add(nics, "ovf:Info", "Network")
        add(nics, "PrimaryNetworkConnectionIndex", "0")
        nic = add(nics, "NetworkConnection", None, {"network": wanted.network})
        add(nic, "NetworkConnectionIndex", "0")
        add(nic, "IsConnected", "true")
        add(nic, "IpAddressAllocationMode", "POOL")
        custom = add(parameters, "GuestCustomizationSection")
        add(custom, "ovf:Info", "Customization")
        add(custom, "Enabled", "true")
        add(custom, "AdminPasswordEnabled", "true")
        add(custom, "AdminPasswordAuto", "true")
        if wanted.ssh_key is not None:
            add(custom, "CustomizationScript", _key_script(wanted.ssh_key))
        add(custom, "ComputerName", name)
        if wanted.storage_profile is not None:
            profile = self._storage_profile(vapp.vdc, wanted.storage_profile)
            add(item, "StorageProfile", None, {"href": f"{vcd.api}/vdcStorageProfile/{profile}"})
        if wanted.sizing_policy is not None:
            policy = self._sizing_policy(vapp.vdc, wanted.sizing_policy)
            urn = f"urn:vcloud:vdcComputePolicy:{policy}"
            href = f"{vcd.api[:-4]}/cloudapi/1.0.0/vdcComputePolicies/{urn}"
            add(add(item, "ComputePolicy"), "VmSizingPolicy", None, {"href": href, "id": urn})

    @staticmethod
    def _storage_profile(vdc: Vdc, name: str) -> str:
        for profile in vdc.storage:
            if profile.name == name:
                return profile.id
        raise StepFailed(f"Storage Profile named '{name}' not found")

    @staticmethod
    def _sizing_policy(vdc: Vdc, name: str) -> str:
        for policy in vdc.policies:
            if policy.name == name:
                return policy.id
        raise StepFailed(f"Compute policy '{name}' not found.")

    def _size_and_start(self, vcd: VcdCalls, vapp: VApp, name: str, wanted: NodesWanted) -> None:
        vm = self._vm(vapp, name)
        href = f"{vcd.api}/vApp/vm-{vm.id}"
        if wanted.sizing_policy is None:
            cpu = wanted.cpu or wanted.template.cpu
            memory = wanted.memory or wanted.template.memory
            for item, quantity, kind in (("cpu", cpu, "3"), ("memory", memory, "4")):
                body = _hardware(item, quantity, kind)
                vcd.change("PUT", f"{href}/virtualHardwareSection/{item}", body, "rasdItem")
        vcd.change("POST", f"{href}/power/action/powerOn", None, "")
        if wanted.kind == NFS:
            lines = "".join(f"{path} *(rw,sync)\\n" for path in _EXPORTED)
            self.in_guest(vm, f"{_SHEBANG}printf '{lines}' >{EXPORTS}\n")

    def remove_nodes(self, vcd: VcdCalls, vapp: VApp, names: Sequence[str]) -> None:
        """Take nodes out of Kubernetes and delete their VMs; only the latter must succeed."""
        self.in_control_plane(vapp, "kubectl delete node " + " ".join(names))
        root = document("RecomposeVAppParams", {})
        for name in names:
            vm = self._vm(vapp, name)
            body = document("UndeployVAppParams", {})
            add(body, "UndeployPowerAction", "default")
            href = f"{vcd.api}/vApp/vm-{vm.id}"
            with contextlib.suppress(VcdRefused):  # as the server does, which only logs it
                vcd.change("POST", f"{href}/action/undeploy", body, "undeployVAppParams")
            add(root, "DeleteItem", None, {"href": href})
        href = f"{vcd.api}/vApp/vapp-{vapp.id}/action/recomposeVApp"
        vcd.change("POST", href, root, "recomposeVAppParams")

    def remove_vapp(self, vcd: VcdCalls, vapp: VApp) -> None:
        """Delete a cluster's vApp, running or not; raises VcdRefused."""
        vcd.change("DELETE", f"{vcd.api}/vApp/vapp-{vapp.id}?force=true&recursive=false", None, "")

    # Guests

    def initialize(self, vapp: VApp, template: KnownTemplate) -> str:
        """Make the control plane; return its address. Raises StepFailed."""
        (head,) = vms_of(vapp, CONTROL_PLANE)[:1]
        try:
            self.in_guest(head, template.init_script, "Initialize cluster script")
        except StepFailed as error:
            raise StepFailed(f"Couldn't initialize cluster: {error}") from error
        if not self.cloud.guest_options.enabled:
            return address_of(head)
        what = "Get master IP script", "master node "
        return self.in_guest(head, _SHEBANG + _ADDRESS, *what).out.split()[0]

    def join(self, vapp: VApp, template: KnownTemplate, names: Sequence[str] | None = None) -> None:
        """Have workers join, one after the other and whatever the others do; raises StepFailed."""
        (head,) = vms_of(vapp, CONTROL_PLANE)[:1]
        what = "Join cluster script"
        script = f"{_SHEBANG}kubeadm token create\n{_ADDRESS}"
        told = self.in_guest(head, script, what, "master node ").out.split()
        token, address = (told[0], told[1]) if told else ("", "")
        workers = [vm for vm in vms_of(vapp, WORKER) if names is None or vm.name in names]
        script = template.join_script(token, address)
        errors = [one.err for one in [self._run(vm, script) for vm in workers] if one.code]
        if errors:
            joining = [vm.name for vm in workers]
            raise StepFailed(f"{what} execution failed on worker node {joining}:{errors}")

    def drain(self, vapp: VApp, names: Sequence[str]) -> None:
        """Drain nodes; a failure is not minded."""
        lines = [f"kubectl {drain_words(name)}" for name in names]
        self.in_control_plane(vapp, "\n".join(lines))

    def kubeconfig(self, vapp: VApp) -> str:
        """Return the administrator's kubeconfig, fetched from the control plane.

        Raises:
            StepFailed: it cannot be had.
        """
        try:
            (head,) = vms_of(vapp, CONTROL_PLANE)[:1]
            return fetch(self.cloud, head, KUBECONFIG).decode()
        except (GuestOperationFailed, ValueError) as error:
            raise StepFailed("Couldn't get cluster configuration") from error

    def exports(self, vm: Vm) -> list[str]:
        """Return what an NFS node exports."""
        try:
            text = fetch(self.cloud, vm, EXPORTS).decode()
        except GuestOperationFailed:
            return list(_EXPORTED)
        return [line.split()[0] for line in text.splitlines() if line.strip()]

    def in_control_plane(self, vapp: VApp, script: str) -> None:
        """Run lines with kubectl on the control plane; a failure is not minded."""
        heads = vms_of(vapp, CONTROL_PLANE)
        with contextlib.suppress(StepFailed, IndexError):
            self.in_guest(heads[0], f"{_SHEBANG}export KUBECONFIG={KUBECONFIG}\n{script}\n")

    def in_guest(self, vm: Vm, script: str, what: str = "Script", where: str = "node ") -> Outcome:
        """Run a script in a VM; raises StepFailed, which says `what`, when it cannot or fails."""
        outcome = self._run(vm, script)
        if outcome.code:
            raise StepFailed(f"{what} execution failed on {where}['{vm.name}']:{[outcome.err]}")
        return outcome

    def _run(self, vm: Vm, script: str) -> Outcome:
        try:
            return run_script(self.cloud, vm, script)
        except GuestOperationFailed as error:
            raise StepFailed(str(error)) from error

    @staticmethod
    def _vm(vapp: VApp, name: str) -> Vm:
        vm = vapp.vm_named(name)
        if vm is None:
            raise StepFailed(f"Can't find VM '{name}'")
        return vm


def drain_words(name: str) -> str:
    """Return kubectl's words for draining a node."""
    return f"drain {name} --ignore-daemonsets --timeout=60s --delete-local-data"


def _key_script(key: str) -> str:
    """Return the server's script for a key; its test is always true, so that it acts twice."""
    return (
        f'{_SHEBANG}if [ x$1=x"postcustomization" ];\nthen\nmkdir -p /root/.ssh\n'
        f"echo '{key}' >> /root/.ssh/authorized_keys\nchmod -R go-rwx /root/.ssh\nfi"
    )


def _hardware(item: str, quantity: int, kind: str) -> etree._Element:
    """Return the hardware item for a number of CPUs or of MB."""
    root = document("Item", {})
    add(root, "rasd:ElementName", f"{quantity} {item}")
    add(root, "rasd:InstanceID", "4" if item == "cpu" else "5")
    add(root, "rasd:ResourceType", kind)
    add(root, "rasd:VirtualQuantity", str(quantity))
    if item == "cpu":
        add(root, "vmw:CoresPerSocket", str(quantity))
    return root
