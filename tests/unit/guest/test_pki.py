from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from cse_client.errors import CseError, Refused, WrongUsage
from cse_client.guest.pki import (
    ADMIN_GROUP,
    ClusterPKI,
    check_pki,
    fingerprint,
    fitting_name,
    issue_client,
    load_pair,
    mint_pki,
    pki_from_files,
    pki_to_files,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def pki() -> ClusterPKI:
    return mint_pki("demo", now=NOW)


def openssl(*words: str) -> str:
    run = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def test_every_ca_lasts_ten_years_from_a_day_ago(pki: ClusterPKI) -> None:
    for pem in (pki.ca_cert, pki.front_proxy_cert, pki.etcd_cert):
        cert = x509.load_pem_x509_certificate(pem)
        assert cert.not_valid_before_utc == NOW - timedelta(hours=24)
        assert cert.not_valid_after_utc == NOW + timedelta(days=3650)
        assert cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_names_are_those_kubeadm_would_have_given(pki: ClusterPKI) -> None:
    names = [
        x509.load_pem_x509_certificate(pem).subject.rfc4514_string()
        for pem in (pki.ca_cert, pki.front_proxy_cert, pki.etcd_cert)
    ]
    assert names == [
        "CN=kubernetes,OU=demo",
        "CN=front-proxy-ca,OU=demo",
        "CN=etcd-ca,OU=demo",
    ]


def test_key_kinds_are_what_every_kubeadm_takes(pki: ClusterPKI, tmp_path: Path) -> None:
    for content in (pki.ca_key, pki.front_proxy_key, pki.etcd_key):
        assert content.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    assert pki.sa_key.startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    path = tmp_path / "sa.key"
    path.write_bytes(pki.sa_key)
    assert "2048 bit" in openssl("rsa", "-in", str(path), "-noout", "-text")
    assert pki.sa_pub.decode() in openssl("rsa", "-in", str(path), "-pubout")


def test_openssl_accepts_a_client_certificate_of_this_ca_only(
    pki: ClusterPKI, tmp_path: Path
) -> None:
    issued = issue_client(
        pki, common_name="alice", organizations=["devs"], lifetime=timedelta(hours=8), now=NOW
    )
    ca, other, client = (tmp_path / name for name in ("ca.crt", "other.crt", "client.crt"))
    ca.write_bytes(pki.ca_cert)
    other.write_bytes(mint_pki("demo", now=NOW).ca_cert)
    client.write_bytes(issued.cert)

    def verdict(authority: Path, when: datetime) -> str:
        moment = str(int(when.timestamp()))
        return openssl(
            *("verify", "-attime", moment, "-purpose", "sslclient"),
            *("-CAfile", str(authority), str(client)),
        )

    assert verdict(ca, NOW) == f"{client}: OK\n"
    assert verdict(ca, NOW - timedelta(hours=23)) == f"{client}: OK\n"
    assert "not yet valid" in verdict(ca, NOW - timedelta(hours=25))
    assert "expired" in verdict(ca, NOW + timedelta(hours=9))
    assert "OK" not in verdict(other, NOW)
    subject = openssl("x509", "-in", str(client), "-noout", "-subject", "-nameopt", "RFC2253")
    assert subject == "subject=CN=alice,O=devs\n"


def test_a_client_certificate_can_sign_nothing_and_serve_nothing(pki: ClusterPKI) -> None:
    issued = issue_client(
        pki, common_name="a", organizations=[ADMIN_GROUP], lifetime=timedelta(days=365), now=NOW
    )
    cert = x509.load_pem_x509_certificate(issued.cert)
    assert not cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not cert.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    usage = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert issued.not_after == NOW + timedelta(days=365)


def test_no_certificate_outlives_its_ca(pki: ClusterPKI) -> None:
    issued = issue_client(
        pki, common_name="a", organizations=[], lifetime=timedelta(days=9999), now=NOW
    )
    assert issued.not_after == NOW + timedelta(days=3650)
    with pytest.raises(CseError, match="has expired"):
        issue_client(
            pki,
            common_name="a",
            organizations=[],
            lifetime=timedelta(days=1),
            now=NOW + timedelta(days=3651),
        )


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("alice", ["devs", "system:masters"]),
        ("alice", ["system:nodes"]),
        ("system:kube-controller-manager", ["devs"]),
    ],
)
def test_reserved_names_are_refused(pki: ClusterPKI, name: str, groups: list[str]) -> None:
    with pytest.raises(Refused, match="reserved by Kubernetes"):
        issue_client(pki, common_name=name, organizations=groups, lifetime=timedelta(hours=1))


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 65])
def test_names_that_are_none_are_wrong_usage(pki: ClusterPKI, name: str) -> None:
    with pytest.raises(WrongUsage):
        issue_client(pki, common_name=name, organizations=[], lifetime=timedelta(hours=1))


def test_a_lifetime_of_nothing_is_wrong_usage(pki: ClusterPKI) -> None:
    with pytest.raises(WrongUsage, match="valid"):
        issue_client(pki, common_name="a", organizations=[], lifetime=timedelta(0))


def test_a_certificate_without_its_own_key_is_noticed(pki: ClusterPKI) -> None:
    load_pair(pki.ca_cert, pki.ca_key)
    check_pki(pki)
    with pytest.raises(CseError, match="does not belong"):
        load_pair(pki.ca_cert, pki.etcd_key)
    with pytest.raises(CseError, match="not a certificate"):
        load_pair(b"nonsense", pki.ca_key)
    with pytest.raises(CseError, match="not a private key"):
        load_pair(pki.ca_cert, b"nonsense")
    leaf = issue_client(pki, common_name="a", organizations=[], lifetime=timedelta(hours=1))
    with pytest.raises(CseError, match="not a CA"):
        load_pair(leaf.cert, leaf.key)


def test_files_keep_keys_before_certificates_and_come_back(pki: ClusterPKI) -> None:
    files = pki_to_files(pki)
    assert list(files)[:2] == ["ca.key", "ca.crt"]
    assert sorted(files) == sorted(
        [
            *("ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key"),
            *("etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub"),
        ]
    )
    assert pki_from_files(files) == pki
    swapped = {**files, "sa.pub": pki_to_files(mint_pki("demo"))["sa.pub"]}
    with pytest.raises(CseError, match=r"sa\.pub"):
        pki_from_files(swapped)
    del files["etcd/ca.key"]
    with pytest.raises(CseError, match=r"no etcd/ca\.key"):
        pki_from_files(files)


def test_no_key_shows_in_a_repr_or_an_error(pki: ClusterPKI) -> None:
    issued = issue_client(pki, common_name="a", organizations=[], lifetime=timedelta(hours=1))
    assert "PRIVATE" not in repr(pki) + str(pki) + repr(issued)
    with pytest.raises(CseError) as caught:
        load_pair(pki.ca_cert, pki.etcd_key)
    assert "PRIVATE" not in repr(caught.value)


def test_a_fingerprint_is_openssls(pki: ClusterPKI, tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    path.write_bytes(pki.ca_cert)
    said = openssl("x509", "-in", str(path), "-noout", "-fingerprint", "-sha256")
    assert fingerprint(pki.ca_cert) == said.partition("=")[2].strip().replace(":", "").lower()


def test_a_time_without_a_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="zone"):
        mint_pki("demo", now=datetime(2026, 1, 1))


@given(st.text(max_size=120))
def test_a_name_fits_into_a_certificate(name: str) -> None:
    fitting = fitting_name(name)
    assert len(fitting.encode()) <= 64
    assert fitting.isprintable()
    if name.isprintable() and len(name.encode()) <= 64:
        assert fitting == name
    else:
        assert fitting[-13] == "~"


@pytest.mark.parametrize("letter", ["a", "\u00e9", "\u6f22", "\U0001f600"])
@pytest.mark.parametrize("count", [63, 64, 65, 80, 300])
def test_long_names_sign_and_stay_different(pki: ClusterPKI, letter: str, count: int) -> None:
    one, two = (fitting_name(f"{letter * count}@{org}") for org in ("acme", "acne"))
    assert one != two
    made = issue_client(
        authority=pki, common_name=one, organizations=(), lifetime=timedelta(hours=1)
    )
    subject = x509.load_pem_x509_certificate(made.cert).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == one
