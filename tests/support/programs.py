"""Programs as the tests start them, in an environment that shows nothing of this machine's user."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


# An installed program has its bytecode; without it each start would compile the whole plugin.
_DROPPED = frozenset(
    [
        "CURL_CA_BUNDLE",
        "FORCE_COLOR",
        "NO_COLOR",
        "PYTHONDONTWRITEBYTECODE",
        "REQUESTS_CA_BUNDLE",
    ]
)


@dataclass(frozen=True)
class Result:
    """How a program ended. Outputs are text; `raw` is stdout as it came."""

    code: int
    out: str
    err: str
    raw: bytes = b""


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment in which nothing of this machine's user is seen or written."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.upper().startswith(("VCD_", "CSE_", "XDG_", "KUBE"))
        and key.upper() not in _DROPPED
    }
    local = "127.0.0.0/8,127.0.0.1,localhost"
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "NO_PROXY": local,
        "no_proxy": local,
        "PYTHONWARNINGS": "",
    }
