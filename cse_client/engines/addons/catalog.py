"""What is known of add-ons without asking, and small questions about those of a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from cse_client import suggest
from cse_client.engines.addons.ranges import parse_ranges
from cse_client.errors import Refused
from cse_client.kube.addons import contour, metallb
from cse_client.kube.addons.apply import Record
from cse_client.kube.addons.objects import Object, Objects
from cse_client.kube.addons.ready import balancers, ingress_addresses, service_name
from cse_client.kube.addons.table import ADDONS, CONTOUR, METALLB, RELEASES, Release, choose
from cse_client.model.addons import AddonInfo, AddonOptions, AddressRange

__all__ = [
    "MODULES",
    "announced_by_nobody",
    "catalogue",
    "check_version",
    "known",
    "proof_text",
    "recorded_ranges",
    "refuse_in_use",
    "running",
    "title",
]

MODULES = {METALLB: metallb, CONTOUR: contour}


def catalogue() -> list[AddonInfo]:
    """Return every pinned release."""
    return [
        AddonInfo(one.addon, one.version, kubernetes=one.kubernetes, manifest=one.url)
        for one in sorted(RELEASES, key=lambda one: one.addon)
    ]


def known(addon: str) -> None:
    """Refuse what is not an add-on.

    Raises:
        NotFound: no add-on has this name.
    """
    if addon not in ADDONS:
        choose(addon, 0)


def check_version(options: AddonOptions) -> None:
    """Refuse a version that does not exist for any Kubernetes.

    Raises:
        NotFound: no release has this version.
    """
    if options.version:
        for one in RELEASES:
            if one.addon == options.addon and one.version == options.version.lstrip("v"):
                return
        choose(options.addon, 0, options.version)


def title(addon: str) -> str:
    """Return an add-on's name as its project writes it."""
    return {METALLB: "MetalLB", CONTOUR: "Contour"}[addon]


def running(objects: Objects, addon: str) -> tuple[bool | None, str]:
    """Return True once all of an add-on runs, else what is missing, in words."""
    lack = MODULES[addon].missing(objects)
    return (None if lack else True), lack


def recorded_ranges(record: Record | None) -> tuple[AddressRange, ...]:
    """Return the addresses that a record of MetalLB holds; none for others."""
    text = record.settings.get("addresses", "") if record is not None else ""
    return parse_ranges(text) if text else ()


def announced_by_nobody(
    objects: Objects, cluster: str, release: Release, content: Sequence[Object]
) -> Refused | None:
    """Return why nobody would ever announce MetalLB's addresses; None when somebody will."""
    if metallb.announcers(objects, release.version, content) != []:
        return None
    return Refused(
        f"No node of cluster '{cluster}' may announce MetalLB's addresses: those that are Ready"
        f" have the label {metallb.EXCLUDED}, which MetalLB {release.version} respects.",
        hint="Add a worker, or remove the label from a node: kubectl label node NODE"
        f" {metallb.EXCLUDED}-",
    )


def proof_text(proof: metallb.Proof) -> tuple[str, str]:
    """Return what a probe of MetalLB saw, and a sentence on what it could not see from here."""
    if not proof.given:
        return "every address is in use", ""
    if proof.reached:
        return f"a probe Service answers at {proof.given}", ""
    return (
        f"a probe Service got {proof.given}, which {proof.node} announces",
        f"{proof.given} cannot be reached from here ({proof.answer}): whether it answers was not"
        " seen.",
    )


def refuse_in_use(objects: Objects, record: Record, cluster: str) -> None:
    """Raise Refused while something in the cluster uses an add-on."""
    users: Sequence[str]
    if record.addon == METALLB:
        users = [
            f"Service {service_name(one)}" for one in balancers(objects) if ingress_addresses(one)
        ]
    else:
        users = contour.users(objects)
    if users:
        more = f" and {len(users) - 1} more" if len(users) > 1 else ""
        raise Refused(
            f"{title(record.addon)} is used by {users[0]}{more}.",
            hint=f"Remove what uses it first, or: {suggest.again(force=True)}",
        )
