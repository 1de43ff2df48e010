"""How a new control plane gets a snapshot: the script's bash and openssl, the client's sending."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cse_client.errors import ClusterUnreachable
from cse_client.guest.pki import ClusterPKI, issue_client, mint_pki, pki_to_files
from cse_client.kube.credentials import Credentials
from cse_client.kube.tls import client_context
from cse_client.kube.upload import Upload
from tests.support.kube_stub import server_files
from tests.support.shell import SCRIPTS, Guest, can_unshare
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(not can_unshare(), reason="needs namespaces")

CONTENT = os.urandom(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
DATA = f"SNAPSHOT={DIGEST} SIZE={len(CONTENT)} ETCD=3.6.16\n"


@pytest.fixture(scope="module")
def pki() -> ClusterPKI:
    return mint_pki("demo")


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def guest(tmp_path: Path, pki: ClusterPKI, port: int) -> Guest:
    for name in ("bin", "var/lib", "var/log", "run", "root", "etc/kubernetes/pki/etcd"):
        (tmp_path / name).mkdir(parents=True)
    guest = Guest(tmp_path)
    for name in ("vmtoolsd", "systemctl", "sync"):
        guest.command(name, "exit 0")
    # on this machine the API server's port may be in use
    guest.command("openssl", f'exec /usr/bin/openssl "${{@/%6443/{port}}}"')
    folder = tmp_path / "etc/kubernetes/pki"
    for path, content in pki_to_files(pki).items():
        (folder / path).write_bytes(content)
    made = server_files(pki, tmp_path)
    made[0].rename(folder / "apiserver.crt")
    made[1].rename(folder / "apiserver.key")
    return guest


def upload(pki: ClusterPKI, port: int, signer: str = "front_proxy") -> Upload:
    pair = (getattr(pki, f"{signer}_cert"), getattr(pki, f"{signer}_key"))
    client = issue_client(
        pair, common_name="cse:restore", organizations=[], lifetime=timedelta(hours=1)
    )
    access = Credentials(f"https://127.0.0.1:{port}", pki.ca_cert, client.cert, client.key)
    return Upload(access, 10.0, environ={})


@pytest.fixture
def receiving(guest: Guest) -> Iterator[threading.Thread]:
    """A control plane that waits for its snapshot."""
    code = "IP=127.0.0.1\n" + SCRIPTS.joinpath("restore.sh").read_text() + "\nstep_snapshot"
    thread = threading.Thread(target=guest.run, args=(code,), kwargs={"data": DATA})
    thread.start()
    yield thread
    thread.join()


def sent(sender: Upload, content: bytes) -> bool:
    pieces = (content[at : at + 100_000] for at in range(0, len(content), 100_000))
    return sender.attempt(lambda: pieces)


def test_only_our_snapshot_arrives(
    guest: Guest, receiving: threading.Thread, pki: ClusterPKI, port: int
) -> None:
    ours = upload(pki, port)
    until(lambda: sent(ours, b""), "it listens", 30)
    # a kubelet of the cluster, which asks for the API meanwhile
    sent(upload(pki, port, "ca"), b"GET / HTTP/1.1\r\n\r\n" * 1000)
    context = client_context(pki.ca_cert)
    with (
        socket.create_connection(("127.0.0.1", port)) as stranger,
        pytest.raises(OSError),
        context.wrap_socket(stranger, server_hostname="127.0.0.1") as it,
    ):
        it.sendall(b"x" * 100_000)
        it.recv(1)
        it.recv(1)
    # a transfer that breaks off: what came of it is thrown away with the rest
    sent(ours, CONTENT[:1_000_000])
    while receiving.is_alive():
        with contextlib.suppress(ClusterUnreachable):  # as `Restoration` does
            sent(ours, CONTENT)
        receiving.join(2)
    assert (guest.folder / "var/lib/cse-bootstrap/snapshot.db").read_bytes() == CONTENT
    assert not sent(ours, CONTENT), "nobody listens any longer"


def test_nothing_is_sent_to_anybody_else(pki: ClusterPKI, port: int, tmp_path: Path) -> None:
    """An API server, or whoever else has a certificate of the cluster, gets no snapshot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_files(pki, tmp_path))
    got = []
    with socket.create_server(("127.0.0.1", port)) as server:

        def answer() -> None:
            raw, _ = server.accept()
            with context.wrap_socket(raw, server_side=True) as stream:
                got.append(stream.recv(1))

        thread = threading.Thread(target=answer)
        thread.start()
        assert sent(upload(pki, port), CONTENT) is False
        thread.join()
    assert got == [b""]


def test_a_connection_that_breaks_is_an_error(pki: ClusterPKI, port: int, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_files(pki, tmp_path))
    context.set_alpn_protocols(["cse-snapshot"])
    with socket.create_server(("127.0.0.1", port)) as server:

        def answer() -> None:
            raw, _ = server.accept()
            context.wrap_socket(raw, server_side=True).close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ClusterUnreachable):
            sent(upload(pki, port), CONTENT * 20)
        thread.join()
