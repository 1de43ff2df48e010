"""What a client of Kubernetes bears from whoever answers, and a download from its server."""

from __future__ import annotations

import hashlib
import json
import resource
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cse_client import bounds
from cse_client.errors import ClusterUnreachable, CseError, NotFound, Refused, TimedOut
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.addons.fetch import obtain
from cse_client.kube.addons.table import RELEASES
from cse_client.kube.api import ClusterAPI
from cse_client.model.addons import ManifestSource
from tests.support.kube_stub import StubAPI, server_files
from tests.support.strangers import MANNERS, TRICKLING_HANDSHAKE, Manner, Stranger, answer

ALL = {**MANNERS, "slow handshake": ("time", TRICKLING_HANDSHAKE)}
PAGE = b"<html><head><title>Sign in</title></head></html>"


@pytest.fixture
def context(cluster_pki: ClusterPKI, tmp_path: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*server_files(cluster_pki, tmp_path))
    return made


def _memory() -> int:
    """Return the most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


Talking = Callable[..., AbstractContextManager[ClusterAPI]]


@pytest.fixture
def talking(cluster_pki: ClusterPKI, context: ssl.SSLContext) -> Talking:
    """Make a client of an API server that answers in a manner, with a time-out."""

    @contextmanager
    def start(manner: Manner, timeout: float = 10.0) -> Iterator[ClusterAPI]:
        with Stranger(manner, context) as server:
            stub = StubAPI(cluster_pki, "127.0.0.1", server.port)
            with ClusterAPI(stub.kubeconfig(), timeout, environ={}) as api:
                yield api

    return start


@pytest.mark.parametrize("name", ALL)
def test_whatever_answers_for_an_api_server_a_request_ends(talking: Talking, name: str) -> None:
    ends_by, manner = ALL[name]
    before, began = _memory(), time.monotonic()
    with talking(manner, 0.4) as api, pytest.raises(ClusterUnreachable) as caught:
        api.nodes()
    assert time.monotonic() - began < 3 if ends_by == "time" else 10
    if ends_by == "time":
        assert caught.value.reason in ("timed out", "closed"), caught.value.message
    assert _memory() - before < 100 * 1024


def test_the_bound_is_named(talking: Talking) -> None:
    with talking(MANNERS["slow body"][1], 0.4) as api:
        with pytest.raises(ClusterUnreachable, match=r"not finish its answer within 0\.8 seconds"):
            api.nodes()
        with bounds.command_time(0.1), pytest.raises(TimedOut, match="had answered"):
            api.nodes()
    told = "its answer is larger than 16 MiB"
    manner = MANNERS["compressed body"][1]
    with talking(manner) as api, pytest.raises(ClusterUnreachable, match=told):
        api.nodes()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(talking: Talking, status: int) -> None:
    with Stranger(answer("200 OK", b"{}")) as other:
        with talking(answer(f"{status} Moved", Location=f"{other.base}/api/v1/nodes")) as api:
            for ask in (api.nodes, api.version, lambda: api.ask("POST", "/api/v1/pods", {})):
                with pytest.raises(ClusterUnreachable, match=f"redirects to {other.base}/api"):
                    ask()
        assert other.seen == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (PAGE, 'an HTML page titled "Sign in"'),
        (b"", "an empty body"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "nested more than 100 levels deep"),
        (b"{" + b'"a": 1,' * 600_000 + b'"b": 1}', "more than 600,000 parts"),
    ],
    ids=["page", "empty", "list", "deep", "wide"],
)
def test_what_is_not_kubernetes_is_described(talking: Talking, body: bytes, told: str) -> None:
    with talking(answer("200 OK", body)) as api, pytest.raises(ClusterUnreachable) as caught:
        api.nodes()
    assert told in caught.value.message


def test_a_large_cluster_is_read(talking: Talking) -> None:
    """A page of a hundred nodes with 50 images each, as kubelets report them."""
    image = {"names": ["registry.k8s.io/pause@sha256:" + "0" * 64] * 2, "sizeBytes": 1}
    node = {"metadata": {"name": "n"}, "status": {"images": [image] * 50}}
    body = json.dumps({"metadata": {}, "items": [node] * 100}).encode()
    with talking(answer("200 OK", body)) as api:
        assert len(api.nodes()) == 100


# Downloads


CONTENT = b"apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"
RELEASE = replace(RELEASES[0], sha256=hashlib.sha256(CONTENT).hexdigest())


def _get(server: Stranger, timeout: float = 10.0) -> bytes:
    return obtain(RELEASE, ManifestSource(mirror=server.base), timeout=timeout).content


@pytest.mark.parametrize("name", MANNERS)
def test_a_download_ends(name: str) -> None:
    ends_by, manner = MANNERS[name]
    before, began = _memory(), time.monotonic()
    with Stranger(manner) as server, pytest.raises(CseError) as caught:
        _get(server, 0.8 if ends_by == "time" else 20.0)
    if ends_by == "time":
        assert isinstance(caught.value, TimedOut)
        assert time.monotonic() - began < 2.8
    if ends_by == "size":
        assert "is larger than 16 MiB, the most that is read" in caught.value.message
    assert _memory() - before < 100 * 1024


def test_a_download_follows_a_redirect_and_sends_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login eve password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Stranger(answer("200 OK", CONTENT)) as store:
        moved = answer("302 Found", Location=f"{store.base}/file")
        with Stranger(moved) as server:
            assert _get(server) == CONTENT
        assert "uthorization" not in "".join(server.seen + store.seen)


def _around(server_of: Callable[[], Stranger]) -> Manner:
    def moved(connection: object, stopped: object) -> None:
        answer("302 Found", Location=f"{server_of().base}/again")(connection, stopped)  # type: ignore[arg-type]

    return moved


def test_redirects_in_a_circle_end() -> None:
    with Stranger(_around(lambda: server)) as server:
        with pytest.raises(CseError, match="redirects more than 5 times"):
            _get(server)
        assert len(server.seen) == 6


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/x", "file:///etc/passwd", "ftp://h/x"])
def test_a_download_does_not_give_up_tls(
    context: ssl.SSLContext,
    cluster_pki: ClusterPKI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
) -> None:
    (tmp_path / "ca.pem").write_bytes(cluster_pki.ca_cert)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    moved = answer("302 Found", Location=target)
    with Stranger(moved, context) as server, pytest.raises(Refused, match=f"redirects to {target}"):
        _get(server)


def test_a_download_that_is_not_there_is_told() -> None:
    with (
        Stranger(answer("404 Not Found")) as server,
        pytest.raises(NotFound, match="404 Not Found"),
    ):
        _get(server)
