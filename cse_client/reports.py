"""What a node says of its own bootstrap, read from either way out.

Formats, written by scripts/base.sh and common.sh and by nothing else:

* guestinfo keys `guestinfo.cse.status` (`running`, `failed` or `ready`), `.phase`, `.rc` and
  `.error` (base64 of the last log lines); `.id` ends with the VM's name, and with another one the
  report is that of the VM from which the template was captured;
* annotations `cse-client/` status, phase, rc and error of the Lease of the node's name in the
  namespace `kube-node-lease`. Whoever has a node's certificate may write that one and no other
  (kubernetes:plugin/pkg/auth/authorizer/node, plugin/pkg/admission/noderestriction);
* of nodes that earlier versions made: a ConfigMap `cse-bootstrap-NODE` in the namespace
  `cse-system` with the data keys status, phase, rc and error, which every such node may write.

What a node does later (guest/later.py) is reported in the same way, in keys that begin with
`task-`; `task-id` is the name of the task and of the node.

Whoever is root on a node can write anything in there, so a reader trusts nothing: control
characters go, lengths are bounded, what makes no sense is no report.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cse_client.model import NodeReport

__all__ = [
    "ANNOTATION_PREFIX",
    "CONFIGMAP_PREFIX",
    "GUESTINFO_PREFIX",
    "LEASE_NAMESPACE",
    "OLD_NAMESPACE",
    "STATUSES",
    "parse_configmap",
    "parse_guestinfo",
    "parse_lease",
    "parse_task",
]

LEASE_NAMESPACE = "kube-node-lease"
ANNOTATION_PREFIX = "cse-client/"
OLD_NAMESPACE = "cse-system"
CONFIGMAP_PREFIX = "cse-bootstrap-"
GUESTINFO_PREFIX = "guestinfo.cse."
STATUSES = ("running", "failed", "ready")

_MAX_LINES = 20
_MAX_LINE = 300
_MAX_ERROR = 16384
_MAX_DIGITS = 3


def parse_guestinfo(node: str, guestinfo: Mapping[str, str]) -> NodeReport | None:
    """Return the report in a VM's `guestinfo.cse.*` values, or None when there is none."""
    values = _below(GUESTINFO_PREFIX, guestinfo)
    whose = _text(values.get("id"))
    if len(whose) > 1 and whose.rpartition(" ")[2] != node:
        return None
    return _parse(node, values, source="guestinfo")


def parse_task(node: str, task: str, values: Mapping[str, str]) -> NodeReport | None:
    """Return a node's report on a task, None where there is none.

    `values` are those of a VM's guestinfo or the annotations of the node's Lease.
    """
    for prefix, source in ((GUESTINFO_PREFIX, "guestinfo"), (ANNOTATION_PREFIX, "lease")):
        found = _below(f"{prefix}task-", values)
        if _text(found.get("id")) == f"{task} {node}":
            return _parse(node, found, source=source)
    return None


def parse_lease(lease: Mapping[str, Any]) -> NodeReport | None:
    """Return the report in a node's Lease, which has a name, or None when there is none."""
    metadata = lease["metadata"]
    values = _below(ANNOTATION_PREFIX, metadata.get("annotations") or {})
    return _parse(metadata["name"], values, source="lease")


def _below(prefix: str, values: Mapping[str, str]) -> dict[object, object]:
    return {
        key[len(prefix) :]: value
        for key, value in values.items()
        if isinstance(key, str) and key.startswith(prefix)
    }


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
