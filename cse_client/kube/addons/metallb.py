"""MetalLB: its addresses, and the proof that it gives them out.

Formats: metallb/metallb:manifests/example-layer2-config.yaml (0.9: ConfigMap `config`), the Secret
`memberlist` of its installation notes, and metallb.io/v1beta1 IPAddressPool and L2Advertisement
(from 0.13 on; the controller makes the Secret itself there).
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence

from cse_client.errors import CseError
from cse_client.kube.addons.apply import LABELS, Watch
from cse_client.kube.addons.objects import Object, Objects, Ref
from cse_client.kube.addons.ready import (
    balancers,
    daemons_missing,
    deployment_missing,
    ingress_addresses,
    used_addresses,
)
from cse_client.kube.addons.table import Release
from cse_client.model.addons import AddressRange

__all__ = ["CONTROLLER", "GROUP", "NAMESPACE", "configuration", "missing", "probe"]

NAMESPACE = "metallb-system"
GROUP = "metallb.io"
CONTROLLER = Ref("apps/v1", "Deployment", NAMESPACE, "controller")
_POOL = "cse-client"
_API = f"{GROUP}/v1beta1"
_MEMBERLIST = Ref("v1", "Secret", NAMESPACE, "memberlist")
_PROBE_LABEL = "cse-client/probe"


def configuration(
    objects: Objects, release: Release, ranges: Sequence[AddressRange]
) -> tuple[list[Object], list[Object]]:
    """Return the objects to apply before the manifest, and those to apply after it."""
    addresses = [str(one) for one in ranges]
    namespace: Object = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"app": "metallb"}},
    }
    if release.config == "configmap":
        lines = "".join(f"  - {one}\n" for one in addresses)
        text = f"address-pools:\n- name: {_POOL}\n  protocol: layer2\n  addresses:\n{lines}"
        config = _object("v1", "ConfigMap", "config")
        config["data"] = {"config": text}
        return [namespace, _memberlist(objects), config], []
    pool = _object(_API, "IPAddressPool", _POOL)
    pool["spec"] = {"addresses": addresses}
    advertisement = _object(_API, "L2Advertisement", _POOL)
    advertisement["spec"] = {"ipAddressPools": [_POOL]}
    return [], [pool, advertisement]


def _object(api_version: str, kind: str, name: str) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": dict(LABELS)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _memberlist(objects: Objects) -> Object:
    """Return the Secret that speakers share: the one that is there, or a new one."""
    secret = _object("v1", "Secret", _MEMBERLIST.name)
    known = objects.get(_MEMBERLIST)
    key = ((known or {}).get("data") or {}).get("secretkey")
    if not key:
        # as in MetalLB's notes: the base64 text of 128 random bytes
        inner = base64.b64encode(secrets.token_bytes(128))
        key = base64.b64encode(inner).decode()
    secret["data"] = {"secretkey": key}
    return secret


def missing(objects: Objects) -> str:
    """Return what of MetalLB does not run, in words; empty when all of it does."""
    return deployment_missing(objects, NAMESPACE, "controller") or daemons_missing(
        objects, NAMESPACE, "speaker", everywhere=True
    )


def probe(objects: Objects, ranges: Sequence[AddressRange], watch: Watch) -> str:
    """See MetalLB give a Service an address of the ranges; the Service is removed again.

    Returns the address, or an empty text where every address is in use already, which proves as
    much. Raises TimedOut with MetalLB's own words.
    """
    for stale in objects.list("v1", "Service", namespace=NAMESPACE, selector=_PROBE_LABEL):
        objects.delete(Ref.of(stale))
    total = sum(len(one) for one in ranges)
    if len(used_addresses(balancers(objects), ranges)) >= total:
        return ""
    service = _object("v1", "Service", f"cse-client-probe-{secrets.token_hex(3)}")
    service["metadata"]["labels"][_PROBE_LABEL] = "true"
    service["spec"] = {"type": "LoadBalancer", "ports": [{"name": "probe", "port": 80}]}
    ref = Ref.of(service)
    watch.patiently(lambda: objects.create(service), "The probe Service was not created")
    try:
        return watch.until(
            lambda: _given(objects, ref, ranges), "MetalLB gave a probe Service no address"
        )
    finally:
        objects.delete(ref)


def _given(objects: Objects, ref: Ref, ranges: Sequence[AddressRange]) -> tuple[str | None, str]:
    service = objects.get(ref)
    if service is None:
        raise CseError(f"Somebody removed the probe {ref}.")
    addresses = ingress_addresses(service)
    if addresses:
        if used_addresses([service], ranges):
            return addresses[0], ""
        return None, f"it has {addresses[0]}, which is not of the range"
    events = [
        str(one.get("message", ""))
        for one in objects.list("v1", "Event", namespace=NAMESPACE)
        if (one.get("involvedObject") or {}).get("name") == ref.name
    ]
    return None, events[-1] if events else "it says nothing"
