"""YAML from others: what is read, what is refused, and that both end soon."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cse_client.yamldocs import BadYaml, Bounds, read_yaml, survey_yaml
from cse_client.yamlplaces import Places, Position


@pytest.fixture(params=["libyaml", "pure Python"], autouse=True)
def either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML is installed with libyaml or without."""
    if request.param == "pure Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("--- {a: [1, x, yes, ~, 1.5]}\n...\n", {"a": [1, "x", True, None, 1.5]}),
        ('{"a": "no", "b": ""}', {"a": "no", "b": ""}),
        ("a: 2024-01-01\nb: !!str 5\n", {"a": "2024-01-01", "b": "5"}),
        ("a: |\n  b\n  c\n", {"a": "b\nc\n"}),
        (b"\xef\xbb\xbfa: \xc3\xa9\n", {"a": "\u00e9"}),
        ("a: 1".encode("utf-16"), {"a": 1}),
    ],
)
def test_what_is_read(text: str | bytes, value: Any) -> None:
    assert read_yaml(text).value == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [}", "line 1: it is not YAML at column "),
        ("a: b: c\n", "line 1: it is not YAML at column 5: mapping values are not allowed"),
        ("a:\n  b: 1\n c: 2\n", "line 3: it is not YAML at column 2: "),
        ("a: 1\nb: \a\n", "line 2: the character U+0007 is not allowed in YAML"),
        ("a: &x 1\nb: *x\n", "line 1: anchors and aliases (&, *) are not supported"),
        ("a: {<<: {b: 1}}", "line 1: merge keys (<<) are not supported"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' occurs twice"),
        ("a: 1\n---\nb: 1\n", "it holds more than one document"),
        ("a:\n  no: 1\n", "line 2: the key 'no' is not text for YAML but a boolean"),
        ("? [a]\n: b\n", "line 1: a key must be text"),
        ("a: !!python/name:os.system x", "line 1: the tag is not supported"),
        ("a: !!set {b}", "line 1: the tag is not supported"),
        ("a: !!int b", "line 1: the value does not fit its tag"),
        ("a: .nan", "line 1: infinity and NaN are not supported"),
        (f"a: {'9' * 5000}", "line 1: a number has more than 40 digits"),
        (b"\xff\xfe\x00", "it is not text in UTF-8"),
    ],
)
def test_what_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(BadYaml) as caught:
        read_yaml(text)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("text", "value", "problems"),
    [
        (
            "a: 1\na: {b: &x 2, c: !!set {d}}\ne: *x\nno: [*x, *x]\n? [f, *x]\n: 3\n"
            "g: [.inf, !x h, 4]\n",
            {"a": 1, "e": None, "g": [None, None, 4]},
            [
                "line 2: the key 'a' occurs twice",
                "line 2: anchors and aliases (&, *) are not supported",
                "line 2: the tag is not supported",
                "line 3: anchors and aliases (&, *) are not supported",
                "line 4: the key 'no' is not text for YAML but a boolean; put it in quotes",
                "line 4: anchors and aliases (&, *) are not supported",
                "line 5: a key must be text",
                "line 5: anchors and aliases (&, *) are not supported",
                "line 7: infinity and NaN are not supported",
                "line 7: the tag is not supported",
            ],
        ),
        ("a: {<<: {b: &x 1}, c: 2}\n", {"a": {"c": 2}}, ["line 1: merge keys", "line 1: anchors"]),
        (
            "a: 1\na: 2\nb:\n\tc: 1\n\td: 2\n  e: |\n    \tf\n",
            None,
            [
                "line 2: the key 'a' occurs twice",
                "line 4: it is indented with a tab; YAML accepts only spaces there",
                "line 5: it is indented with a tab; YAML accepts only spaces there",
            ],
        ),
        ("a: 1\na: 2\n---\nb\n", None, ["line 2: the key 'a' ", "it holds more than one document"]),
        ("a: 1\na: 2\nb: [\n", None, ["line 2: the key 'a' ", "line 4: it is not YAML at column "]),
        (b"\xff", None, ["it is not text in UTF-8"]),
    ],
)
def test_all_problems_are_collected(text: str | bytes, value: Any, problems: list[str]) -> None:
    found = survey_yaml(text)
    assert (found.value, found.is_whole) == (value, value is not None)
    assert len(found.problems) == len(problems), found.problems
    for problem, begin in zip(found.problems, problems):
        assert str(problem).startswith(begin)


def test_what_cannot_be_used_has_a_place() -> None:
    places = Places(survey_yaml("a: *x\nb: [1, *x]\nb: {c: 3}\n").positions)
    assert [places.is_unread(path) for path in (("a",), ("b",), ("b", 0), ("b", 1))] == [
        *(True, False, False, True),
    ]
    assert places.line(("b",)) == 2
    assert places.line(("b", "c")) == 0


def _bomb() -> str:
    rows = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 12)]
    return "\n".join(rows)


@pytest.mark.parametrize(
    "text",
    [
        _bomb(),
        "a: &x {b: *x}",
        "[" * 100_000,
        "{a: " * 50_000,
        "- " * 5_000 + "x",
        "\n".join(f"k{n}: {n}" for n in range(60_000)),
        "[" + "1," * 400_000 + "]",
        "x" * 2_000_000,
    ],
)
def test_bounds(text: str) -> None:
    began = time.process_time()
    with pytest.raises(BadYaml):
        read_yaml(text)
    assert survey_yaml(text).problems
    assert time.process_time() - began < 10


def test_bounds_are_the_callers() -> None:
    assert read_yaml("[[1]]", Bounds(depth=2)).value == [[1]]
    with pytest.raises(BadYaml, match="nested deeper than 1 levels"):
        read_yaml("[[1]]", Bounds(depth=1))
    with pytest.raises(BadYaml, match="more than 3 values"):
        read_yaml("[1, 2, 3]", Bounds(values=3))
    with pytest.raises(BadYaml, match="larger than 4 bytes"):
        read_yaml("[1, 2]", Bounds(size=4))


def test_places() -> None:
    positions = read_yaml("a: no\nb:\n- x\n- 'no'\n").positions
    assert positions["a",] == Position(1, "no", plain=True)
    assert positions["b", 0] == Position(3, "x", plain=True)
    assert positions["b", 1] == Position(4, "no", plain=False)
    assert positions["b",].line == 2


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_VALUES)
def test_what_pyyaml_writes_comes_back(value: Any) -> None:
    text = yaml.safe_dump(value)
    if "&id" not in text:
        assert read_yaml(text).value == value


@given(st.text(alphabet="ab:{}[]-,&*!'\" \n\t#|>?%0", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = survey_yaml(text)
    try:
        assert read_yaml(text).value == found.value
    except BadYaml as error:
        assert str(error) == str(found.problems[0])
    else:
        assert not found.problems
