"""Patches, selectors, field ownership, protobuf and ages: functions of values only."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cse_client.simulator.kube.apply import apply, field_set, from_fields, to_fields
from cse_client.simulator.kube.errors import ApiError
from cse_client.simulator.kube.objects import parse_time
from cse_client.simulator.kube.patch import json_patch, merge_patch, strategic_merge
from cse_client.simulator.kube.protobuf import decode
from cse_client.simulator.kube.selectors import field_selector, label_selector, matches_selector
from cse_client.simulator.kube.tables import age

names = st.text("abcdef", min_size=1, max_size=3)
leaves = st.one_of(st.integers(), st.booleans(), names)
values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.one_of(st.dictionaries(names, inner, max_size=3), st.lists(inner, max_size=3)),
    max_leaves=8,
)
documents = st.dictionaries(names, values, max_size=4)


def difference(old: Any, new: Any) -> Any:
    """Return a merge patch from old to new, written the way RFC 7386 describes it."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old or old[key] != value or type(old[key]) is not type(value):
            patch[key] = difference(old.get(key), value)
    return patch


@given(documents, documents)
@settings(max_examples=60)
def test_a_merge_patch_leads_from_one_document_to_the_other(old: Any, new: Any) -> None:
    assert merge_patch(old, difference(old, new)) == new


@given(documents, documents)
@settings(max_examples=60)
def test_a_strategic_patch_of_plain_fields_is_a_merge_patch(old: Any, patch: Any) -> None:
    assert strategic_merge(old, patch) == merge_patch(old, patch)


@given(documents, names, values)
@settings(max_examples=60)
def test_a_json_patch_adds_and_removes(document: Any, key: str, value: Any) -> None:
    added = json_patch(document, [{"op": "add", "path": f"/{key}", "value": value}])
    assert added == {**document, key: value}
    removed = json_patch(added, [{"op": "remove", "path": f"/{key}"}])
    assert removed == {name: item for name, item in document.items() if name != key}


def test_a_json_patch_moves_tests_and_escapes() -> None:
    document = {"a/b": [1, 2], "m~n": {}}
    steps = [
        {"op": "test", "path": "/a~1b/0", "value": 1},
        {"op": "move", "from": "/a~1b/0", "path": "/m~0n/x"},
        {"op": "copy", "from": "/m~0n/x", "path": "/a~1b/-"},
        {"op": "replace", "path": "/a~1b/0", "value": 9},
    ]
    assert json_patch(document, steps) == {"a/b": [9, 1], "m~n": {"x": 1}}
    assert document == {"a/b": [1, 2], "m~n": {}}


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "remove", "path": "/b"}], 422),
        ([{"op": "replace", "path": "/b", "value": 1}], 422),
        ([{"op": "add", "path": "/l/7", "value": 1}], 422),
        ([{"op": "dance", "path": "/a"}], 400),
        ([{"op": "add", "path": "a", "value": 1}], 400),
        ({}, 400),
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(steps: Any, code: int) -> None:
    with pytest.raises(ApiError) as raised:
        json_patch({"a": 1, "l": []}, steps)
    assert raised.value.code == code


def test_strategic_lists_merge_by_key() -> None:
    pod = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}
    patched = strategic_merge(
        pod,
        {
            "spec": {
                "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
                "containers": [
                    {"name": "a", "image": "2"},
                    {"name": "c", "image": "3"},
                    {"$patch": "delete", "name": "b"},
                ],
            }
        },
    )
    assert patched["spec"]["containers"] == [
        {"name": "c", "image": "3"},
        {"name": "a", "image": "2"},
    ]


def test_strategic_conditions_merge_and_taints_do_not() -> None:
    node = {
        "spec": {"taints": [{"key": "x"}]},
        "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "r"}]},
    }
    patch = {
        "spec": {"taints": [{"key": "y"}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other"}]},
    }
    merged = strategic_merge(node, patch)
    assert merged["spec"]["taints"] == [{"key": "y"}]
    assert merged["status"]["conditions"] == [
        {"type": "Ready", "status": "True", "reason": "r"},
        {"type": "Other"},
    ]


def test_strategic_directives() -> None:
    assert strategic_merge({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}) == {"a": {"c": 2}}
    assert strategic_merge({"a": 1, "b": 2}, {"$retainKeys": ["b"], "b": 3}) == {"b": 3}
    metadata = {"finalizers": ["x", "y"]}
    assert strategic_merge(metadata, {"finalizers": ["y", "z"]}) == {"finalizers": ["x", "y", "z"]}
    gone = {"$deleteFromPrimitiveList/finalizers": ["x"]}
    assert strategic_merge(metadata, gone) == {"finalizers": ["y"]}


labels = st.dictionaries(names, names, max_size=3)


@given(labels, names, names)
@settings(max_examples=60)
def test_a_selector_and_its_opposite(found: dict[str, str], key: str, value: str) -> None:
    obj = {"metadata": {"labels": found}}
    pairs = [
        (f"{key}={value}", f"{key}!={value}"),
        (key, f"!{key}"),
        (f"{key} in ({value},zz)", f"{key} notin ({value},zz)"),
    ]
    for one, other in pairs:
        first, second = label_selector(one), label_selector(other)
        assert first is not None
        assert second is not None
        assert first(obj) is not second(obj)


@given(labels, labels)
@settings(max_examples=60)
def test_text_and_object_selectors_agree(found: dict[str, str], wanted: dict[str, str]) -> None:
    text = label_selector(",".join(f"{key}={value}" for key, value in wanted.items()))
    obj = {"metadata": {"labels": found}}
    expected = all(found.get(key) == value for key, value in wanted.items())
    assert (text is None or text(obj)) is expected
    assert matches_selector({"matchLabels": wanted}, found) is expected


@pytest.mark.parametrize("text", ["a b", "=x", "a in x", "a>b", "-a=b", "a=b c"])
def test_a_broken_selector_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="unable to parse"):
        label_selector(text)


def test_field_selectors() -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "a"}, "status": {"phase": "Running"}}
    for text, expected in (
        ("spec.nodeName=a", True),
        ("spec.nodeName==a,status.phase!=Failed", True),
        ("metadata.name=q", False),
        ("spec.nodeName=", False),
    ):
        match = field_selector(text, "", "pods")
        assert match is not None
        assert match(pod) is expected
    with pytest.raises(ApiError, match="not a known field selector"):
        field_selector("spec.replicas=1", "apps", "deployments")


@given(documents)
@settings(max_examples=60)
def test_sets_of_fields_survive_their_written_form(document: Any) -> None:
    paths = field_set(document)
    assert from_fields(to_fields(paths)) == paths


def owned(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}


def test_appliers_own_what_they_said() -> None:
    first = apply(None, owned(a="1", b="1"), "one", "now")
    with pytest.raises(ApiError, match=r'conflict with "one": \.data\.a') as raised:
        apply(first, owned(a="2"), "two", "now")
    assert raised.value.code == 409
    shared = apply(first, owned(a="1"), "two", "now")
    # What `one` no longer says goes, unless `two` says it as well.
    left = apply(shared, owned(), "one", "now")
    assert left["data"] == {"a": "1"}
    forced = apply(first, owned(a="2"), "two", "now", force=True)
    assert forced["data"] == {"a": "2", "b": "1"}
    assert apply(forced, owned(b="1"), "one", "now")["data"] == {"a": "2", "b": "1"}


def test_applied_containers_are_told_apart_by_name() -> None:
    def pod(**images: str) -> dict[str, Any]:
        containers = [{"name": name, "image": image} for name, image in images.items()]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": containers},
        }

    first = apply(None, pod(a="1"), "one", "now")
    both = apply(first, pod(b="1"), "two", "now")
    assert [item["name"] for item in both["spec"]["containers"]] == ["a", "b"]
    again = apply(both, pod(c="1"), "two", "now")
    assert [item["name"] for item in again["spec"]["containers"]] == ["a", "c"]


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def envelope(kind: str, body: bytes) -> bytes:
    about = field(1, b"v1") + field(2, kind.encode())
    return b"k8s\x00" + field(1, about) + field(2, body)


def test_protobuf_bodies_are_read() -> None:
    meta = field(1, b"c") + field(3, b"ns") + field(11, field(1, b"k") + field(2, b"v"))
    body = field(1, meta) + field(2, field(1, b"a") + field(2, b"1"))
    assert decode(envelope("ConfigMap", body)) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "c", "namespace": "ns", "labels": {"k": "v"}},
        "data": {"a": "1"},
    }
    secret = field(2, field(1, b"a") + field(2, b"\x00\xff"))
    encoded = base64.b64encode(b"\x00\xff").decode()
    assert decode(envelope("Secret", secret))["data"] == {"a": encoded}
    options = bytes([1 << 3, 0]) + field(5, b"All")
    assert decode(envelope("DeleteOptions", options)) == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "gracePeriodSeconds": 0,
        "dryRun": ["All"],
    }


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{}", 400),
        (b"k8s\x00\x0a\x50", 400),
        (envelope("Widget", b""), 501),
        (envelope("ConfigMap", field(15, b"x")), 501),
    ],
)
def test_protobuf_that_is_not_known_is_refused(data: bytes, code: int) -> None:
    with pytest.raises(ApiError) as raised:
        decode(data)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (125, "2m5s"),
        (600, "10m"),
        (10800, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (3 * 86400, "3d"),
        (3 * 86400 + 7200, "3d2h"),
        (30 * 86400, "30d"),
    ],
)
def test_ages(seconds: int, text: str) -> None:
    now = datetime(2026, 1, 31, tzinfo=timezone.utc)
    born = (now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert age(born, now) == text
    assert age(None, now) == "<unknown>"


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("2026-01-02T03:04:05Z", 0),
        ("2026-01-02T03:04:05.1Z", 100_000),
        ("2026-01-02T03:04:05.123456789Z", 123_456),
        ("2026-01-02T04:04:05.000001+01:00", 1),
    ],
)
def test_times_of_any_precision_are_read(text: str, micro: int) -> None:
    expected = datetime(2026, 1, 2, 3, 4, 5, micro, tzinfo=timezone.utc)
    assert parse_time(text) == expected
    assert parse_time("soon") is None
    assert parse_time(None) is None
