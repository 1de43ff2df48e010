"""Kubeconfigs that somebody else made: what is taken of them, and what is refused by name."""

from __future__ import annotations

import base64
import copy
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cse_client.errors import CseError, Refused
from cse_client.guest.pki import ADMIN_GROUP, ClusterPKI, issue_client
from cse_client.kube.api import ClusterAPI
from cse_client.kube.kubeconfig.document import import_kubeconfig, pass_on
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.kube.kubeconfig.ownership import ca_fingerprint

WHAT = "The kubeconfig of 'demo'"
NAME = "demo@acme-vdc1"


def base64_of(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


@pytest.fixture(scope="module")
def kubeadms(cluster_pki: ClusterPKI) -> dict[str, Any]:
    """An admin.conf as kubeadm writes it."""
    admin = issue_client(
        cluster_pki,
        common_name="kubernetes-admin",
        organizations=[ADMIN_GROUP],
        lifetime=timedelta(hours=1),
    )
    ca = base64_of(cluster_pki.ca_cert)
    cluster = {"certificate-authority-data": ca, "server": "https://10.0.0.5:6443"}
    user = {
        "client-certificate-data": base64_of(admin.cert),
        "client-key-data": base64_of(admin.key),
    }
    name = "kubernetes-admin@kubernetes"
    return {
        "apiVersion": "v1",
        "clusters": [{"cluster": cluster, "name": "kubernetes"}],
        "contexts": [
            {"context": {"cluster": "kubernetes", "user": "kubernetes-admin"}, "name": name}
        ],
        "current-context": name,
        "kind": "Config",
        "preferences": {},
        "users": [{"name": "kubernetes-admin", "user": user}],
    }


@pytest.fixture
def document(kubeadms: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(kubeadms)


Change = Callable[[dict[str, Any]], object]


def at(document: dict[str, Any], section: str) -> dict[str, Any]:
    body = {"clusters": "cluster", "users": "user", "contexts": "context"}[section]
    found: dict[str, Any] = document[section][0][body]
    return found


def put(section: str, **fields: object) -> Change:
    return lambda document: at(document, section).update(
        {key.replace("_", "-"): value for key, value in fields.items()}
    )


def test_kubeadms_own_is_passed_on_under_its_names(document: dict[str, Any]) -> None:
    text = pass_on(yaml.safe_dump(document), WHAT)
    del document["preferences"]
    assert yaml.safe_load(text) == document
    assert text.isascii()
    assert pass_on(text, WHAT) == text


def test_what_kubeadm_wrote_gets_our_names(document: dict[str, Any]) -> None:
    mark = Mark("", NAME)
    found = yaml.safe_load(import_kubeconfig(yaml.safe_dump(document), mark))
    user = f"kubernetes-admin/{NAME}"
    fingerprint = ca_fingerprint(at(document, "clusters")["certificate-authority-data"])
    extensions = {"extensions": replace(mark, ca=fingerprint).document()}
    assert found == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {**at(document, "clusters"), **extensions}}],
        "users": [{"name": user, "user": {**at(document, "users"), **extensions}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": user, **extensions}}],
        "current-context": NAME,
    }


def test_another_address_keeps_the_name_that_the_certificate_has(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document)
    found = yaml.safe_load(
        import_kubeconfig(text, Mark("", NAME), context="mine", server="https://out:8443")
    )
    cluster = at(found, "clusters")
    assert (cluster["server"], cluster["tls-server-name"]) == ("https://out:8443", "10.0.0.5")
    assert (found["current-context"], found["contexts"][0]["name"]) == ("mine", "mine")


#: What kubectl and kubeadm of one version or another write, and what says nothing.
HARMLESS: list[Change] = [
    lambda d: d.pop("preferences"),
    lambda d: d.update(preferences=None),
    lambda d: d.pop("current-context"),
    lambda d: d.update({"current-context": ""}),
    lambda d: d.update(extensions=[]),
    put("users", **{"as_user_extra": {}, "as": "", "exec": None, "tokenFile": ""}),
    put("clusters", insecure_skip_tls_verify=False, extensions=None, proxy_url=""),
    put("clusters", server="https://10.0.0.5:6443/"),
]


@pytest.mark.parametrize("change", HARMLESS)
def test_what_says_nothing_is_left_out(document: dict[str, Any], change: Change) -> None:
    wanted = copy.deepcopy(document)
    del wanted["preferences"]
    change(document)
    found = yaml.safe_load(pass_on(yaml.safe_dump(document), WHAT))
    at(wanted, "clusters")["server"] = at(document, "clusters")["server"]
    assert found == wanted


def test_a_token_and_a_namespace_are_taken(document: dict[str, Any]) -> None:
    document["users"][0]["user"] = {"token": "a.b-c_d="}
    at(document, "contexts")["namespace"] = "shop"
    found = yaml.safe_load(import_kubeconfig(yaml.safe_dump(document), Mark("", NAME)))
    assert at(found, "users")["token"] == "a.b-c_d="
    assert at(found, "contexts")["namespace"] == "shop"


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        ("https://10.0.0.5", "https://10.0.0.5"),
        ("https://K8S.example.com:443", "https://K8S.example.com:443"),
        ("https://[fd00::5]:6443", "https://[fd00::5]:6443"),
        ("https://localhost:1", "https://localhost:1"),
    ],
)
def test_addresses_that_are_taken(document: dict[str, Any], server: str, shown: str) -> None:
    at(document, "clusters")["server"] = server
    assert at(yaml.safe_load(pass_on(yaml.safe_dump(document), WHAT)), "clusters")["server"] == (
        shown
    )


EXEC = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "touch", "args": ["x"]}
REFUSED: list[tuple[Change, str]] = [
    (put("users", exec=EXEC), "users[0].user.exec"),
    (put("users", exec={}, auth_provider={"name": "gcp"}), "users[0].user.auth-provider"),
    (put("users", tokenFile="/etc/passwd"), "users[0].user.tokenFile"),
    (put("users", client_key="/x"), "users[0].user.client-key"),
    (put("users", client_certificate="x.crt"), "users[0].user.client-certificate"),
    (put("users", username="a", password="b"), "users[0].user.password, users[0].user.username"),
    (put("users", **{"as": "root"}), "users[0].user.as"),
    (put("users", as_uid="0", as_groups=["a"]), "users[0].user.as-groups, users[0].user.as-uid"),
    (put("users", as_user_extra={"a": ["b"]}), "users[0].user.as-user-extra"),
    (put("users", extensions=[{"name": "a"}]), "users[0].user.extensions"),
    (put("users", tomorrow=1), "users[0].user.tomorrow"),
    (put("clusters", insecure_skip_tls_verify=True), "clusters[0].cluster.insecure-skip-tls-ver"),
    (put("clusters", tls_server_name="other"), "clusters[0].cluster.tls-server-name"),
    (put("clusters", proxy_url="http://e:3128"), "clusters[0].cluster.proxy-url"),
    (put("clusters", certificate_authority="/x"), "clusters[0].cluster.certificate-authority"),
    (put("clusters", disable_compression=True), "clusters[0].cluster.disable-compression"),
    (put("clusters", extensions=[{"name": "a"}]), "clusters[0].cluster.extensions"),
    (put("contexts", extensions=Mark("id", NAME).document()), "contexts[0].context.extensions"),
    (lambda d: d.update(extensions=[{"name": "a"}]), "extensions"),
    (lambda d: d.update(preferences={"colors": True}), "preferences"),
    (lambda d: d.update(tomorrow={"a": 1}), "tomorrow"),
    (lambda d: d["users"][0].update(exec=EXEC), "users[0].exec"),
    (lambda d: d["users"].append({"name": "b", "user": {"exec": EXEC}}), "2 users"),
    (lambda d: d["contexts"].append({"name": "b"}), "2 contexts"),
    (lambda d: d["clusters"].append({"name": "b"}), "2 clusters"),
    (lambda d: d.update({f"f{n:02}": 1 for n in range(20)}), "f00, f01, f02, f03, f04 and 15 m"),
    (lambda d: d.update({"a\x1b[2Jb\u202e" + "c" * 999: 1}), "a?[2Jb?ccc"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "named"), REFUSED)
def test_everything_else_is_refused_by_name(
    document: dict[str, Any], change: Change, named: str
) -> None:
    change(document)
    text = yaml.safe_dump(document)
    with pytest.raises(Refused) as caught:
        pass_on(text, WHAT)
    message = caught.value.message
    start = f"{WHAT} is not used: it contains what is not accepted in a kubeconfig from elsewhere: "
    assert message.startswith(start + named)
    assert message.isprintable()
    assert len(message) < 300
    with pytest.raises(Refused):
        import_kubeconfig(text, Mark("", NAME))
    if "extensions" not in named and "tls-server-name" not in named:
        with pytest.raises(Refused):
            ClusterAPI(text)


def test_a_command_is_refused_in_whatever_form_yaml_gives_it(document: dict[str, Any]) -> None:
    head = yaml.safe_dump({**document, "users": None}).replace("users: null\n", "")
    forms = [
        "users: [{name: kubernetes-admin, user: {TOKEN, exec: {command: a}}}]",
        'users: [{name: kubernetes-admin, "user": {TOKEN, "ex\\x65c": {"command": "a"}}}]',
        "users: [{name: kubernetes-admin, user: {TOKEN, !!str exec: {command: a}}}]",
        "x: &e {exec: {command: a}}\nusers: [{name: kubernetes-admin, user: {<<: *e, TOKEN}}]",
        "users: [{name: kubernetes-admin, user: {TOKEN}}]\nusers: [{name: b, user: {exec: {}}}]",
        "users: [{name: kubernetes-admin, user: {TOKEN}}]\n---\nusers: [{user: {exec: {}}}]",
    ]
    for form in forms:
        with pytest.raises(CseError, match=r"is not used|cannot be used"):
            pass_on(f"{head}{form.replace('TOKEN', 'token: abc')}\n", WHAT)


UNUSABLE: list[tuple[Change, str]] = [
    (lambda d: d.clear(), "it has no contexts"),
    (lambda d: d.pop("users"), "it has no users"),
    (lambda d: d.update(users=[None]), "it has no users"),
    (lambda d: d.update({"current-context": "x"}), "its current context is not there"),
    (put("contexts", user="x"), "its context names a user that is not there"),
    (put("contexts", cluster="x"), "its context names a cluster that is not there"),
    (put("contexts", namespace="a b"), "its namespace is not a name that Kubernetes allows"),
    (lambda d: at(d, "clusters").pop("server"), "its server is not an https URL"),
    (lambda d: at(d, "clusters").pop("certificate-authority-data"), "it holds no cert"),
    (put("clusters", certificate_authority_data="QUJD"), "is not a certificate"),
    (put("clusters", certificate_authority_data="Q"), "is not base64"),
    (lambda d: at(d, "users").clear(), "it holds neither a client certificate nor a token"),
    (lambda d: at(d, "users").pop("client-key-data"), "it holds no client-key-data"),
    (lambda d: at(d, "users").pop("client-certificate-data"), "it holds no client-certificate-d"),
    (put("users", client_key_data="QUJD"), "its client-key-data is not a private key"),
    (put("users", client_certificate_data="QUJD"), "client-certificate-data is not a certif"),
    (put("users", token="a\nb"), "its token holds characters that no token has"),
    (put("users", token="a" * 99_999), "its token holds characters"),
    (put("users", token=5), "users[0].user.token is a number for kubectl"),
    (lambda d: d["users"][0].update(name=5), "users[0].name is a number for kubectl"),
    (lambda d: d["contexts"][0].update(name="a\x1bb"), "its current context is not there"),
    (lambda d: d.update(kind="Pod"), "its kind is not Config"),
    (lambda d: d.update(apiVersion="v2"), "its apiVersion is not v1"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "why"), UNUSABLE)
def test_garbage_is_named(document: dict[str, Any], change: Change, why: str) -> None:
    change(document)
    check_unusable(yaml.safe_dump(document), why)


@pytest.mark.parametrize(
    "server",
    [
        "http://10.0.0.5:6443", "file:///etc/passwd", "10.0.0.5:6443", "//10.0.0.5", "https://",
        "https://user@10.0.0.5:6443", "https://user:pw@10.0.0.5", "https://@10.0.0.5",
        "https://10.0.0.5:0", "https://10.0.0.5:65536", "https://10.0.0.5:x", "https://10.0.0.5:",
        "https://[::1", "https://[::1%25eth0]", "https://a b", "https://a\tb", "https://a\nb",
        "https://a/../b", "https://a?b", "https://a#b", "https://a\\b", "https://a%2fb",
        " https://a", "https://a ", "https://-a", "https://a..b", "https://a_b", "https://münchen",
        "https://" + "a" * 64, "https://" + "a." * 200 + "a", "https://" + "a" * 60_000 + "!",
        "HTTPS ://a", "https:/a", "https:a", "https://\x1b[2J",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(document: dict[str, Any], server: str) -> None:
    at(document, "clusters")["server"] = server
    check_unusable(yaml.safe_dump(document), "its server")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no contexts"),
        ("# nothing", "it has no contexts"),
        ("[]", "it is not a kubeconfig"),
        ("a: [", "it is not YAML"),
        ("a: *b", "anchors and aliases"),
        ("<html>no</html>", "it is not a kubeconfig"),
        ("a: 1\n---\nb: 2", "it holds more than one document"),
        ("a: 1\na: 2", "occurs twice"),
        ("x" * 300_000, "it is larger than 256 KiB"),
        ("[" * 50_000, "cannot be used: "),
        ("a: " + "[" * 100 + "]" * 100, "nested deeper than"),
        ("a: [" + "1," * 5_000 + "]", "more than 500 values"),
        ("a: \x00", "the character U+0000 is not allowed"),
    ],
)
def test_what_is_not_a_kubeconfig_at_all(text: str, why: str) -> None:
    check_unusable(text, why)


def check_unusable(text: str, why: str) -> None:
    with pytest.raises(CseError) as caught:
        pass_on(text, WHAT)
    message = caught.value.message
    assert message.startswith(f"{WHAT} cannot be used: ")
    assert why in message
    assert message.isprintable()
    assert len(message) < 300


def test_a_key_of_somebody_elses(document: dict[str, Any], other_pki: ClusterPKI) -> None:
    other = issue_client(
        other_pki, common_name="x", organizations=["a"], lifetime=timedelta(hours=1)
    )
    at(document, "users")["client-key-data"] = base64_of(other.key)
    check_unusable(yaml.safe_dump(document), "its client key does not belong to its client certif")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on PATH")
def test_kubectl_uses_what_is_passed_on(document: dict[str, Any], tmp_path: Path) -> None:
    document["contexts"][0]["name"] = document["current-context"] = "433e40"
    file = tmp_path / "config"
    file.write_text(pass_on(yaml.safe_dump(document).replace("433e40", '"433e40"'), WHAT))
    words = ["kubectl", "--kubeconfig", str(file), "config", "current-context"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "433e40\n"
