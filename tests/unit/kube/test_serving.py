"""An API server whose certificate has ended, or ends soon: real TLS, real certificates."""

from __future__ import annotations

import socket
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cse_client.errors import ClusterUnreachable
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.api import ClusterAPI
from cse_client.kube.serving import ends_soon, read_end
from tests.support.kube_stub import StubAPI, serving

NOW = datetime.now(timezone.utc).replace(microsecond=0)


def failure(api: StubAPI) -> ClusterUnreachable:
    with (
        ClusterAPI(api.kubeconfig(), timeout=5.0, environ={}) as client,
        pytest.raises(ClusterUnreachable) as hit,
    ):
        client.version()
    return hit.value


def test_an_ended_certificate_is_named_with_its_date(
    cluster_pki: ClusterPKI, tmp_path: Path
) -> None:
    end = NOW - timedelta(seconds=30)
    with serving(cluster_pki, tmp_path, end=end) as api:
        error = failure(api)
    assert error.reason == "expired"
    assert f"its certificate has ended ({end:%Y-%m-%d %H:%M} UTC)" in error.message
    assert "cluster renew" in error.hint
    assert api.seen == []


def test_an_ended_certificate_of_somebody_else_is_not_ours(
    cluster_pki: ClusterPKI, other_pki: ClusterPKI, tmp_path: Path
) -> None:
    end = NOW - timedelta(seconds=30)
    with serving(cluster_pki, tmp_path, signer=other_pki, end=end) as api:
        assert failure(api).reason == "not ours"


def test_when_a_certificate_in_use_ends(cluster_pki: ClusterPKI, tmp_path: Path) -> None:
    end = NOW + timedelta(days=20)
    with serving(cluster_pki, tmp_path, end=end) as api:
        with ClusterAPI(api.kubeconfig(), timeout=5.0, environ={}) as client:
            assert client.certificate_end() == end
        assert read_end(f"https://127.0.0.1:{api.port}", "socks5://127.0.0.1:1", 1.0) is None
        assert read_end(f"https://127.0.0.1:{api.port}", "http://127.0.0.1:1", 1.0) is None


@pytest.mark.parametrize(("days", "soon"), [(-1, True), (0, True), (59, True), (61, False)])
def test_two_months_are_soon(days: int, soon: bool) -> None:
    assert ends_soon(NOW + timedelta(days=days)) is soon


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_speaks_no_tls_has_no_certificate(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _address = server.accept()
            connection.sendall(said)
            if said:
                connection.close()
            else:
                time.sleep(1.0)
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        began = time.monotonic()
        assert read_end(f"https://127.0.0.1:{server.getsockname()[1]}", None, 0.3) is None
        assert time.monotonic() - began < 1.0
        thread.join()
    assert read_end("https://127.0.0.1:1", None, 1.0) is None
