"""Addresses, and minted kubeconfigs."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from cse_client.engines.direct.credentials import admin_credentials, administrator_name
from cse_client.guest.pki import ClusterPKI, mint_pki
from cse_client.kube.kubeconfig.document import server_url
from cse_client.model import Session


@pytest.fixture(scope="module")
def pki() -> ClusterPKI:
    return mint_pki("demo")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("10.0.0.5", "https://10.0.0.5:6443"),
        ("k8s.example.com", "https://k8s.example.com:6443"),
        ("k8s.example.com:443", "https://k8s.example.com:443"),
        ("[fd00::1]", "https://[fd00::1]:6443"),
        ("[fd00::1]:443", "https://[fd00::1]:443"),
    ],
)
def test_server_url(host: str, url: str) -> None:
    assert server_url(host) == url


def test_an_administrators_certificate_names_the_person_and_our_group(pki: ClusterPKI) -> None:
    access = admin_credentials(pki, "10.0.0.5", session("alice"))
    assert access.server == "https://10.0.0.5:6443"
    assert access.ca == pki.ca_cert
    subject = x509.load_pem_x509_certificate(access.certificate).subject
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["alice@acme"]
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == [
        "cse:cluster-admins"
    ]
    assert access.key.decode() not in repr(access)


@pytest.mark.parametrize(
    "user", ["u" * 59, "u" * 60, "\u00e9" * 200, "system:masters", "no\u00a0break"]
)
def test_every_vcd_user_can_be_an_administrator(pki: ClusterPKI, user: str) -> None:
    assert admin_credentials(pki, "10.0.0.5", session(user)).certificate
    assert (administrator_name(user, "acme") == f"{user}@acme") == (user == "u" * 59)


def session(user: str) -> Session:
    return Session("vcd.example", "acme", user, "36.0", "token")
