"""etcd's JSON gateway through a forwarded port: real TLS, WebSocket and HTTP on loopback."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from cse_client.errors import ClusterUnreachable, CseError
from cse_client.guest.pki import ADMIN_GROUP, ClusterPKI, issue_client
from cse_client.kube.credentials import Credentials
from cse_client.kube.etcd import Etcd, EtcdFault, open_etcd
from tests.support.etcd_stub import DATABASE, StubEtcd, running_etcd, snapshot_lines

Opening = Callable[..., AbstractContextManager[Etcd]]


@pytest.fixture(scope="module")
def server(cluster_pki: ClusterPKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubEtcd]:
    with running_etcd(cluster_pki, tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


@pytest.fixture
def etcd(server: StubEtcd) -> StubEtcd:
    server.reset()
    return server


@pytest.fixture
def opening(etcd: StubEtcd, cluster_pki: ClusterPKI, other_pki: ClusterPKI) -> Opening:
    """Make a client, on request with certificates of another cluster."""

    @contextmanager
    def start(*, foreign: str = "", timeout: float = 10.0) -> Iterator[Etcd]:
        api_pki = other_pki if foreign == "api" else cluster_pki
        etcd_pki = other_pki if foreign == "etcd" else cluster_pki
        admin = issue_client(
            api_pki, common_name="a", organizations=[ADMIN_GROUP], lifetime=timedelta(hours=1)
        )
        client = issue_client(
            (etcd_pki.etcd_cert, etcd_pki.etcd_key),
            common_name="a",
            organizations=[],
            lifetime=timedelta(hours=1),
        )
        access = Credentials(etcd.url, cluster_pki.ca_cert, admin.cert, admin.key)
        with open_etcd(
            access,
            "etcd-mstr-1",
            ca=cluster_pki.etcd_cert,
            certificate=client.cert,
            key=client.key,
            timeout=timeout,
            environ={},
        ) as found:
            yield found

    return start


def test_members_and_status(opening: Opening, etcd: StubEtcd) -> None:
    with opening() as client:
        first, second = client.members()
        status = client.status()
        client.remove(second.id)
    assert (first.id, first.name, first.learner) == (9372538179322589801, "mstr-1", False)
    assert first.peer_urls == ("https://10.0.0.1:2380",)
    assert second.name == ""
    assert (status.version, status.size, status.leader) == ("3.6.16", 3891200, first.id)
    assert status.problems == ()
    assert etcd.seen[-1] == ("cluster/member/remove", {"ID": "10501334649042878790"})


def test_alarms_are_in_the_status(opening: Opening, etcd: StubEtcd) -> None:
    alarm = "memberID:9372538179322589801 alarm:NOSPACE "
    etcd.answers["maintenance/status"]["errors"] = [alarm, "\x1b[31metcdserver: no leader"]
    with opening() as client:
        first, second = client.status().problems
    assert first.split() == alarm.split()
    assert "\x1b" not in second


def test_errors_that_are_not_a_list(opening: Opening, etcd: StubEtcd) -> None:
    etcd.answers["maintenance/status"]["errors"] = "none"
    with opening() as client, pytest.raises(EtcdFault):
        client.status()


def test_a_snapshot_is_verified_as_it_comes(opening: Opening) -> None:
    with opening() as client:
        snapshot = client.snapshot()
        content = b"".join(snapshot)
    assert content[:-32] == DATABASE
    assert len(content) == snapshot.size


def test_a_snapshot_of_any_size_takes_little_memory(opening: Opening, etcd: StubEtcd) -> None:
    database = bytes(24 * 1024 * 1024)
    etcd.answers["maintenance/snapshot"] = snapshot_lines(database)
    with opening() as client:
        tracemalloc.start()
        got = sum(len(piece) for piece in client.snapshot())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert got == len(database) + 32
    assert peak < 10 * 1024 * 1024


def damaged() -> list[dict[str, Any]]:
    lines = snapshot_lines()
    return [lines[0], snapshot_lines(bytes(len(DATABASE)))[1], *lines[2:]]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (damaged(), "its checksum does not match"),
        (snapshot_lines()[:-1], "The snapshot ended after 262144 of 262176 bytes."),
        (snapshot_lines()[:3], "The snapshot ended after 98304 of 262176 bytes."),
        ([*snapshot_lines(), *snapshot_lines()], "more than it had announced"),
        ([], "announced a snapshot of"),
        ([{"result": {"remaining_bytes": str(1 << 60), "blob": "aGk="}}], "which is not read"),
        ([{"result": {"blob": "%"}}], "not base64"),
        ([{"result": {"remaining_bytes": "-1", "blob": "aGk="}}], "makes no sense (no number)"),
        ([b"hello\n"], "makes no sense (not JSON)"),
        ([b"x" * (5 << 20)], "makes no sense (too long a line)"),
        (
            [snapshot_lines()[0], {"error": {"grpc_code": 14, "message": "server\tstopped"}}],
            "refused: server?stopped.",
        ),
    ],
)
def test_a_snapshot_that_is_not_whole(
    opening: Opening, etcd: StubEtcd, lines: list[Any], text: str
) -> None:
    etcd.answers["maintenance/snapshot"] = lines
    with opening() as client, pytest.raises(EtcdFault) as caught:
        list(client.snapshot())
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (
            (400, {"error": "etcdserver: member not found", "code": 5}),
            5,
            "The cluster's etcd refused: etcdserver: member not found.",
        ),
        ((404, b"404 page not found"), 0, "is older than 3.4"),
        ((200, b"<html>"), 0, "makes no sense (not JSON)"),
        ((200, {"members": {}}), 0, "makes no sense (no members)"),
        ((200, {"members": [{"ID": "x"}]}), 0, "makes no sense (no number)"),
    ],
)
def test_an_error_of_etcd(
    opening: Opening, etcd: StubEtcd, answer: object, code: int, text: str
) -> None:
    etcd.answers["cluster/member/list"] = answer
    with opening() as client, pytest.raises(EtcdFault) as caught:
        client.members()
    assert text in caught.value.message
    assert caught.value.code == code


def test_the_node_reports_why_a_port_cannot_be_forwarded(opening: Opening, etcd: StubEtcd) -> None:
    etcd.broken = "dial tcp 127.0.0.1:2379: connect: connection refused"
    with pytest.raises(ClusterUnreachable) as caught, opening():
        pass
    assert "The connection to the cluster's etcd failed: " in caught.value.message
    assert "connection refused" in caught.value.message


@pytest.mark.parametrize(
    ("foreign", "text"),
    [("api", "cannot be used: it "), ("etcd", "The connection to the cluster's etcd failed")],
)
def test_a_certificate_of_another_cluster(opening: Opening, foreign: str, text: str) -> None:
    with pytest.raises(CseError) as caught, opening(foreign=foreign) as client:
        client.members()
    assert text in caught.value.message
    assert "Traceback" not in caught.value.message
