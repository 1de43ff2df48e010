"""What an upgrade in place records is read back, and nothing else that may be in its place."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from cse_client.engines.direct.in_place_record import (
    BACK,
    UpgradeRecord,
    no_record,
    read_record,
)
from cse_client.model import footprint
from cse_client.model.templates import LONGEST_SOURCE

RECORD = UpgradeRecord(
    node="mstr-ab12",
    before="1.36.3",
    version="1.37.2",
    source="https://pkgs.k8s.io/core:/stable:",
    task="upgrade-1f2e3d4c",
)
#: A text value of VCD metadata ends at about a thousand characters.
LONGEST = 1000


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        replace(RECORD, snapshot=False),
        replace(RECORD, phase=BACK, why="Node 'mstr-ab12' failed: it said so"),
        replace(RECORD, source=f"https://mirror.example.com/{'x' * 200}", why="y" * 200),
    ],
)
def test_it_is_read_back(record: UpgradeRecord) -> None:
    metadata = record.metadata()
    assert read_record(metadata) == record
    assert all(len(value) < LONGEST for value in metadata.values())
    assert read_record({**metadata, **no_record()}) is None


@pytest.mark.parametrize("why", ["\u00fc" * 300, "\U0001f600" * 300, "y" * 300])
def test_a_long_reason_is_cut_so_that_vcd_keeps_it(why: str) -> None:
    source = f"https://mirror.example.com/{'x' * (LONGEST_SOURCE - 27)}"
    record = replace(RECORD, source=source, why=why)
    (text,) = record.metadata().values()
    assert len(text) < LONGEST
    found = read_record(record.metadata())
    assert found is not None
    assert replace(found, why="") == replace(record, why="")
    assert why.startswith(found.why)
    assert len(found.why) > 20


@pytest.mark.parametrize(
    "changed",
    [
        {"node": ""},
        {"node": 7},
        {"before": "1.36"},
        {"version": "1.37.2; reboot"},
        {"version": None},
        {"source": ""},
        {"task": "renew-1f2e"},
        {"task": "upgrade-1; x"},
        {"phase": "sideways"},
        {"phase": []},
    ],
)
def test_what_is_damaged_is_none(changed: dict[str, object]) -> None:
    text = json.dumps({**asdict(RECORD), **changed})
    assert read_record({footprint.IN_PLACE: text}) is None


@pytest.mark.parametrize("text", ["", "-", "{", "[]", "null", '"begun"', "{}"])
def test_what_is_not_a_record_is_none(text: str) -> None:
    assert read_record({footprint.IN_PLACE: text}) is None
    assert read_record({}) is None


def test_what_was_the_reason_is_shown_without_control_characters() -> None:
    text = json.dumps({**asdict(RECORD), "why": "a\x1b[31mb\nc"})
    record = read_record({footprint.IN_PLACE: text})
    assert record is not None
    assert record.why.isprintable()
