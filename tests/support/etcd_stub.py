"""An etcd's JSON gateway behind an API server that forwards ports, over real TLS and WebSocket.

The messages are those that a real etcd 3.6 behind a real API server was seen to send
(`tests/real/test_backup.py` is the judge of that).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from websockets.sync.server import ServerConnection, serve

from cse_client.guest.pki import ClusterPKI
from tests.support.kube_stub import QuietServer, server_files

PATH = "/api/v1/namespaces/kube-system/pods/etcd-mstr-1/portforward?ports=2379"
PORT = (2379).to_bytes(2, "little")
DATABASE = bytes(range(256)) * 1024


def snapshot_lines(database: bytes = DATABASE, piece: int = 32768) -> list[dict[str, Any]]:
    """The messages of a snapshot: zeros are left out, the checksum comes last."""
    lines = []
    for start in range(0, len(database), piece):
        left = len(database) - start - len(database[start : start + piece])
        lines.append(_line(database[start : start + piece], left))
    lines.append(_line(hashlib.sha256(database).digest(), 0))
    return lines


def _line(blob: bytes, left: int) -> dict[str, Any]:
    result: dict[str, Any] = {"blob": base64.b64encode(blob).decode(), "version": "3.6.0"}
    if left:
        result["remaining_bytes"] = str(left)
    return {"result": result}


@dataclass
class StubEtcd:
    """What it answers, by call; a list is a stream of lines."""

    pki: ClusterPKI
    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    seen: list[tuple[str, Any]] = field(default_factory=list)
    #: What the node reports instead of data.
    broken: str = ""

    def reset(self) -> None:
        self.seen, self.broken = [], ""
        self.answers = {
            "cluster/member/list": {
                "members": [
                    {
                        "ID": "9372538179322589801",
                        "name": "mstr-1",
                        "peerURLs": ["https://10.0.0.1:2380"],
                        "clientURLs": ["https://10.0.0.1:2379"],
                    },
                    {"ID": "10501334649042878790", "peerURLs": ["https://10.0.0.2:2380"]},
                ]
            },
            "maintenance/status": {
                "header": {"member_id": "9372538179322589801"},
                "version": "3.6.16",
                "dbSize": "3891200",
                "leader": "9372538179322589801",
            },
            "cluster/member/remove": {},
            "maintenance/snapshot": snapshot_lines(),
        }


def _gateway(etcd: StubEtcd) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            call = self.path.removeprefix("/v3/")
            etcd.seen.append((call, body))
            found = etcd.answers.get(call, (404, b"404 page not found"))
            if isinstance(found, list):
                self._stream(found)
                return
            status, content = found if isinstance(found, tuple) else (200, found)
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, lines: Iterable[Any]) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in lines:
                raw = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_words: object) -> None:
            pass

    return Handler


def _context(pki: ClusterPKI, folder: Path, name: str, *, strict: bool) -> ssl.SSLContext:
    folder.mkdir()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_files(pki, folder, name=name))
    context.load_verify_locations(cadata=pki.ca_cert.decode())
    context.verify_mode = ssl.CERT_REQUIRED if strict else ssl.CERT_OPTIONAL
    return context


@contextmanager
def running_etcd(pki: ClusterPKI, folder: Path) -> Iterator[StubEtcd]:
    """Serve until the end of the block."""
    etcd = StubEtcd(pki)
    etcd.reset()
    own = replace(pki, ca_cert=pki.etcd_cert, ca_key=pki.etcd_key)
    gateway = QuietServer(("127.0.0.1", 0), _gateway(etcd))
    context = _context(own, folder / "etcd", "localhost", strict=True)
    gateway.socket = context.wrap_socket(gateway.socket, server_side=True)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()

    def forward(web: ServerConnection) -> None:
        assert web.request is not None
        assert web.request.path == PATH, web.request.path
        web.send(b"\x00" + PORT)
        web.send(b"\x01" + PORT)
        if etcd.broken:
            web.send(b"\x01" + etcd.broken.encode())
            return
        with socket.create_connection(gateway.server_address[:2]) as inner:  # type: ignore[arg-type]
            threading.Thread(target=_outwards, args=(inner, web), daemon=True).start()
            with contextlib.suppress(Exception):
                for message in web:
                    assert isinstance(message, bytes)
                    assert message[0] == 0
                    inner.sendall(message[1:])

    def _outwards(inner: socket.socket, web: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            while data := inner.recv(32768):
                web.send(b"\x00" + data)
            web.close()

    with serve(
        forward,
        "127.0.0.1",
        0,
        ssl=_context(pki, folder / "api", "api.example.test", strict=True),
        subprotocols=["v4.channel.k8s.io"],  # type: ignore[list-item]
        compression=None,
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        etcd.url = f"https://127.0.0.1:{server.socket.getsockname()[1]}"
        try:
            yield etcd
        finally:
            server.shutdown()
            gateway.shutdown()
            gateway.server_close()
