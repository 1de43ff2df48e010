"""Why a cluster does not work: probable causes, and everything that was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Cause", "Diagnosis"]


@dataclass(frozen=True)
class Cause:
    """One probable cause: a sentence, what to do about it, and lines that show it."""

    sentence: str
    cure: str = ""
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """What was found out about a cluster.

    `causes` are the most probable first, none where nothing wrong was found. `facts` are the
    sections of a report, each a JSON value; `missing` says what could not be looked at, and why.
    `pictures` are the consoles of VMs, as VCD shows them (PNG or GIF), by the VM's name.
    """

    cluster: str
    causes: tuple[Cause, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict, repr=False)
