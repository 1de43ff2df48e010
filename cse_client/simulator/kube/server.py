"""HTTPS in front of a cluster's API: TLS with client certificates, HTTP/1.1, watches in chunks.

One thread per connection, and one that accepts; none when the server is stopped. The handshake is
done in the connection's own thread, so that an idle client blocks nobody. A request's body is
always read, even when it is refused: the next request on the connection would be garbage else.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Mapping
from email.utils import format_datetime
from http.client import responses
from pathlib import Path
from typing import Any

from cse_client.simulator.kube.api import Api
from cse_client.simulator.kube.errors import ApiError, internal
from cse_client.simulator.kube.port_forward import serve_forward
from cse_client.simulator.kube.requests import Answer, Call
from cse_client.simulator.outside import Outside

__all__ = ["Server", "tls_context"]

_LONGEST_HEAD = 64 * 1024
_LONGEST_BODY = 8 * 1024 * 1024
_IDLE_SECONDS = 300.0
_HANDSHAKE_SECONDS = 10.0
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME: validity is judged by the simulated clock (authn.py).
_NO_CHECK_TIME = 0x200000
_BACKLOG = 256


_LOG = logging.getLogger(__name__)


class _Gone(Exception):
    """The client has left, or speaks no HTTP."""


def tls_context(certificate: bytes, key: bytes, client_ca: bytes) -> ssl.SSLContext:
    """Return the server's TLS context.

    Raises:
        ValueError: the PEM texts do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        _load(context, certificate, key)
        context.load_verify_locations(cadata=client_ca.decode())
    except ssl.SSLError as error:
        raise ValueError(
            f"the API server's certificate, key or CA cannot be used: {error}"
        ) from None
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= _NO_CHECK_TIME
    return context


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix="kube-api-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate + b"\n" + key)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


class Server:
    """Serves one `Api` on one address until `close`."""

    def __init__(
        self, api: Api, host: str, port: int, context: ssl.SSLContext, outside: Outside
    ) -> None:
        self._api = api
        self.outside = outside
        self._context = context
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(_BACKLOG)
        except OSError:
            self._socket.close()
            raise
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._thread = threading.Thread(
            target=self._accept, name=f"kube-api {host}:{self.address[1]}", daemon=True
        )
        self._thread.start()

    def shares(self, other: Server) -> bool:
        """Return whether both are addresses of one API server."""
        return self._context is other._context

    def beside(self, host: str) -> Server:
        """Return another server with the same port, certificate and API.

        Raises:
            OSError: the address is taken.
        """
        return Server(self._api, host, self.address[1], self._context, self.outside)

    def replace_certificate(self, certificate: bytes, key: bytes) -> None:
        """Present another certificate to those who connect from now on."""
        _load(self._context, certificate, key)

    def close(self) -> None:
        """Close the listening socket and every connection; returns when accepting has ended."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            connections = list(self._open)
        # Closing alone would not wake the thread that waits in accept.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5)

    @property
    def closed(self) -> bool:
        """Whether the server has been closed."""
        return self._closed

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._open.add(connection)
            threading.Thread(
                target=self._serve, args=(connection,), name="kube-api connection", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        current = connection
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(_HANDSHAKE_SECONDS)
            # Python's wrap_socket leaves a socket open whose peer has left.
            connection.getpeername()
            current = self._context.wrap_socket(connection, server_side=True)
            with self._lock:
                self._open.discard(connection)
                self._open.add(current)
                if self._closed:
                    return
            current.settimeout(_IDLE_SECONDS)
            _Connection(self, self._api, current).run()
        except (OSError, ValueError, _Gone):
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
                self._open.discard(current)
            with contextlib.suppress(OSError):
                current.close()
            with contextlib.suppress(OSError):
                connection.close()


class _Connection:
    """One client's connection: requests in, answers out, in order."""

    def __init__(self, server: Server, api: Api, connection: ssl.SSLSocket) -> None:
        self._server = server
        self._api = api
        self._socket = connection
        self._certificate: Mapping[str, Any] | None = connection.getpeercert()
        self._buffer = b""

    def run(self) -> None:
        while not self._server.closed:
            head = self._head()
            if head is None:
                return
            method, target, headers = head
            if headers.get("expect", "").lower() == "100-continue":
                self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = self._body(headers)
            answer = self._received(method, target, headers, body)
            if answer.forward is not None:
                port, stream = answer.forward
                self._socket.settimeout(None)
                serve_forward(self._socket, target, headers, port, stream)
                return
            if answer.stream is not None:
                self._send_stream(answer)
                return
            keep = headers.get("connection", "").lower() != "close"
            self._send(answer, keep=keep, head_only=method == "HEAD")
            if not keep:
                return

    def _received(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        def work() -> Answer:
            return self._answer(method, target, headers, body)

        if "user-agent" not in headers:
            return work()
        return self._server.outside.around(method, target, work)

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            user = self._api.identify(self._certificate, headers)
            kind = headers.get("content-type", "application/json" if not body else "")
            call = Call.of(method, target, user, headers=headers, body=body, content_type=kind)
            return self._api.answer(call)
        except ApiError as error:
            return Answer.refusal(error)
        except Exception as error:  # noqa: BLE001
            # A fault of ours is a 500 to the client, as in a real API server, and shows here.
            _LOG.exception("%s %s", method, target.split("?", maxsplit=1)[0])
            return Answer.refusal(internal(f"{type(error).__name__}: {error}"))

    def _more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise _Gone
        self._buffer += data

    def _head(self) -> tuple[str, str, dict[str, str]] | None:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _LONGEST_HEAD:
                raise _Gone
            if not self._buffer:
                data = self._socket.recv(65536)
                if not data:
                    return None
                self._buffer = data
            else:
                self._more()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004
            raise _Gone
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            # Only the impersonated groups come as repeated headers that are not lists.
            glue = "\n" if key.startswith("impersonate-") else ","
            value = value.strip()
            headers[key] = f"{headers[key]}{glue}{value}" if key in headers else value
        return words[0], words[1], headers

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _LONGEST_BODY:
            raise _Gone
        return self._take(int(length))

    def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._more()
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._more()
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line

    def _chunks(self) -> bytes:
        body = b""
        while True:
            try:
                size = int(self._line().split(b";")[0], 16)
            except ValueError:
                raise _Gone from None
            if size == 0:
                while self._line():
                    pass
                return body
            body += self._take(size)
            self._line()
            if len(body) > _LONGEST_BODY:
                raise _Gone

    def _start(self, answer: Answer, *more: str) -> bytes:
        lines = [
            f"HTTP/1.1 {answer.code} {responses.get(answer.code, 'Unknown')}",
            f"Content-Type: {answer.content_type}",
            "Cache-Control: no-cache, private",
            # as Go's net/http does for every server
            f"Date: {format_datetime(self._api.now(), usegmt=True)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
            *more,
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _send(self, answer: Answer, *, keep: bool, head_only: bool) -> None:
        payload = answer.payload()
        more = [f"Content-Length: {len(payload)}"]
        if not keep:
            more.append("Connection: close")
        head = self._start(answer, *more)
        self._socket.sendall(head if head_only else head + payload)

    def _send_stream(self, answer: Answer) -> None:
        self._socket.sendall(self._start(answer, "Transfer-Encoding: chunked"))
        for line in answer.stream or ():
            if self._server.closed:
                return
            if line:
                self._socket.sendall(b"%x\r\n%s\r\n" % (len(line), line))
            elif self._left():
                return
        self._socket.sendall(b"0\r\n\r\n")

    def _left(self) -> bool:
        """Whether the client of a watch has closed the connection."""
        self._socket.settimeout(0)
        try:
            return not self._socket.recv(1)
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        finally:
            with contextlib.suppress(OSError):
                self._socket.settimeout(_IDLE_SECONDS)
