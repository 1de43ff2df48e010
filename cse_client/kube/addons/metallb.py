"""MetalLB: its addresses, and the proof that it gives them out and announces them.

Formats: metallb/metallb:manifests/example-layer2-config.yaml (0.9: ConfigMap `config`), the Secret
`memberlist` of its installation notes, and metallb.io/v1beta1 IPAddressPool and L2Advertisement
(from 0.13 on; the controller makes the Secret itself there). Who announces an address:
speaker/layer2_controller.go. From 0.14 on a node with the label EXCLUDED does not, whatever the
label's value, unless the speakers run with --ignore-exclude-lb (0.14.4); kubeadm gives it to every
control plane (metallb/metallb#2073, #2274, #2280).
"""

from __future__ import annotations

import base64
import re
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cse_client.errors import CseError
from cse_client.kube.addons.apply import LABELS, Watch
from cse_client.kube.addons.objects import Object, Objects, Ref
from cse_client.kube.addons.ready import (
    balancers,
    daemons_missing,
    deployment_missing,
    ingress_addresses,
    open_nodes,
    used_addresses,
)
from cse_client.kube.addons.table import Release
from cse_client.model.addons import AddressRange

__all__ = [
    "CONTROLLER",
    "EXCLUDED",
    "GROUP",
    "NAMESPACE",
    "Proof",
    "announcers",
    "configuration",
    "connects",
    "missing",
    "no_announcer",
    "probe",
]

NAMESPACE = "metallb-system"
GROUP = "metallb.io"
CONTROLLER = Ref("apps/v1", "Deployment", NAMESPACE, "controller")
_POOL = "cse-client"
_API = f"{GROUP}/v1beta1"
_MEMBERLIST = Ref("v1", "Secret", NAMESPACE, "memberlist")
_PROBE_LABEL = "cse-client/probe"
#: As the API server's own, which firewalls on the way let through already.
_PROBE_PORT = 6443
_TRIES = 4
_FROM_NODE = re.compile(r'announcing from node "([^"]+)"')
#: Nodes with this label announce nothing.
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
_EXCLUDES_SINCE = (0, 14)
_IGNORES = "--ignore-exclude-lb"


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
    """Return what of MetalLB does not run, as text; empty when all of it does."""
    return deployment_missing(objects, NAMESPACE, "controller") or daemons_missing(
        objects, NAMESPACE, "speaker", everywhere=True
    )


def announcers(objects: Objects, version: str, speakers: Sequence[Object]) -> list[str] | None:
    """Return the nodes that may announce addresses; None where the label does not count.

    `speakers` holds the DaemonSet as it is, or as it will be applied, among others.
    """
    words = [
        str(word)
        for one in speakers
        if one.get("kind") == "DaemonSet" and one["metadata"]["name"] == "speaker"
        for container in one["spec"]["template"]["spec"]["containers"]
        for word in container.get("args") or ()
    ]
    number = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    ignored = any(word.split("=")[0] == _IGNORES and not word.endswith("false") for word in words)
    if number < _EXCLUDES_SINCE or ignored:
        return None
    return [
        str(node["metadata"]["name"])
        for node in open_nodes(objects)
        if EXCLUDED not in node["metadata"].get("labels", {})
    ]


def no_announcer(objects: Objects, version: str) -> str:
    """Return that no node may announce what an installed MetalLB gives out; empty when one may."""
    speaker = objects.get(Ref("apps/v1", "DaemonSet", NAMESPACE, "speaker"))
    if speaker is None or announcers(objects, version, [speaker]) != []:
        return ""
    return f"no node may announce addresses: every one has the label {EXCLUDED}"


def connects(host: str, port: int, timeout: float = 3.0) -> str:
    """Return why there is no connection, as text; empty when there is one."""
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except TimeoutError:
        return "it does not answer"
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()
    return ""


@dataclass(frozen=True)
class Proof:
    """What a probe saw. `given` is the address; `node` announces it; `answer` is what came of it.

    Without `given` every address was in use already. `reached`: something answered from here.
    """

    given: str = ""
    node: str = ""
    reached: bool = False
    answer: str = ""


def probe(
    objects: Objects,
    ranges: Sequence[AddressRange],
    watch: Watch,
    connect: Callable[[str, int], str] = connects,
) -> Proof:
    """See a Service get an address of the ranges, a node announce it, and it answer from here.

    Behind the Service is the cluster's own API server, because a Service without an endpoint is not
    announced. The Service is removed again.

    Raises:
        TimedOut: no address was given, or nobody announces it; with MetalLB's own message.
    """
    for stale in objects.list("v1", "Service", namespace=NAMESPACE, selector=_PROBE_LABEL):
        _take_away(objects, Ref.of(stale))
    total = sum(len(one) for one in ranges)
    if len(used_addresses(balancers(objects), ranges)) >= total:
        return Proof()
    service = _object("v1", "Service", f"cse-client-probe-{secrets.token_hex(3)}")
    service["metadata"]["labels"][_PROBE_LABEL] = "true"
    ports = [{"name": "https", "port": _PROBE_PORT, "protocol": "TCP"}]
    service["spec"] = {"type": "LoadBalancer", "ports": ports}
    endpoints = _object("v1", "Endpoints", service["metadata"]["name"])
    endpoints["subsets"] = _of_the_api(objects)
    ref = Ref.of(service)
    try:
        watch.patiently(lambda: objects.apply(service), "The probe Service was not created")
        if endpoints["subsets"]:
            watch.patiently(lambda: objects.apply(endpoints), "The probe was not completed")
        given = watch.until(
            lambda: _given(objects, ref, ranges), "MetalLB gave a probe Service no address"
        )
        return _announced(objects, ref, given, watch, connect)
    finally:
        _take_away(objects, ref)


def _take_away(objects: Objects, service: Ref) -> None:
    objects.delete(service)
    objects.delete(Ref("v1", "Endpoints", service.namespace, service.name))


def _of_the_api(objects: Objects) -> list[Object]:
    """Return where the API server itself is, as it keeps that in the Endpoints `kubernetes`."""
    found = objects.get(Ref("v1", "Endpoints", "default", "kubernetes")) or {}
    return [
        {
            "addresses": [{"ip": one["ip"]} for one in subset.get("addresses") or ()],
            "ports": [
                {"name": "https", "port": one["port"], "protocol": "TCP"}
                for one in (subset.get("ports") or ())[:1]
            ],
        }
        for subset in (found.get("subsets") or ())[:1]
    ]


def _announced(
    objects: Objects,
    ref: Ref,
    given: str,
    watch: Watch,
    connect: Callable[[str, int], str],
) -> Proof:
    tries = 0

    def look() -> tuple[Proof | None, str]:
        nonlocal tries
        tries += 1
        answer = connect(given, _PROBE_PORT)
        texts = [str(one.get("message", "")) for one in _events(objects, ref, "nodeAssigned")]
        found = _FROM_NODE.search(texts[-1]) if texts else None
        node = found[1] if found else ""
        if not answer:
            return Proof(given, node, reached=True), ""
        if node and tries >= _TRIES:
            return Proof(given, node, answer=answer), ""
        return None, "no speaker reports that it announces it" if not node else answer

    return watch.until(look, f"{given}, which MetalLB gave a probe Service, was not announced")


def _given(objects: Objects, ref: Ref, ranges: Sequence[AddressRange]) -> tuple[str | None, str]:
    service = objects.get(ref)
    if service is None:
        raise CseError(f"Somebody removed the probe {ref}.")
    addresses = ingress_addresses(service)
    if addresses:
        if used_addresses([service], ranges):
            return addresses[0], ""
        return None, f"it has {addresses[0]}, which is not of the range"
    events = [str(one.get("message", "")) for one in _events(objects, ref)]
    return None, events[-1] if events else "it reports nothing"


def _events(objects: Objects, ref: Ref, reason: str = "") -> list[Object]:
    return [
        one
        for one in objects.list("v1", "Event", namespace=NAMESPACE)
        if one.get("involvedObject", {}).get("name") == ref.name
        and reason in ("", one.get("reason"))
    ]
