"""What goes wrong on the way to VCD, and inside it: rules that tests set, and the journal.

Kinds of rules (JSON objects, `kind` and what belongs to it):

- `reset_before`, `reset_after`: the connection is cut without, or after, carrying the request out
- `hang`: nothing for `seconds`, then the connection is cut; `act` carries the request out first,
  and `acted` shows when that is done, so that a test can kill the client just then
- `slow`: the request is answered `seconds` late
- `hold`: the request waits on its way until the rule is removed, at most `seconds`, and is then
  carried out and answered; with `cut` the connection is cut at once: a proxy that delivers late
- `status`: the answer is `status` (500, 502, 503, 429 ...), with `retry_after` seconds if given;
  `html` makes it a proxy's page instead of VCD's XML, `act` carries the request out first
- `trickle`: the request is carried out, and its answer comes byte by byte, one each `seconds`
- `large`: the request is carried out, and its answer is followed by 200 MB of blanks
- `redirect`: the answer is `status` (302, 307 ...) with `location`
- `endless_page`: a query's answer names its own address as the next page
- `busy`: a change is refused with BUSY_ENTITY
- `expire_session`: every session ends just before the request
- `task`: tasks whose `operation` (and `owner` name) match end as `status` (error, canceled or
  aborted) with `message`; `keep` is how many VMs a composition leaves behind

All but `task` fire for requests whose `method` and `path` (with query string) match these
regular expressions; `at` is the first matching request that is hit (1, 2 ...), `times` how many are
(0: all from then on). `api` is `vcd`, or `kubernetes` for what comes to the API servers and the
etcd of clusters from outside of their machines; only `hang`, `reset_before` and `reset_after` are
known there.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from xml.sax.saxutils import escape

from cse_client.simulator.http import DropConnection, Request, Response
from cse_client.simulator.vcd.errors import VcdError, busy
from cse_client.simulator.vcd.tasks import Doom

if TYPE_CHECKING:
    from cse_client.simulator.vcd.application import VcdApplication
    from cse_client.simulator.vcd.cloud import Cloud

__all__ = ["Faults", "Journal", "Rule"]

_Answer = TypeVar("_Answer")

_KINDS = (
    "reset_before",
    "reset_after",
    "hang",
    "slow",
    "hold",
    "status",
    "trickle",
    "large",
    "redirect",
    "endless_page",
    "busy",
    "expire_session",
    "task",
)
_APIS = ("vcd", "kubernetes")
_OF_KUBERNETES = ("hang", "reset_before", "reset_after")
_LONGEST_JOURNAL = 100_000
_LONGEST_HOLD = 600.0
_PAGE = b"<html><head><title>%d</title></head><body><h1>%d %s</h1><hr>nginx</body></html>"


@dataclass
class Rule:
    """One rule; the fields are those of the module's description."""

    kind: str
    method: str = ".*"
    path: str = ".*"
    at: int = 1
    times: int = 1
    api: str = "vcd"
    seconds: float = 0.0
    status: int | str = 500
    retry_after: int | None = None
    html: bool = False
    act: bool = False
    location: str = ""
    cut: bool = False
    operation: str = ".*"
    owner: str = ".*"
    message: str = "Unable to perform this action. Contact your cloud administrator."
    keep: int | None = None
    seen: int = 0
    hit: int = 0
    acted: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Rule:
        """Make a rule of a JSON object; ValueError or TypeError for what it cannot mean."""
        if values.get("kind") not in _KINDS:
            raise ValueError(f"unknown kind of fault: {values.get('kind')!r}")
        rule = cls(**values)
        if rule.api not in _APIS or (rule.api == "kubernetes" and rule.kind not in _OF_KUBERNETES):
            raise ValueError(f"unknown API for this kind of fault: {rule.api!r}")
        for pattern in (rule.method, rule.path, rule.operation, rule.owner):
            re.compile(pattern)
        return rule

    def fires(self) -> bool:
        """Count one more match and say whether it is hit."""
        self.seen += 1
        if self.seen < self.at or (self.times and self.hit >= self.times):
            return False
        self.hit += 1
        return True


class Journal:
    """The requests that came, in order; those to clusters name how many came to VCD before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[dict[str, Any]] = []
        self._kubernetes: list[dict[str, Any]] = []
        self._counts: Counter[str] = Counter()

    def note(self, request: Request, status: int, seconds: float) -> None:
        """Write down one request; status 0 for a connection that was cut."""
        entry = {
            "at": round(time.time() - seconds, 3),
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "status": status,
            "seconds": round(seconds, 4),
            "accept": request.headers.get("accept", ""),
            "keys": _keys(request),
        }
        with self._lock:
            self._counts[request.method] += 1
            if len(self._entries) < _LONGEST_JOURNAL:
                self._entries.append(entry)

    def note_kubernetes(self, method: str, path: str) -> None:
        """Write down one request to a cluster's API server or etcd."""
        with self._lock:
            if len(self._kubernetes) < _LONGEST_JOURNAL:
                before = sum(self._counts.values())
                self._kubernetes.append({"method": method, "path": path, "after": before})

    def read(self) -> dict[str, Any]:
        """Return the requests and their number by method; those to VCD alone are counted."""
        with self._lock:
            return {
                "kubernetes": list(self._kubernetes),
                "total": sum(self._counts.values()),
                "counts": dict(self._counts),
                "requests": list(self._entries),
            }

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._kubernetes.clear()
            self._counts.clear()


def _keys(request: Request) -> list[str]:
    """Return the keys of a JSON body, those of objects in it as `a.b`; never a value."""
    if "json" not in request.headers.get("content-type", ""):
        return []
    try:
        body = json.loads(request.body)
    except ValueError:
        return []
    return sorted(_paths(body, ""))


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{key}" if path else key)
    elif path:
        yield path


class Faults:
    """The rules in force, and the journal."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.rules: list[Rule] = []
        self._lock = threading.Lock()

    def attach(self, cloud: Cloud) -> None:
        """Let the `task` rules judge the cloud's tasks, and others the requests to clusters."""
        cloud.tasks.judge = self._judge
        cloud.outside.around = self.around_kubernetes

    def around(self, request: Request, vcd: VcdApplication, cloud: Cloud) -> Response:
        """Answer a request as the rules want it; most of the time that is what VCD answers."""
        began = time.monotonic()
        status = 0
        try:
            place = f"{request.path}?{request.query}" if request.query else request.path
            rule = self._rule_for("vcd", request.method, place) if self.rules else None
            response = vcd(request) if rule is None else self._corrupt(rule, request, vcd, cloud)
            status = response.status
            return response
        finally:
            self.journal.note(request, status, time.monotonic() - began)

    def around_kubernetes(self, method: str, path: str, work: Callable[[], _Answer]) -> _Answer:
        """Answer a request to a cluster as the rules want it."""
        self.journal.note_kubernetes(method, path.partition("?")[0])
        rule = self._rule_for("kubernetes", method, path) if self.rules else None
        if rule is None:
            return work()
        if rule.kind == "reset_after" or rule.act:
            work()
            rule.acted = True
        if rule.kind == "hang":
            time.sleep(rule.seconds or 3600.0)
        raise ConnectionResetError

    def _rule_for(self, api: str, method: str, place: str) -> Rule | None:
        with self._lock:
            for rule in self.rules:
                if rule.kind == "task" or rule.api != api:
                    continue
                if not re.fullmatch(rule.method, method):
                    continue
                if re.search(rule.path, place) and rule.fires():
                    return rule
        return None

    def _corrupt(self, rule: Rule, request: Request, vcd: VcdApplication, cloud: Cloud) -> Response:
        actions: dict[str, Callable[[], Response]] = {
            "reset_before": _cut,
            "reset_after": lambda: _cut_after(vcd, request),
            "hang": lambda: _hang(rule, vcd, request),
            "slow": lambda: _slow(rule, vcd, request),
            "hold": lambda: self._hold(rule, vcd, request),
            "status": lambda: _status(rule, vcd, request),
            "trickle": lambda: _trickle(rule, vcd, request),
            "large": lambda: _large(vcd, request),
            "redirect": lambda: _redirect(rule),
            "endless_page": lambda: _endless_page(vcd, request),
            "busy": lambda: vcd.refusal(request, _busy(request)),
            "expire_session": lambda: _expire(cloud, vcd, request),
        }
        return actions[rule.kind]()

    def _hold(self, rule: Rule, vcd: VcdApplication, request: Request) -> Response:
        def deliver() -> Response:
            end = time.monotonic() + (rule.seconds or _LONGEST_HOLD)
            while any(one is rule for one in self.rules) and time.monotonic() < end:
                time.sleep(0.01)
            response = vcd(request)
            rule.acted = True
            return response

        if rule.cut:
            threading.Thread(target=deliver, daemon=True).start()
            raise DropConnection
        return deliver()

    def remove(self, identifier: str) -> None:
        """Take one rule away, or all of them where no identifier is given."""
        # rules are replaced, not edited: other threads go through them meanwhile
        self.rules = [one for one in self.rules if identifier and one.id != identifier]

    def _judge(self, operation: str, owner: str) -> Doom | None:
        with self._lock:
            for rule in self.rules:
                if rule.kind != "task" or not re.fullmatch(rule.operation, operation):
                    continue
                if re.fullmatch(rule.owner, owner) and rule.fires():
                    status = rule.status if isinstance(rule.status, str) else "error"
                    error = VcdError(500, "INTERNAL_SERVER_ERROR", rule.message)
                    return Doom(status, error, rule.keep)
        return None


def _cut() -> Response:
    raise DropConnection


def _cut_after(vcd: VcdApplication, request: Request) -> Response:
    vcd(request)
    raise DropConnection


def _hang(rule: Rule, vcd: VcdApplication, request: Request) -> Response:
    if rule.act:
        vcd(request)
        rule.acted = True
    time.sleep(rule.seconds or 3600.0)
    raise DropConnection


def _slow(rule: Rule, vcd: VcdApplication, request: Request) -> Response:
    time.sleep(rule.seconds)
    return vcd(request)


def _trickle(rule: Rule, vcd: VcdApplication, request: Request) -> Response:
    response = vcd(request)
    response.pause = rule.seconds or 1.0
    return response


def _large(vcd: VcdApplication, request: Request) -> Response:
    response = vcd(request)
    # whole pieces of what the server writes at a time
    response.padding = 200 * 16 * 65536
    return response


def _redirect(rule: Rule) -> Response:
    return Response(int(rule.status), headers={"Location": rule.location})


def _endless_page(vcd: VcdApplication, request: Request) -> Response:
    response = vcd(request)
    where = f"https://{request.host}{request.path}?{request.query}"
    link = f'<Link rel="nextPage" href="{escape(where, {chr(34): "&quot;"})}"/>'
    head, end, tail = response.body.rpartition(b"</")
    response.body = head + link.encode() + end + tail
    return response


def _status(rule: Rule, vcd: VcdApplication, request: Request) -> Response:
    if rule.act:
        vcd(request)
    status = int(rule.status)
    if rule.html:
        text = {502: b"Bad Gateway", 503: b"Service Unavailable"}.get(status, b"Error")
        response = Response(status, _PAGE % (status, status, text), "text/html")
    else:
        error = VcdError(status, "INTERNAL_SERVER_ERROR", rule.message)
        response = vcd.refusal(request, error)
    if rule.retry_after is not None:
        response.headers["Retry-After"] = str(rule.retry_after)
    return response


def _busy(request: Request) -> VcdError:
    entity = request.path.split("/")[3].partition("-")[2] if request.path.count("/") > 2 else ""  # noqa: PLR2004
    kind = "vm" if "/vm-" in request.path else "vapp"
    return busy(kind, entity or str(uuid.uuid4()), "VAPP_UPDATE_VM", str(uuid.uuid4()))


def _expire(cloud: Cloud, vcd: VcdApplication, request: Request) -> Response:
    cloud.sessions.expire_all()
    return vcd(request)
