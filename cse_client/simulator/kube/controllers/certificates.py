"""Certificate signing requests: approved for kubelets, signed with the cluster's CA, collected.

Approval is a question of the requester's rights (kubernetes:pkg/controller/certificates/approver/
sarapprove.go); what counts as a kubelet's request: pkg/apis/certificates/helpers.go; signing:
pkg/controller/certificates/signer/signer.go and authority/policies.go; collection:
pkg/controller/certificates/cleaner/cleaner.go.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from cse_client.simulator.kube.deletion import Deletion
from cse_client.simulator.kube.objects import Obj, condition, dig, parse_time
from cse_client.simulator.kube.rbac import Attributes, User
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["Certificates"]

_GROUP = "certificates.k8s.io"
_CSRS = (_GROUP, "certificatesigningrequests")
_KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"
_SIGNERS = frozenset(
    {
        _KUBELET,
        "kubernetes.io/kube-apiserver-client",
        "kubernetes.io/kubelet-serving",
        "kubernetes.io/legacy-unknown",
    }
)
_YEAR = timedelta(days=365)
_BACKDATE = timedelta(minutes=5)
_KEPT_DECIDED, _KEPT_PENDING = timedelta(hours=1), timedelta(hours=24)
_CLIENT_USAGES = {"digital signature", "client auth"}
_WITH_RSA = {"key encipherment", *_CLIENT_USAGES}


class Certificates:
    """The approver, the signer and the cleaner."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._authority: tuple[bytes, Any, x509.Certificate] | None = None

    def changed(self, change: Change) -> None:
        """Approve and sign what was asked."""
        if change.key != _CSRS or change.new is None:
            return
        current = self._cluster.store.get(_CSRS, "", change.new["metadata"]["name"])
        if current is not None:
            self._consider(current)

    def _consider(self, csr: Obj) -> None:
        if condition(csr, "Denied") or condition(csr, "Failed"):
            return
        if condition(csr, "Approved") is None:
            message = self._approval(csr)
            if message:
                now = self._cluster.now()
                status = {
                    **dig(csr, "status", default={}),
                    "conditions": [
                        {
                            "type": "Approved",
                            "status": "True",
                            "reason": "AutoApproved",
                            "message": message,
                            "lastUpdateTime": now,
                            "lastTransitionTime": now,
                        }
                    ],
                }
                self._cluster.put(_CSRS, csr, status=status)
        elif not dig(csr, "status", "certificate") and self._cluster.ca_key:
            self._sign(csr)

    def _approval(self, csr: Obj) -> str:
        """Return why a request is approved, '' when nobody here approves it."""
        spec = csr["spec"]
        if spec.get("signerName") != _KUBELET:
            return ""
        request = _request(spec)
        name, organizations = _subject(request)
        if organizations != ["system:nodes"] or not name.startswith("system:node:"):
            return ""
        usages = set(spec.get("usages") or ())
        if usages not in (_CLIENT_USAGES, _WITH_RSA) or _alternative_names(request):
            return ""
        user = User(spec.get("username", ""), tuple(spec.get("groups") or ()))

        def may(kind: str) -> bool:
            asked = Attributes("create", _GROUP, "certificatesigningrequests", kind)
            return self._cluster.allows(user, asked)

        if user.name == name and may("selfnodeclient"):
            return "Auto approving self kubelet client certificate after SubjectAccessReview."
        if may("nodeclient"):
            return "Auto approving kubelet client certificate after SubjectAccessReview."
        return ""

    def _ca(self) -> tuple[Any, x509.Certificate] | None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        pem = self._cluster.ca_key
        if not pem or not self._cluster.ca:
            return None
        if self._authority is None or self._authority[0] is not pem:
            certificate = x509.load_pem_x509_certificate(self._cluster.ca)
            self._authority = (pem, load_pem_private_key(pem, None), certificate)
        return self._authority[1], self._authority[2]

    def _sign(self, csr: Obj) -> None:
        spec = csr["spec"]
        authority = self._ca()
        if spec.get("signerName") not in _SIGNERS or authority is None:
            return
        pem = _issue(*authority, spec, self._cluster.clock.now())
        status = {**csr["status"], "certificate": base64.b64encode(pem).decode()}
        self._cluster.put(_CSRS, csr, status=status)

    def tick(self, now: datetime) -> datetime | None:
        """Sign what waits for the key, and collect requests that are over."""
        due = []
        resource = self._cluster.resource(*_CSRS)
        for csr in list(self._cluster.store.each(_CSRS)):
            born = parse_time(csr["metadata"].get("creationTimestamp")) or now
            decided = condition(csr, "Approved") or condition(csr, "Denied")
            end = born + (_KEPT_DECIDED if decided else _KEPT_PENDING)
            if now >= end:
                self._deletion.remove(resource, csr)
                continue
            due.append(end)
            if decided:
                self._consider(csr)
        return min(due) if due else None


def _request(spec: Obj) -> x509.CertificateSigningRequest:
    from cryptography import x509

    return x509.load_pem_x509_csr(base64.b64decode(spec["request"]))


def _subject(request: x509.CertificateSigningRequest) -> tuple[str, list[str]]:
    from cryptography.x509.oid import NameOID

    names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return (
        str(names[0].value) if names else "",
        [str(item.value) for item in organizations],
    )


def _alternative_names(request: x509.CertificateSigningRequest) -> bool:
    from cryptography import x509

    return any(
        isinstance(extension.value, x509.SubjectAlternativeName) for extension in request.extensions
    )


def _issue(key: Any, ca: x509.Certificate, spec: Obj, now: datetime) -> bytes:
    """Return the signed certificate (PEM); it never outlives the CA."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID

    request = _request(spec)
    usages = set(spec.get("usages") or ())
    ca_end = (
        ca.not_valid_after.replace(tzinfo=timezone.utc)
        if not hasattr(ca, "not_valid_after_utc")
        else ca.not_valid_after_utc
    )
    seconds = spec.get("expirationSeconds")
    life = min(_YEAR, timedelta(seconds=max(600, int(seconds)))) if seconds else _YEAR
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(ca.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(min(now + life, ca_end))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature="digital signature" in usages,
                key_encipherment="key encipherment" in usages,
                content_commitment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    extended = [
        oid
        for usage, oid in (
            ("client auth", ExtendedKeyUsageOID.CLIENT_AUTH),
            ("server auth", ExtendedKeyUsageOID.SERVER_AUTH),
        )
        if usage in usages
    ]
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    for extension in request.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            builder = builder.add_extension(extension.value, critical=extension.critical)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)
