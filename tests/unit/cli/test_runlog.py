from __future__ import annotations

import base64
import logging
import stat
from collections.abc import Iterator

import pytest

from cse_client.cli.log import log_path, open_log, redact

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"
BLOB = base64.b64encode(bytes(range(200))).decode()


@pytest.fixture(autouse=True)
def no_handlers() -> Iterator[None]:
    """Forget a log that another test of this process has opened, and close those opened here."""
    logger = logging.getLogger("cse_client")
    before, logger.handlers[:] = list(logger.handlers), []
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:] = before


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----", "MHcCAQ"),
        ("-----BEGIN PRIVATE KEY-----\nMHcCAQ cut off", "MHcCAQ"),
        (f"rejected {JWT}", JWT),
        ("Authorization: Bearer abcdef123", "abcdef123"),
        ("{'authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
        ("X-VMWARE-VCLOUD-ACCESS-TOKEN: 0a1b2c", "0a1b2c"),
        ("x-vcloud-authorization: 0a1b2c", "0a1b2c"),
        ("password=hunter2", "hunter2"),
        ('{"password": "hunter2"}', "hunter2"),
        ("client-key-data: LS0tLS1C", "LS0tLS1C"),
        ("token: abcdef.0123456789abcdef", "0123456789abcdef"),
        (f"<Script>{BLOB}</Script>", BLOB[:40]),
        ("kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef", "0123456789abcdef"),
        ("the proxy http://bob:pr0xy-pass@proxy:3128 refuses", "pr0xy-pass"),
    ],
)
def test_secrets_are_removed(text: str, secret: str) -> None:
    redacted = redact(text)
    assert secret not in redacted
    assert "[redacted]" in redacted


def test_ordinary_text_stays() -> None:
    text = "KeyError: 'network' in GET https://vcd.example.com/api/vApp/vapp-1234 (status 404)"
    assert redact(text) == text


def test_the_log_is_private_and_redacted() -> None:
    logger = open_log()
    assert not log_path().exists()
    try:
        raise ValueError(f"token {JWT} is not welcome")
    except ValueError:
        logger.exception("unexpected")
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)
    assert stat.S_IMODE(log_path().stat().st_mode) == 0o600
    assert stat.S_IMODE(log_path().parent.stat().st_mode) == 0o700
    text = log_path().read_text()
    assert "ValueError" in text
    assert JWT not in text
