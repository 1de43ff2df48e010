"""A forwarded port, byte by byte: how messages come is up to the network."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.server import ServerProtocol

from cse_client.guest.pki import ADMIN_GROUP, ClusterPKI, issue_client
from cse_client.kube.credentials import Credentials
from cse_client.kube.forward import forward_port
from tests.support.etcd_stub import PORT
from tests.support.kube_stub import server_files

MESSAGES = (b"\x00" + PORT, b"\x01" + PORT, b"\x00hel", b"\x00lo", b"\x01it broke")


def answer(listener: socket.socket, context: ssl.SSLContext, *, together: bool) -> None:
    """Accept one connection, and send all that there is to send: at once, or by single bytes."""
    raw, _ = listener.accept()
    with context.wrap_socket(raw, server_side=True) as stream:
        web = ServerProtocol(subprotocols=["v4.channel.k8s.io"])  # type: ignore[list-item]
        requests: list[Any] = []
        while not requests:
            web.receive_data(stream.recv(65536))
            requests = web.events_received()
        web.send_response(web.accept(requests[0]))
        for message in MESSAGES:
            web.send_binary(message)
        data = b"".join(web.data_to_send())
        for piece in [data] if together else [data[at : at + 1] for at in range(len(data))]:
            stream.sendall(piece)
        stream.recv(65536)


@pytest.mark.parametrize("together", [True, False])
def test_messages_may_come_together_or_in_pieces(
    cluster_pki: ClusterPKI, tmp_path: Path, together: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_files(cluster_pki, tmp_path))
    admin = issue_client(
        cluster_pki, common_name="a", organizations=[ADMIN_GROUP], lifetime=timedelta(hours=1)
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=answer, args=(listener, context), kwargs={"together": together}
        )
        thread.start()
        port = listener.getsockname()[1]
        access = Credentials(
            f"https://127.0.0.1:{port}", cluster_pki.ca_cert, admin.cert, admin.key
        )
        with forward_port(access, "kube-system", "p", 2379, timeout=10, environ={}) as forward:
            forward.socket.settimeout(10)
            got = b""
            while len(got) < 5:
                got += forward.socket.recv(65536)
            assert got == b"hello"
        thread.join()
    assert forward.error in ("", "it broke")
