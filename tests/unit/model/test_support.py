"""Until when a release of Kubernetes is supported."""

from __future__ import annotations

from datetime import date

import pytest

from cse_client.model.support import AS_OF, ENDS, end_of_support, is_supported


@pytest.mark.parametrize(
    ("version", "end"),
    [
        ("1.18", date(2021, 6, 18)),
        ("1.36.3", date(2027, 6, 28)),
        ("v1.30.2+vmware.1", date(2025, 6, 28)),
        ("1.99", None),
        ("2.1", None),
        ("", None),
    ],
)
def test_the_end_belongs_to_the_minor_release(version: str, end: date | None) -> None:
    assert end_of_support(version) == end


@pytest.mark.parametrize(
    ("version", "supported"),
    [("1.18.6", False), ("1.37", True), ("1.99", True), ("1.3", False), ("", None), ("9", None)],
)
def test_releases_newer_than_the_table_are_supported(version: str, supported: bool | None) -> None:
    assert is_supported(version, AS_OF) is supported


def test_the_last_day_counts() -> None:
    assert is_supported("1.35", ENDS[35])
    assert not is_supported("1.35", ENDS[35].replace(month=3, day=1))


def test_releases_end_in_their_order() -> None:
    assert list(ENDS) == sorted(ENDS) == list(range(min(ENDS), max(ENDS) + 1))
    assert list(ENDS.values()) == sorted(ENDS.values())
