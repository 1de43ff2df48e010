"""What is removed from logs, records of failures and archives, and what stays readable."""

from __future__ import annotations

import base64
import json
import time

import pytest

from cse_client.cli.redaction import redact, redact_lines, redact_value

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"
BLOB = base64.b64encode(bytes(range(200))).decode()
KEY = "MHcCAQEEIBtzLWtleS1rZXkta2V5LWtleS1rZXkta2V5QUJDREVGR0hJSktMTU5P"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----", "MHcCAQ"),
        ("-----BEGIN PRIVATE KEY-----\nMHcCAQ cut off", "MHcCAQ"),
        (f"{KEY}\n{KEY}\nMTIzNDU2\n-----END EC PRIVATE KEY-----", KEY),
        (f"{KEY}\nMTIzNDU2\n-----END EC PRIVATE KEY-----", "MTIzNDU2"),
        ("demo-mstr-1: MTIzNDU2\ndemo-mstr-1: -----END PRIVATE KEY-----", "MTIzNDU2"),
        (f"rejected {JWT}", JWT),
        ("Authorization: Bearer abcdef123", "abcdef123"),
        ("{'authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
        ("X-VMWARE-VCLOUD-ACCESS-TOKEN: 0a1b2c", "0a1b2c"),
        ("x-vcloud-authorization: 0a1b2c", "0a1b2c"),
        ("password=hunter2", "hunter2"),
        ("password=first,hunter2", "hunter2"),
        ('password: "first hunter2"', "hunter2"),
        ('{"password": "hunter2"}', "hunter2"),
        ('{"password": "first \\" hunter2"}', "hunter2"),
        (json.dumps({"a": json.dumps({"password": "hunter2"})}), "hunter2"),
        (json.dumps(json.dumps({"a": json.dumps({"password": "hunter2"})})), "hunter2"),
        ("<AdminPassword>hunter2</AdminPassword>", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY=hunter2", "hunter2"),
        ('"apiKey": "hunter2"', "hunter2"),
        ("passphrase=hunter2", "hunter2"),
        ("pwd=hunter2", "hunter2"),
        (f'"auth": "{encoded("bob:hunter2")}"', encoded("bob:hunter2")),
        ("client-key-data: LS0tLS1C", "LS0tLS1C"),
        ("token: abcdef.0123456789abcdef", "0123456789abcdef"),
        (f"<Script>{BLOB}</Script>", BLOB[:40]),
        (f"user-data {encoded('password: hunter2')}", encoded("password: hunter2")),
        (encoded(encoded("password: hunter2")), encoded(encoded("password: hunter2"))),
        ("kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef", "0123456789abcdef"),
        ("kubeadm join --certificate-key " + "0f" * 32, "0f" * 32),
        ('["curl", "--password", "hunter2"]', "hunter2"),
        ("the proxy http://bob:pr0xy-pass@proxy:3128 refuses", "pr0xy-pass"),
        ("https://:hunter2@registry/", "hunter2"),
        ("https://0123456789abcdef0123@git.example.com/x", "0123456789abcdef0123"),
        ("used ghp_abcdefghijklmnopqrst", "ghp_abcdefghijklmnopqrst"),
        ("root:$6$saltsalt$hunter2hunter2:1", "hunter2"),
    ],
)
def test_secrets_are_removed(text: str, secret: str) -> None:
    redacted = redact(text)
    assert secret not in redacted
    assert "[redacted]" in redacted
    assert redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'network' in GET https://vcd.example.com/api/vApp/vapp-1234 (status 404)",
        "GET https://vcd/api/vAppTemplate/vappTemplate-1f0a2b3c-4d5e-6f70-8192-a3b4c5d6e7f8",
        "Log in again: cse login vcd.example.com acme --token-file FILE",
        "--discovery-token-ca-cert-hash sha256:" + "0f" * 32,
        "image registry:5000/pause@sha256:" + "0f" * 32,
        'MountVolume.SetUp failed for volume "tls": secret "web-tls" not found',
        "--service-account-signing-key-file=/etc/kubernetes/pki/sa.key",
        "ssh://bob@host/srv is not a URL of HTTPS.",
        encoded("an ordinary text"),
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_a_secret_of_several_lines() -> None:
    lines = ["before", "-----BEGIN PRIVATE KEY-----", "MTIz", "-----END PRIVATE KEY-----", "after"]
    assert redact_lines(lines) == ["before", "[redacted]", "after"]
    assert redact_value({"log": lines})["log"] == redact_lines(lines)
    assert redact_lines([]) == []


def test_values_keep_their_form() -> None:
    value = {
        "token": "x1",
        "no token": None,
        "count": 3,
        "of": [{"password": "y1", "text": "mine"}],
        "known": 'it is q"uoted',
    }
    assert redact_value(value, ['q"uoted', "mine"]) == {
        "token": "[redacted]",
        "no token": None,
        "count": 3,
        "of": [{"password": "[redacted]", "text": "mine"}],
        "known": "it is [redacted]",
    }


@pytest.mark.parametrize(
    "part", ["a", "a.", "a-", "A1a/", "--", "eyJ.", "\\", '"', "x\n", "token "]
)
def test_a_long_text_takes_linear_time(part: str) -> None:
    start = time.process_time()
    redact(part * (200_000 // len(part)))
    assert time.process_time() - start < 5


def test_a_list_of_texts_keeps_its_items() -> None:
    assert redact_value(["one\ntwo", "password: hunter22"]) == ["one\ntwo", "password: [redacted]"]
