"""How a joining node finds and trusts the cluster: a discovery file or a bootstrap token.

Flow as in kubeadm's cmd/kubeadm/app/discovery: a file's own credentials may be refused the
cluster-info ConfigMap (403), for the connection alone proves the server; all else is retried
every five seconds until the discovery timeout of five minutes.
"""

from __future__ import annotations

import base64
import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from cse_client.simulator.guest.bootstrap_signer import signature
from cse_client.simulator.guest.certs import BadCertificate, load_certificate, spki_hash
from cse_client.simulator.guest.kubeadm.cluster import client_for
from cse_client.simulator.guest.kubeadm.flags import Flags
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeadm.settings import kubelet_flags, read_config
from cse_client.simulator.guest.kubeadm.tokens import TOKEN
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

__all__ = ["JoinSettings", "discover", "join_settings"]

_CLUSTER_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
_TIMEOUT_SECONDS = 300
_RETRY_SECONDS = 5
_OK, _FORBIDDEN = 200, 403
_PREFIX = "error execution phase preflight: "


@dataclass(frozen=True)
class JoinSettings:
    """What a join was called with."""

    endpoint: str
    file: str
    token: str
    tls_token: str
    pins: tuple[str, ...]
    unsafe: bool
    node: str
    cri_socket: str
    control_plane: bool
    address: str
    ignored: frozenset[str]
    kubelet_flags: tuple[str, ...] = ()


def join_settings(system: System, flags: Flags, cri_socket: str) -> JoinSettings:
    """Read the command line or the configuration file; raises KubeadmError."""
    found: dict[str, Any] = {}
    if flags.get("config"):
        found = read_config(system, flags, ("JoinConfiguration",)).get("JoinConfiguration") or {}
    discovery = found.get("discovery") or {}
    by_token = discovery.get("bootstrapToken") or {}
    node = found.get("nodeRegistration") or {}
    words = flags.command[1:]
    common = flags.get("token")
    token = flags.get("discovery-token") or common or by_token.get("token") or ""
    file = flags.get("discovery-file") or (discovery.get("file") or {}).get("kubeConfigPath") or ""
    settings = JoinSettings(
        endpoint=words[0] if words else by_token.get("apiServerEndpoint") or "",
        file=file,
        token=token,
        tls_token=flags.get("tls-bootstrap-token")
        or common
        or discovery.get("tlsBootstrapToken")
        or token,
        pins=tuple(
            flags.list("discovery-token-ca-cert-hash") or by_token.get("caCertHashes") or ()
        ),
        unsafe=flags.on("discovery-token-unsafe-skip-ca-verification")
        or bool(by_token.get("unsafeSkipCAVerification")),
        node=(flags.get("node-name") or node.get("name") or system.hostname()).lower(),
        cri_socket=flags.get("cri-socket") or node.get("criSocket") or cri_socket,
        control_plane=flags.on("control-plane") or "controlPlane" in found,
        address=flags.get("apiserver-advertise-address"),
        ignored=frozenset(w.lower() for w in flags.list("ignore-preflight-errors")),
        kubelet_flags=kubelet_flags(node),
    )
    _validate(settings)
    return settings


def _validate(settings: JoinSettings) -> None:
    if not settings.file and not settings.token:
        raise KubeadmError('discovery: Invalid value: "": bootstrapToken or file must be set', 3)
    if settings.file and settings.token and not settings.tls_token:
        raise KubeadmError(
            'discovery: Invalid value: "": bootstrapToken and file cannot both be set', 3
        )
    if settings.file:
        return
    if not TOKEN.fullmatch(settings.token):
        raise KubeadmError(
            f'discovery.bootstrapToken.token: Invalid value: "{settings.token}": the bootstrap'
            " token is invalid",
            3,
        )
    if not settings.endpoint:
        raise KubeadmError(
            'discovery.bootstrapToken.apiServerEndpoint: Invalid value: "": APIServerEndpoint is'
            " not set",
            3,
        )
    if not settings.pins and not settings.unsafe:
        raise KubeadmError(
            'discovery.bootstrapToken.caCertHashes: Invalid value: "": using token-based discovery'
            " without caCertHashes can be unsafe. Set unsafeSkipCAVerification as true in your"
            " kubeadm config file or pass --discovery-token-unsafe-skip-ca-verification flag to"
            " continue",
            3,
        )


def discover(system: System, call: Call, settings: JoinSettings) -> Credentials:
    """Return the credentials of the join; raises KubeadmError."""
    if settings.file:
        return _from_file(system, call, settings)
    return _from_token(system, call, settings)


def _from_file(system: System, call: Call, settings: JoinSettings) -> Credentials:
    try:
        given = Credentials.read(system.disk, settings.file)
    except BadKubeconfig as error:
        text = str(error).replace("stat ", "open ")
        raise KubeadmError(
            f"{_PREFIX}couldn't validate the identity of the API Server: {text}"
        ) from error
    with closing(client_for(system, given)) as client:
        _prove_server(system, call, client)
    if not given.certificate and not given.token and settings.tls_token:
        return replace(given, token=settings.tls_token)
    return given


def _prove_server(system: System, call: Call, client: KubeClient) -> None:
    """Ask for cluster-info until the server has proved itself; raises KubeadmError."""
    given = client.credentials
    limit = time.monotonic() + _TIMEOUT_SECONDS / system.life.speed
    last = ""
    while True:
        try:
            status, found = client.request("GET", _CLUSTER_INFO)
        except Unreachable as error:
            last = f'Get "{given.server}{_CLUSTER_INFO}?timeout=10s": {error}'
        else:
            if status == _OK:
                return
            if status == _FORBIDDEN:
                call.err(
                    "W [discovery] Could not access the cluster-info ConfigMap for refreshing the"
                    " cluster-info information, but the TLS cert is valid so proceeding..."
                )
                system.sleep_call(call, _RETRY_SECONDS)
                return
            last = message_of(status, found)
        if time.monotonic() > limit:
            raise KubeadmError(f"{_PREFIX}couldn't validate the identity of the API Server: {last}")
        call.err(f"I [discovery] Failed to request cluster-info, will try again: {last}")
        system.sleep_call(call, _RETRY_SECONDS)


def _from_token(system: System, call: Call, settings: JoinSettings) -> Credentials:
    server = f"https://{settings.endpoint}"
    anyone = Credentials(server=server, authority=b"", insecure=True)
    with closing(client_for(system, anyone)) as client:
        authority = _pinned_authority(system, call, client, settings)
    host = urlsplit(server).netloc
    call.out(f'[discovery] Successfully established connection with API Server "{host}"')
    return Credentials(server=server, authority=authority, token=settings.tls_token)


def _pinned_authority(
    system: System, call: Call, client: KubeClient, settings: JoinSettings
) -> bytes:
    """Return the cluster's CA once the token vouches for it; raises KubeadmError."""
    limit = time.monotonic() + _TIMEOUT_SECONDS / system.life.speed
    while True:
        last = ""
        try:
            status, found = client.request("GET", _CLUSTER_INFO)
            if status == _OK:
                authority = _trusted(found, settings)
                if authority:
                    return authority
                last = (
                    f'token id "{settings.token[:6]}" is invalid for this cluster or it has'
                    ' expired. Use "kubeadm token create" on the control-plane node to create a'
                    " new valid token"
                )
            else:
                last = message_of(status, found)
        except Unreachable as error:
            last = f'Get "{client.credentials.server}{_CLUSTER_INFO}?timeout=10s": {error}'
        if time.monotonic() > limit:
            raise KubeadmError(f"{_PREFIX}couldn't validate the identity of the API Server: {last}")
        system.sleep_call(call, _RETRY_SECONDS)


def _trusted(found: dict[str, Any], settings: JoinSettings) -> bytes:
    """Return the CA in cluster-info if our token signed it.

    Raises:
        KubeadmError: the pin is wrong.
    """
    data = found.get("data") or {}
    identity, _, secret = settings.token.partition(".")
    expected = signature(data.get("kubeconfig", ""), identity, secret)
    if data.get(f"jws-kubeconfig-{identity}") != expected:
        return b""
    try:
        config = yaml.safe_load(data.get("kubeconfig", ""))
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
        certificate = load_certificate(authority)
    except (yaml.YAMLError, KeyError, TypeError, BadCertificate, ValueError):
        return b""
    pin = spki_hash(certificate)
    if not settings.unsafe and pin not in {word.lower() for word in settings.pins}:
        raise KubeadmError(
            f"{_PREFIX}couldn't validate the identity of the API Server: cluster CA found in"
            f' cluster-info ConfigMap is invalid: none of the public keys "{pin}" are pinned'
        )
    return authority
