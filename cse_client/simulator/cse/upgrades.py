"""To which templates a cluster can be upgraded, and how its nodes get there.

Source: container-service-extension 2.6.1:container_service_extension/vcdbroker.py
(`get_cluster_upgrade_plan`, `_upgrade_cluster_async`). The genuine scripts install newer packages
with apt-get and call `kubeadm upgrade`; guests here have neither, so that a node's software is
exchanged from outside, as if they had run, while the node is drained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from cse_client.simulator.cse.calls import VcdCalls
from cse_client.simulator.cse.clusters import CONTROL_PLANE, WORKER, metadata_of, vms_of
from cse_client.simulator.cse.lifecycle import KUBECONFIG, Lifecycle
from cse_client.simulator.cse.templates import KnownTemplate, known_templates
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.vapps import VApp, Vm

__all__ = ["carry_out", "targets", "text"]


def targets(cloud: Cloud, facts: Mapping[str, str]) -> list[KnownTemplate]:
    """Return the templates that name the cluster's as an origin; its own only if newer."""
    name = facts["template_name"]
    revision = int(facts["template_revision"] or 0)
    return [
        one
        for one in known_templates(cloud)
        if name in one.upgrade_from and not (one.name == name and one.revision <= revision)
    ]


def text(verb: str, name: str, facts: Mapping[str, str], target: KnownTemplate) -> str:
    """Return the sentence that the task begins, and ends, with."""
    return (
        f"{verb} cluster '{name}' software to match template {target.name} (revision "
        f"{target.revision}): Kubernetes: {facts['kubernetes_version']} -> "
        f"{target.kubernetes_version}, Docker-CE: {facts['docker_version']} -> "
        f"{target.docker_version}, CNI: {facts['cni']} {facts['cni_version']} -> "
        f"{target.cni_version}"
    )


def carry_out(
    lifecycle: Lifecycle,
    vcd: VcdCalls,
    vapp: VApp,
    target: KnownTemplate,
    tell: Callable[[str], None],
) -> str:
    """Upgrade node by node, then the metadata; return the last text. Nothing is rolled back."""
    facts = metadata_of(vapp)
    for vm in [*vms_of(vapp, CONTROL_PLANE), *vms_of(vapp, WORKER)]:
        tell(f"Draining node: {vm.name}")
        lifecycle.drain(vapp, [vm.name])
        tell(
            f"Upgrading Kubernetes ({facts['kubernetes_version']} -> {target.kubernetes_version})"
            f" in node {vm.name}"
        )
        _exchange(lifecycle, vm, target)
        lifecycle.in_control_plane(vapp, f"kubectl uncordon {vm.name}")
    lifecycle.in_control_plane(vapp, f"kubectl apply -f {target.manifest}")
    tell(f"Updating metadata for cluster '{vapp.name}'")
    lifecycle.tag(
        vcd,
        vapp,
        {
            "cse.template.name": target.name,
            "cse.template.revision": str(target.revision),
            "cse.docker.version": target.docker_version,
            "cse.kubernetes.version": target.kubernetes_version,
            "cse.cni": target.cni,
            "cse.cni.version": target.cni_version,
        },
    )
    return text("Successfully upgraded", vapp.name, facts, target)


def _exchange(lifecycle: Lifecycle, vm: Vm, target: KnownTemplate) -> None:
    guest = vm.guest
    system = guest.system if guest is not None else None
    if system is None:
        return
    guest.image = replace(guest.image, kubernetes=target.kubernetes_version)
    system.image = guest.image
    lifecycle.in_guest(vm, f"export KUBECONFIG={KUBECONFIG}\nsystemctl restart kubelet\n")
