"""HTTPS on loopback: connections, requests in, answers out. It knows nothing of VCD.

One thread per connection, HTTP/1.1 keep-alive. The TLS handshake is done in the connection's own
thread, so that an idle client blocks nobody; headers and body leave in one piece with
TCP_NODELAY, because Nagle's algorithm and delayed ACKs would cost 40 ms a request otherwise.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["Application", "DropConnection", "HttpServer", "Request", "Response"]

_LONGEST_BODY = 32 * 1024 * 1024
_IDLE_SECONDS = 300.0
_BLANKS = b" " * 65536


@dataclass(frozen=True)
class Request:
    """One request as it came.

    `path` is decoded; `query` is the part after the question mark, still encoded. `headers` have
    lower-case names. `host` is what the client called us, and what hrefs are built from.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    host: str


@dataclass
class Response:
    """An answer: status, body, its media type and further headers.

    For faults: `padding` blanks follow the body, and `pause` seconds pass before each byte.
    """

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    padding: int = 0
    pause: float = 0.0


class DropConnection(Exception):
    """Raised by an application that wants the connection cut without an answer."""


Application = Callable[[Request], Response]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: HttpServer

    def setup(self) -> None:
        self.request.settimeout(self.timeout)
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.server.adopt(self.request)
        super().setup()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.server.release(self.request)
        with contextlib.suppress(OSError):
            self.request.close()

    def handle_one_request(self) -> None:
        """Read one request, whole, and answer it."""
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self._read_body()
        except (OSError, ValueError):
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(parts.path),
            query=parts.query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            host=self.headers.get("Host", ""),
        )
        try:
            response = self.server.application(request)
        except DropConnection:
            self._drop()
            return
        with contextlib.suppress(OSError):
            self._write(response)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LONGEST_BODY:
            raise ValueError("body too long")
        return self.rfile.read(length) if length else b""

    def _read_chunks(self) -> bytes:
        parts = []
        while True:
            size = int(self.rfile.readline(100).split(b";")[0], 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline(10)
            if size == 0:
                return b"".join(parts)

    def _write(self, response: Response) -> None:
        lines = [f"HTTP/1.1 {response.status} {responses.get(response.status, '')}"]
        if response.content_type:
            lines.append(f"Content-Type: {response.content_type}")
        lines.extend(f"{name}: {value}" for name, value in response.headers.items())
        if response.status != 204:  # noqa: PLR2004  (no body, and no length of one)
            lines.append(f"Content-Length: {len(response.body) + response.padding}")
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        body = b"" if self.command == "HEAD" else response.body
        if response.pause:
            self._trickle(head + body, response.pause)
            return
        self.wfile.write(head + body)
        for _ in range(0, response.padding, len(_BLANKS)):
            self.wfile.write(_BLANKS)
        self.wfile.flush()

    def _trickle(self, data: bytes, pause: float) -> None:
        """Send an answer byte by byte."""
        for at in range(len(data)):
            time.sleep(pause)
            self.wfile.write(data[at : at + 1])
            self.wfile.flush()

    def _drop(self) -> None:
        """Cut the line at once, as a crashed proxy does."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet; the journal has it."""


class HttpServer(ThreadingHTTPServer):
    """A TLS server bound to 127.0.0.1 that hands each request to one callable.

    Args:
        port: the port to listen on; 0 takes a free one.
        context: the TLS context with the server's certificate.
        application: answers a request; called in the connection's thread.

    Raises OSError when the port is taken.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, port: int, context: ssl.SSLContext, application: Application) -> None:
        self.context = context
        self.application = application
        self._connections: set[Any] = set()
        self._connections_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="vcd-simulator"
        )
        self._thread.daemon = True
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and cut every open connection."""
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
            self._thread = None
        self.server_close()
        with self._connections_lock:
            open_ones = list(self._connections)
        for connection in open_ones:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def adopt(self, connection: Any) -> None:
        """Remember an open connection."""
        with self._connections_lock:
            self._connections.add(connection)

    def release(self, connection: Any) -> None:
        """Forget a connection."""
        with self._connections_lock:
            self._connections.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore what clients do to connections; anything else is a defect and must be seen."""
        import sys
        import traceback

        error = sys.exc_info()[1]
        if not isinstance(error, (OSError, ssl.SSLError)):
            traceback.print_exc()
        with contextlib.suppress(OSError):
            request.close()
