"""Kubeconfig documents for the clusters we make."""

from __future__ import annotations

import base64


def context_name(cluster: str, org: str, vdc: str) -> str:
    """Return the name of a cluster's context: `<cluster>@<org>-<vdc>`."""
    return f"{cluster}@{org}-{vdc}"


def render_kubeconfig(
    *, cluster: str, context: str, user: str, server: str, ca: bytes, cert: bytes, key: bytes
) -> str:
    """Return a kubeconfig with one context as YAML text: plain ASCII, one newline at the end.

    `ca`, `cert` and `key` are PEM; `server` is the API's URL. The text holds the private key:
    whoever writes it somewhere sees to mode 0600.
    """
    import yaml

    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {"certificate-authority-data": _base64(ca), "server": server},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": _base64(cert), "client-key-data": _base64(key)},
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
    }
    return str(yaml.safe_dump(document, sort_keys=False, default_flow_style=False, width=1 << 20))


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode("ascii")
