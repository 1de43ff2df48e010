"""What an upgrade leaves in a cluster's metadata: its new template, and how long it took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cse_client.engines.direct import claims
from cse_client.engines.direct.metadata import with_template
from cse_client.engines.direct.upgrade_targets import release_of
from cse_client.model import Template, footprint

__all__ = ["Pace", "new_template", "pace_entry", "recorded_pace"]

_LONGEST = 7 * 86400


@dataclass(frozen=True)
class Pace:
    """How many seconds the replacement of a control plane and of a worker took; 0: not known."""

    head: int = 0
    worker: int = 0


def new_template(metadata: Mapping[str, str], template: Template) -> dict[str, str]:
    """Return the metadata that makes a template the cluster's. The CNI stays what it is."""
    values = {
        footprint.TEMPLATE_NAME: template.name,
        footprint.TEMPLATE_REVISION: str(template.revision),
        footprint.OS: template.facts.os,
        footprint.KUBERNETES_VERSION: release_of(template),
        **with_template(metadata, template),
    }
    return {key: value for key, value in values.items() if value}


def pace_entry(
    metadata: Mapping[str, str], heads: Sequence[float], workers: Sequence[float]
) -> dict[str, str]:
    """Return the metadata that records how long each node took; what is not new stays."""
    old = recorded_pace(metadata)
    new = {"head": _average(heads) or old.head, "worker": _average(workers) or old.worker}
    return {footprint.PACE: json.dumps(new, separators=(",", ":"))}


def recorded_pace(metadata: Mapping[str, str]) -> Pace:
    """Return what `pace_entry` wrote, as far as it can be meant."""
    raw: dict[str, Any] = claims.json_object(metadata.get(footprint.PACE, "")) or {}
    return Pace(
        claims.integer(raw.get("head"), 1, _LONGEST) or 0,
        claims.integer(raw.get("worker"), 1, _LONGEST) or 0,
    )


def _average(seconds: Sequence[float]) -> int:
    return max(1, round(sum(seconds) / len(seconds))) if seconds else 0
