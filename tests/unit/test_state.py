"""One state folder for everything, wherever XDG_STATE_HOME points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cse_client import sent
from cse_client.cli.log import log_path
from cse_client.engines.direct import backup_files, ca_files
from cse_client.kube.kubeconfig.lock import replace_file
from cse_client.state import state_folder, write_private

# expanded here, so that a test cannot agree with a fault in expanding
CASES = {
    None: "home/.local/state",
    "": "home/.local/state",
    "relative/state": "home/.local/state",
    "~/state": "home/.local/state",
    "/srv/state": "/srv/state",
}


@pytest.mark.parametrize(("setting", "root"), CASES.items())
def test_a_relative_state_home_is_ignored(
    setting: str | None, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    if setting is not None:
        monkeypatch.setenv("XDG_STATE_HOME", setting)
    assert state_folder() == tmp_path / root / "cse-client"
    assert log_path().parent == state_folder()


def _back_up(path: Path, text: str) -> None:
    with backup_files._new_file(path) as file:
        file.write(text.encode())


@pytest.mark.parametrize("write", [write_private, ca_files._write_new, replace_file, _back_up])
def test_a_file_that_stays_is_a_change(write: Callable[[Path, str], None], tmp_path: Path) -> None:
    """So nobody who interrupts a command reads that nothing was changed."""
    sent.begin()
    write(tmp_path / "file", "text")
    assert (sent.changes(), (tmp_path / "file").read_text()) == (True, "text")
