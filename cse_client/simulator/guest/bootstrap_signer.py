"""The controller manager's bootstrap signer: it signs cluster-info with every bootstrap token.

kubernetes:pkg/controller/bootstrap/bootstrapsigner.go; the signature is a detached JWS (HS256,
key = the token's secret, kid = its id) under the key jws-kubeconfig-ID.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cse_client.simulator.kube import KubeAPI

__all__ = ["sign_cluster_info", "signature"]

_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
_SECRETS = "/api/v1/namespaces/kube-system/secrets"
_OK = 200
_PREFIX = "jws-kubeconfig-"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signature(kubeconfig: str, identity: str, secret: str) -> str:
    """Return the detached JWS of a kubeconfig by the token `identity`.`secret`."""
    header = _part(json.dumps({"alg": "HS256", "kid": identity}, separators=(",", ":")).encode())
    text = f"{header}.{_part(kubeconfig.encode())}"
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return f"{header}..{_part(digest)}"


def sign_cluster_info(api: KubeAPI) -> None:
    """Bring the signatures in cluster-info up to date with the tokens there are."""
    status, info = api.request("GET", _INFO)
    if status != _OK:
        return
    data = dict(info.get("data") or {})
    kubeconfig = data.get("kubeconfig", "")
    wanted = {}
    _, secrets = api.request("GET", _SECRETS)
    for secret in secrets.get("items") or []:
        if secret.get("type") != "bootstrap.kubernetes.io/token":
            continue
        value = {
            key: base64.b64decode(text).decode() for key, text in (secret.get("data") or {}).items()
        }
        if value.get("usage-bootstrap-signing") == "true" and "token-id" in value:
            wanted[_PREFIX + value["token-id"]] = signature(
                kubeconfig, value["token-id"], value.get("token-secret", "")
            )
    present = {key: text for key, text in data.items() if key.startswith(_PREFIX)}
    if present == wanted:
        return
    kept = {key: text for key, text in data.items() if not key.startswith(_PREFIX)}
    api.request("PUT", _INFO, {**info, "data": {**kept, **wanted}})
