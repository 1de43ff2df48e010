"""The bounds themselves; that everything keeps to them is tested where answers are read."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib

import pytest

from cse_client import bounds
from cse_client.bounds import OutOfBounds, OutOfTime, Pages
from cse_client.errors import TimedOut

SLACK = 1.0


def test_work_gives_its_value_or_its_error() -> None:
    assert bounds.within(5, lambda: 7, peer="it") == 7
    empty: dict[str, int] = {}
    with pytest.raises(KeyError, match="gone"):
        bounds.within(5, lambda: empty["gone"], peer="it")


def test_work_is_left_when_its_time_is_up() -> None:
    began = time.monotonic()
    with pytest.raises(OutOfTime, match=r"VCD at h did not finish its answer within 0\.2 seconds"):
        bounds.within(0.2, lambda: threading.Event().wait(20), peer="VCD at h")
    assert time.monotonic() - began < 0.2 + SLACK


def test_the_commands_time_ends_requests_and_pauses() -> None:
    began = time.monotonic()
    with bounds.command_time(0.3):
        with pytest.raises(TimedOut, match=r"0\.3 seconds was up before it had answered"):
            bounds.within(20, lambda: threading.Event().wait(20), peer="it")
        # what begins afterwards has a moment, and only a moment
        assert bounds.within(20, lambda: "given free", peer="it") == "given free"
        bounds.sleep(20)
        with pytest.raises(TimedOut, match="before it could be asked"):
            bounds.within(20, lambda: "late", peer="it")
        with pytest.raises(TimedOut):
            bounds.sleep(20)
        assert bounds.share(60) == 0
    assert time.monotonic() - began < 1.3 + SLACK
    assert bounds.share(60) == 60


def test_a_users_answer_takes_none_of_the_commands_time() -> None:
    with bounds.command_time(1.0):
        with bounds.off_the_clock():
            time.sleep(0.3)
        assert bounds.share(60) > 0.9


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_an_answer_is_put_together(encoding: str) -> None:
    plain = b"0123456789" * 1000
    sent = {"": plain, "gzip": gzip.compress(plain), "deflate": zlib.compress(plain)}[encoding]
    pieces = [sent[at : at + 7] for at in range(0, len(sent), 7)]
    assert bounds.gather(pieces, encoding, most=len(plain)) == plain
    with pytest.raises(OutOfBounds, match="larger than 9999 bytes"):
        bounds.gather(pieces, encoding, most=len(plain) - 1)


def test_a_small_answer_does_not_become_a_large_one() -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    with pytest.raises(OutOfBounds, match="larger than 16 MiB"):
        bounds.gather([bomb], "gzip")


@pytest.mark.parametrize(
    ("sent", "encoding"),
    [
        (b"x", "br"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "gzip, gzip"),
        (b"no gzip", "gzip"),
        (gzip.compress(b"x" * 100, mtime=0)[:-12], "gzip"),
    ],
)
def test_what_cannot_be_unpacked_is_refused(sent: bytes, encoding: str) -> None:
    with pytest.raises(OutOfBounds):
        bounds.gather([sent], encoding)


@pytest.mark.parametrize("value", [{}, [], 5, "é", None, {"a": [1.5, True]}])
def test_json_is_read(value: object) -> None:
    assert bounds.load_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 150 + "]" * 150, "nested more than 100 levels"),
        ('{"a":' * 90_000 + "1" + "}" * 90_000, "nested more than 100 levels"),
        ("[" * 400_000, "nested more than 100 levels"),
        ("[" + "[]," * 600_000 + "1]", "more than 600,000 parts"),
        ("9" * 1000, "more than 400 digits"),
        (f'{{"a": -{"9" * 100_000}}}', "more than 400 digits"),
    ],
    ids=["deep", "deeper", "open", "wide", "number", "long"],
)
def test_json_that_hurts_is_refused(text: str, said: str) -> None:
    began = time.monotonic()
    with pytest.raises(OutOfBounds, match=said):
        bounds.load_json(text)
    assert time.monotonic() - began < 2 * SLACK


@pytest.mark.parametrize("data", [b"", b"<html>", b"{", b"\xff\xfe{\0}\0", b'{"a": "\xff"}'])
def test_what_is_not_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        bounds.load_json(data)


def test_a_list_ends() -> None:
    pages = Pages()
    for number in range(bounds.MOST_PAGES):
        pages.visit(f"page {number}")
    with pytest.raises(OutOfBounds, match="more than 1000 pages"):
        pages.visit("one more")
    circle = Pages()
    circle.visit("a")
    circle.visit("b")
    with pytest.raises(OutOfBounds, match="read already"):
        circle.visit("a")
