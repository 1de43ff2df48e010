"""Our own log: redacted, mode 0600, under the user's state folder; nothing is written elsewhere.

vcd-cli logs requests, bodies and tokens into the current folder; what goes wrong in this package
goes here instead, and only when there is something to say.
"""

from __future__ import annotations

import logging
import os
import re
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, cast

from cse_client.cli.text import printable
from cse_client.state import state_folder

__all__ = ["log_path", "open_log", "redact"]

_HIDDEN = "[redacted]"
_PATTERNS = (
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(r"[A-Za-z0-9+/=_-]{100,}"),
    # a bootstrap token of kubeadm (k8s.io/cluster-bootstrap/token/api)
    re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"),
    # a name and a password in an address
    re.compile(r"(?<=://)[^/\s:@\"']+:[^/\s@\"']+(?=@)"),
)
_NAMED = re.compile(
    r"(?i)(authorization|access-token|[\w-]*token|password|passwd|secret|[\w-]*key-data|"
    r"cookie)(['\"]?\s*[:=]\s*['\"]?)(?:(?:bearer|basic)\s+)?[^\s'\",;]+"
)


def redact(text: str) -> str:
    """Return text without anything that looks like a key, a token or a password."""
    for pattern in _PATTERNS:
        text = pattern.sub(_HIDDEN, text)
    return _NAMED.sub(rf"\1\2{_HIDDEN}", text)


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
