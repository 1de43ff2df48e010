"""What an upgrade in place has begun, as the cluster's metadata records it.

Written before the VM's snapshot and removed once the new version is proven, so that whoever comes
after a crash knows whose snapshot there is, and which way to go. Like all metadata it is a claim of
whoever may edit the vApp; what cannot be read is no record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from cse_client.content import plain
from cse_client.engines.direct import claims
from cse_client.model import footprint

__all__ = ["BACK", "BEGUN", "FINAL", "REVERTED", "UpgradeRecord", "no_record", "read_record"]

#: On the way to the new version; the new version is proven; the snapshot is to be reverted to; the
#: VM's disk is that of the snapshot again.
BEGUN, FINAL, BACK, REVERTED = "begun", "final", "back", "reverted"

_VERSION = re.compile(r"1\.\d{1,3}\.\d{1,3}", re.ASCII)
_TASK = re.compile(r"upgrade-[0-9a-f]{1,16}", re.ASCII)
_LONGEST_WHY = 200
#: A text value of VCD's metadata ends at about a thousand characters.
_LONGEST_TEXT = 960


@dataclass(frozen=True)
class UpgradeRecord:
    """An upgrade of the control plane `node`; versions are X.Y.Z.

    `source` is where the packages are, `task` the name of the task in the VM's script. `snapshot`
    is False where there is no way back. `why` is what a rollback was decided for.
    """

    node: str
    before: str
    version: str
    source: str
    task: str
    snapshot: bool = True
    phase: str = BEGUN
    why: str = ""

    def metadata(self) -> dict[str, str]:
        """Return the metadata that records it; of a `why` that is too long in it, the beginning."""
        why = self.why[:_LONGEST_WHY]
        while len(text := self._text(why)) > _LONGEST_TEXT and why:
            why = why[:-1]
        return {footprint.IN_PLACE: text}

    def _text(self, why: str) -> str:
        return json.dumps({**asdict(self), "why": why}, separators=(",", ":"))


def no_record() -> dict[str, str]:
    """Return the metadata that says that there is none."""
    return {footprint.IN_PLACE: "-"}


def read_record(metadata: Mapping[str, str]) -> UpgradeRecord | None:
    """Return the upgrade that was begun and has not ended; None without one."""
    raw = claims.json_object(metadata.get(footprint.IN_PLACE, ""))
    if raw is None:
        return None
    record = UpgradeRecord(
        node=claims.text(raw.get("node")),
        before=claims.text(raw.get("before")),
        version=claims.text(raw.get("version")),
        source=claims.text(raw.get("source")),
        task=claims.text(raw.get("task")),
        snapshot=raw.get("snapshot") is not False,
        phase=claims.text(raw.get("phase")),
        why=plain(claims.text(raw.get("why")), _LONGEST_WHY),
    )
    versions = (record.before, record.version)
    sane = (
        record.node
        and record.source
        and all(_VERSION.fullmatch(one) for one in versions)
        and _TASK.fullmatch(record.task)
        and record.phase in (BEGUN, FINAL, BACK, REVERTED)
    )
    return record if sane else None
