"""What is believed of values that anybody who may edit the vApp may have written."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct import claims

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1), (3, 3), (0, None), (4, None), (True, None), (2.0, None), ("2", None), (None, None)],
)
def test_an_integer_in_a_range(value: object, expected: int | None) -> None:
    assert claims.integer(value, 1, 3) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", ""), ("abc", "abc"), ("abcd", ""), (1, ""), (None, ""), (["abc"], "")],
)
def test_a_text_of_a_length(value: object, expected: str) -> None:
    assert claims.text(value, 3) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], ()),
        (["a", "b"], ("a", "b")),
        (["a", "b", "c"], None),
        (["a", ""], None),
        (["a", 1], None),
        (["x" * 257], None),
        ("ab", None),
        ({"a": 1}, None),
        (None, None),
    ],
)
def test_a_list_of_texts(value: object, expected: tuple[str, ...] | None) -> None:
    assert claims.texts(value, 2) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02T03:04:05+00:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=timezone.utc)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)),
        # it has no UTC
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("yesterday", None),
        ("", None),
        (1767323045, None),
        (None, None),
    ],
)
def test_a_moment(value: object, expected: datetime | None) -> None:
    found = claims.moment(value)
    assert found == expected
    assert found is None or found.utcoffset() == timezone.utc.utcoffset(None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{}", {}),
        ('{"a": [1]}', {"a": [1]}),
        ("[]", None),
        ("1", None),
        ("null", None),
        ("{", None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_a_json_object(value: str, expected: dict[str, object] | None) -> None:
    assert claims.json_object(value) == expected


@given(JSON)
def test_nothing_raises(value: object) -> None:
    assert claims.integer(value, 0, 9) in (None, *range(10))
    assert isinstance(claims.text(value), str)
    found = claims.texts(value, 5)
    assert found is None or all(found)
    moment = claims.moment(value)
    assert moment is None or moment.tzinfo is timezone.utc
