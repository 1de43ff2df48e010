"""Certificates as kubeadm and the kubelet make and check them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Union

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = [
    "BadCertificate",
    "Pair",
    "csr_pem",
    "load_certificate",
    "load_pair",
    "new_authority",
    "new_key_pem",
    "new_leaf",
    "not_after",
    "not_before",
    "signed_by",
]

Key = Union[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]
_YEAR = timedelta(days=365)
_PEM = serialization.Encoding.PEM


class BadCertificate(Exception):
    """A certificate or key cannot be used; the text says why, as kubeadm does."""


@dataclass(frozen=True)
class Pair:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(_PEM)

    @property
    def key_pem(self) -> bytes:
        """The key as PEM, PKCS#1 or SEC1 as kubeadm writes it."""
        return key_pem(self.key)


def key_pem(key: Key) -> bytes:
    """Return a private key as PEM."""
    return key.private_bytes(
        _PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def new_key_pem() -> bytes:
    """Return a new P-256 key as PEM, as the kubelet makes it."""
    return key_pem(ec.generate_private_key(ec.SECP256R1()))


def not_before(certificate: x509.Certificate) -> datetime:
    """Return when a certificate's validity begins."""
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc
    return certificate.not_valid_before.replace(tzinfo=timezone.utc)


def not_after(certificate: x509.Certificate) -> datetime:
    """Return when a certificate's validity ends."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=timezone.utc)


def load_certificate(data: bytes) -> x509.Certificate:
    """Return the first certificate of a PEM file; raises BadCertificate."""
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise BadCertificate("data does not contain any valid RSA or ECDSA certificates") from error


def load_key(data: bytes) -> Key:
    """Return a private key, RSA or ECDSA.

    Raises:
        BadCertificate: it is anything else.
    """
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise BadCertificate("data does not contain a valid RSA or ECDSA private key") from error
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise BadCertificate("private key is neither RSA nor ECDSA")
    return key


def load_pair(certificate: bytes, key: bytes) -> Pair:
    """Return a certificate with the key that belongs to it; raises BadCertificate."""
    pair = Pair(load_certificate(certificate), load_key(key))
    ours, theirs = pair.key.public_key(), pair.certificate.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    if ours.public_bytes(_PEM, form) != theirs.public_bytes(_PEM, form):
        raise BadCertificate("tls: private key does not match public key")
    return pair


def is_authority(certificate: x509.Certificate) -> bool:
    """Return whether a certificate may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Return whether `authority` signed `certificate`."""
    if certificate.issuer != authority.subject:
        return False
    key = authority.public_key()
    digest = certificate.signature_hash_algorithm
    if digest is None:
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(
                certificate.signature,
                certificate.tbs_certificate_bytes,
                padding.PKCS1v15(),
                digest,
            )
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(digest))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _name(common_name: str, organization: str = "") -> x509.Name:
    parts = []
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(parts)


def new_authority(common_name: str, now: datetime) -> Pair:
    """Mint a self-signed authority for ten years, as kubeadm does where none is given."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + 10 * _YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(certificate, key)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def new_leaf(
    authority: Pair,
    common_name: str,
    now: datetime,
    *,
    organization: str = "",
    server: bool = False,
    client: bool = True,
    names: tuple[str, ...] = (),
    lifetime: timedelta = _YEAR,
) -> Pair:
    """Mint a certificate as kubeadm does: from its authority's NotBefore, for a year from now.

    Go names the authority's key in it if the authority has a key identifier (crypto/x509,
    CreateCertificate).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    uses = [ExtendedKeyUsageOID.SERVER_AUTH] if server else []
    uses += [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name, organization))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before(authority.certificate))
        .not_valid_after(now + lifetime)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
        )
    for extension in authority.certificate.extensions:
        if isinstance(extension.value, x509.SubjectKeyIdentifier):
            named = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)
            builder = builder.add_extension(named, critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def alternative_names(certificate: x509.Certificate) -> list[str]:
    """Return the names and addresses a server certificate is valid for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(entry.value) for entry in found]


def csr_pem(key: bytes, node: str) -> bytes:
    """Return the signing request of a kubelet for its client certificate."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_name(f"system:node:{node}", "system:nodes"))
        .sign(load_key(key), hashes.SHA256())
        .public_bytes(_PEM)
    )


def spki_hash(certificate: x509.Certificate) -> str:
    """Return "sha256:HEX" of a certificate's public key, as kubeadm pins authorities."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return "sha256:" + digest.finalize().hex()
