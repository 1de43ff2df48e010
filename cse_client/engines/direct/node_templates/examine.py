"""What can be known of a template's fitness for nodes without a VM of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from cse_client import suggest
from cse_client.engines.direct.requirements import CPUS, VM_MEMORY_MB
from cse_client.model import Template
from cse_client.model.support import end_of_support, is_supported
from cse_client.model.templates import CheckResult, Level, TemplateDetails

__all__ = ["examine"]

_USABLE = ("POWERED_OFF", "RESOLVED")
#: Where Kubernetes' packages and images leave little for pods.
_SMALL_DISK_MB = 10_000


def examine(template: Template, details: TemplateDetails, today: date) -> Iterator[CheckResult]:
    """Yield one line for each thing that was looked at."""
    yield from _state(details)
    yield from _machine(details)
    yield from _customization(details)
    yield from _licenses(details)
    yield from _kubernetes(template, today)
    yield from _lease(details)


def _state(details: TemplateDetails) -> Iterator[CheckResult]:
    if details.status in _USABLE:
        yield CheckResult(Level.OK, "State", details.status)
    else:
        yield CheckResult(
            Level.ERROR,
            "State",
            details.status or "unknown",
            "Wait until VCD has finished it; a failed one must be deleted.",
        )
    if details.vms == 1:
        yield CheckResult(Level.OK, "VMs", "1")
    elif details.vms:
        yield CheckResult(Level.WARNING, "VMs", f"{details.vms}; nodes are made from the first one")
    else:
        yield CheckResult(Level.ERROR, "VMs", "none that you can see", "Use another template.")


def _machine(details: TemplateDetails) -> Iterator[CheckResult]:
    vm = details.vm
    if vm is None:
        return
    if not details.nics:
        yield CheckResult(
            Level.ERROR,
            "Network adapters",
            "none",
            "Add one to the VM, and capture it again.",
        )
    else:
        more = "; nodes use the primary one" if details.nics > 1 else ""
        yield CheckResult(Level.OK, "Network adapters", f"{details.nics}{more}")
    small = [
        text
        for text, found, needed in (
            (f"{vm.cpus} CPU", vm.cpus, CPUS),
            (f"{vm.memory_mb} MB", vm.memory_mb, VM_MEMORY_MB),
        )
        if found and found < needed
    ]
    size = f"{vm.cpus or '?'} CPUs, {vm.memory_mb or '?'} MB"
    if small:
        yield CheckResult(
            Level.WARNING,
            "CPU and memory",
            f"{size}; too small for a control plane",
            f"Create clusters with --cpu {CPUS} --memory 2048 or more.",
        )
    else:
        yield CheckResult(Level.OK, "CPU and memory", size)
    if vm.disk_mb and vm.disk_mb < _SMALL_DISK_MB:
        yield CheckResult(
            Level.WARNING,
            "Disk",
            f"{vm.disk_mb} MB; little room for images and pods",
            "Use a larger disk.",
        )
    elif vm.disk_mb:
        yield CheckResult(Level.OK, "Disk", f"{vm.disk_mb} MB")
    if details.hardware_version:
        yield CheckResult(Level.OK, "Hardware version", details.hardware_version)


def _customization(details: TemplateDetails) -> Iterator[CheckResult]:
    if details.vm_customizes is False:
        yield CheckResult(
            Level.WARNING,
            "Guest customization",
            "disabled in the template; it is enabled for each node",
        )
    elif details.customizes is False:
        yield CheckResult(
            Level.WARNING,
            "Guest customization",
            "the template is an identical copy (CustomizeOnInstantiate is false)",
            "Capture the vApp again with customization.",
        )
    else:
        yield CheckResult(Level.OK, "Guest customization", "enabled")
    given = sorted(key for key, value in details.properties.items() if value and key in _SECRET)
    if given:
        yield CheckResult(
            Level.WARNING,
            "Guest properties",
            f"{', '.join(given)} set in the template: each node gets them",
            "Remove the values from the template.",
        )


#: Guest properties that are meant for one machine (cloud-init, DataSourceOVF).
_SECRET = ("user-data", "password", "public-keys", "instance-id", "hostname", "seedfrom")


def _licenses(details: TemplateDetails) -> Iterator[CheckResult]:
    eulas = details.vm.eulas if details.vm is not None else ()
    if eulas:
        yield CheckResult(
            Level.WARNING,
            "License agreements",
            f"{len(eulas)}",
            "Read them in VCD, and accept them with --accept-eulas.",
        )


def _kubernetes(template: Template, today: date) -> Iterator[CheckResult]:
    version = template.facts.kubernetes
    if template.origin == "TKG":
        yield CheckResult(Level.OK, "TKG version", template.facts.source)
    if not version:
        item = f"{template.catalog}/{template.item}"
        build = suggest.cse("template build", "NAME", **{"from": item})
        yield CheckResult(
            Level.ERROR,
            "Kubernetes",
            "not known: the template is not registered",
            "If it contains kubeadm, register it: "
            + suggest.cse(
                "template register", template.catalog, template.item, kubernetes_version="X.Y.Z"
            )
            + f". Otherwise, build a template from it: {build}",
        )
        return
    end = end_of_support(version)
    if is_supported(version, today) is False and end is not None:
        yield CheckResult(
            Level.WARNING,
            "Kubernetes",
            f"{version}, out of support since {end}",
            f"Build a template with a newer one: {suggest.cse('template build', help=True)}",
        )
    else:
        until = f", supported until {end}" if end is not None else ""
        yield CheckResult(Level.OK, "Kubernetes", f"{version}{until}")


def _lease(details: TemplateDetails) -> Iterator[CheckResult]:
    if details.lease_ends is not None:
        yield CheckResult(
            Level.WARNING,
            "Lease",
            f"VCD deletes the template after {details.lease_ends:%Y-%m-%d}",
            "Renew the lease in VCD, or ask for a catalog without one.",
        )
