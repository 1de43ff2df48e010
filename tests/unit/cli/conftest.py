"""Unit tests of the commands run inside this process, in a folder and home of their own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _private_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep vcd-cli's logs and our state out of the checkout and the user's home."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
