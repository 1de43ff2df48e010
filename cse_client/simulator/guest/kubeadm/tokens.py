"""`kubeadm token`."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from cse_client.simulator.guest.certs import load_certificate, spki_hash
from cse_client.simulator.guest.kubeadm.cluster import client_for, put
from cse_client.simulator.guest.kubeadm.flags import Flags
from cse_client.simulator.guest.kubeadm.objects import (
    NODE_TOKEN_GROUP,
    new_token,
    span_of,
    token_secret,
)
from cse_client.simulator.guest.kubeadm.pki import PKI
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeclient import (
    BadKubeconfig,
    Credentials,
    KubeClient,
    Unreachable,
    message_of,
)

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["TOKEN", "token"]

TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_SECRETS = "/api/v1/namespaces/kube-system/secrets"
_OK = 200


def token(system: System, call: Call, flags: Flags) -> int:
    """Run `kubeadm token create|list|delete|generate`; raises KubeadmError."""
    words = flags.command[1:]
    verb = words[0] if words else ""
    if verb == "generate":
        call.out(new_token())
        return 0
    path = flags.get("kubeconfig", "/etc/kubernetes/admin.conf")
    try:
        credentials = Credentials.read(system.disk, path)
    except BadKubeconfig as error:
        raise KubeadmError(f"failed to load admin kubeconfig: {error}") from error
    client = client_for(system, credentials)
    try:
        if verb == "create":
            return _create(system, call, flags, client, words[1:])
        if verb == "list":
            return _list(call, client)
        if verb == "delete":
            return _delete(call, client, words[1:])
    except Unreachable as error:
        raise KubeadmError(str(error)) from error
    finally:
        client.close()
    raise KubeadmError(f'unknown command "{verb}" for "kubeadm token"')


def _create(system: System, call: Call, flags: Flags, client: KubeClient, words: list[str]) -> int:
    value = words[0] if words else new_token()
    if not TOKEN.fullmatch(value):
        raise KubeadmError(
            f'the bootstrap token "{value}" was not of the form'
            ' "\\\\A([a-z0-9]{6})\\\\.([a-z0-9]{16})\\\\z"'
        )
    span = span_of(flags.get("ttl", "24h0m0s"))
    secret = token_secret(
        value,
        system.now() + span if span else None,
        usages=tuple(flags.list("usages") or ("signing", "authentication")),
        groups=tuple(flags.list("groups") or (NODE_TOKEN_GROUP,)),
        description=flags.get("description"),
    )
    put(client, secret, "token")
    if flags.on("print-join-command"):
        pin = spki_hash(load_certificate(system.disk.read(f"{PKI}/ca.crt")))
        host = client.credentials.server.replace("https://", "")
        call.out(f"kubeadm join {host} --token {value} --discovery-token-ca-cert-hash {pin} ")
    else:
        call.out(value)
    return 0


def _list(call: Call, client: KubeClient) -> int:
    status, found = client.request(
        "GET", f"{_SECRETS}?fieldSelector=type%3Dbootstrap.kubernetes.io%2Ftoken"
    )
    if status != _OK:
        raise KubeadmError(f"failed to list bootstrap tokens: {message_of(status, found)}")
    call.out("TOKEN                     TTL         EXPIRES                USAGES")
    for secret in found.get("items") or []:
        data = _decoded(secret)
        if "token-id" in data:
            call.out(
                f"{data['token-id']}.{data.get('token-secret', '')}   <unset>  "
                f" {data.get('expiration', '<never>')}   authentication,signing"
            )
    return 0


def _decoded(secret: dict[str, Any]) -> dict[str, str]:
    return {
        key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()
    }


def _delete(call: Call, client: KubeClient, words: list[str]) -> int:
    for word in words:
        identity = word.partition(".")[0]
        status, found = client.request("DELETE", f"{_SECRETS}/bootstrap-token-{identity}")
        if status != _OK:
            raise KubeadmError(
                f'failed to delete bootstrap token "{identity}": {message_of(status, found)}'
            )
        call.out(f'bootstrap token "{identity}" deleted')
    return 0
