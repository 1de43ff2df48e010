"""The cluster's own certificate authorities, and the client certificates signed with them.

The client mints what `kubeadm init` would otherwise make itself, so an administrator's kubeconfig
needs nothing read back from a guest. kubeadm takes existing CAs of any RSA or ECDSA kind; the
service account key must be RSA for every version's `join --control-plane`
(kubernetes: cmd/kubeadm/app/phases/certs/certs.go). Everything is backdated by a day, because a
guest's clock may be behind and a CA "not yet valid" makes init hang.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from cse_client.errors import CseError, Refused, WrongUsage

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = [
    "ADMIN_GROUP",
    "BACKDATE",
    "CA_LIFETIME",
    "JOIN_LIFETIME",
    "MAX_NAME",
    "PKI_FILES",
    "ClientCertificate",
    "ClusterPKI",
    "check_pki",
    "fingerprint",
    "fitting_name",
    "issue_client",
    "load_pair",
    "mint_pki",
    "pki_from_files",
    "pki_to_files",
    "valid_from",
]

#: The group that the control plane's script binds to cluster-admin in every version; a certificate
#: holds it instead of `system:masters`, so that removing one binding takes the rights away.
ADMIN_GROUP = "cse:cluster-admins"

CA_LIFETIME = timedelta(days=3650)
BACKDATE = timedelta(hours=24)
#: Long enough for a guest clock that is an hour ahead, short enough to be worthless in a backup.
JOIN_LIFETIME = timedelta(hours=2)
#: Bytes in UTF-8 that a name in a certificate may have. X.520 says 64 characters (ub-common-name);
#: the `cryptography` package, and with it every Python that reads the name, counts bytes.
MAX_NAME = 64
_HASH_DIGITS = 12


@dataclass(frozen=True)
class ClusterPKI:
    """The eight files that a control plane needs before init, as PEM bytes; never in a repr."""

    ca_cert: bytes = field(repr=False)
    ca_key: bytes = field(repr=False)
    front_proxy_cert: bytes = field(repr=False)
    front_proxy_key: bytes = field(repr=False)
    etcd_cert: bytes = field(repr=False)
    etcd_key: bytes = field(repr=False)
    sa_key: bytes = field(repr=False)
    sa_pub: bytes = field(repr=False)


#: Field of `ClusterPKI` to its path under /etc/kubernetes/pki. Keys come before certificates:
#: kubeadm takes a certificate without its key for an external CA and demands every leaf.
PKI_FILES = {
    "ca_key": "ca.key",
    "ca_cert": "ca.crt",
    "front_proxy_key": "front-proxy-ca.key",
    "front_proxy_cert": "front-proxy-ca.crt",
    "etcd_key": "etcd/ca.key",
    "etcd_cert": "etcd/ca.crt",
    "sa_key": "sa.key",
    "sa_pub": "sa.pub",
}


@dataclass(frozen=True)
class ClientCertificate:
    """A client certificate and its key as PEM, and when it ends (UTC)."""

    cert: bytes
    key: bytes = field(repr=False)
    not_after: datetime


def mint_pki(cluster_name: str, *, now: datetime | None = None) -> ClusterPKI:
    """Make a new cluster's CAs (P-256, 10 years) and service account key (RSA-2048).

    `cluster_name` only labels the certificates. They are valid from 24 h before `now`.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    moment = _moment(now)
    ca_cert, ca_key = _mint_ca("kubernetes", cluster_name, moment)
    proxy_cert, proxy_key = _mint_ca("front-proxy-ca", cluster_name, moment)
    etcd_cert, etcd_key = _mint_ca("etcd-ca", cluster_name, moment)
    account = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ClusterPKI(
        ca_cert=ca_cert,
        ca_key=ca_key,
        front_proxy_cert=proxy_cert,
        front_proxy_key=proxy_key,
        etcd_cert=etcd_cert,
        etcd_key=etcd_key,
        sa_key=_key_pem(account),
        sa_pub=account.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )


def issue_client(
    authority: ClusterPKI | tuple[bytes, bytes],
    *,
    common_name: str,
    organizations: Sequence[str],
    lifetime: timedelta,
    now: datetime | None = None,
    backdate: timedelta = BACKDATE,
    allow_system: bool = False,
) -> ClientCertificate:
    """Sign a client certificate: `common_name` is the Kubernetes user, `organizations` the groups.

    `authority` is a `ClusterPKI` or the CA's (certificate, key) in PEM. The certificate ends
    `lifetime` after `now`, and never after its CA. Names that Kubernetes reserves (`system:*`) are
    for this package's own use (`allow_system`).

    Raises Refused for a reserved name, WrongUsage for an empty name or a lifetime that is not
    positive, CseError when the CA is damaged or has expired.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    _check_names(common_name, organizations, allow_system=allow_system)
    if lifetime <= timedelta(0):
        raise WrongUsage("a certificate must be valid for more than no time at all")
    ca_pem, key_pem = _authority(authority)
    ca, ca_key = load_pair(ca_pem, key_pem)
    moment = _moment(now)
    not_after = min(moment + lifetime, ca.not_valid_after_utc)
    not_before = max(moment - backdate, ca.not_valid_before_utc)
    if not_after <= moment:
        raise CseError("the cluster's CA certificate has expired; nothing can be signed with it")
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    names.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(_authority_key_identifier(ca), critical=False)
    )
    cert = _sign(builder, ca_key)
    return ClientCertificate(cert=cert, key=_key_pem(key), not_after=not_after)


@functools.lru_cache(maxsize=2)
def check_pki(pki: ClusterPKI) -> None:
    """Raise CseError, naming the file, unless every key of `pki` belongs to its certificate.

    Whether the numbers of the service account key make a valid RSA key is not examined: that takes
    40 ms of every command, nothing here uses the key, and the API server examines it itself. What
    has been found in order is not checked again.
    """
    from cryptography.hazmat.primitives import serialization

    for name in ("ca", "front_proxy", "etcd"):
        try:
            load_pair(getattr(pki, f"{name}_cert"), getattr(pki, f"{name}_key"))
        except CseError as error:
            raise CseError(f"{PKI_FILES[f'{name}_cert']}: {error.message}") from None
    try:
        private = serialization.load_pem_private_key(
            pki.sa_key, password=None, unsafe_skip_rsa_key_validation=True
        )
        public = serialization.load_pem_public_key(pki.sa_pub)
    except (ValueError, TypeError):
        raise CseError("sa.key or sa.pub: not a key") from None
    if _public_bytes(private.public_key()) != _public_bytes(public):
        raise CseError("sa.pub does not belong to sa.key")


def fingerprint(cert: bytes) -> str:
    """Return the SHA-256 fingerprint of a PEM certificate, in lower-case hex; it is no secret."""
    from cryptography.hazmat.primitives import hashes

    return _load_cert(cert).fingerprint(hashes.SHA256()).hex()


def valid_from(cert: bytes) -> datetime:
    """Return since when a PEM certificate is valid (UTC); a CA of ours is backdated."""
    return _load_cert(cert).not_valid_before_utc


def pki_to_files(pki: ClusterPKI) -> dict[str, bytes]:
    """Return the PKI as the files of /etc/kubernetes/pki, keys first."""
    return {path: getattr(pki, name) for name, path in PKI_FILES.items()}


def pki_from_files(files: dict[str, bytes]) -> ClusterPKI:
    """Undo `pki_to_files`.

    Raises:
        CseError: a file is missing or a pair does not fit.
    """
    missing = [path for path in PKI_FILES.values() if path not in files]
    if missing:
        raise CseError(f"the cluster's PKI is incomplete: no {', '.join(missing)}")
    pki = ClusterPKI(**{item.name: files[PKI_FILES[item.name]] for item in fields(ClusterPKI)})
    check_pki(pki)
    return pki


def load_pair(cert: bytes, key: bytes) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    """Return a CA's certificate and key.

    Raises:
        CseError: they are damaged or not a pair.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    ca = _load_cert(cert)
    try:
        loaded = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        raise CseError("the CA's key is not a private key in PEM") from None
    if _public_bytes(loaded.public_key()) != _public_bytes(ca.public_key()):
        raise CseError("the CA's key does not belong to its certificate")
    try:
        is_ca = ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        is_ca = False
    if not is_ca:
        raise CseError("the certificate is not a CA certificate")
    # RSA signs as well; the narrower type is only what we mint.
    return ca, loaded  # type: ignore[return-value]


def _check_names(common_name: str, groups: Sequence[str], *, allow_system: bool) -> None:
    for name in (common_name, *groups):
        if not name or not name.isprintable():
            raise WrongUsage(f"{name!r} is not a valid certificate name")
        if len(name.encode()) > MAX_NAME:
            raise WrongUsage(f"{name!r} is longer than the {MAX_NAME} bytes a certificate allows")
        if name.startswith("system:") and not allow_system:
            raise Refused(
                f"{name!r} is reserved by Kubernetes",
                hint="Use a name of your own and bind rights to it.",
            )


def fitting_name(name: str) -> str:
    """Return a name that a certificate can hold: the name itself where there is room for it.

    Of a longer one the beginning is kept, then come `~` and twelve hexadecimal digits of the whole
    name's SHA-256, so that long names which begin alike stay different. What cannot be printed
    becomes `_`, with the digits, too.
    """
    seen = "".join(c if c.isprintable() else "_" for c in name)
    raw = seen.encode()
    if seen == name and len(raw) <= MAX_NAME:
        return name
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{raw[: MAX_NAME - _HASH_DIGITS - 1].decode(errors='ignore')}~{digits}"


def _mint_ca(common_name: str, cluster: str, now: datetime) -> tuple[bytes, bytes]:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, cluster[:MAX_NAME]),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
    )
    return _sign(builder, key), _key_pem(key)


def _serial_number() -> int:
    """Return a random serial number of 20 bytes, the most that RFC 5280 (4.1.2.2) allows.

    One number in 128 would be shorter. Base64 then shifts, keys and names no longer look the same
    in two certificates, and a bootstrap script that holds both is 200 bytes longer than others.
    """
    from cryptography import x509

    return x509.random_serial_number() | 1 << 158


def _sign(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import hashes, serialization

    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key_identifier(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    from cryptography import x509

    try:
        own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public = ca.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _load_cert(cert: bytes) -> x509.Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(cert)
    except ValueError:
        raise CseError("not a certificate in PEM") from None


def _key_pem(key: PrivateKeyTypes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _public_bytes(key: object) -> bytes:
    from cryptography.hazmat.primitives import serialization

    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _authority(authority: ClusterPKI | tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    if isinstance(authority, ClusterPKI):
        return authority.ca_cert, authority.ca_key
    return authority


def _moment(now: datetime | None) -> datetime:
    moment = now or datetime.now(timezone.utc)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(timezone.utc).replace(microsecond=0)
