"""etcd's JSON gateway on a control plane: its members, removing one, and a snapshot.

etcd's documentation, "gRPC gateway": POST with JSON, 64-bit numbers as strings, what is empty or
zero left out. Clients need a certificate of etcd's own CA, as kubeadm configures it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import ssl
import tempfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cse_client.simulator.guest.snapshots import snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cse_client.simulator.guest.etcd import Etcd

__all__ = ["PORT", "serve_gateway"]

PORT = 2379
_NO_MEMBER, _UNHEALTHY = 5, 9
#: etcd reads a snapshot in pieces of this size (etcd: server/etcdserver/api/v3rpc, maintenance.go).
_PIECE = 32 * 1024


def serve_gateway(etcd: Etcd, connection: socket.socket, files: dict[str, bytes]) -> None:
    """Serve one connection; `files` are those of /etc/kubernetes/pki."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    handle, name = tempfile.mkstemp(prefix="etcd-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(files["etcd/server.crt"] + b"\n" + files["etcd/server.key"])
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
    context.load_verify_locations(cadata=files["etcd/ca.crt"].decode())
    context.verify_mode = ssl.CERT_REQUIRED
    # validity is judged by the simulated clock elsewhere
    context.verify_flags |= 0x200000

    class Gateway(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = json.loads(self.rfile.read(length) or b"{}")
            if self.path == "/v3/maintenance/snapshot":
                self._stream(_snapshot(etcd))
                return
            status, answer = etcd.api.outside.around(
                "POST", self.path, lambda: _answer(etcd, self.path, body)
            )
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, lines: Iterator[dict[str, Any]]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in lines:
                content = json.dumps({"result": line}).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_arguments: object) -> None:
            """Keep quiet."""

    with (
        contextlib.suppress(OSError, ValueError),
        connection,
        context.wrap_socket(connection, server_side=True) as secure,
    ):
        Gateway(secure, ("127.0.0.1", 0), None)  # type: ignore[arg-type]


def _answer(etcd: Etcd, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    members = etcd.members()
    if path == "/v3/cluster/member/list":
        return 200, {"members": [_member(one) for one in members]}
    if path == "/v3/cluster/member/remove":
        return _remove(members, body)
    if path == "/v3/maintenance/status":
        return 200, {
            "header": {"member_id": str(etcd.number)},
            "version": etcd.version,
            "dbSize": str(len(snapshot_of(etcd.api))),
            "leader": str(etcd.leader().number),
        }
    if path == "/v3/maintenance/transfer-leadership":
        return _transfer(etcd, body)
    # gRPC's code for what a server does not implement, and the status that its gateway makes of it
    return 501, {"code": 12, "message": f"the simulator has no {path}; it has no etcd"}


def _remove(members: list[Etcd], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    found = [one for one in members if str(one.number) == str(body.get("ID"))]
    if not found:
        return 404, {"code": _NO_MEMBER, "message": "etcdserver: member not found"}
    left = [one for one in members if one is not found[0]]
    if sum(one.running for one in left) < len(left) // 2 + 1:
        return 400, {"code": _UNHEALTHY, "message": "etcdserver: unhealthy cluster"}
    found[0].leave()
    return 200, {"members": [_member(one) for one in left]}


def _transfer(etcd: Etcd, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    members = etcd.members()
    if etcd.leader() is not etcd:
        return 400, {"code": _UNHEALTHY, "message": "etcdserver: not leader"}
    found = [one for one in members if str(one.number) == str(body.get("targetID"))]
    if not found or not found[0].running:
        return 400, {"code": _UNHEALTHY, "message": "etcdserver: bad leader transferee"}
    etcd.lead(found[0])
    return 200, {}


def _snapshot(etcd: Etcd) -> Iterator[dict[str, Any]]:
    """Yield the messages of a snapshot: the checksum comes last and is not counted."""
    database = snapshot_of(etcd.api)
    for start in range(0, len(database), _PIECE):
        piece = database[start : start + _PIECE]
        left = len(database) - start - len(piece)
        more = {"remaining_bytes": str(left)} if left else {}
        yield {"blob": base64.b64encode(piece).decode(), "version": etcd.version, **more}
    digest = hashlib.sha256(database).digest()
    yield {"blob": base64.b64encode(digest).decode(), "version": etcd.version}


def _member(one: Etcd) -> dict[str, Any]:
    if not one.started:
        return {
            "ID": str(one.number),
            "peerURLs": [f"https://{one.address}:2380"],
            "isLearner": True,
        }
    return {
        "ID": str(one.number),
        "name": one.node,
        "peerURLs": [f"https://{one.address}:2380"],
        "clientURLs": [f"https://{one.address}:2379"],
    }
