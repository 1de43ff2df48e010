"""Requests to a cluster from outside go wrong as a test wants it; those of its nodes never do."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cse_client.simulator.faults import Faults, Rule
from tests.support.running_kube import HOST, Running

PLACE = "/api/v1/namespaces/default/configmaps"
OUTSIDE = {"User-Agent": "test/1"}


@pytest.fixture
def post(cluster: Running, tmp_path: Path) -> Callable[[str, dict[str, str]], int]:
    """Create a ConfigMap over a new connection; return the status."""
    file = tmp_path / "client.pem"
    file.write_bytes(b"".join(cluster.authority.issue("kubernetes-admin", "system:masters")))
    context = ssl.create_default_context(cadata=cluster.authority.pem.decode())
    context.load_cert_chain(str(file))

    def send(name: str, headers: dict[str, str]) -> int:
        connection = http.client.HTTPSConnection(HOST, cluster.port, context=context, timeout=10)
        body = json.dumps({"metadata": {"name": name}})
        headers = {"Content-Type": "application/json", **headers}
        try:
            connection.request("POST", PLACE, body, headers)
            return connection.getresponse().status
        finally:
            connection.close()

    return send


@pytest.mark.parametrize(
    ("rule", "made"),
    [
        ({"kind": "reset_before"}, False),
        ({"kind": "reset_after"}, True),
        ({"kind": "hang", "seconds": 0.1}, False),
        ({"kind": "hang", "seconds": 0.1, "act": True}, True),
    ],
)
def test_the_second_change_from_outside_is_hit(
    cluster: Running, post: Callable[[str, dict[str, str]], int], rule: dict[str, Any], made: bool
) -> None:
    faults = Faults()
    cluster.api.outside.around = faults.around_kubernetes
    faults.rules.append(Rule.read({"api": "kubernetes", "method": "POST", "at": 2, **rule}))
    assert [post(name, {}) for name in ("a", "b")] == [201, 201]
    assert post("c", OUTSIDE) == 201
    with pytest.raises(OSError):
        post("d", OUTSIDE)
    assert post("e", OUTSIDE) == 201
    names = {one["metadata"]["name"] for one in cluster.get(PLACE)["items"]}
    assert {*"abce"} | ({"d"} if made else set()) == names - {"kube-root-ca.crt"}
    journal = faults.journal.read()
    assert journal["kubernetes"] == [{"method": "POST", "path": PLACE, "after": 0}] * 3
    assert journal["total"] == 0


@pytest.mark.parametrize("rule", [{"kind": "status"}, {"kind": "hang", "api": "etcd"}])
def test_a_rule_that_nobody_follows_is_refused(rule: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="unknown API"):
        Rule.read({"api": "kubernetes", **rule})
