"""The cluster's etcd: objects, one revision counter, and the recent history that watches read.

All access happens under `Store.lock`; `Store.changed` is notified at every write. Objects are
shared with readers and must not be changed in place.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cse_client.simulator.kube.objects import Obj, key_of

__all__ = ["Change", "Store"]

_HISTORY = 4096

Key = tuple[str, str]


@dataclass(frozen=True)
class Change:
    """One write: `new` is None for a removal, `old` for a creation."""

    revision: int
    key: Key
    old: Obj | None
    new: Obj | None


class Store:
    """Objects by resource (group, plural), then by (namespace, name)."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.revision = 1
        self.listeners: list[Callable[[Change], None]] = []
        self._objects: dict[Key, dict[Key, Obj]] = {}
        self._history: dict[Key, deque[Change]] = {}
        self._forgotten: dict[Key, int] = {}

    def get(self, key: Key, namespace: str, name: str) -> Obj | None:
        """Return one object, or None."""
        return self._objects.get(key, {}).get((namespace, name))

    def each(self, key: Key, namespace: str = "") -> Iterator[Obj]:
        """Yield a resource's objects in the order of etcd's keys; '' means all namespaces."""
        found = self._objects.get(key, {})
        for place in sorted(found):
            if not namespace or place[0] == namespace:
                yield found[place]

    def count(self, key: Key) -> int:
        """Return how many objects of a resource there are."""
        return len(self._objects.get(key, ()))

    def keys(self) -> list[Key]:
        """Return the resources that have objects."""
        return [key for key, found in self._objects.items() if found]

    def put(self, key: Key, obj: Obj) -> Obj:
        """Store an object under a new revision and return it; its metadata is completed."""
        objects = self._objects.setdefault(key, {})
        place = key_of(obj)
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        old = objects.get(place)
        objects[place] = obj
        self._record(Change(self.revision, key, old, obj))
        return obj

    def remove(self, key: Key, obj: Obj) -> Obj:
        """Take an object out and return its last state, with the revision of the removal."""
        self._objects[key].pop(key_of(obj), None)
        self.revision += 1
        last = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        self._record(Change(self.revision, key, last, None))
        return last

    def _record(self, change: Change) -> None:
        history = self._history.get(change.key)
        if history is None:
            history = self._history[change.key] = deque(maxlen=_HISTORY)
        if len(history) == _HISTORY:
            self._forgotten[change.key] = history[0].revision
        history.append(change)
        for listener in self.listeners:
            listener(change)
        self.changed.notify_all()

    def dump(self) -> dict[str, Any]:
        """Return all objects and the revision, as a JSON value that shares them."""
        found = [
            {"group": group, "plural": plural, "objects": list(objects.values())}
            for (group, plural), objects in self._objects.items()
            if objects
        ]
        return {"revision": self.revision, "resources": found}

    def load(self, dumped: dict[str, Any], bump: int) -> None:
        """Fill an empty store with what `dump` returned; the revision becomes higher by `bump`."""
        self.revision = int(dumped["revision"]) + bump
        for one in dumped["resources"]:
            key = (str(one["group"]), str(one["plural"]))
            # watchers of before are told that their past is forgotten
            self._forgotten[key] = self.revision
            for obj in one["objects"]:
                self._objects.setdefault(key, {})[key_of(obj)] = obj
                for listener in self.listeners:
                    listener(Change(self.revision, key, None, obj))

    def since(self, key: Key, revision: int) -> list[Change] | None:
        """Return the changes after a revision, or None when they are no longer all known."""
        if revision < self._forgotten.get(key, 0):
            return None
        found: list[Change] = []
        for change in reversed(self._history.get(key, ())):
            if change.revision <= revision:
                break
            found.append(change)
        found.reverse()
        return found
