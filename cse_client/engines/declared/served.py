"""What a file for a CSE server 3 states, as far as the direct engine can do the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cse_client.engines.declared.fields import Steps, value_at

__all__ = ["Stated", "stated_by_served"]

# container-service-extension: rde/models/rde_1_0_0.py and rde_2_1_0.py
_NAME: tuple[Steps, ...] = (("metadata", "name"), ("metadata", "cluster_name"))
_NETWORK: tuple[Steps, ...] = (
    ("spec", "settings", "ovdcNetwork"),
    ("spec", "settings", "network"),
)
_WORKERS: tuple[Steps, ...] = (
    ("spec", "topology", "workers", "count"),
    ("spec", "workers", "count"),
)


@dataclass(frozen=True)
class Stated:
    """What such a file states; empty or None where it does not, or has another type."""

    name: str = ""
    network: str = ""
    workers: int | None = None


def stated_by_served(document: Mapping[str, Any]) -> Stated:
    """Return what a file of either form states, CSE 3.0's or CSE 3.1's."""
    workers = [value_at(document, path) for path in _WORKERS]
    return Stated(
        _text(document, _NAME),
        _text(document, _NETWORK),
        next((one for one in workers if type(one) is int and one >= 0), None),
    )


def _text(document: Mapping[str, Any], paths: tuple[Steps, ...]) -> str:
    values = (value_at(document, path) for path in paths)
    return next((one for one in values if isinstance(one, str)), "")
