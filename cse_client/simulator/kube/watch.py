"""Watches: a stream of JSON lines, one per change, from a revision on.

kubernetes.io/docs/reference/using-api/api-concepts (efficient detection of changes, bookmarks).
A watch runs in its connection's own thread and sleeps on the store's condition variable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from cse_client.simulator.kube.errors import ApiError, expired, invalid
from cse_client.simulator.kube.objects import Obj
from cse_client.simulator.kube.requests import Call, Target
from cse_client.simulator.kube.selectors import Match
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.store import Change

__all__ = ["watch"]

_LONGEST = 1800.0
_BOOKMARK_EVERY = 60.0
# Seen on 1.36; earlier releases have had the feature on and off again.
_WATCH_LIST = 36
# How long a quiet watch sleeps before it looks whether time has changed something.
_LOOK_EVERY = 1.0

Show = Callable[[Obj], Obj]


def watch(
    cluster: Cluster, call: Call, target: Target, match: Match | None, show: Show, mark: Show
) -> Iterator[bytes]:
    """Return the stream that a watch request is answered with.

    `show` turns an object into what the client asked to see, `mark` does so for a bookmark.
    Raises ApiError 422 for sendInitialEvents where the WatchList feature is not on yet; clients
    then list and watch. A revision that is too old gives one ERROR event of code 410.
    """
    initial = "sendInitialEvents" in call.query and call.flag("sendInitialEvents")
    if "sendInitialEvents" in call.query and cluster.minor < _WATCH_LIST:
        raise invalid(
            "meta.k8s.io",
            "ListOptions",
            "",
            [
                (
                    "sendInitialEvents",
                    "Forbidden: sendInitialEvents is forbidden for watch unless the "
                    "WatchList feature gate is enabled",
                ),
            ],
        )
    text = call.option("resourceVersion")
    if text and not text.isdigit():
        raise ApiError(
            500,
            "",
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": '
            "invalid syntax",
        )
    seconds = call.option("timeoutSeconds")
    limit = min(float(seconds), _LONGEST) if seconds.isdigit() and int(seconds) else _LONGEST
    store = cluster.store
    with store.lock:
        if text in ("", "0") or initial:
            revision = store.revision
            first = [
                Change(revision, target.key, None, obj)
                for obj in store.each(target.key, target.namespace)
            ]
        else:
            revision, first = int(text), []
    bookmarks = "allowWatchBookmarks" in call.query and call.flag("allowWatchBookmarks")
    return _stream(
        cluster,
        target,
        _Filter(target, match, show),
        first,
        revision,
        limit,
        mark if bookmarks else None,
        initial=initial,
    )


class _Filter:
    """Turns changes into the events that one watch is to see."""

    def __init__(self, target: Target, match: Match | None, show: Show) -> None:
        self._namespace = target.namespace
        self._match = match
        self._show = show

    def _takes(self, obj: Obj | None) -> bool:
        if obj is None:
            return False
        if self._namespace and obj["metadata"].get("namespace", "") != self._namespace:
            return False
        return self._match is None or self._match(obj)

    def line(self, change: Change) -> bytes | None:
        """Return the event of a change, None when it does not concern this watch."""
        before, after = self._takes(change.old), self._takes(change.new)
        if not before and not after:
            return None
        shown = change.new if after else change.old
        kind = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
        if shown is None:
            return None
        if not after:
            metadata = {**shown["metadata"], "resourceVersion": str(change.revision)}
            shown = {**shown, "metadata": metadata}
        return _line(kind, self._show(shown))


def _line(kind: str, obj: Obj) -> bytes:
    return json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode() + b"\n"


def _stream(
    cluster: Cluster,
    target: Target,
    chosen: _Filter,
    first: list[Change],
    revision: int,
    limit: float,
    mark: Show | None,
    *,
    initial: bool,
) -> Iterator[bytes]:
    store = cluster.store
    end = cluster.clock.monotonic() + limit
    marked = cluster.clock.monotonic()
    for change in first:
        line = chosen.line(change)
        if line:
            yield line
    if mark and initial:
        annotations = {"k8s.io/initial-events-end": "true"}
        metadata = {"resourceVersion": str(revision), "annotations": annotations}
        yield _line("BOOKMARK", mark({"metadata": metadata}))
    while cluster.clock.monotonic() < end:
        cluster.tick()
        with store.lock:
            changes = store.since(target.key, revision)
            if not changes and changes is not None:
                store.changed.wait(min(_LOOK_EVERY, limit))
                changes = store.since(target.key, revision)
            current = store.revision
        if changes is None:
            yield _line("ERROR", _too_old(revision).status())
            return
        for change in changes:
            line = chosen.line(change)
            if line:
                yield line
        revision = changes[-1].revision if changes else revision
        now = cluster.clock.monotonic()
        if mark and now - marked > _BOOKMARK_EVERY:
            marked, revision = now, max(revision, current)
            yield _line("BOOKMARK", mark({"metadata": {"resourceVersion": str(revision)}}))
        elif not changes:
            # A moment for the server to see that its client has gone.
            yield b""


def _too_old(revision: int) -> ApiError:
    return expired(f"too old resource version: {revision}")
