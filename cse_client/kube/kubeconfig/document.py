"""Kubeconfig documents for the clusters we make."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from cse_client.errors import CseError
from cse_client.kube.kubeconfig.goyaml import node, serialize
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.kube.kubeconfig.ownership import ca_fingerprint

#: Where every cluster's API server listens.
API_PORT = 6443


def context_name(cluster: str, org: str, vdc: str) -> str:
    """Return the name of a cluster's context: `<cluster>@<org>-<vdc>`."""
    return f"{cluster}@{org}-{vdc}"


def user_name(user: str, context: str) -> str:
    """Return the name of a user's entry, which is unique among many clusters' users."""
    return f"{user}/{context}"


def server_url(host: str) -> str:
    """Return the API server's URL for a host, or for HOST:PORT as given."""
    if host.startswith("["):
        return f"https://{host}" if "]:" in host else f"https://{host}:{API_PORT}"
    return f"https://{host}" if ":" in host else f"https://{host}:{API_PORT}"


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
    return _dump(document)


def adopt(kubeconfig: str, mark: Mark, *, context: str = "", server: str = "") -> str:
    """Return a kubeconfig that somebody else wrote, under our names and with our mark.

    kubeadm calls everything `kubernetes` and `kubernetes-admin`, in every cluster. Of several
    contexts the current one counts. `context` and `server` replace what is there. Raises CseError
    when the text is no kubeconfig with one context to take.
    """
    import yaml

    try:
        document = yaml.safe_load(kubeconfig)
        listed = {entry["name"]: entry["context"] for entry in document["contexts"]}
        current = document.get("current-context") or next(iter(listed))
        chosen = listed[current]
        cluster = _body(document, "clusters", "cluster", chosen["cluster"])
        user = _body(document, "users", "user", chosen["user"])
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, StopIteration):
        raise CseError("What was given as the cluster's kubeconfig is none.") from None
    ca = cluster.get("certificate-authority-data")
    mark = replace(mark, ca=ca_fingerprint(ca if isinstance(ca, str) else ""))
    extensions = {"extensions": mark.document()}
    name = user_name(str(chosen["user"]), mark.name)
    moved = {"server": server} if server else {}
    if server and "tls-server-name" not in cluster:
        moved["tls-server-name"] = urlsplit(str(cluster.get("server"))).hostname or ""
    named = context or mark.name
    own = {key: value for key, value in chosen.items() if key not in ("cluster", "user")}
    return _dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": mark.name, "cluster": {**cluster, **moved, **extensions}}],
            "users": [{"name": name, "user": {**user, **extensions}}],
            "contexts": [
                {
                    "name": named,
                    "context": {"cluster": mark.name, "user": name, **own, **extensions},
                }
            ],
            "current-context": named,
        }
    )


def _body(document: Any, section: str, kind: str, name: str) -> dict[str, Any]:
    found = next(entry[kind] for entry in document[section] if entry["name"] == name)
    return dict(found)


def _dump(document: Mapping[str, Any]) -> str:
    return serialize(node(document), ascii_only=True)


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode("ascii")
