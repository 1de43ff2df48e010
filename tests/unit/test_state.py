"""One state folder for everything, wherever XDG_STATE_HOME points."""

from __future__ import annotations

from pathlib import Path

import pytest

from cse_client.cli.log import log_path
from cse_client.state import state_folder

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
