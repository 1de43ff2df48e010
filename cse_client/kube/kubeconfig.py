"""Kubeconfig documents for the clusters we make."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any


def context_name(cluster: str, org: str, vdc: str) -> str:
    """Return the name of a cluster's context: `<cluster>@<org>-<vdc>`."""
    return f"{cluster}@{org}-{vdc}"


def user_name(user: str, context: str) -> str:
    """Return the name of a user's entry, which is unique among many clusters' users."""
    return f"{user}/{context}"


def render_kubeconfig(
    *,
    cluster: str,
    context: str,
    user: str,
    server: str,
    ca: bytes,
    cert: bytes,
    key: bytes,
    server_name: str = "",
    mark: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return a kubeconfig with one context as YAML text: plain ASCII, one newline at the end.

    `ca`, `cert` and `key` are PEM; `server` is the API's URL. `server_name` is what the server's
    certificate must be for where that differs from the URL's host (`tls-server-name`, kubectl
    1.18). `mark` goes into every entry's `extensions`. The text holds the private key: whoever
    writes it somewhere sees to mode 0600.
    """
    import yaml

    extensions: dict[str, Any] = {"extensions": list(mark)} if mark else {}
    name: dict[str, Any] = {"tls-server-name": server_name} if server_name else {}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {
                    "certificate-authority-data": _base64(ca),
                    "server": server,
                    **name,
                    **extensions,
                },
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(cert),
                    "client-key-data": _base64(key),
                    **extensions,
                },
            }
        ],
        "contexts": [
            {"name": context, "context": {"cluster": cluster, "user": user, **extensions}}
        ],
        "current-context": context,
    }
    dumper = _plain_dumper()
    return str(
        yaml.dump(document, Dumper=dumper, sort_keys=False, default_flow_style=False, width=1 << 20)
    )


def _plain_dumper() -> Any:
    """Return a YAML writer that repeats what is there twice; aliases are valid but puzzling."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    return Plain


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode("ascii")
