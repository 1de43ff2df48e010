"""Answers of a CSE server that no CSE server gives: one sentence each, never a bug."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.server.served import Served
from tests.support.programs import Result
from tests.support.scripted_vcd import Answer

JSON = "application/json"
PAGE = "<html><head><title>Sign in</title></head><body></body></html>"
GARBAGE = {
    "page": (PAGE, 'an HTML page titled "Sign in"'),
    "empty": ("", "empty answer"),
    "null": ("null", ""),
    "text": ('"hello"', ""),
    "number": ("5", ""),
    "list of null": ("[null]", ""),
    "list of lists": ("[[[]]]", ""),
    "object of null": ('{"name": null, "nodes": null, "master_nodes": null}', ""),
    "object of numbers": ('{"name": 1, "nodes": 2, "master_nodes": [3], "status": {}}', ""),
    "nodes of null": ('{"name": "blue", "nodes": [null], "master_nodes": [{}]}', ""),
    "deep": ("[" * 100_000, "nested more than 100 levels deep"),
    "wide": ('{"a": [' + "1," * 700_000 + "1]}", "more than 600,000 parts"),
    "long number": ('{"number_of_vms": ' + "9" * 5000 + "}", "more than 400 digits"),
}
READS = {
    "GET /api/cse/clusters*": ("cluster", "list"),
    "GET /api/cse/cluster/blue*": ("cluster", "info", "blue"),
    "GET /api/cse/cluster/blue/config*": ("cluster", "config", "blue"),
    "GET /api/cse/templates*": ("template", "list"),
    "GET /api/cse/system": ("system", "info"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_one_sentence(cse: Callable[..., Result], served: Served, kind: str) -> None:
    body, said = GARBAGE[kind]
    calls = list(READS)
    # all commands see the worst of them; the others take turns, because each costs a start
    shown = calls if kind in ("page", "object of null") else [calls[list(GARBAGE).index(kind) % 4]]
    for call in shown:
        before = served.vcd._answers
        # the first that fits answers
        others = {key: value for key, value in before.items() if key != call}
        served.vcd._answers = {call: [Answer(body, 200, JSON)], **others}
        result = cse(*READS[call])
        served.vcd._answers = before
        assert "Traceback" not in result.err and "bug in cse-client" not in result.err, result.err
        assert result.code in (0, 1), f"{call}: {result.err}"
        if result.code:
            assert result.err.count("Error:") == 1, result.err
        if said and call != "GET /api/cse/system":
            assert result.code == 1 and said in result.err, f"{call}: {result.out}{result.err}"
