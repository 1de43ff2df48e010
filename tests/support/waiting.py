"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    condition: Callable[[], T | None], what: str | Callable[[], str] = "", seconds: float = 20.0
) -> T:
    """Wait until a condition is true and return its value.

    After `seconds` the test fails with `what`: a text, or what a function knows by then.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, _text(what) or f"not true within {seconds:g} s"
        time.sleep(0.02)
    return value


def _text(what: str | Callable[[], str]) -> str:
    return what if isinstance(what, str) else what()
