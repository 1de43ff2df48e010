"""Our own log: redacted, mode 0600, under the user's state folder; nothing is written elsewhere.

vcd-cli logs requests, bodies and tokens into the current folder; what goes wrong in this package
goes here instead, and only when there is something to say.
"""

from __future__ import annotations

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, cast

from cse_client.cli.redaction import redact
from cse_client.cli.text import printable
from cse_client.state import state_folder

__all__ = ["log_path", "open_log"]


def log_path() -> Path:
    """Return where the log is, or would be."""
    return state_folder() / "cse-client.log"


def open_log() -> logging.Logger:
    """Return this package's logger, writing to the log file from its first record on."""
    logger = logging.getLogger("cse_client")
    if not any(isinstance(handler, _PrivateFile) for handler in logger.handlers):
        handler = _PrivateFile(log_path(), maxBytes=1 << 20, backupCount=1, delay=True)
        handler.setFormatter(
            _Redacted("%(asctime)s %(process)d %(levelname)s %(name)s %(message)s")
        )
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


class _PrivateFile(RotatingFileHandler):
    """A log file that only its owner can read, and whose loss stops nobody."""

    def _open(self) -> IO[str]:  # type: ignore[override]
        path = Path(self.baseFilename)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return cast("IO[str]", os.fdopen(descriptor, "a", encoding="utf-8"))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Let a log that cannot be written be; `log_path().exists()` tells."""


class _Redacted(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # a record begins at the first column and nothing else does, whatever a message holds
        first, *more = redact(super().format(record)).split("\n")
        return "\n".join([printable(first), *(f"    {printable(line)}" for line in more)])
