"""Bounds on everything that comes from elsewhere: time, size, depth and number of pages.

The other side is never trusted to end. VCD, a CSE server, a cluster's Kubernetes API and the
servers of add-on manifests are all read through these functions, so that one hostile or broken
server costs a bounded time and a bounded amount of memory, and the message names the bound.

Two kinds of time meet here: each request has its own longest time, and a command has one for all
of its work (`--timeout`). `command_time` sets the latter; `within` and `sleep` keep to it.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, TypeVar

from cse_client.errors import TimedOut
from cse_client.plurals import noun

__all__ = [
    "DEEPEST",
    "MOST_BYTES",
    "MOST_MARKS",
    "MOST_PAGES",
    "OutOfBounds",
    "OutOfTime",
    "Pages",
    "TimeUp",
    "afterwards",
    "command_time",
    "gather",
    "load_json",
    "off_the_clock",
    "refuse_crowded",
    "share",
    "sleep",
    "within",
]

T = TypeVar("T")

#: Bytes of one answer, after decompression. The largest that VCD has reason to give is a vApp of
#: 128 VMs (its own limit) with their customization scripts, about 10 MiB.
MOST_BYTES = 16 * 1024 * 1024
#: Elements and attributes of an XML answer, or values of a JSON one: each costs up to 200 bytes of
#: memory, however few it has on the wire. A vApp of 128 VMs has about 320,000.
MOST_MARKS = 600_000
#: Levels of nested JSON. (libxml2 allows XML 256, `yamldocs` has bounds of its own.)
DEEPEST = 100
#: Pages of one list; VCD gives 128 records a page.
MOST_PAGES = 1000

_MEBIBYTE = 1024 * 1024
#: Digits of a number. Turning more into an int takes time that grows with their square.
_MOST_DIGITS = 400
#: Seconds for requests that begin after the command's time, which give a claim back for example.
_GRACE = 1.0
_LONGEST_AFTERWARDS = 10.0
_GZIP_OR_ZLIB = 47


class OutOfBounds(ValueError):
    """An answer exceeds a bound. Its text completes "the answer ..."."""


class OutOfTime(TimeoutError):
    """A request exceeded its own time; `took` completes "it did not finish its answer ..."."""

    def __init__(self, peer: str, seconds: float) -> None:
        self.took = f"within {_duration(seconds)}"
        super().__init__(f"{peer} did not finish its answer {self.took}")


# Time


class TimeUp(TimedOut):
    """The command's time ran out while the other side had not answered.

    Nothing is known of what it did last, and nothing can be cleaned up.
    """


class _CommandTime:
    """How long the running command may take: one command per process, and so one of these."""

    def __init__(self) -> None:
        self.total = math.inf
        self.end = math.inf
        self.longest = math.inf

    def left(self) -> float:
        """Seconds that a request which begins now may take; zero or less when there are none."""
        now = time.monotonic()
        return self.end - now if now < self.end else self.end + _GRACE - now

    def over(self, sentence: str) -> NoReturn:
        """Raise the error for a command whose time is up."""
        raise TimeUp(
            f"the command's time of {_duration(self.total)} was up {sentence}",
            hint="Allow more time with --timeout.",
        )


_COMMAND = _CommandTime()


@contextlib.contextmanager
def command_time(seconds: float) -> Iterator[None]:
    """Let everything inside take `seconds` in all; requests and pauses are cut off there.

    A request that begins after that time gets one more second, so that what was begun can be
    given free.
    """
    before = _COMMAND.total, _COMMAND.end
    _COMMAND.total, _COMMAND.end = seconds, time.monotonic() + seconds
    try:
        yield
    finally:
        _COMMAND.total, _COMMAND.end = before


@contextlib.contextmanager
def afterwards(seconds: float) -> Iterator[None]:
    """Give a rollback `seconds` of its own, whatever the command has used up.

    Begin one only where the other side still answers; a single request gets ten seconds.
    """
    before = _COMMAND.end, _COMMAND.longest
    if before[0] < math.inf:
        _COMMAND.end = time.monotonic() + seconds
        _COMMAND.longest = _LONGEST_AFTERWARDS
    try:
        yield
    finally:
        _COMMAND.end, _COMMAND.longest = before


@contextlib.contextmanager
def off_the_clock() -> Iterator[None]:
    """Do not count the time that a user takes to answer a question."""
    began = time.monotonic()
    try:
        yield
    finally:
        _COMMAND.end += time.monotonic() - began


def share(seconds: float) -> float:
    """Return how many of `seconds` the command has left, for the deadline of a wait."""
    return max(0.0, min(seconds, _COMMAND.end - time.monotonic()))


def sleep(seconds: float) -> None:
    """Sleep, but not beyond the command's time.

    Raises:
        TimeUp: the time is over.
    """
    left = _COMMAND.left()
    if left <= 0:
        _COMMAND.over("before it was done")
    time.sleep(max(0.0, min(seconds, left)))


def within(seconds: float, work: Callable[[], T], *, peer: str) -> T:
    """Return what `work` returns; wait for it no longer than `seconds` or the command's time.

    The work is done in a thread of its own, which is left to itself when the time is up: the only
    way to bound a DNS look-up, a TLS handshake and headers that come byte by byte alike. `peer` is
    who is waited for ("VCD at vcd.example.com").

    Raises:
        OutOfTime: it took longer than `seconds`.
        TimeUp: the command's time was up.
        Exception: whatever `work` raises.
    """
    left = _COMMAND.left()
    if left <= 0:
        _COMMAND.over(f"before {peer} could be asked")
    seconds = min(seconds, _COMMAND.longest)
    results: list[T] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def carry_out() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=carry_out, name="request", daemon=True).start()
    if not done.wait(min(seconds, left)):
        if left < seconds:
            _COMMAND.over(f"before {peer} had answered")
        raise OutOfTime(peer, seconds)
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()
    return results[0]


def _duration(seconds: float) -> str:
    return f"{seconds:g} {noun(seconds, 'second')}"


# Size


def gather(pieces: Iterable[bytes], encoding: str = "", *, most: int = MOST_BYTES) -> bytes:
    """Return the whole of an answer that comes in pieces, as sent, decompressed.

    `encoding` is the answer's Content-Encoding. gzip is all that is ever asked for.

    Raises:
        OutOfBounds: it is larger than `most` bytes, or compressed otherwise or wrongly.
    """
    unpack = _Unpacking(encoding.strip().lower())
    whole = bytearray()
    for piece in pieces:
        # one more than allowed tells "exactly as many" from "more"
        whole += unpack.add(piece, most + 1 - len(whole))
        if len(whole) > most:
            raise OutOfBounds(f"is larger than {_size(most)}, the most that is read")
    unpack.end()
    return bytes(whole)


class _Unpacking:
    """An answer's decompression, piece by piece and never more than is wanted."""

    def __init__(self, encoding: str) -> None:
        self._state = None
        if encoding in ("gzip", "x-gzip", "deflate"):
            self._state = zlib.decompressobj(_GZIP_OR_ZLIB)
        elif encoding not in ("", "identity"):
            raise OutOfBounds(f"is compressed in a way that was not asked for ({encoding[:40]})")
        self._begun = False

    def add(self, piece: bytes, most: int) -> bytes:
        if self._state is None:
            return piece
        self._begun = self._begun or bool(piece)
        try:
            return self._state.decompress(piece, most)
        except zlib.error:
            raise OutOfBounds("cannot be decompressed") from None

    def end(self) -> None:
        if self._state is not None and self._begun and not self._state.eof:
            raise OutOfBounds("ends in the middle")


def _size(most: int) -> str:
    return f"{most // _MEBIBYTE} MiB" if most >= _MEBIBYTE else f"{most} bytes"


def refuse_crowded(data: bytes | str, marks: str) -> None:
    """Refuse a text of too many parts before they become objects.

    `marks` are the characters that begin or separate parts.

    Raises:
        OutOfBounds: they are more than `MOST_MARKS`.
    """
    if isinstance(data, str):
        found = sum(data.count(mark) for mark in marks)
    else:
        found = sum(data.count(mark.encode()) for mark in marks)
    if found > MOST_MARKS:
        raise OutOfBounds(f"has more than {MOST_MARKS:,} parts, the most that are read")


# Depth


def load_json(data: bytes | str) -> Any:
    """Return the value of a JSON text of any origin.

    Raises:
        OutOfBounds: it is nested too deeply, has too many parts or too long a number.
        ValueError: it is not JSON (`OutOfBounds` is one as well).
    """
    refuse_crowded(data, "[{,:")
    try:
        # bytes: the decoder would guess UTF-16 and the like, which RFC 8259 has done away with
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        value = json.loads(text, parse_int=_integer)
    except RecursionError:
        raise _too_deep() from None
    _refuse_deep(value)
    return value


def _too_deep() -> OutOfBounds:
    return OutOfBounds(f"is nested more than {DEEPEST} levels deep, the most that is read")


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise OutOfBounds(f"has a number of more than {_MOST_DIGITS} digits")
    return int(digits)


def _refuse_deep(value: Any) -> None:
    """Refuse what is nested too deeply, level by level and so without recursion."""
    level = [value]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(inner for inner in one.values() if isinstance(inner, (dict, list)))
            elif isinstance(one, list):
                below.extend(inner for inner in one if isinstance(inner, (dict, list)))
        if not below:
            return
        level = below
    raise _too_deep()


# Pages


class Pages:
    """The pages of one list that have been read; ends lists that never end."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def visit(self, page: str) -> None:
        """Note a page's address or mark before it is read.

        Raises:
            OutOfBounds: it was read before, or there are too many.
        """
        if page in self._seen:
            raise OutOfBounds("names as its next page one that was read already")
        if len(self._seen) >= MOST_PAGES:
            raise OutOfBounds(f"has more than {MOST_PAGES} pages, the most that are read")
        self._seen.add(page)
