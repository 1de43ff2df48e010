"""Kubeconfig documents for the clusters we make."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from cse_client.kube.kubeconfig.foreign import ClusterAccess, read_access
from cse_client.kube.kubeconfig.goyaml import node, serialize
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.kube.kubeconfig.ownership import ca_fingerprint
from cse_client.model.endpoints import API_PORT

__all__ = [
    "EXEC_API",
    "context_name",
    "credential_of",
    "import_kubeconfig",
    "pass_on",
    "render_kubeconfig",
    "server_url",
    "user_name",
    "with_program",
]


#: What kubectl and a credential program speak.
EXEC_API = "client.authentication.k8s.io/v1"


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
    cert: bytes = b"",
    key: bytes = b"",
    token: str = "",
    namespace: str = "",
    server_name: str = "",
    mark: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return a kubeconfig with one context as YAML text: plain ASCII, one newline at the end.

    `ca`, `cert` and `key` are PEM; `server` is the API's URL. `server_name` is what the server's
    certificate must be for where that differs from the URL's host (`tls-server-name`, kubectl
    1.18). `mark` goes into every entry's `extensions`. The text holds the private key or token:
    whoever writes it somewhere sees to mode 0600.
    """
    extensions: dict[str, Any] = {"extensions": list(mark)} if mark else {}
    secrets = {
        "client-certificate-data": _base64(cert),
        "client-key-data": _base64(key),
        "token": token,
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {
                    "certificate-authority-data": _base64(ca),
                    "server": server,
                    **_given(**{"tls-server-name": server_name}),
                    **extensions,
                },
            }
        ],
        "users": [{"name": user, "user": {**_given(**secrets), **extensions}}],
        "contexts": [
            {
                "name": context,
                "context": {
                    "cluster": cluster,
                    "user": user,
                    **_given(namespace=namespace),
                    **extensions,
                },
            }
        ],
        "current-context": context,
    }
    return serialize(node(document), ascii_only=True)


def pass_on(kubeconfig: str, what: str) -> str:
    """Return another program's kubeconfig, written again from what is accepted of it.

    `what` names it in errors. Raises Refused and CseError as `read_access` does.
    """
    access = read_access(kubeconfig, what)
    return _render(access, access.cluster, access.user, access.context)


def import_kubeconfig(kubeconfig: str, mark: Mark, *, context: str = "", server: str = "") -> str:
    """Return a kubeconfig of another program, under our names and with our mark.

    kubeadm calls everything `kubernetes` and `kubernetes-admin`, in every cluster. `context` and
    `server` replace what is there. Raises Refused and CseError as `read_access` does.
    """
    access = read_access(kubeconfig, "What was given as the cluster's kubeconfig")
    name = urlsplit(access.server).hostname or "" if server else ""
    if server:
        access = replace(access, server=server)
    mark = replace(mark, ca=ca_fingerprint(_base64(access.ca)))
    user = user_name(access.user, mark.name)
    return _render(
        access, mark.name, user, context or mark.name, server_name=name, mark=mark.document()
    )


def with_program(kubeconfig: str, program: str, arguments: Sequence[str]) -> str:
    """Return a kubeconfig of ours in which kubectl gets its credential from a program.

    The program prints an ExecCredential of client.authentication.k8s.io/v1 (kubectl 1.22;
    kubernetes.io, "Authenticating": client-go credential plugins).
    """
    import yaml

    document = yaml.safe_load(kubeconfig)
    (entry,) = document["users"]
    entry["user"] = {
        "exec": {
            "apiVersion": EXEC_API,
            "command": program,
            "args": list(arguments),
            "interactiveMode": "Never",
            "provideClusterInfo": False,
        },
        **{key: value for key, value in entry["user"].items() if key == "extensions"},
    }
    return serialize(node(document), ascii_only=True)


def credential_of(kubeconfig: str) -> tuple[str, str, str]:
    """Return certificate and key (PEM) of a kubeconfig of ours, and its CA's fingerprint."""
    access = read_access(kubeconfig, "The cluster's kubeconfig", ours=True)
    ca = ca_fingerprint(_base64(access.ca))
    return access.certificate.decode("ascii"), access.key.decode("ascii"), ca


def _render(access: ClusterAccess, cluster: str, user: str, context: str, **more: Any) -> str:
    return render_kubeconfig(
        cluster=cluster,
        user=user,
        context=context,
        server=access.server,
        ca=access.ca,
        cert=access.certificate,
        key=access.key,
        token=access.token,
        namespace=access.namespace,
        **more,
    )


def _given(**values: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode("ascii")
