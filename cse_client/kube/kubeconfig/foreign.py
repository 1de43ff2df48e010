"""Reading a kubeconfig that this client did not make: what is taken of it, and what never is.

A kubeconfig can be a program: kubectl, and the library under this client, run `users[].user.exec`,
read any file that `tokenFile` or `client-key` names and go through any `proxy-url`. One that comes
through a CSE server was read from /root/.kube/config on a control plane, so it is whatever root
there made of it. Taken are the server's address, the CA, and an inline certificate and key or
token; from these a kubeconfig is written again. Everything else that says something is refused by
its name.

What kubeadm and kubectl write is taken: an admin.conf holds `preferences: {}`, older ones
`as-user-extra: {}`, and `kubectl config set-context --namespace` adds a namespace
(kubernetes:cmd/kubeadm/app/util/kubeconfig/kubeconfig.go, client-go:tools/clientcmd/api/v1). Fields
that are there and empty mean nothing to kubectl, and nothing here.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cse_client import suggest
from cse_client.content import plain
from cse_client.errors import CseError, Refused
from cse_client.kube.kubeconfig.check import Damaged, read_checked
from cse_client.kube.kubeconfig.goyaml import value_of
from cse_client.model.endpoints import is_endpoint
from cse_client.yamldocs import BadYaml, Bounds, read_yaml

__all__ = ["ClusterAccess", "read_access"]

#: An administrator's kubeconfig has 6 KB.
_BOUNDS = Bounds(size=256 * 1024, depth=12, values=500)
_LONGEST_NAME = 253
_LONGEST_KEY = 60
_MOST_SHOWN = 5
_LONGEST_TOKEN = 16 * 1024
_TOP = ("apiVersion", "kind", "clusters", "users", "contexts", "current-context")
_BODIES = {"clusters": "cluster", "users": "user", "contexts": "context"}
_TAKEN = {
    "clusters": ("server", "certificate-authority-data"),
    "users": ("client-certificate-data", "client-key-data", "token"),
    "contexts": ("cluster", "user", "namespace"),
}
#: What this client itself writes into its own.
_OURS = {"clusters": ("tls-server-name", "extensions")}
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TOKEN = re.compile(r"[\x21-\x7e]+")


_HINT = (
    "It is read from the control plane's /root/.kube/config. To restore kubeadm's own there, as"
    " root: " + suggest.program("cp", "/etc/kubernetes/admin.conf", "/root/.kube/config")
)


@dataclass(frozen=True)
class ClusterAccess:
    """How to get into a cluster, as one user.

    `server` is the API's URL; `ca`, `certificate` and `key` are PEM; either these or `token` may be
    empty. `cluster`, `user` and `context` are the names that the kubeconfig had for them.
    """

    server: str
    ca: bytes
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    namespace: str = ""
    cluster: str = ""
    user: str = ""
    context: str = ""


def read_access(text: str, what: str, *, ours: bool = False) -> ClusterAccess:
    """Return the credentials in a kubeconfig that holds nothing else.

    `what` names the kubeconfig in errors, as the beginning of a sentence. `ours` also takes, and
    ignores, what this client writes into its own: marks and the name to check a certificate by.

    Raises:
        Refused: it holds something that is never taken from others.
        CseError: it is not a kubeconfig, or lacks what is needed.
    """
    try:
        read_yaml(text, _BOUNDS)
        root = read_checked(text)
        document = {} if root is None else _plain(value_of(root))
        refused = list(_refused(document, ours))
        if refused:
            raise _never(what, refused, ours)
        return _access(document, pem=not ours)
    except (BadYaml, Damaged, _Unusable) as error:
        raise CseError(f"{what} cannot be used: {error}.", hint="" if ours else _HINT) from None


class _Unusable(ValueError):
    """Something that has to be there is missing or makes no sense."""


def _never(what: str, refused: list[str], ours: bool) -> Refused:
    more = len(refused) - _MOST_SHOWN
    shown = ", ".join(refused[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return Refused(
        f"{what} is not used: it contains what is not accepted in a kubeconfig from elsewhere:"
        f" {shown}.",
        hint="" if ours else _HINT,
    )


def _plain(value: Any) -> Any:
    """Return Go's values without their types: all that is taken is text."""
    if isinstance(value, dict):
        return {key[1]: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    kind, text = value
    return None if kind == "null" else False if (kind, text) == ("bool", "false") else text


def _refused(document: Mapping[str, Any], ours: bool) -> Iterator[str]:
    """Yield the paths of what is not taken, where it says something."""
    yield from _others(document, _TOP, "")
    for section, taken in _TAKEN.items():
        items = document.get(section) or []
        if len(items) > 1:
            yield f"{len(items)} {section}"
        for number, item in enumerate(items):
            where = f"{section}[{number}]."
            body = _BODIES[section]
            yield from _others(item or {}, ("name", body), where)
            allowed = taken + (_OURS.get(section, ("extensions",)) if ours else ())
            yield from _others((item or {}).get(body) or {}, allowed, f"{where}{body}.")


def _others(mapping: Mapping[str, Any], taken: tuple[str, ...], where: str) -> Iterator[str]:
    for key, value in mapping.items():
        if key not in taken and value not in (None, "", False, [], {}):
            yield where + plain(key, _LONGEST_KEY)


def _access(document: Mapping[str, Any], *, pem: bool) -> ClusterAccess:
    context = _only(document, "contexts")
    cluster = _only(document, "clusters")
    user = _only(document, "users")
    chosen = context.get("context") or {}
    if document.get("current-context") not in (None, "", context.get("name")):
        raise _Unusable("its current context is not there")
    for section, item in (("cluster", cluster), ("user", user)):
        if chosen.get(section) != item.get("name"):
            raise _Unusable(f"its context names a {section} that is not there")
    server = (cluster.get("cluster") or {}).get("server") or ""
    _check_server(server)
    namespace = chosen.get("namespace") or ""
    if namespace and not _LABEL.fullmatch(namespace):
        raise _Unusable("its namespace is not a name that Kubernetes allows")
    access = ClusterAccess(
        server=server,
        ca=_data(cluster.get("cluster"), "certificate-authority-data"),
        **_credentials(user.get("user") or {}),
        namespace=namespace,
        cluster=_name(cluster, "cluster"),
        user=_name(user, "user"),
        context=_name(context, "context"),
    )
    if not access.ca:
        raise _Unusable("it holds no certificate-authority-data")
    if pem:
        _check_pem(access)
    return access


def _only(document: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    for item in document.get(section) or ():
        if item:
            found: Mapping[str, Any] = item
            return found
    raise _Unusable(f"it has no {section}")


def _name(item: Mapping[str, Any], kind: str) -> str:
    name = str(item.get("name") or "")
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise _Unusable(f"its {kind} has no name that can be shown")
    return name


def _data(mapping: Mapping[str, Any] | None, key: str) -> bytes:
    # `read_checked` saw to it that this is base64
    return base64.b64decode((mapping or {}).get(key) or "")


def _credentials(user: Mapping[str, Any]) -> dict[str, Any]:
    certificate = _data(user, "client-certificate-data")
    key = _data(user, "client-key-data")
    token = user.get("token") or ""
    if bool(certificate) != bool(key):
        missing = "client-key-data" if certificate else "client-certificate-data"
        raise _Unusable(f"it holds no {missing}")
    if not certificate and not token:
        raise _Unusable("it holds neither a client certificate nor a token")
    if token and (len(token) > _LONGEST_TOKEN or not _TOKEN.fullmatch(token)):
        raise _Unusable("its token holds characters that no token has")
    return {"certificate": certificate, "key": key, "token": token}


def _check_server(server: str) -> None:
    """Take https://HOST[:PORT] only: no path, which no API server of kubeadm's has."""
    scheme, _, authority = server.partition("://")
    if scheme.lower() != "https":
        raise _Unusable("its server is not an https URL")
    if "@" in authority:
        raise _Unusable("its server's URL holds a user name")
    authority = authority[:-1] if authority.endswith("/") else authority
    if not is_endpoint(authority) and not _is_ipv6(authority):
        raise _Unusable("its server is not https://HOST:PORT")


def _is_ipv6(authority: str) -> bool:
    """Return whether this is [ADDRESS] or [ADDRESS]:PORT."""
    found = re.fullmatch(r"\[([0-9A-Fa-f:.]{2,45})\](:[0-9]{1,5})?", authority)
    if found is None:
        return False
    try:
        ipaddress.IPv6Address(found[1])
    except ValueError:
        return False
    # a host name stands in for the address: a port has the same rule
    return is_endpoint("host" + (found[2] or ""))


def _check_pem(access: ClusterAccess) -> None:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    wrong = (ValueError, TypeError, UnsupportedAlgorithm)
    try:
        x509.load_pem_x509_certificates(access.ca)
    except wrong:
        raise _Unusable("its certificate-authority-data is not a certificate") from None
    if not access.certificate:
        return
    try:
        own = x509.load_pem_x509_certificates(access.certificate)[0].public_key()
    except wrong:
        raise _Unusable("its client-certificate-data is not a certificate") from None
    try:
        key = load_pem_private_key(access.key, None).public_key()
    except wrong:
        raise _Unusable("its client-key-data is not a private key") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own.public_bytes(*form) != key.public_bytes(*form):
        raise _Unusable("its client key does not belong to its client certificate")
