"""What a node says of its own bootstrap, read from either way out.

Formats, written by scripts/common.sh and by nothing else:

* guestinfo keys `guestinfo.cse.status` (`running`, `failed` or `ready`), `.phase`, `.rc` and
  `.error` (base64 of the last log lines);
* a ConfigMap `cse-bootstrap-NODE` in the namespace `cse-system`, labelled
  `app.kubernetes.io/component=bootstrap`, with the data keys node, status, phase, rc and error.

Whoever is root on a node can write anything in there, so a reader trusts nothing: control
characters go, lengths are bounded, what makes no sense is no report.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from cse_client.model import NodeReport

NAMESPACE = "cse-system"
CONFIGMAP_PREFIX = "cse-bootstrap-"
SELECTOR = "app.kubernetes.io/managed-by=cse-client,app.kubernetes.io/component=bootstrap"
GUESTINFO_PREFIX = "guestinfo.cse."
STATUSES = ("running", "failed", "ready")

_MAX_LINES = 20
_MAX_LINE = 300
_MAX_ERROR = 16384
_MAX_DIGITS = 3


def parse_guestinfo(node: str, guestinfo: Mapping[str, str]) -> NodeReport | None:
    """Return the report in a VM's `guestinfo.cse.*` values, or None when there is none."""
    values: dict[object, object] = {}
    for key, value in guestinfo.items():
        if isinstance(key, str) and key.startswith(GUESTINFO_PREFIX):
            values[key[len(GUESTINFO_PREFIX) :]] = value
    return _parse(node, values, source="guestinfo")


def parse_configmap(obj: object) -> NodeReport | None:
    """Return the report in a ConfigMap: a dict, or an object with `metadata.name` and `data`."""
    if isinstance(obj, Mapping):
        metadata, data = obj.get("metadata"), obj.get("data")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
    else:
        name = getattr(getattr(obj, "metadata", None), "name", None)
        data = getattr(obj, "data", None)
    if not isinstance(name, str) or not name.startswith(CONFIGMAP_PREFIX):
        return None
    node = name[len(CONFIGMAP_PREFIX) :]
    # The name is what the API server vouches for; the data may say anything.
    return _parse(node, data, source="configmap") if isinstance(data, Mapping) and node else None


def _parse(node: str, values: Mapping[object, object], *, source: str) -> NodeReport | None:
    status = _text(values.get("status")).split(" ", 1)[0]
    if status not in STATUSES:
        return None
    return NodeReport(
        node=node,
        status=status,
        phase=_text(values.get("phase"))[:64],
        exit_code=_number(values.get("rc")),
        log=_lines(values.get("error")),
        source=source,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in value[:_MAX_ERROR]).strip()


def _number(value: object) -> int | None:
    text = _text(value)
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    return None


def _lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, str) or not value:
        return ()
    try:
        raw = base64.b64decode(value[:_MAX_ERROR].encode("ascii", "ignore"), validate=True)
    except (binascii.Error, ValueError):
        return ()
    lines = raw.decode("utf-8", "replace").replace("\r", "\n").split("\n")
    cleaned = (_text(line)[:_MAX_LINE] for line in lines)
    return tuple(line for line in cleaned if line)[-_MAX_LINES:]
