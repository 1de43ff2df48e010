"""How a spec differs from the known one, and where a change is followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cse_client.simulator.cse.calls import VcdCalls
from cse_client.simulator.cse.legacy import Caller
from cse_client.simulator.cse.work import Work
from cse_client.simulator.vcd.openapi import flatten

__all__ = ["Changes", "differences", "task_href"]


class Changes(Protocol):
    """The requests that change clusters, in both releases; each answers with the entity."""

    def create(self, caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
        """POST /clusters."""

    def resize(self, caller: Caller, identifier: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """PUT /cluster/{id}."""

    def delete(self, caller: Caller, identifier: str) -> dict[str, Any]:
        """DELETE /cluster/{id}."""

    def delete_nfs(self, caller: Caller, identifier: str, name: str) -> dict[str, Any]:
        """DELETE /cluster/{id}/nfs/{node}."""


def task_href(vcd: VcdCalls, work: Work) -> str:
    """Return the address of a work's task."""
    return f"{vcd.api}/task/{work.task.id}"


def differences(
    given: Mapping[str, Any], known: Mapping[str, Any], *, nulls: bool
) -> dict[str, tuple[object, object]]:
    """Return where a spec differs from the known one: place to (given, known), as text.

    `nulls`: whether what is null in the given one counts as a difference.
    """
    stated, there = dict(flatten(given)), dict(flatten(known))
    places = set(stated) | (set(there) if nulls else set())
    return {
        place: (stated.get(place), there.get(place))
        for place in places
        if stated.get(place) != there.get(place)
    }
