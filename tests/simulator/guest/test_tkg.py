"""A template of Tanzu Kubernetes Grid: what says so, and that its images need their own names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cse_client.simulator import Simulator
from cse_client.simulator.guest import Image
from tests.simulator.client import Tenant, V
from tests.simulator.guest.lab import Machine
from tests.support.waiting import until

OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
_KUBEADM = """#!/bin/bash
[ "$1" = precustomization ] && exit 0
exec >/root/log 2>&1
until crictl info >/dev/null; do sleep 1; done
kubeadm version -o short
crictl images -q
kubeadm config images pull >/dev/null || echo failed
cat >/root/kubeadm.yaml <<END
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
kubernetesVersion: v1.30.2+vmware.1
imageRepository: projects.registry.vmware.com/tkg
etcd: {local: {imageTag: v3.5.12_vmware.5}}
dns: {imageTag: v1.11.1_vmware.10}
END
kubeadm config images pull --config /root/kubeadm.yaml || echo failed
modprobe -a overlay br_netfilter; sysctl -q -w net.ipv4.ip_forward=1
systemctl enable kubelet
kubeadm init --config /root/kubeadm.yaml --skip-token-print >/root/init 2>&1 || echo failed
kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f /root/antrea.yaml >/dev/null
"""


def test_the_template_says_its_version() -> None:
    with Simulator(guests=False) as simulator:
        tenant = Tenant(simulator).login()
        template = tenant.get(tenant.one("vAppTemplate", "tkg-ubuntu-2204"))
        (vm,) = template.iterfind(f"{V}Children/{V}Vm")
        values = {
            one.get(f"{OVF}key"): one.get(f"{OVF}value")
            for one in vm.iterfind(f"{OVF}ProductSection/{OVF}Property")
        }
        assert values["VERSION"] == "v1.30.2+vmware.1-tkg.1-00b380629c7a9c10afaaa9df46ba2283"
        tenant.close()


def _image() -> Image:
    with Simulator(guests=False) as simulator:
        for _catalog, item in simulator.cloud.items():
            if item.name == "tkg-ubuntu-2204" and item.template is not None:
                return Image.read(item.template.image)
    raise AssertionError


def test_nothing_needs_to_be_pulled(machine: Callable[..., Machine]) -> None:
    vm = machine(_image())
    vm.nic = replace(vm.nic, egress=False)
    vm.on(_KUBEADM, name="cp-1")
    assert vm.customized(60) == "GC_COMPLETE"
    until(
        lambda: vm.ready_nodes() == {"cp-1"}, lambda: vm.text("/root/log") + vm.text("/root/init")
    )
    lines = vm.text("/root/log").splitlines()
    assert "v1.30.2+vmware.1" in lines
    assert "projects.registry.vmware.com/tkg/etcd:v3.5.12_vmware.5" in lines
    # kubeadm's own names are not there
    assert lines.count("failed") == 1
    assert (
        "[config/images] Pulled projects.registry.vmware.com/tkg/coredns:v1.11.1_vmware.10" in lines
    )
    assert vm.guest.etcd is not None
    _, found = vm.guest.etcd.api.request("GET", "/api/v1/nodes/cp-1")
    assert found["status"]["nodeInfo"]["kubeletVersion"] == "v1.30.2+vmware.1"
