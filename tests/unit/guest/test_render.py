from __future__ import annotations

import base64
import gzip
import ipaddress
import re
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from cse_client.errors import CseError, WrongUsage
from cse_client.guest import script_format
from cse_client.guest.pki import ClusterPKI, mint_pki
from cse_client.guest.render import (
    Bootstrap,
    control_plane_script,
    further_control_plane_script,
    split_endpoint,
    worker_script,
)
from cse_client.guest.stored_scripts import recover_pki
from cse_client.model import TemplateFacts
from tests.support.ssh_keys import blob, public_key

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
_MODULUS = bytes([0, 0x80, *(i * 7919 % 251 for i in range(511))])
RSA_4096_KEY = (
    f"ssh-rsa {blob(b'ssh-rsa', bytes([1, 0, 1]), _MODULUS)}"
    " somebody@a-rather-long-host-name.example.com"
)
CONTROL_PLANE = Bootstrap(
    cluster_id="9a0f3cda-7aa8-4eb8-9c6e-1c1c27f64a34",
    cluster_name="demo",
    node="mstr-ab12",
    ssh_key=RSA_4096_KEY,
    facts=TemplateFacts(cni="weave", cni_version="2.6.5"),
)
WORKER = replace(CONTROL_PLANE, node="node-cd34")


@pytest.fixture(scope="module")
def pki() -> ClusterPKI:
    return mint_pki("demo", now=NOW)


def payload(script: str) -> str:
    """What bash in the guest makes of a script's payload."""
    text = script.partition("<<'CSE_PAYLOAD'\n")[2].partition("\nCSE_PAYLOAD\n")[0]
    return gzip.decompress(base64.b64decode(text)).decode()


def assignments(script: str) -> dict[str, str]:
    """The data block, as bash reads it."""
    head = payload(script).partition("set -Eeuo pipefail")[0]
    names = re.findall(r"^([A-Z_]+)=", head, re.M)
    lines = "".join(f'printf "%s\\0" "${name}"; ' for name in names)
    run = subprocess.run(
        ["bash", "-euc", f"{head}\n{lines}"], capture_output=True, text=True, check=True
    )
    return dict(zip(names, run.stdout.split("\0")))


def test_scripts_are_whole_bash_and_small(pki: ClusterPKI) -> None:
    first = control_plane_script(CONTROL_PLANE, pki, now=NOW)
    second = worker_script(WORKER, pki, endpoint="10.0.0.2", now=NOW)
    virtual = replace(CONTROL_PLANE, virtual_address="10.0.0.250")
    with_address = control_plane_script(virtual, pki, now=NOW)
    further = further_control_plane_script(virtual, pki, after="mstr-ab12", now=NOW)
    for script in (first, second, with_address, further):
        assert script.startswith("#!/bin/bash\n")
        for text in (script, payload(script)):
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert len(first) < 13.25 * 1024
    assert len(second) < 10 * 1024
    assert len(with_address) < 14.5 * 1024
    assert len(further) < 14.5 * 1024


def test_a_further_control_plane_has_the_keys_and_waits_its_turn(pki: ClusterPKI) -> None:
    node = replace(CONTROL_PLANE, virtual_address="10.0.0.250")
    script = further_control_plane_script(node, pki, after="mstr-ab12", now=NOW)
    assert recover_pki(script) == pki
    values = assignments(script)
    assert (values["API_HOST"], values["AFTER"]) == ("10.0.0.250", "mstr-ab12")
    assert values["ROUTER"] == str(int(ipaddress.IPv4Address("10.0.0.250")) % 255 + 1)


def test_keepalived_can_execute_its_check(pki: ClusterPKI) -> None:
    node = replace(CONTROL_PLANE, virtual_address="10.0.0.250")
    script = payload(control_plane_script(node, pki, now=NOW))
    assert re.search(r"put /etc/keepalived/check-api 755 <<(\S+)\n#!/bin/sh\n", script)


@pytest.mark.parametrize("serial", [0, 1, 255 << 140])
def test_the_size_of_a_script_does_not_depend_on_chance(
    pki: ClusterPKI, monkeypatch: pytest.MonkeyPatch, serial: int
) -> None:
    """A short serial number shifts the base64 of a certificate, which then compresses badly."""
    usual = len(worker_script(WORKER, pki, endpoint="10.0.0.2", now=NOW))
    monkeypatch.setattr(x509, "random_serial_number", lambda: serial)
    unusual = len(worker_script(WORKER, pki, endpoint="10.0.0.2", now=NOW))
    other = len(worker_script(WORKER, mint_pki("demo", now=NOW), endpoint="10.0.0.2", now=NOW))
    # the random numbers themselves cost more or less
    assert max(unusual, other) < usual + 60


def test_the_precustomization_call_does_nothing_at_all(pki: ClusterPKI) -> None:
    script = control_plane_script(CONTROL_PLANE, pki, now=NOW)
    run = subprocess.run(
        ["bash", "-c", script, "x", "precustomization"],
        env={"PATH": "/nonexistent"},
        capture_output=True,
        check=False,
        executable="/bin/bash",
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_a_worker_never_holds_a_ca_key(pki: ClusterPKI) -> None:
    script = worker_script(WORKER, pki, endpoint="10.0.0.2", now=NOW)
    assert recover_pki(script) is None
    keys = re.findall(r"-----BEGIN EC PRIVATE KEY-----.*?-----END", payload(script), re.S)
    assert len(keys) == 1
    for secret in (pki.ca_key, pki.etcd_key, pki.front_proxy_key, pki.sa_key):
        assert secret.decode().splitlines()[1] not in payload(script)


def test_a_workers_certificate_is_for_its_own_name_and_two_hours(pki: ClusterPKI) -> None:
    script = worker_script(WORKER, pki, endpoint="10.0.0.2", now=NOW)
    found = re.findall(
        r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", payload(script), re.S
    )
    cert = x509.load_pem_x509_certificate(found[1].encode())
    assert cert.subject.rfc4514_string() == "CN=system:node:node-cd34,O=system:nodes"
    assert cert.not_valid_after_utc == NOW + timedelta(hours=2)
    assert found[0] == pki.ca_cert.decode().strip()


def test_facts_reach_the_script(pki: ClusterPKI) -> None:
    facts = TemplateFacts(cni="Antrea", cni_version="0.11.3", cni_manifest="/root/x y.yaml")
    spec = replace(
        CONTROL_PLANE,
        facts=facts,
        endpoint_host="k8s.example.com",
        extra_sans=("203.0.113.7", "other.example.com"),
        images_deadline=77,
        ssh_key=public_key(comment="it's me"),
    )
    values = assignments(control_plane_script(spec, pki, now=NOW))
    assert values["CSE_ID"] == "9a0f3cda-7aa8-4eb8-9c6e-1c1c27f64a34 mstr-ab12"
    assert values["NODE"] == "mstr-ab12"
    assert values["MINTED"] == "1772366400"
    assert values["ENDPOINT"] == "k8s.example.com"
    assert values["SANS"] == "203.0.113.7,other.example.com"
    assert (values["CNI"], values["CNI_VERSION"]) == ("antrea", "0.11.3")
    assert values["CNI_MANIFEST"] == "/root/x y.yaml"
    assert values["POD_CIDR"] == "10.244.0.0/16"
    assert values["SSH_KEY"] == public_key(comment="it's me")
    assert values["T_IMAGES"] == "77"


def test_weave_brings_its_own_pod_network(pki: ClusterPKI) -> None:
    assert assignments(control_plane_script(CONTROL_PLANE, pki, now=NOW))["POD_CIDR"] == ""
    told = replace(CONTROL_PLANE, facts=TemplateFacts(cni="weave", pod_cidr="10.32.0.0/12"))
    assert assignments(control_plane_script(told, pki, now=NOW))["POD_CIDR"] == "10.32.0.0/12"


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=80))
def test_no_text_escapes_from_its_quotes(text: str) -> None:
    if "PRIVATE KEY-----" in text:
        return
    spec = replace(WORKER, cluster_name=f"x{text}", ssh_key=public_key(comment=text))
    values = assignments(worker_script(spec, _PKI, endpoint="10.0.0.2", now=NOW))
    assert values["CLUSTER"] == f"x{text}"
    assert values["SSH_KEY"] == public_key(comment=text)


_PKI = mint_pki("demo", now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"node": "Node-1"},
        {"node": "node_1"},
        {"node": ""},
        {"node": "a\nb"},
        {"cluster_id": ""},
        {"cluster_id": "a b"},
        {"cluster_name": "a\nb"},
        {"ssh_key": f"{RSA_4096_KEY}\n{public_key()}"},
        {"ssh_key": "-----BEGIN OPENSSH PRIVATE KEY-----"},
        {"ssh_key": f'command="id" {public_key()}'},
        {"endpoint_host": "a b"},
        {"endpoint_host": "-a"},
        {"extra_sans": ("ok", "$(id)")},
        {"facts": TemplateFacts(pod_cidr="10.0.0.0/33")},
        {"facts": TemplateFacts(pod_cidr="10.0.0.1/8")},
        {"facts": TemplateFacts(cni_manifest="/root/a\nb")},
    ],
)
def test_what_cannot_stand_in_a_script_is_wrong_usage(change: dict[str, object]) -> None:
    with pytest.raises(WrongUsage):
        control_plane_script(replace(CONTROL_PLANE, **change), _PKI)  # type: ignore[arg-type]


def test_a_script_that_vcd_might_not_take_is_refused() -> None:
    noise = "".join(f"{i * 7919 % 104729:05d}" for i in range(4000))
    spec = replace(WORKER, cluster_name=noise)
    with pytest.raises(CseError, match="more than the 16384 that are safe in VCD"):
        worker_script(spec, _PKI, endpoint="10.0.0.2")


def test_endpoints() -> None:
    assert split_endpoint("10.0.0.2") == ("10.0.0.2", 6443)
    assert split_endpoint("k8s.example.com:443") == ("k8s.example.com", 443)
    assert split_endpoint("https://10.0.0.2:6443/") == ("10.0.0.2", 6443)
    for wrong in ("", "a:b", "a:0", "a:65536", "http://a", "a b", "::1", "https://"):
        with pytest.raises(WrongUsage):
            split_endpoint(wrong)


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, cse_client.guest.render, cse_client.guest.pki, cse_client.reports\n"
        "print([m for m in ('cryptography', 'yaml', 'lightkube', 'httpx2') if m in sys.modules])"
    )
    run = subprocess.run(
        [__import__("sys").executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"


def test_the_limit_is_what_the_module_says() -> None:
    assert script_format.MAX_SCRIPT_BYTES == 16 * 1024
