"""What is one OpenSSH public key, and what is not; ssh-keygen is the second opinion."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.model.ssh_keys import InvalidPublicKey, parse_public_key
from tests.support.ssh_keys import KINDS, blob, public_key

ED25519 = "ssh-ed25519"


@pytest.mark.parametrize("kind", KINDS)
def test_every_type(kind: str) -> None:
    key = parse_public_key(public_key(kind, comment="me@there"))
    assert (key.type, key.comment) == (kind, "me@there")
    assert key.line == public_key(kind)
    assert key.fingerprint.startswith("SHA256:")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no key"),
        ("\n \n# comment\n", "holds no key"),
        (f"{public_key()}\n{public_key()}", "holds 2 keys"),
        (f"{public_key()}\r\nmalice", "is not an OpenSSH public key"),
        (f'command="id" {public_key()}', "is not an OpenSSH public key"),
        (f"no-pty {public_key()}", "is not an OpenSSH public key"),
        (f"cert-authority {public_key()}", "is not an OpenSSH public key"),
        (f"ssh-dss {blob(b'ssh-dss', b'1', b'1', b'1', b'1')}", "is not an OpenSSH public key"),
        (f"ssh-ed25519-cert-v01@openssh.com {blob(b'x')}", "is an OpenSSH certificate"),
        (ED25519, "its base64 is damaged|of another type"),
        (f"{ED25519} !!!!", "its base64 is damaged"),
        (f"{ED25519} {public_key().split()[1][:-8]}", "its base64 is damaged"),
        (f"{ED25519} {blob(ED25519.encode())}", "not a key of this type"),
        (f"{ED25519} {blob(ED25519.encode(), bytes(31))}", "not a key of this type"),
        (f"{ED25519} {blob(ED25519.encode(), bytes(32), b'more')}", "not a key of this type"),
        (f"{ED25519} {public_key('ssh-rsa').split()[1]}", "its data is of another type"),
        (f"ssh-rsa {blob(b'ssh-rsa', bytes([1, 0, 1]), bytes([255] * 96))}", "not a key of this"),
        (f"ssh-rsa {blob(b'ssh-rsa', bytes([2]), bytes([255] * 256))}", "not a key of this type"),
        (
            f"ecdsa-sha2-nistp256 {blob(b'ecdsa-sha2-nistp256', b'nistp384', b'd' * 65)}",
            "not a key of this type",
        ),
        (f"{public_key()}{'x' * 5000}", "is longer than 4096 bytes"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nc2Vj\n", "is a private key"),
        (f"ssh-ed25519\N{NO-BREAK SPACE}{public_key().split()[1]}", "is not an OpenSSH public key"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidPublicKey, match=reason):
        parse_public_key(text)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("a  b\tc", "a b c"),
        ("\x1b[31mred\u202e\x9b", "[31mred"),
        ("one\u2028ssh-rsa AAAA", "one ssh-rsa AAAA"),
        ("x" * 200, "x" * 128),
        ("käthe", "käthe"),
    ],
)
def test_a_comment_is_plain_text(written: str, kept: str) -> None:
    assert parse_public_key(public_key(comment=written)).comment == kept


@given(st.text())
def test_any_text_is_a_key_or_refused(text: str) -> None:
    for whole in (text, f"{ED25519} {text}", public_key(comment=text)):
        try:
            line = parse_public_key(whole).line
        except InvalidPublicKey:
            continue
        assert line.isprintable()
        assert parse_public_key(line).line == line


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
@pytest.mark.parametrize(
    ("kind", "bits"),
    [("ed25519", "256"), ("rsa", "1024"), ("rsa", "3072"), ("ecdsa", "256"), ("ecdsa", "521")],
)
def test_what_ssh_keygen_makes(kind: str, bits: str, tmp_path: Path) -> None:
    file = tmp_path / "id"
    words = ["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "it's me", "-f", str(file)]
    subprocess.run(words, check=True, timeout=60)
    public = file.with_suffix(".pub")
    key = parse_public_key(public.read_text())
    assert key.line == public.read_text().strip()
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(public)], capture_output=True, text=True, check=True
    )
    assert key.fingerprint == listed.stdout.split()[1]
    assert base64.b64decode(key.blob)
