"""What a deleted cluster leaves on this computer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cse_client.clock import SYSTEM_CLOCK
from cse_client.engines.direct.operations import delete, upgrade_backup
from cse_client.model import footprint, silent
from cse_client.vcd.tasks import Task
from tests.support import direct

DONE = Task("https://vcd.example/api/task/1", "success")


def test_the_backup_of_an_unfinished_upgrade_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    vcd: Any = SimpleNamespace(
        clock=SYSTEM_CLOCK,
        session=direct.existing(direct.vapp()).session,
        delete_vapp=lambda _href: DONE,
        gone=lambda _href: True,
        vm_records=lambda _href: [],
    )
    found = direct.existing(direct.vapp("mstr-ab12"), {footprint.CLUSTER_ID: "0d0c7a35"})
    cluster = replace(found, vcd=vcd)
    monkeypatch.setattr(delete, "find_existing", lambda *_: cluster)
    monkeypatch.setattr(
        upgrade_backup, "back_up", lambda _cluster, path, *_, **__: path.write_bytes(b"")
    )
    upgrade_backup.save(cluster, progress=silent)
    assert upgrade_backup.restoring(cluster)
    lock = cast(Any, SimpleNamespace(refuse_if_held=lambda *_, **__: None))
    delete.delete_cluster(
        *(vcd, cluster.session, cluster.vdc, "demo"),
        lock=lock,
        break_lock=True,
        deadline=SYSTEM_CLOCK.monotonic() + 60,
        progress=silent,
    )
    assert upgrade_backup.restoring(cluster) == ""
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
