"""kubeadm's certs and kubeconfig phases: what is there is used and checked, the rest is made."""

from __future__ import annotations

import base64
import ipaddress
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cse_client.simulator.guest.certs import (
    BadCertificate,
    Pair,
    alternative_names,
    is_authority,
    key_pem,
    load_certificate,
    load_key,
    load_pair,
    new_authority,
    new_leaf,
    not_after,
    not_before,
    signed_by,
)
from cse_client.simulator.guest.kubeadm.problems import KubeadmError
from cse_client.simulator.guest.kubeclient import BadKubeconfig, Credentials, render_kubeconfig

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.kubeadm.settings import InitSettings
    from cse_client.simulator.guest.system import System

__all__ = [
    "PKI",
    "certs_phase",
    "kubeconfig_phase",
    "load_authority",
    "make_leaf",
    "refuse_external_ca",
]

PKI = "/etc/kubernetes/pki"
_CLUSTER_ADMINS_SINCE = 29
AUTHORITIES = {
    "ca": "kubernetes",
    "front-proxy-ca": "front-proxy-ca",
    "etcd/ca": "etcd-ca",
}


def refuse_external_ca(system: System) -> None:
    """Fail in external CA mode unless everything is there already.

    With ca.crt but no ca.key kubeadm takes the authority as kept elsewhere and demands all leaves.
    """
    disk = system.disk
    if not disk.exists(f"{PKI}/ca.crt") or disk.exists(f"{PKI}/ca.key"):
        return
    for path, what in (
        (f"{PKI}/apiserver.crt", "API server"),
        (f"{PKI}/apiserver-kubelet-client.crt", "API server kubelet client"),
        (f"{PKI}/front-proxy-ca.crt", "front-proxy CA"),
        (f"{PKI}/front-proxy-client.crt", "front-proxy client"),
        (f"{PKI}/sa.key", "service account"),
    ):
        if not disk.exists(path):
            raise KubeadmError(
                f"failure loading certificate for {what}: failed to load certificate: couldn't"
                f" load the certificate file {path}: open {path}: no such file or directory"
            )
    for name in ("admin", "kubelet", "controller-manager", "scheduler"):
        path = f"/etc/kubernetes/{name}.conf"
        if not disk.exists(path):
            raise KubeadmError(f"the kubeconfig file {path} does not exist (external CA mode)")


def load_authority(system: System, name: str) -> Pair:
    """Return an authority with its key; raises KubeadmError."""
    path = f"{PKI}/{name}"
    try:
        pair = load_pair(system.disk.read(f"{path}.crt"), system.disk.read(f"{path}.key"))
    except OSError as error:
        raise KubeadmError(
            f"couldn't load CA certificate and key: open {path}.key: no such file or directory"
        ) from error
    except BadCertificate as error:
        raise KubeadmError(f"couldn't load the certificate authority {path}: {error}") from error
    if not is_authority(pair.certificate):
        raise KubeadmError(f"the certificate {path}.crt is not a certificate authority")
    return pair


def _authority(system: System, call: Call, name: str) -> Pair | None:
    """Use or make one authority; None where there is no key."""
    disk, path = system.disk, f"{PKI}/{name}"
    if disk.exists(f"{path}.crt") or disk.exists(f"{path}.key"):
        try:
            certificate = load_certificate(disk.read(f"{path}.crt"))
        except (OSError, BadCertificate) as error:
            raise KubeadmError(
                f"error execution phase certs/{name.replace('/', '-')}: failure loading {name}"
                f" certificate: couldn't load the certificate file {path}.crt: error reading"
                f" {path}.crt: {error}"
            ) from error
        now = system.now()
        if not not_before(certificate) <= now <= not_after(certificate):
            call.err(
                f"W WARNING: could not validate bounds for certificate {name}: the certificate is"
                f" not valid yet or has expired (current time {now:%Y-%m-%dT%H:%M:%SZ})"
            )
        if not disk.exists(f"{path}.key"):
            call.out(f"[certs] Using existing {name} keyless certificate authority")
            return None
        call.out(f"[certs] Using existing {name} certificate authority")
        return load_authority(system, name)
    call.out(f'[certs] Generating "{name}" certificate and key')
    pair = new_authority(AUTHORITIES[name], system.now())
    _write_pair(system, name, pair)
    return pair


def _write_pair(system: System, name: str, pair: Pair) -> None:
    with system.life.guard():
        system.disk.write(f"{PKI}/{name}.key", pair.key_pem, 0o600)
        system.disk.write(f"{PKI}/{name}.crt", pair.certificate_pem)


def apiserver_names(settings: InitSettings) -> tuple[str, ...]:
    """Return the names and addresses in the API server's certificate."""
    service = str(next(ipaddress.ip_network(settings.service_cidr.split(",")[0]).hosts()))
    names = [
        settings.node,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{settings.domain}",
        service,
        settings.address,
    ]
    if settings.endpoint:
        names.append(settings.endpoint.rsplit(":", 1)[0])
    names += settings.sans
    return tuple(dict.fromkeys(names))


def make_leaf(
    system: System,
    call: Call,
    name: str,
    authority_name: str,
    common_name: str,
    *,
    organization: str = "",
    server: bool = False,
    client: bool = True,
    names: tuple[str, ...] = (),
) -> None:
    """Use or make one certificate.

    Raises:
        KubeadmError: an existing one is unfit.
    """
    phase = name.replace("/", "-")
    disk, path = system.disk, f"{PKI}/{name}"
    authority = load_authority(system, authority_name)
    if disk.exists(f"{path}.crt") or disk.exists(f"{path}.key"):
        try:
            pair = load_pair(disk.read(f"{path}.crt"), disk.read(f"{path}.key"))
        except (OSError, BadCertificate) as error:
            raise KubeadmError(
                f"error execution phase certs/{phase}: failed to write or validate certificate"
                f' "{phase}": failure loading {phase} certificate: couldn\'t load the certificate'
                f" file {path}.crt: error reading {path}.crt: {error}"
            ) from error
        if not signed_by(pair.certificate, authority.certificate):
            raise KubeadmError(
                f"error execution phase certs/{phase}: [certs] certificate {name} not signed by CA"
                f" certificate {authority_name}: x509: certificate signed by unknown authority"
            )
        absent = set(names) - set(alternative_names(pair.certificate))
        if absent:
            raise KubeadmError(
                f"error execution phase certs/{phase}: certificate {name} is invalid: x509:"
                f" certificate is valid for {', '.join(alternative_names(pair.certificate))}, not"
                f" {sorted(absent)[0]}"
            )
        call.out(f"[certs] Using existing {name} certificate and key on disk")
        return
    call.out(f'[certs] Generating "{name}" certificate and key')
    if server and names:
        call.out(f"[certs] {phase} serving cert is signed for names [{' '.join(names)}]")
    pair = new_leaf(
        authority,
        common_name,
        system.now(),
        organization=organization,
        server=server,
        client=client,
        names=names,
    )
    _write_pair(system, name, pair)


def certs_phase(system: System, call: Call, settings: InitSettings) -> None:
    """Make all certificates that are not there."""
    call.out(f'[certs] Using certificateDir folder "{PKI}"')
    system.step("kubeadm init certs ca")
    _authority(system, call, "ca")
    system.step("kubeadm init certs apiserver")
    make_leaf(
        system, call, "apiserver", "ca", "kube-apiserver",
        server=True, client=False, names=apiserver_names(settings),
    )  # fmt: skip
    masters = (
        "kubeadm:cluster-admins" if settings.minor >= _CLUSTER_ADMINS_SINCE else "system:masters"
    )
    make_leaf(
        system, call, "apiserver-kubelet-client", "ca", "kube-apiserver-kubelet-client",
        organization=masters,
    )  # fmt: skip
    _authority(system, call, "front-proxy-ca")
    make_leaf(system, call, "front-proxy-client", "front-proxy-ca", "front-proxy-client")
    system.step("kubeadm init certs etcd")
    _authority(system, call, "etcd/ca")
    hosts = (settings.node, "localhost", settings.address, "127.0.0.1")
    for name in ("server", "peer"):
        make_leaf(system, call, f"etcd/{name}", "etcd/ca", settings.node, server=True, names=hosts)
    for name, common_name in (
        ("etcd/healthcheck-client", "kube-etcd-healthcheck-client"),
        ("apiserver-etcd-client", "kube-apiserver-etcd-client"),
    ):
        make_leaf(system, call, name, "etcd/ca", common_name, organization=masters)
    _service_account_key(system, call)


def _service_account_key(system: System, call: Call) -> None:
    disk = system.disk
    if disk.exists(f"{PKI}/sa.key"):
        try:
            load_key(disk.read(f"{PKI}/sa.key"))
        except BadCertificate as error:
            raise KubeadmError(
                "error execution phase certs/sa: failure loading key for service account:"
                f" couldn't load the private key file {PKI}/sa.key: {error}"
            ) from error
        call.out('[certs] Using the existing "sa" key')
        return
    call.out('[certs] Generating "sa" key and public key')
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with system.life.guard():
        disk.write(f"{PKI}/sa.key", key_pem(key), 0o600)
        disk.write(f"{PKI}/sa.pub", public)


def kubeconfig_phase(
    system: System, call: Call, settings: InitSettings, *, kubelet: bool = True
) -> None:
    """Make the kubeconfig files that are not there, and check those that are.

    Of a joining control plane the kubelet gets its own by TLS bootstrap.
    """
    call.out('[kubeconfig] Using kubeconfig folder "/etc/kubernetes"')
    new = settings.minor >= _CLUSTER_ADMINS_SINCE
    users = [("admin", "kubernetes-admin", "kubeadm:cluster-admins" if new else "system:masters")]
    if new and kubelet:
        users.append(("super-admin", "kubernetes-super-admin", "system:masters"))
    if kubelet:
        users.append(("kubelet", f"system:node:{settings.node}", "system:nodes"))
    users += [
        ("controller-manager", "system:kube-controller-manager", ""),
        ("scheduler", "system:kube-scheduler", ""),
    ]
    authority = load_authority(system, "ca")
    for name, user, group in users:
        system.step(f"kubeadm init kubeconfig {name}")
        path = f"/etc/kubernetes/{name}.conf"
        local = name in ("controller-manager", "scheduler")
        server = settings.local_server if local else settings.server
        if system.disk.exists(path):
            _check_kubeconfig(system, name, path, server, authority)
            call.out(f'[kubeconfig] Using existing kubeconfig file: "{path}"')
            continue
        call.out(f'[kubeconfig] Writing "{name}.conf" kubeconfig file')
        pair = new_leaf(authority, user, system.now(), organization=group)
        text = render_kubeconfig(
            server,
            authority.certificate_pem,
            user,
            client_certificate_data=base64.b64encode(pair.certificate_pem).decode(),
            client_key_data=base64.b64encode(pair.key_pem).decode(),
        )
        with system.life.guard():
            system.disk.write(path, text, 0o600)


def _check_kubeconfig(system: System, name: str, path: str, server: str, authority: Pair) -> None:
    phase = f"error execution phase kubeconfig/{name}"
    try:
        found = Credentials.read(system.disk, path)
        same = load_certificate(found.authority) == authority.certificate
    except (BadKubeconfig, BadCertificate) as error:
        raise KubeadmError(
            f"{phase}: failed to load kubeconfig file {path} that already exists on disk: {error}"
        ) from error
    if not same:
        raise KubeadmError(
            f'{phase}: a kubeconfig file "{path}" exists already but has got the wrong CA cert'
        )
    if found.server != server:
        raise KubeadmError(
            f'{phase}: a kubeconfig file "{path}" exists already but has got the wrong API Server'
            " URL"
        )
