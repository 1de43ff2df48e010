"""Names, lifetimes and addresses in kubeconfigs for users; who may be granted anything."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from cse_client.engines.direct.credentials import mint_kubeconfig
from cse_client.engines.grants import check_grant
from cse_client.engines.kubeconfigs import check_spec, lifetime_of, refuse_signing
from cse_client.engines.subjects import check_subject
from cse_client.errors import CseError, Refused, WrongUsage
from cse_client.guest.pki import ClusterPKI, mint_pki
from cse_client.kube.grants import binding_name
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.model.grants import Grant, KubeconfigSpec, Subject

MARK = Mark("id-1", "demo@acme-vdc1")
DAY = 86400.0


@pytest.fixture(scope="module")
def pki() -> ClusterPKI:
    return mint_pki("demo")


def minted(pki: ClusterPKI, spec: KubeconfigSpec) -> dict[str, object]:
    text = mint_kubeconfig(pki, spec, mark=MARK, host="10.0.0.5", administrator="root@acme")
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def certificate(kubeconfig: dict[str, object]) -> x509.Certificate:
    user = kubeconfig["users"][0]["user"]  # type: ignore[index]
    return x509.load_pem_x509_certificate(base64.b64decode(user["client-certificate-data"]))


def names(cert: x509.Certificate) -> tuple[list[str], list[str]]:
    def values(oid: x509.ObjectIdentifier) -> list[str]:
        return [str(one.value) for one in cert.subject.get_attributes_for_oid(oid)]

    return values(NameOID.COMMON_NAME), values(NameOID.ORGANIZATION_NAME)


@pytest.mark.parametrize(
    ("spec", "people", "groups", "lifetime"),
    [
        (KubeconfigSpec(), ["root@acme"], ["cse:cluster-admins"], timedelta(days=365)),
        (KubeconfigSpec(ttl=60), ["root@acme"], ["cse:cluster-admins"], timedelta(minutes=1)),
        (KubeconfigSpec(user="alice"), ["alice"], [], timedelta(hours=8)),
        (
            KubeconfigSpec(user="alice@example.com", groups=("devs", "ops"), ttl=30 * DAY),
            ["alice@example.com"],
            ["devs", "ops"],
            timedelta(days=30),
        ),
    ],
)
def test_what_the_certificate_says(
    pki: ClusterPKI,
    spec: KubeconfigSpec,
    people: list[str],
    groups: list[str],
    lifetime: timedelta,
) -> None:
    cert = certificate(minted(pki, spec))
    assert names(cert) == (people, groups)
    left = cert.not_valid_after_utc - datetime.now(timezone.utc)
    assert abs(left - lifetime) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("endpoint", "server", "server_name"),
    [
        ("", "https://10.0.0.5:6443", None),
        ("10.0.0.5:443", "https://10.0.0.5:443", None),
        ("k8s.example.com", "https://k8s.example.com:6443", "10.0.0.5"),
        ("203.0.113.5:8443", "https://203.0.113.5:8443", "10.0.0.5"),
    ],
)
def test_another_address_keeps_the_name_that_the_certificate_has(
    pki: ClusterPKI, endpoint: str, server: str, server_name: str | None
) -> None:
    found = minted(pki, KubeconfigSpec(endpoint=endpoint, context="mine"))
    cluster = found["clusters"][0]["cluster"]  # type: ignore[index]
    assert (cluster["server"], cluster.get("tls-server-name")) == (server, server_name)
    assert found["current-context"] == "mine"


@pytest.mark.parametrize("name", ["alice", "Ann Lee", "a@b.c", "x" * 64, "мария", "systems:a"])
@pytest.mark.parametrize("kind", ["User", "Group"])
def test_good_names(kind: str, name: str) -> None:
    assert check_subject(Subject(kind, name)) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", WrongUsage),
        (" ", WrongUsage),
        ("alice ", WrongUsage),
        ("a\nb", WrongUsage),
        ("x" * 65, WrongUsage),
        ("system:masters", Refused),
        ("system:", Refused),
        ("system:node:node-1", Refused),
        ("cse:cluster-admins", Refused),
        ("kubeadm:cluster-admins", Refused),
    ],
)
def test_bad_names(pki: ClusterPKI, name: str, kind: type[CseError]) -> None:
    for subject in (Subject("User", name), Subject("Group", name)):
        (problem,) = check_subject(subject)
        assert type(problem) is kind
        assert check_grant(Grant(subject, "view"))
    with pytest.raises(kind):
        minted(pki, KubeconfigSpec(user="alice", groups=(name,)))
    if name:
        with pytest.raises(kind):
            minted(pki, KubeconfigSpec(user=name))


@pytest.mark.parametrize(
    "spec",
    [
        KubeconfigSpec(ttl=0),
        KubeconfigSpec(ttl=-1),
        KubeconfigSpec(ttl=59),
        KubeconfigSpec(ttl=365 * DAY + 1),
        KubeconfigSpec(user="alice", ttl=30 * DAY + 1),
        KubeconfigSpec(groups=("devs",)),
    ],
)
def test_bad_wishes(pki: ClusterPKI, spec: KubeconfigSpec) -> None:
    assert [type(problem) for problem in check_spec(spec)] == [WrongUsage]
    with pytest.raises(WrongUsage):
        minted(pki, spec)


def test_default_lifetimes() -> None:
    assert lifetime_of(KubeconfigSpec()) == timedelta(days=365)
    assert lifetime_of(KubeconfigSpec(user="alice")) == timedelta(hours=8)


@pytest.mark.parametrize("namespace", ["Shop", "a/b", "..", "a_b", "-a", "x" * 64, "a b"])
def test_bad_namespaces(namespace: str) -> None:
    (problem,) = check_grant(Grant(Subject("User", "alice"), "view", namespace))
    assert "cannot be the name of a namespace" in problem.message


def test_each_grant_has_a_binding_of_its_own() -> None:
    people = [
        Subject(kind, name) for kind in ("User", "Group") for name in ("a b", "a-b", "ж", "я")
    ]
    found = {binding_name(Grant(who, role)) for who in people for role in ("view", "edit")}
    assert len(found) == 16
    assert all(len(name) <= 63 and name == name.lower() and name.isascii() for name in found)
    assert binding_name(Grant(people[0], "view", "shop")) in found


def test_without_the_ca_key_nothing_is_signed() -> None:
    refuse_signing("demo", KubeconfigSpec(context="mine", endpoint="outside"))
    for spec in (KubeconfigSpec(user="alice"), KubeconfigSpec(ttl=3600)):
        with pytest.raises(Refused, match="The CA key of cluster 'demo' is with the CSE server"):
            refuse_signing("demo", spec)
