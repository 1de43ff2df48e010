from __future__ import annotations

import logging
import stat
from collections.abc import Iterator

import pytest

from cse_client.cli.log import log_path, open_log

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def no_handlers() -> Iterator[None]:
    """Forget a log that another test of this process has opened, and close those opened here."""
    logger = logging.getLogger("cse_client")
    before, logger.handlers[:] = list(logger.handlers), []
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:] = before


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
