"""Addresses, and minted kubeconfigs."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from cse_client.engines.direct.credentials import admin_kubeconfig, administrator_name
from cse_client.guest.pki import ClusterPKI, mint_pki
from cse_client.kube.kubeconfig.document import server_url


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


def test_an_administrators_kubeconfig_names_the_person_and_our_group(pki: ClusterPKI) -> None:
    text = admin_kubeconfig(
        pki,
        cluster="demo",
        host="10.0.0.5",
        user="alice",
        org="acme",
        vdc="vdc1",
        lifetime=timedelta(hours=1),
    )
    config = yaml.safe_load(text)
    assert config["current-context"] == "demo@acme-vdc1"
    assert config["clusters"][0]["cluster"]["server"] == "https://10.0.0.5:6443"
    pem = base64.b64decode(config["users"][0]["user"]["client-certificate-data"])
    subject = x509.load_pem_x509_certificate(pem).subject
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["alice@acme"]
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == [
        "cse:cluster-admins"
    ]


@pytest.mark.parametrize(
    "user", ["u" * 59, "u" * 60, "\u00e9" * 200, "system:masters", "no\u00a0break"]
)
def test_every_vcd_user_can_be_an_administrator(user: str) -> None:
    text = admin_kubeconfig(
        mint_pki("demo"),
        cluster="demo",
        host="10.0.0.5",
        user=user,
        org="acme",
        vdc="vdc1",
        lifetime=timedelta(hours=1),
    )
    assert "client-certificate-data" in text
    assert (administrator_name(user, "acme") == f"{user}@acme") == (user == "u" * 59)
