"""Pods of a real cluster: the network between nodes, Services, and names."""

from __future__ import annotations

from typing import Any

from tests.real.build.components import PROBE_IMAGE
from tests.real.site import Site, eventually


def objects(server: str, client: str) -> str:
    """Return a server on one node, its Service, and a pod on another node that asks it."""
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: web, labels: {{app: web}}}}
spec:
  nodeName: {server}
  containers: [{{name: web, image: "{PROBE_IMAGE}", args: [serve, "8080"]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: ask}}
spec:
  nodeName: {client}
  restartPolicy: OnFailure
  containers:
  - {{name: ask, image: "{PROBE_IMAGE}", args: [fetch, "http://web.default.svc.cluster.local"]}}
"""


def test_a_service_is_reached_by_name_from_another_node(
    site: Site, cluster: dict[str, Any]
) -> None:
    first, second = site.workers()
    text = objects(first, second)
    site.kubectl("apply", "-f", "-", stdin=text).checked()
    try:
        eventually(lambda: _phase(site, "ask") == "Succeeded", "the pod has its answer")
        assert site.kubectl("logs", "ask").checked() == "web\n"
    finally:
        site.kubectl("delete", "--now", "-f", "-", stdin=text)


def _phase(site: Site, pod: str) -> str:
    return site.kubectl("get", "pod", pod, "-o", "jsonpath={.status.phase}").checked()
