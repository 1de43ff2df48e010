"""Contour: its Envoy's address, and the proof that Envoy answers there.

Facts: projectcontour/contour:examples/render/contour.yaml. Envoy opens port 80 only while there is
an Ingress to serve, so the proof needs one of ours for a moment, for a host that cannot exist.
"""

from __future__ import annotations

import http.client
import secrets

from cse_client.kube.addons.apply import LABELS, Watch
from cse_client.kube.addons.objects import Object, Objects, Ref
from cse_client.kube.addons.ready import daemons_missing, deployment_missing, ingress_addresses

__all__ = [
    "CONTROLLER",
    "ENVOY",
    "GROUP",
    "NAMESPACE",
    "address",
    "answers",
    "missing",
    "users",
    "with_address",
]

NAMESPACE = "projectcontour"
GROUP = "projectcontour.io"
CONTROLLER = Ref("apps/v1", "Deployment", NAMESPACE, "contour")
ENVOY = Ref("v1", "Service", NAMESPACE, "envoy")
_PROBE_LABEL = "cse-client/probe"
_HTTP = 80
_INGRESS_V1 = "networking.k8s.io/v1"


def with_address(manifest: list[Object], address: str) -> list[Object]:
    """Return the manifest with Envoy's Service asking for one address, or for any."""
    found = []
    for obj in manifest:
        if address and Ref.of(obj) == ENVOY:
            obj = {**obj, "spec": {**obj["spec"], "loadBalancerIP": address}}  # noqa: PLW2901
        found.append(obj)
    return found


def missing(objects: Objects) -> str:
    """Return what of Contour does not run, as text; empty when all of it does."""
    return deployment_missing(objects, NAMESPACE, "contour") or daemons_missing(
        objects, NAMESPACE, "envoy", everywhere=False
    )


def address(objects: Objects) -> str:
    """Return the address that Envoy's Service got, or an empty text."""
    service = objects.get(ENVOY)
    found = ingress_addresses(service) if service is not None else []
    return found[0] if found else ""


def answers(objects: Objects, host: str, watch: Watch) -> tuple[bool, str]:
    """Ask Envoy over HTTP; return whether it answers from here, and what was seen, as text."""
    for stale in objects.list(*_ingress_kind(objects), namespace=NAMESPACE, selector=_PROBE_LABEL):
        objects.delete(Ref.of(stale))
    name = f"cse-client-probe-{secrets.token_hex(3)}"
    ingress = _probe(objects, name)
    watch.patiently(lambda: objects.create(ingress), "The probe Ingress was not created")
    try:
        seen = "nothing"
        for _ in range(8):
            good, seen = ask(host, f"{name}.invalid")
            # an unreachable network stays so; a closed port may be opened any moment
            if good or "refused" not in seen or watch.left <= 0:
                return good, seen
            watch.pause(1.0)
        return False, seen
    finally:
        objects.delete(Ref.of(ingress))


def ask(host: str, name: str, port: int = _HTTP, timeout: float = 4.0) -> tuple[bool, str]:
    """Send one request; any HTTP answer is one, also a 404."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", "/", headers={"Host": name})
        answer = connection.getresponse()
        answer.read(1024)
    except TimeoutError:
        return False, "it does not answer"
    except ConnectionRefusedError:
        return False, "connection refused"
    except (OSError, http.client.HTTPException) as error:
        text = getattr(error, "strerror", "") or type(error).__name__
        return False, str(text).lower()
    finally:
        connection.close()
    return True, f"HTTP {answer.status}"


def _ingress_kind(objects: Objects) -> tuple[str, str]:
    served = objects.serves(_INGRESS_V1, "Ingress")
    return (_INGRESS_V1 if served else "networking.k8s.io/v1beta1"), "Ingress"


def _probe(objects: Objects, name: str) -> Object:
    version, kind = _ingress_kind(objects)
    new: Object = {"service": {"name": "contour", "port": {"number": 8001}}}
    backend = new if version == _INGRESS_V1 else {"serviceName": "contour", "servicePort": 8001}
    path: Object = {"path": "/", "backend": backend}
    if version == _INGRESS_V1:
        path["pathType"] = "Prefix"
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {**LABELS, _PROBE_LABEL: "true"},
        },
        "spec": {"rules": [{"host": f"{name}.invalid", "http": {"paths": [path]}}]},
    }


def users(objects: Objects) -> list[str]:
    """Return the Ingresses and HTTPProxies that Contour serves, as text.

    An Ingress is Contour's when its class says so, or when it carries Envoy's address.
    """
    mine = address(objects)
    found = []
    for one in objects.list(*_ingress_kind(objects)):
        metadata = one["metadata"]
        annotation = (metadata.get("annotations") or {}).get("kubernetes.io/ingress.class")
        name = (one.get("spec") or {}).get("ingressClassName") or annotation
        if name == "contour" or (mine and mine in ingress_addresses(one)):
            found.append(f"Ingress {metadata['namespace']}/{metadata['name']}")
    for one in objects.list(f"{GROUP}/v1", "HTTPProxy"):
        found.append(f"HTTPProxy {one['metadata']['namespace']}/{one['metadata']['name']}")
    return found
