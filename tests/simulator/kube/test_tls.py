"""Who is let in: certificates, tokens, nobody; and what power-off does to connections."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cse_client.simulator.clock import Clock
from cse_client.simulator.kube import KubeAPI
from tests.support.running_kube import HOST, Authority, Running, make


def connect(
    cluster: Running, tmp_path: Path, certificate: tuple[bytes, bytes] | None = None
) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cadata=cluster.authority.pem.decode())
    if certificate:
        file = tmp_path / "client.pem"
        file.write_bytes(certificate[0] + certificate[1])
        context.load_cert_chain(str(file))
    return http.client.HTTPSConnection(HOST, cluster.port, context=context, timeout=10)


def ask(
    connection: http.client.HTTPSConnection,
    path: str,
    method: str = "GET",
    body: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text) if text.startswith(b"{") else text.decode()


def test_a_certificate_of_the_cluster_is_a_user_with_groups(
    cluster: Running, tmp_path: Path
) -> None:
    connection = connect(cluster, tmp_path, cluster.authority.issue("alice", "devs", "ops"))
    status, answer = ask(
        connection,
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        "POST",
        json.dumps({"kind": "SelfSubjectReview"}),
        {"Content-Type": "application/json"},
    )
    assert status == 201
    assert answer["status"]["userInfo"] == {
        "username": "alice",
        "groups": ["devs", "ops", "system:authenticated"],
    }
    connection.close()


@pytest.mark.parametrize("path", ["/version", "/healthz", "/livez", "/readyz"])
def test_anybody_may_read_health_and_version(cluster: Running, tmp_path: Path, path: str) -> None:
    connection = connect(cluster, tmp_path)
    assert ask(connection, path)[0] == 200
    connection.close()


def test_nobody_may_do_nothing_else(cluster: Running, tmp_path: Path) -> None:
    connection = connect(cluster, tmp_path)
    status, answer = ask(connection, "/api/v1/nodes")
    assert status == 403
    assert 'User "system:anonymous" cannot list resource "nodes"' in answer["message"]
    # The body of a refused request is read, so the connection is good for the next one.
    assert ask(connection, "/api/v1/nodes", "POST", "x" * 100_000)[0] == 403
    assert ask(connection, "/version")[0] == 200
    connection.close()


def test_without_anonymous_auth_nobody_is_unauthorized(tmp_path: Path) -> None:
    cluster = make("1.30.0", tmp_path)
    cluster.api = KubeAPI(version="1.30.0", clock=Clock(), anonymous_auth=False)
    cluster.start()
    connection = connect(cluster, tmp_path)
    assert ask(connection, "/api/v1/nodes")[0] == 401
    assert ask(connection, "/version")[0] == 200
    connection.close()
    cluster.api.stop()


def test_a_fault_of_the_simulator_is_a_loud_500(
    cluster: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    admin = cluster.authority.issue("kubernetes-admin", "system:masters")
    connection = connect(cluster, tmp_path, admin)
    place = "/apis/apps/v1/namespaces/default/deployments"
    body = {"metadata": {"name": "d"}, "spec": {"template": "nonsense"}}
    headers = {"Content-Type": "application/json"}
    status, answer = ask(connection, place, "POST", json.dumps(body), headers)
    assert (status, answer["reason"]) == (500, "InternalError")
    assert "Traceback" in caplog.text
    assert ask(connection, place)[0] == 200
    connection.close()


def test_a_certificate_of_another_ca_is_refused(cluster: Running, tmp_path: Path) -> None:
    connection = connect(cluster, tmp_path, Authority().issue("x", "system:masters"))
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(connection, "/version")
    connection.close()


def test_an_expired_certificate_is_unauthorized(cluster: Running, tmp_path: Path) -> None:
    old = cluster.authority.issue("kubernetes-admin", "system:masters", hours=-1)
    connection = connect(cluster, tmp_path, old)
    assert ask(connection, "/api/v1/nodes")[0] == 401
    connection.close()


def test_a_certificate_ends_by_the_simulated_clock(cluster: Running, tmp_path: Path) -> None:
    good = cluster.authority.issue("kubernetes-admin", "system:masters", hours=8)
    connection = connect(cluster, tmp_path, good)
    assert ask(connection, "/api/v1/nodes")[0] == 200
    cluster.clock.advance(8 * 3600 + 1)
    assert ask(connection, "/api/v1/nodes")[0] == 401
    connection.close()


def test_a_certificate_that_begins_later_is_good_once_the_clock_is_there(
    cluster: Running, tmp_path: Path
) -> None:
    later = cluster.authority.issue("kubernetes-admin", "system:masters", start=24, hours=48)
    connection = connect(cluster, tmp_path, later)
    assert ask(connection, "/api/v1/nodes")[0] == 401
    cluster.clock.advance(25 * 3600)
    assert ask(connection, "/api/v1/nodes")[0] == 200
    connection.close()


def token_secret(cluster: Running, *, ends: float | None = None) -> None:
    data = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
    }
    if ends is not None:
        moment = cluster.clock.now() + timedelta(seconds=ends)
        data["expiration"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    cluster.post(
        "/api/v1/namespaces/kube-system/secrets",
        {
            "metadata": {"name": "bootstrap-token-abcdef"},
            "type": "bootstrap.kubernetes.io/token",
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
        },
    )


def who(connection: http.client.HTTPSConnection, token: str) -> tuple[int, Any]:
    return ask(
        connection,
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        "POST",
        "{}",
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )


def test_a_bootstrap_token_is_a_bootstrapper_until_it_expires(
    cluster: Running, tmp_path: Path
) -> None:
    token_secret(cluster, ends=100)
    connection = connect(cluster, tmp_path)
    status, answer = who(connection, "abcdef.0123456789abcdef")
    assert status == 201
    assert answer["status"]["userInfo"]["username"] == "system:bootstrap:abcdef"
    assert set(answer["status"]["userInfo"]["groups"]) >= {
        "system:bootstrappers",
        "system:bootstrappers:kubeadm:default-node-token",
    }
    for wrong in ("abcdef.0123456789abcdee", "abcdeg.0123456789abcdef", "nonsense"):
        assert who(connection, wrong)[0] == 401
    cluster.clock.advance(101)
    assert who(connection, "abcdef.0123456789abcdef")[0] == 401
    # The cleaner has removed it.
    place = "/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef"
    assert cluster.api.request("GET", place)[0] == 404
    connection.close()


def test_power_off_cuts_connections_and_keeps_the_state(cluster: Running, tmp_path: Path) -> None:
    admin = cluster.authority.issue("kubernetes-admin", "system:masters")
    connection = connect(cluster, tmp_path, admin)
    cluster.node("node-1")
    assert ask(connection, "/api/v1/nodes")[0] == 200
    cluster.api.stop()
    assert not cluster.api.running
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(connection, "/api/v1/nodes")
    connection.close()
    with pytest.raises(OSError), socket.create_connection((HOST, cluster.port), timeout=2):
        pass
    assert not [item for item in threading.enumerate() if str(cluster.port) in item.name]
    cluster.start()
    connection = connect(cluster, tmp_path, admin)
    assert [item["metadata"]["name"] for item in ask(connection, "/api/v1/nodes")[1]["items"]] == [
        "node-1"
    ]
    connection.close()


def test_an_address_that_is_taken_is_an_error(cluster: Running, tmp_path: Path) -> None:
    other = make("1.33.1", tmp_path)
    other.port = cluster.port
    with pytest.raises(OSError):
        other.start()
    assert not other.api.running
    with pytest.raises(RuntimeError):
        cluster.start()


def test_a_key_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    cluster = make("1.33.1", tmp_path)
    cluster.server = (cluster.server[0], cluster.authority.key_pem)
    with pytest.raises(ValueError, match="certificate"):
        cluster.start()


def test_an_idle_client_blocks_nobody(cluster: Running, tmp_path: Path) -> None:
    with socket.create_connection((HOST, cluster.port)):
        connection = connect(cluster, tmp_path)
        assert ask(connection, "/version")[0] == 200
        connection.close()


def test_a_chunked_body_is_read(cluster: Running, tmp_path: Path) -> None:
    admin = cluster.authority.issue("kubernetes-admin", "system:masters")
    connection = connect(cluster, tmp_path, admin)
    text = json.dumps({"metadata": {"name": "c"}, "data": {"a": "b" * 5000}}).encode()
    connection.request(
        "POST",
        "/api/v1/namespaces/default/configmaps",
        iter([text[:10], text[10:]]),
        {"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    answer = connection.getresponse()
    assert answer.status == 201
    assert json.loads(answer.read())["data"]["a"] == "b" * 5000
    connection.close()


def test_a_hundred_nodes_register_at_once(cluster: Running, tmp_path: Path) -> None:
    kubelets = [cluster.authority.issue(f"system:node:n{i}", "system:nodes") for i in range(100)]
    failures: list[Any] = []

    def register(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        connection = connect(cluster, folder, kubelets[number])
        node = {"metadata": {"name": f"n{number}"}, "status": {"conditions": []}}
        headers = {"Content-Type": "application/json"}
        answer = ask(connection, "/api/v1/nodes", "POST", json.dumps(node), headers)
        if answer[0] != 201:
            failures.append(answer)
        connection.close()

    threads = [threading.Thread(target=register, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(cluster.get("/api/v1/nodes")["items"]) == 100


def test_a_version_serves_what_it_had(new_cluster: Callable[[str], Running]) -> None:
    old, new = new_cluster("1.18.6"), new_cluster("1.33.1")
    csr = "certificatesigningrequests"
    assert old.api.request("GET", f"/apis/certificates.k8s.io/v1/{csr}")[0] == 404
    assert old.api.request("GET", f"/apis/certificates.k8s.io/v1beta1/{csr}")[0] == 200
    assert new.api.request("GET", f"/apis/certificates.k8s.io/v1/{csr}")[0] == 200
    assert new.api.request("GET", f"/apis/certificates.k8s.io/v1beta1/{csr}")[0] == 404
    assert old.get("/version")["gitVersion"] == "v1.18.6"
