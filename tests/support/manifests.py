"""Small manifests of our own, shaped like those of MetalLB and Contour, and a mirror for them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_WORKLOADS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: speaker, namespace: metallb-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "metallb-system:speaker"}
rules:
- {apiGroups: [""], resources: [services, nodes], verbs: [get, list, watch]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: metallb-system}
spec:
  selector: {matchLabels: {app: metallb, component: controller}}
  template:
    metadata: {labels: {app: metallb, component: controller}}
    spec:
      containers: [{name: controller, image: "metallb/controller:VERSION", args: ARGS}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: speaker, namespace: metallb-system}
spec:
  selector: {matchLabels: {app: metallb, component: speaker}}
  template:
    metadata: {labels: {app: metallb, component: speaker}}
    spec:
      hostNetwork: true
      tolerations:
      - {key: node-role.kubernetes.io/master, operator: Exists, effect: NoSchedule}
      - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}
      containers:
      - name: speaker
        image: "metallb/speaker:VERSION"
        ENV
"""
_KEY = (
    "env: [{name: METALLB_ML_SECRET_KEY, valueFrom:"
    " {secretKeyRef: {name: memberlist, key: secretkey}}}]"
)


def _crd(group: str, kind: str, version: str) -> str:
    plural = "httpproxies" if kind == "HTTPProxy" else f"{kind.lower()}s"
    return f"""---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: {plural}, singular: {kind.lower()}, kind: {kind}, listKind: {kind}List}}
  versions:
  - name: {version}
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""


def metallb(version: str) -> bytes:
    """A MetalLB of either style, as small as it can be."""
    old = version.startswith("0.9.")
    text = _WORKLOADS.replace("VERSION", f"v{version}")
    text = text.replace("ARGS", "[--port=7472, --config=config]" if old else "[--port=7472]")
    text = text.replace("ENV", _KEY if old else "args: [--port=7472]")
    if not old:
        head = "apiVersion: v1\nkind: Namespace\nmetadata: {name: metallb-system}\n"
        head += _crd("metallb.io", "IPAddressPool", "v1beta1")
        head += _crd("metallb.io", "L2Advertisement", "v1beta1")
        text = f"{head}---\n{text}"
    return text.encode()


def contour(version: str) -> bytes:
    """A Contour, as small as it can be."""
    text = """
apiVersion: v1
kind: Namespace
metadata: {name: projectcontour}
CRD---
apiVersion: batch/v1
kind: Job
metadata: {name: contour-certgen-vVERSION, namespace: projectcontour}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: contour, image: "contour:vVERSION"}]
---
apiVersion: v1
kind: Service
metadata: {name: contour, namespace: projectcontour}
spec: {selector: {app: contour}, ports: [{name: xds, port: 8001}]}
---
apiVersion: v1
kind: Service
metadata: {name: envoy, namespace: projectcontour}
spec:
  externalTrafficPolicy: Local
  type: LoadBalancer
  selector: {app: envoy}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: contour, namespace: projectcontour}
spec:
  replicas: 2
  selector: {matchLabels: {app: contour}}
  template:
    metadata: {labels: {app: contour}}
    spec: {containers: [{name: contour, image: "contour:vVERSION"}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec: {containers: [{name: envoy, image: "envoy:v1"}]}
"""
    crd = _crd("projectcontour.io", "HTTPProxy", "v1")
    return text.replace("VERSION", version).replace("CRD", crd).encode()


def digest(content: bytes) -> str:
    """The checksum as `--checksum` takes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def mirror(files: Mapping[str, bytes]) -> Iterator[str]:
    """Serve files by path; gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
