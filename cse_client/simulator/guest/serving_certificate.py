"""The certificate that a guest's API server presents, issued anew."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

from cse_client.simulator.guest.certs import (
    alternative_names,
    key_pem,
    load_certificate,
    load_pair,
    new_leaf,
)

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import System

__all__ = ["reissue"]

_PKI = "/etc/kubernetes/pki"


def reissue(system: System, lifetime: timedelta) -> None:
    """Replace it on the disk, by one with the same names; the API server reads it at once."""
    disk, path, etcd = system.disk, f"{_PKI}/apiserver", system.guest.etcd
    pair = new_leaf(
        load_pair(disk.read(f"{_PKI}/ca.crt"), disk.read(f"{_PKI}/ca.key")),
        "kube-apiserver",
        system.now(),
        server=True,
        client=False,
        names=tuple(alternative_names(load_certificate(disk.read(f"{path}.crt")))),
        lifetime=lifetime,
    )
    certificate = pair.certificate.public_bytes(serialization.Encoding.PEM)
    disk.write(f"{path}.crt", certificate)
    disk.write(f"{path}.key", key_pem(pair.key), 0o600)
    if etcd is not None and etcd.running:
        etcd.api.replace_certificate(etcd.host, certificate, key_pem(pair.key))
