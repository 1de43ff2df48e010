"""To which templates a cluster can be upgraded, and how its nodes get there.

Source: container-service-extension 2.6.1:container_service_extension/vcdbroker.py
(`get_cluster_upgrade_plan`, `_upgrade_cluster_async`). The genuine scripts install newer packages
with apt-get and call `kubeadm upgrade`; guests here have neither, so that a node's software is
exchanged from outside, as if they had run, while the node is drained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from cse_client.simulator.cse.calls import VcdCalls
from cse_client.simulator.cse.clusters import CONTROL_PLANE, WORKER, metadata_of, vms_of
from cse_client.simulator.cse.lifecycle import KUBECONFIG, Lifecycle, StepFailed, drain_words
from cse_client.simulator.cse.templates import KnownTemplate, known_templates
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.vapps import VApp, Vm

__all__ = ["carry_out", "targets", "text"]

_PARTS = 3


def targets(cloud: Cloud, facts: Mapping[str, str]) -> list[KnownTemplate]:
    """Return the templates that name the cluster's as an origin; its own only if newer."""
    name = facts["template_name"]
    revision = int(facts["template_revision"] or 0)
    return [
        one
        for one in known_templates(cloud)
        if name in one.upgrade_from and not (one.name == name and one.revision <= revision)
    ]


def text(name: str, facts: Mapping[str, str], target: KnownTemplate) -> str:
    """Return the sentence that the task begins with."""
    return (
        f"Upgrading cluster '{name}' software to match template {target.name} (revision "
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
    report: Callable[[str], None],
) -> str:
    """Upgrade node by node, then the metadata; return the last text. Nothing is rolled back.

    Raises:
        StepFailed: a step failed, or a version of the cluster is not one.
    """
    try:
        return _Upgrade(lifecycle, vcd, vapp, target, report).run()
    except Exception as error:
        raise StepFailed(
            f"Unexpected error while upgrading cluster '{vapp.name}': {error}"
        ) from error


@dataclass
class _Upgrade:
    lifecycle: Lifecycle
    vcd: VcdCalls
    vapp: VApp
    target: KnownTemplate
    report: Callable[[str], None]

    def run(self) -> str:
        facts, target = metadata_of(self.vapp), self.target
        old, new = _version(facts["kubernetes_version"]), _version(target.kubernetes_version)
        pods, new_pods = _version(facts["cni_version"]), _version(target.cni_version)
        docker = target.docker_version > facts["docker_version"]
        network = new_pods > pods or new[0] > old[0] or new[1] > old[1]
        heads, workers = vms_of(self.vapp, CONTROL_PLANE), vms_of(self.vapp, WORKER)
        everything = [*heads, *workers]
        change = f"({facts['kubernetes_version']} -> {target.kubernetes_version})"
        if new >= old:
            self.exchange(heads, f"master node {_names(heads)}", change)
            for vm in workers:
                self.exchange([vm], f"node {vm.name}", change)
        if docker or network:
            self.report(f"Draining all nodes {_names(everything)}")
            self.drain(everything)
        if docker:
            self.report(
                f"Upgrading Docker-CE ({facts['docker_version']} -> {target.docker_version}) in "
                f"nodes {_names(everything)}"
            )
        if network:
            self.report(
                f"Applying CNI ({facts['cni']} {facts['cni_version']} -> {target.cni_version}) in "
                f"master node {_names(heads)}"
            )
            self.kubectl(f"apply -f {target.manifest}")
        self.report(f"Uncordoning all nodes {_names(everything)}")
        self.kubectl(*(f"uncordon {vm.name}" for vm in everything))
        self.report(f"Updating metadata for cluster '{self.vapp.name}'")
        self.tag()
        return (
            f"Successfully upgraded cluster '{self.vapp.name}' software to match template "
            f"{target.name} (revision {target.revision}): Kubernetes: "
            f"{facts['kubernetes_version']} -> {target.kubernetes_version}, Docker-CE: "
            f"{facts['docker_version']} -> {target.docker_version}, CNI: {facts['cni_version']} "
            f"-> {target.cni_version}"
        )

    def exchange(self, vms: Sequence[Vm], where: str, change: str) -> None:
        self.report(f"Draining {where}")
        self.drain(vms)
        self.report(f"Upgrading Kubernetes {change} in {where}")
        for vm in vms:
            _exchange(self.lifecycle, vm, self.target)
        self.report(f"Uncordoning {where}")
        self.kubectl(*(f"uncordon {vm.name}" for vm in vms))

    def drain(self, vms: Sequence[Vm]) -> None:
        self.kubectl(*(drain_words(vm.name) for vm in vms))

    def kubectl(self, *lines: str) -> None:
        """Run kubectl on the control plane; the last line's failure is the script's."""
        head = vms_of(self.vapp, CONTROL_PLANE)[0]
        script = "".join(f"kubectl {line}\n" for line in lines)
        self.lifecycle.in_guest(
            head, f"#!/usr/bin/env bash\nexport KUBECONFIG={KUBECONFIG}\n{script}"
        )

    def tag(self) -> None:
        target = self.target
        self.lifecycle.tag(
            self.vcd,
            self.vapp,
            {
                "cse.template.name": target.name,
                "cse.template.revision": str(target.revision),
                "cse.docker.version": target.docker_version,
                "cse.kubernetes.version": target.kubernetes_version,
                "cse.cni": target.cni,
                "cse.cni.version": target.cni_version,
            },
        )


def _names(vms: Sequence[Vm]) -> list[str]:
    return [vm.name for vm in vms]


def _version(text: str) -> tuple[int, ...]:
    """Read a semantic version, which has three parts; raises ValueError, as in the server."""
    parts = text.split(".")
    if len(parts) != _PARTS or not all(part.isdigit() for part in parts):
        raise ValueError(f"Invalid version string: {text!r}")
    return tuple(int(part) for part in parts)


def _exchange(lifecycle: Lifecycle, vm: Vm, target: KnownTemplate) -> None:
    guest = vm.guest
    system = getattr(guest, "system", None)  # none in a simulator without guests
    if guest is None or system is None:
        return
    guest.image = replace(guest.image, kubernetes=target.kubernetes_version)
    system.image = guest.image
    lifecycle.in_guest(vm, f"export KUBECONFIG={KUBECONFIG}\nsystemctl restart kubelet\n")
