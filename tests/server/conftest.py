from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.served import Served, write_profile
from tests.support.programs import Result
from tests.support.scripted_vcd import ScriptedVcd, go_direct


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A VCD with CSE 2.6.1 behind it, which offers API 36."""
    go_direct(monkeypatch)
    vcd = ScriptedVcd()
    yield Served(vcd)
    vcd.close()


@pytest.fixture
def cse(vcd: Callable[..., Result], home: Path, served: Served) -> Callable[..., Result]:
    """Run `cse ...` as somebody who is logged in there."""
    write_profile(home, served.base)

    def start(*words: str, options: tuple[str, ...] = (), **settings: Any) -> Result:
        return vcd(*options, "cse", *words, **settings)

    return start
