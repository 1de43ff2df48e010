from __future__ import annotations

import base64
import contextlib
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cse_client.errors import ClusterUnreachable, CseError
from cse_client.guest.pki import ClusterPKI, mint_pki, pki_from_files, pki_to_files
from cse_client.kube.api import ClusterAPI
from cse_client.kube.ca_secret import load_ca_secret, store_ca_secret
from cse_client.model import KubeNode
from tests.support.kube_stub import NAME, Answer, StubAPI, status


def node(name: str, ready: str, **more: object) -> dict[str, object]:
    return {
        "metadata": {"name": name, "labels": more.get("labels", {})},
        "spec": more.get("spec", {}),
        "status": {
            "conditions": [
                {"type": "MemoryPressure", "status": "False"},
                {"type": "Ready", "status": ready, "reason": "KubeletSaysSo"},
            ],
            "nodeInfo": {
                **dict.fromkeys(
                    (
                        *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion"),
                        *("kubeProxyVersion", "machineID", "operatingSystem", "osImage"),
                        "systemUUID",
                    ),
                    "x",
                ),
                "kubeletVersion": "v1.33.1",
            },
        },
    }


def node_list(items: list[dict[str, object]], more: str = "") -> Answer:
    return 200, {
        "kind": "NodeList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "7", "continue": more},
        "items": items,
    }


def failure(api: StubAPI, kubeconfig: str = "", **words: object) -> ClusterUnreachable:
    with (
        ClusterAPI(kubeconfig or api.kubeconfig(), 0.7, environ={}, **words) as cluster,  # type: ignore[arg-type]
        pytest.raises(ClusterUnreachable) as caught,
    ):
        cluster.nodes()
    assert "PRIVATE" not in str(caught.value) + caught.value.hint
    return caught.value


def test_nodes_are_read_page_by_page(api: StubAPI) -> None:
    def pages(_method: str, query: dict[str, list[str]], _body: bytes) -> Answer:
        assert query["limit"] == ["100"]
        if query.get("continue") == ["next"]:
            return node_list([node("node-2", "Unknown", spec={"unschedulable": True})])
        labels = {
            "node-role.kubernetes.io/control-plane": "",
            "node-role.kubernetes.io/master": "",
        }
        return node_list([node("mstr-1", "True", labels=labels), node("node-1", "False")], "next")

    api.answers["/api/v1/nodes"] = pages
    with ClusterAPI(api.kubeconfig(), environ={}) as cluster:
        assert cluster.nodes() == (
            KubeNode("mstr-1", True, "", "v1.33.1", ("control-plane", "master"), False),
            KubeNode("node-1", False, "KubeletSaysSo", "v1.33.1"),
            KubeNode("node-2", None, "KubeletSaysSo", "v1.33.1", (), True),
        )
    assert len(api.seen) == 2


def test_a_node_that_has_said_nothing_yet_is_unknown(api: StubAPI) -> None:
    api.answers["/api/v1/nodes"] = node_list([{"metadata": {"name": "n"}}])
    with ClusterAPI(api.kubeconfig(), environ={}) as cluster:
        assert cluster.nodes() == (KubeNode("n", None, "no Ready condition"),)


def test_version(api: StubAPI) -> None:
    api.answers["/version"] = 200, {"major": "1", "minor": "33", "gitVersion": "v1.33.1"}
    with ClusterAPI(api.kubeconfig(), environ={}) as cluster:
        assert cluster.version() == "v1.33.1"


LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
OLD_REPORTS = "/api/v1/namespaces/cse-system/configmaps"


def lease(node: str, **said: str) -> dict[str, object]:
    annotations = {f"cse-client/{key}": value for key, value in said.items()}
    return {"metadata": {"name": node, "annotations": {"other": "x", **annotations}}}


def old_report(node: str, **said: str) -> dict[str, object]:
    return {"metadata": {"name": f"cse-bootstrap-{node}"}, "data": said}


def test_bootstrap_reports_skip_what_is_none(api: StubAPI) -> None:
    error = base64.b64encode(b"no route to registry").decode()
    api.answers[OLD_REPORTS] = 404, status(404, "NotFound")
    api.answers[LEASES] = (
        200,
        {
            "kind": "LeaseList",
            "items": [
                lease("node-1", status="failed", phase="images", rc="1", error=error),
                lease("node-2", status="?"),
                lease("node-3"),
                {"metadata": {"name": "node-4"}},
            ],
        },
    )
    with ClusterAPI(api.kubeconfig(), environ={}) as cluster:
        # a namespace that is not there has an empty list, never 404
        with pytest.raises(ClusterUnreachable):
            cluster.bootstrap_reports()
        api.answers[OLD_REPORTS] = 200, {"kind": "ConfigMapList", "items": []}
        reports = cluster.bootstrap_reports()
    assert list(reports) == ["node-1"]
    assert reports["node-1"].log == ("no route to registry",)


def test_a_nodes_own_lease_counts_more_than_what_any_node_may_write(api: StubAPI) -> None:
    api.answers[LEASES] = 200, {"items": [lease("node-1", status="running", phase="join")]}
    api.answers[OLD_REPORTS] = (
        200,
        {"items": [old_report("node-1", status="ready"), old_report("node-2", status="ready")]},
    )
    with ClusterAPI(api.kubeconfig(), environ={}) as cluster:
        found = {name: report.status for name, report in cluster.bootstrap_reports().items()}
    assert found == {"node-1": "running", "node-2": "ready"}
    # whatever labels they carry, so that none can be hidden
    assert [path for _method, path in api.seen if "Selector" in path] == []


def test_the_ca_is_kept_in_a_secret_and_read_back(api: StubAPI, cluster_pki: ClusterPKI) -> None:
    kept: dict[str, bytes] = {}

    def one(method: str, _query: object, body: bytes) -> Answer:
        if method == "PUT":
            kept["body"] = body
        elif not kept:
            return 404, status(404, "NotFound")
        return 200, kept["body"]

    def many(_method: str, _query: object, body: bytes) -> Answer:
        if kept:
            return 409, status(409, "AlreadyExists")
        kept["body"] = body
        return 201, body

    api.answers["/api/v1/namespaces/kube-system/secrets/cse-cluster-ca"] = one
    api.answers["/api/v1/namespaces/kube-system/secrets"] = many
    with ClusterAPI(api.kubeconfig(), environ={}) as cluster:
        assert load_ca_secret(cluster) is None
        store_ca_secret(cluster, pki_to_files(cluster_pki))
        assert pki_from_files(load_ca_secret(cluster) or {}) == cluster_pki
        other = mint_pki("demo")
        store_ca_secret(cluster, pki_to_files(other))
        assert pki_from_files(load_ca_secret(cluster) or {}) == other
    assert b'"Opaque"' in kept["body"]


def test_a_secret_that_lost_something_is_an_error(api: StubAPI, cluster_pki: ClusterPKI) -> None:
    body = {"metadata": {"name": "cse-cluster-ca"}, "data": {}}
    api.answers["/api/v1/namespaces/kube-system/secrets"] = 201, body
    api.answers["/api/v1/namespaces/kube-system/secrets/cse-cluster-ca"] = 200, body
    with (
        ClusterAPI(api.kubeconfig(), environ={}) as cluster,
        pytest.raises(CseError, match="does not hold what was written"),
    ):
        store_ca_secret(cluster, pki_to_files(cluster_pki))


def test_nobody_listens(api: StubAPI) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        api.port = taken.getsockname()[1]
        error = failure(api)
    assert error.reason == "refused"
    assert error.message == (
        f"the Kubernetes API at https://127.0.0.1:{api.port} cannot be used: "
        "nothing listens there yet, or no longer"
    )


def test_nobody_answers(api: StubAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api.port = silent.getsockname()[1]
        error = failure(api)
    assert error.reason == "timed out"
    assert "endpoint" in error.hint


def test_somebody_hangs_up(api: StubAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        api.port = server.getsockname()[1]

        def hang_up() -> None:
            server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        error = failure(api)
        thread.join()
    assert error.reason in ("closed", "failed")


@pytest.mark.parametrize(
    ("method", "breaks", "tries"),
    [("GET", 2, 3), ("PATCH", 1, 2), ("DELETE", 1, 2), ("GET", 3, None), ("POST", 1, None)],
)
def test_a_connection_that_breaks(
    api: StubAPI, method: str, breaks: int, tries: int | None
) -> None:
    left = [None] * breaks

    def answer(*_request: object) -> tuple[int, object]:
        if left:
            left.pop()
            raise ConnectionResetError
        return 200, {"kind": "Node"}

    api.answers["/api/v1/nodes/a"] = answer
    with ClusterAPI(api.kubeconfig(), timeout=5) as cluster:
        if tries is None:
            with pytest.raises(ClusterUnreachable, match="it closed the connection"):
                cluster.ask(method, "/api/v1/nodes/a", {})
        else:
            assert cluster.ask(method, "/api/v1/nodes/a", {})[0] == 200
            assert len(api.seen) == tries


def test_a_name_that_does_not_resolve(api: StubAPI) -> None:
    assert failure(api, api.kubeconfig(host="nowhere.invalid")).reason == "unknown host"


def test_another_cluster_answers_at_the_address(api: StubAPI, other_pki: ClusterPKI) -> None:
    error = failure(api, api.kubeconfig(ca=other_pki.ca_cert))
    assert error.reason == "not ours"
    assert "Another machine" in error.hint
    assert api.seen == []


def test_a_certificate_of_another_cluster(api: StubAPI, other_pki: ClusterPKI) -> None:
    # A reset may overtake the TLS alert; the real API server answers 401 instead of either.
    assert failure(api, api.kubeconfig(pki=other_pki)).reason in ("unauthorized", "closed")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (401, "unauthorized"),
        (403, "forbidden"),
        (429, "not ready"),
        (500, "not ready"),
        (503, "not ready"),
        (404, "failed"),
    ],
)
def test_answers_that_are_errors(api: StubAPI, code: int, reason: str) -> None:
    api.answers["/api/v1/nodes"] = code, status(code, "Because")
    api.answers["/version"] = code, status(code, "Because")
    assert failure(api).reason == reason
    with (
        ClusterAPI(api.kubeconfig(), environ={}) as cluster,
        pytest.raises(ClusterUnreachable) as caught,
    ):
        cluster.version()
    assert caught.value.reason == reason


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"items": 7}', b"null"])
def test_answers_that_make_no_sense(api: StubAPI, body: bytes) -> None:
    api.answers["/api/v1/nodes"] = 200, body
    assert failure(api).reason == "failed"


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "7", "clusters: []", "{clusters: 1}"])
def test_a_text_that_is_no_kubeconfig(text: str) -> None:
    with pytest.raises(CseError, match=r"The kubeconfig (cannot be used|is not used): "):
        ClusterAPI(text)


def test_a_kubeconfig_with_a_damaged_key_does_not_show_it(
    api: StubAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    broken = api.kubeconfig().replace("client-key-data: ", "client-key-data: AAAA")
    with pytest.raises(CseError, match="cannot be used") as caught:
        ClusterAPI(broken, environ={})
    assert caught.value.__cause__ is None
    assert list(folder.iterdir()) == []


def test_the_key_passes_through_no_file_that_others_can_read(
    api: StubAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    modes: list[int] = []
    load = ssl.SSLContext.load_cert_chain

    def looking(self: ssl.SSLContext, *files: str) -> None:
        modes.extend(stat.S_IMODE(Path(path).stat().st_mode) for path in files)
        load(self, *files)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", looking)
    old = os.umask(0)
    try:
        with ClusterAPI(api.kubeconfig(), environ={}):
            assert list(folder.iterdir()) == []
    finally:
        os.umask(old)
    assert modes == [0o600, 0o600]
    assert list(folder.iterdir()) == []


@pytest.fixture
def proxy(api: StubAPI) -> Iterator[tuple[str, list[str]]]:
    """A proxy that knows CONNECT, and takes every name to the stub."""
    asked: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            head = client.recv(65536).decode()
            asked.append(head.split("\r\n", 1)[0])
            with client, socket.create_connection(("127.0.0.1", api.port)) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=pump, args=(server, client))
                back.start()
                pump(client, server)
                back.join()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_proxy_is_used_where_kubectl_uses_it(api: StubAPI, proxy: tuple[str, list[str]]) -> None:
    api.answers["/version"] = 200, {"gitVersion": "v1.33.1"}
    url, asked = proxy
    with ClusterAPI(api.kubeconfig(host=NAME), environ={"HTTPS_PROXY": url}) as cluster:
        assert cluster.version() == "v1.33.1"
    assert asked == [f"CONNECT {NAME}:{api.port} HTTP/1.1"]


def test_private_addresses_do_not_go_to_the_proxy(
    api: StubAPI, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answers["/version"] = 200, {"gitVersion": "v1.33.1"}
    url, asked = proxy
    # The library must not look at the environment behind our back either.
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with ClusterAPI(api.kubeconfig()) as cluster:
        assert cluster.version() == "v1.33.1"
    assert asked == []


def test_a_proxy_that_is_not_there_is_named_without_its_password(api: StubAPI) -> None:
    config = api.kubeconfig(host=NAME)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}"
        with (
            ClusterAPI(config, environ={"HTTPS_PROXY": url}) as cluster,
            pytest.raises(ClusterUnreachable) as caught,
        ):
            cluster.version()
    assert caught.value.reason == "proxy"
    assert "through the proxy http://127.0.0.1" in caught.value.message
    assert "secret" not in caught.value.message
    assert "NO_PROXY" in caught.value.hint


def test_closing_twice_is_harmless(api: StubAPI) -> None:
    cluster = ClusterAPI(api.kubeconfig(), environ={})
    cluster.close()
    cluster.close()


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, cse_client.kube.api, cse_client.kube.ca_secret\n"
        "import cse_client.kube.kubeconfig.document, cse_client.kube.kubeconfig.file\n"
        "print([m for m in ('yaml', 'lightkube', 'httpx', 'httpx2') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
