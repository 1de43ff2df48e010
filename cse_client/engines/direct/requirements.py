"""What kubeadm and the pod network require of a new cluster's network, machines and template.

kubeadm itself refuses a small control plane only after the VM was cloned and booted and its images
were pulled; overlapping ranges it does not notice at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import fields

from cse_client import suggest
from cse_client.engines.direct.metadata import RELEASES
from cse_client.errors import CseError, Refused, WrongUsage
from cse_client.model import ClusterSpec, Network, Template, TemplateFacts, TemplateVm
from cse_client.model.hardware import Hardware
from cse_client.model.ranges import fixed_pods, internal_ranges, most_nodes, pod_cidr_problem
from cse_client.plurals import counted
from cse_client.versions import version_key

__all__ = [
    "CPUS",
    "VM_MEMORY_MB",
    "cluster_ranges",
    "machine_problems",
    "mirror_problems",
    "network_problems",
    "network_warnings",
    "pool_problems",
    "range_problems",
    "room_problems",
    "template_problems",
]

# kubernetes/kubernetes:cmd/kubeadm/app/constants: ControlPlaneNumCPU, ControlPlaneMem
CPUS = 2
_MEMORY_MB = 1700
# kubeadm counts what Linux reports, which is some 3 % less than the VM has
# (kubernetes/minikube#10018: a VM of 2,200 MiB reports 2,135).
VM_MEMORY_MB = 1800
# The check of memory came with this release (kubernetes/kubernetes#93275).
_MEMORY_CHECKED = (1, 20)


def template_problems(template: Template) -> Iterator[CseError]:
    """Yield what is wrong with the facts that were registered with a template.

    They are metadata that whoever may edit the template can have written.
    """
    again = f"Register it again: {suggest.cse('template register', help=True)}"
    for one in fields(TemplateFacts):
        value = str(getattr(template.facts, one.name))
        if not value.isprintable():
            yield Refused(
                f"the template '{template.item}' is registered with {one.name} {value!r}, which "
                "contains control characters",
                hint=again,
            )
    cidr = template.facts.pod_cidr
    problem = pod_cidr_problem(cidr) if cidr else ""
    if problem:
        yield Refused(
            f"the template '{template.item}' is registered with the pod network {cidr!r}: "
            f"{problem}",
            hint=again,
        )


def range_problems(spec: ClusterSpec, template: Template) -> Iterator[CseError]:
    """Yield why the cluster cannot have the ranges, or servers, that were chosen for it."""
    facts, chosen = template.facts, spec.settings
    fixed = fixed_pods(facts) if chosen.pod_cidr else ""
    if fixed:
        yield Refused(
            f"the pod network of the template '{template.item}' cannot be changed: {fixed}",
            hint="Omit --pod-cidr, or choose another template.",
        )
        return
    ranges = cluster_ranges(spec, facts)
    services, pods = ranges["Services"], ranges.get("pods")
    if (chosen.pod_cidr or chosen.service_cidr) and pods is not None and pods.overlaps(services):
        yield WrongUsage(
            f"the pod network {pods} overlaps the addresses of the cluster's Services ({services})",
            hint="Specify another --pod-cidr or --service-cidr.",
        )
    for server in filter(None, map(_address, f"{chosen.dns} {chosen.ntp}".split())):
        for what, range_ in ranges.items():
            if server in range_:
                yield WrongUsage(
                    f"the server {server} is one of the addresses of the cluster's {what} "
                    f"({range_}), where nodes would not reach it",
                    hint="Specify another server with --dns or --ntp.",
                )


def cluster_ranges(spec: ClusterSpec, facts: TemplateFacts) -> dict[str, ipaddress.IPv4Network]:
    """Return the addresses that a cluster uses inside, by what uses them."""
    chosen = spec.settings
    return internal_ranges(facts, pod_cidr=chosen.pod_cidr, service_cidr=chosen.service_cidr)


def mirror_problems(spec: ClusterSpec, template: Template) -> Iterator[CseError]:
    """Yield that the nodes' runtime has no mirrors, as far as the template is known.

    Docker has mirrors of docker.io only (moby: dockerd --registry-mirror).
    """
    release = RELEASES.get((template.name, template.revision))
    if spec.settings.registry_mirrors and release is not None and release.docker:
        yield Refused(
            f"the template '{template.item}' has Docker {release.docker}, and registry mirrors "
            "require containerd",
            hint="Use --image-repository instead, or choose another template.",
        )


def room_problems(spec: ClusterSpec, template: Template) -> Iterator[CseError]:
    """Yield the shortage of a pod network that has no part left for each node of the cluster."""
    chosen = spec.settings.pod_cidr
    most, nodes = most_nodes(template.facts, chosen), spec.nodes
    if most is not None and nodes > most:
        pods = cluster_ranges(spec, template.facts)["pods"]
        owner = "the cluster" if chosen else f"the template '{template.item}'"
        yield Refused(
            f"the pod network {pods} of {owner} has room for"
            f" {counted(most, 'node')}, and the cluster would have {nodes}",
            hint="Use fewer --nodes, or create the cluster with a larger --pod-cidr.",
        )


def pool_problems(template: Template | None, kubernetes: str) -> Iterator[CseError]:
    """Yield why no worker of a cluster can be made from this template.

    kubeadm joins a cluster of its own minor release or the next one, and a kubelet is never newer
    than the API server (kubernetes.io/releases/version-skew-policy). `kubernetes` is the cluster's
    version; one that is not known passes.
    """
    if template is None:
        return
    own, wanted = version_key(template.facts.kubernetes)[:2], version_key(kubernetes)[:2]
    if len(own) < 2 or len(wanted) < 2:  # noqa: PLR2004
        return
    if own[0] == wanted[0] and 0 <= wanted[1] - own[1] <= 1:
        return
    yield Refused(
        f"the template '{template.item}' has Kubernetes {template.facts.kubernetes}, and workers of"
        f" a cluster with Kubernetes {kubernetes} must have the same minor release or the one"
        " before",
        hint="Choose another template for the pool.",
    )


def network_problems(
    spec: ClusterSpec, network: Network, facts: TemplateFacts
) -> Iterator[CseError]:
    """Yield the overlaps of the nodes' network, or of the endpoint, with the cluster's own ranges.

    A network whose subnet VCD does not show has none.
    """
    ranges = cluster_ranges(spec, facts)
    for subnet in _subnets(network):
        for what, range_ in ranges.items():
            if subnet.overlaps(range_):
                yield Refused(
                    f"the network '{network.name}' ({subnet}) overlaps the addresses of the "
                    f"cluster's {what} ({range_})",
                    hint=_way_out(what, facts),
                )
    address = _address(spec.endpoint.partition(":")[0])
    for what, range_ in ranges.items():
        if address is not None and address in range_:
            yield WrongUsage(
                f"the endpoint {address} is one of the addresses of the cluster's {what} "
                f"({range_})",
                hint="Specify another address with --endpoint.",
            )


def network_warnings(spec: ClusterSpec, network: Network, facts: TemplateFacts) -> Iterator[str]:
    """Yield the name servers of the network that pods, or nodes, would not reach."""
    for text in () if spec.settings.dns else network.dns:
        server = _address(text)
        for what, range_ in cluster_ranges(spec, facts).items():
            if server is not None and server in range_:
                yield (
                    f"the DNS server {server} of the network '{network.name}' is one of the "
                    f"addresses of the cluster's {what} ({range_}): names may not be resolved"
                )


def machine_problems(head: Hardware, source: TemplateVm, kubernetes: str) -> Iterator[CseError]:
    """Yield what kubeadm would refuse of the control plane's VM, which is made of `head`.

    A size of 0 is not known and passes. `kubernetes` is the template's version, which may be empty.
    """
    cpus, policy = head.known_cpus or source.cpus, head.sizing_policy
    if cpus and cpus < CPUS:
        by_policy = policy is not None and bool(policy.cpus)
        option = "" if by_policy else f"--cpu {CPUS}"
        yield _too_small(head.known_cpus, f"{cpus} CPU", f"{CPUS} CPUs", option)
    memory = head.known_memory_mb or source.memory_mb
    if memory and memory < VM_MEMORY_MB and _checks_memory(kubernetes):
        needs = f"{VM_MEMORY_MB} MB ({_MEMORY_MB} MB that Linux can use)"
        by_policy = policy is not None and bool(policy.memory_mb)
        option = "" if by_policy else "--memory 2048"
        yield _too_small(head.known_memory_mb, f"{memory} MB of memory", needs, option)


def _checks_memory(kubernetes: str) -> bool:
    version = version_key(kubernetes)[:2]
    return not version or version >= _MEMORY_CHECKED


def _too_small(asked: int, has: str, needs: str, option: str) -> CseError:
    """Make the error for a small control plane; without an `option` its policy makes it small."""
    kind = WrongUsage if asked else Refused
    whose = "the control plane's VM" if asked else "the template's VM"
    hint = f"Give the nodes more, for example {option}."
    if not option:
        hint = "Choose a larger policy with --control-plane-sizing-policy."
    return kind(
        f"{whose} would have {has}, and kubeadm requires {needs} of a control plane", hint=hint
    )


def _way_out(what: str, facts: TemplateFacts) -> str:
    if what == "pods" and fixed_pods(facts):
        return "Choose another network with --network."
    option = "--pod-cidr" if what == "pods" else "--service-cidr"
    return f"Choose another network with --network, or other addresses with {option}."


def _subnets(network: Network) -> Iterator[ipaddress.IPv4Network]:
    for text in network.subnets:
        try:
            yield ipaddress.IPv4Network(text, strict=False)
        except ValueError:
            continue


def _address(text: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        return None
