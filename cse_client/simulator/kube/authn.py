"""Who a request comes from: a client certificate, a bootstrap token, or nobody.

A certificate's CN is the user, its O fields are the groups (kubernetes:staging/src/k8s.io/apiserver
/pkg/authentication/request/x509/x509.go). The chain was checked in the TLS handshake, which knows
the machine's time only: validity is judged here, by the simulated clock. Bootstrap tokens:
kubernetes:plugin/pkg/auth/authenticator/token/bootstrap/bootstrap.go.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import ssl
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from cse_client.simulator.kube.errors import ApiError, forbidden, unauthorized
from cse_client.simulator.kube.objects import Obj, dig, parse_time
from cse_client.simulator.kube.rbac import Attributes, User
from cse_client.simulator.kube.state import Cluster

__all__ = ["ANONYMOUS", "authenticate", "impersonated", "secret_text"]

ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
_EVERYBODY = "system:authenticated"
_TOKEN = re.compile(r"^([a-z0-9]{6})\.([a-z0-9]{16})$")
_GROUP = re.compile(r"^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$")


def authenticate(
    cluster: Cluster, certificate: Mapping[str, Any] | None, headers: Mapping[str, str]
) -> User:
    """Return the user; raises ApiError 401 for credentials that are none of this cluster's.

    `certificate` is what `ssl.SSLSocket.getpeercert` returned.
    """
    if certificate:
        return _by_certificate(cluster, certificate)
    given = headers.get("authorization", "")
    if given:
        kind, _, token = given.partition(" ")
        user = _by_token(cluster, token.strip()) if kind.lower() == "bearer" else None
        if user is None:
            raise unauthorized()
        return user
    return ANONYMOUS


def _moment(text: Any) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(text)), timezone.utc)


def _by_certificate(cluster: Cluster, certificate: Mapping[str, Any]) -> User:
    now = cluster.clock.now()
    if not _moment(certificate["notBefore"]) <= now <= _moment(certificate["notAfter"]):
        raise unauthorized()
    fields = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for key, value in fields if key == "commonName"]
    groups = [value for key, value in fields if key == "organizationName"]
    if not names or not names[-1]:
        raise unauthorized()
    return User(names[-1], (*groups, _EVERYBODY))


def secret_text(secret: Obj | None, name: str) -> str:
    """Return one value of a Secret as text, '' when it is not there."""
    try:
        return base64.b64decode(dig(secret, "data", name, default="")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _token_good(secret: Obj, name: str, secret_part: str, now: datetime) -> bool:
    if secret.get("type") != "bootstrap.kubernetes.io/token":
        return False
    ends = secret_text(secret, "expiration")
    moment = parse_time(ends)
    return (
        hmac.compare_digest(secret_text(secret, "token-secret"), secret_part)
        and secret_text(secret, "token-id") == name
        and not secret["metadata"].get("deletionTimestamp")
        and secret_text(secret, "usage-bootstrap-authentication") == "true"
        and (not ends or (moment is not None and moment > now))
    )


def _by_token(cluster: Cluster, token: str) -> User | None:
    found = _TOKEN.match(token)
    if not found:
        return None
    name, secret_part = found.groups()
    with cluster.store.lock:
        secret = cluster.store.get(("", "secrets"), "kube-system", f"bootstrap-token-{name}")
    if secret is None or not _token_good(secret, name, secret_part, cluster.clock.now()):
        return None
    extra = [part for part in secret_text(secret, "auth-extra-groups").split(",") if part]
    if not all(_GROUP.match(group) for group in extra):
        return None
    return User(f"system:bootstrap:{name}", ("system:bootstrappers", *extra, _EVERYBODY))


def impersonated(cluster: Cluster, user: User, headers: Mapping[str, str]) -> User:
    """Return whom the user acts as (`kubectl --as`).

    Raises:
        ApiError: 403 without the right.
    """
    name = headers.get("impersonate-user", "")
    groups = [part for part in headers.get("impersonate-group", "").split("\n") if part]
    if not name:
        if groups:
            raise ApiError(500, "InternalError", "requested groups without impersonating a user")
        return user
    wanted = [("users", "", name), *(("groups", "", group) for group in groups)]
    if name.startswith("system:serviceaccount:"):
        wanted[0] = ("serviceaccounts", name.split(":")[2], name.rsplit(":", 1)[-1])
    for resource, namespace, target in wanted:
        asked = Attributes("impersonate", "", resource, "", namespace, target)
        if not cluster.allows(user, asked):
            raise forbidden(
                "",
                resource,
                target,
                f'User "{user.name}" cannot impersonate resource "{resource}" in API group "" '
                "at the cluster scope",
            )
    known = ANONYMOUS.groups[0] if name == ANONYMOUS.name else _EVERYBODY
    return User(name, (*groups, *(() if known in groups else (known,))))
