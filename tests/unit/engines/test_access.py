"""Custody of the CA key on this machine, addresses, and minted kubeconfigs."""

from __future__ import annotations

import base64
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct.access import (
    admin_kubeconfig,
    ca_file,
    load_ca_file,
    save_ca_file,
)
from cse_client.errors import CseError, Refused
from cse_client.guest.pki import ClusterPKI, mint_pki
from cse_client.kube.kubeconfig.document import server_url
from cse_client.state import state_folder


@pytest.fixture(scope="module")
def pki() -> ClusterPKI:
    return mint_pki("demo")


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_the_ca_comes_back_from_a_file_that_only_we_can_read(pki: ClusterPKI) -> None:
    path = save_ca_file("an-id", pki)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_ca_file("demo", "an-id") == pki
    assert [p.name for p in path.parent.iterdir()] == ["an-id.json"]


def test_without_the_file_the_refusal_names_it(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="sealed") as caught:
        load_ca_file("demo", "an-id")
    assert str(tmp_path / "state" / "cse-client" / "ca" / "an-id.json") in caught.value.hint


@pytest.mark.parametrize("content", ["", "{", "[]", '{"ca_cert": 1}', '{"x": "AAAA"}'])
def test_a_damaged_file_is_named_and_none_of_it_is_shown(content: str) -> None:
    path = ca_file("an-id")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(CseError, match="cannot be read"):
        load_ca_file("demo", "an-id")


@given(st.text(min_size=1))
def test_an_id_from_metadata_never_leaves_the_folder(cluster_id: str) -> None:
    path = ca_file(cluster_id)
    assert path.parent == state_folder() / "ca"
    assert path.resolve().parent == (state_folder() / "ca").resolve()


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
