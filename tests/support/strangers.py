"""Servers that hurt whoever believes them: they trickle, never end, or are not what they seem.

Each connection is answered by one `Manner`, a function of the connected socket (TLS or not) that
is called once a request's head has been read. The bytes go over real sockets, because what is
tested is whether a client that reads them ends in time and in memory.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["MANNERS", "Manner", "Stranger", "answer", "before_the_request"]

Manner = Callable[[Any, threading.Event], None]

_PAUSE = 0.1
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Stranger:
    """A server on loopback; `seen` has the head of each request, headers included."""

    def __init__(self, manner: Manner, context: ssl.SSLContext | None = None) -> None:
        self.manner = manner
        self.seen: list[str] = []
        self._context = context
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def base(self) -> str:
        """The server's address."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop, and end every answer that is under way."""
        self._stopped.set()
        self._listener.close()

    def __enter__(self) -> Stranger:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Any) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            if getattr(self.manner, "before", False):
                self.manner(connection, self._stopped)
                return
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    head += piece
                self.seen.append(head.decode("latin-1"))
                self.manner(connection, self._stopped)


def before_the_request(manner: Manner) -> Manner:
    """Mark a manner that answers a connection before TLS and before the request."""
    manner.before = True  # type: ignore[attr-defined]
    return manner


def answer(status: str, body: bytes = b"", **headers: str) -> Manner:
    """Answer once, and close."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    raw = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def once(connection: Any, _stopped: threading.Event) -> None:
        connection.sendall(raw)
        # what is not read when a connection is closed resets it, and takes the answer along
        connection.settimeout(0.3)
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass

    return once


def _drip(start: bytes, drop: bytes) -> Manner:
    def dripping(connection: Any, stopped: threading.Event) -> None:
        connection.sendall(start)
        while not stopped.wait(_PAUSE):
            connection.sendall(drop)

    return dripping


def _pour(start: bytes, piece: bytes) -> Manner:
    def pouring(connection: Any, stopped: threading.Event) -> None:
        connection.sendall(start)
        while not stopped.is_set():
            connection.sendall(piece)

    return pouring


def _zeros(times: int) -> bytes:
    """Return a gzip of zeros: about a thousandth of their number."""
    return gzip.compress(b"\0" * (times << 20))


@before_the_request
def _accepts_only(_connection: Any, stopped: threading.Event) -> None:
    stopped.wait()


@before_the_request
def _trickling_handshake(connection: Any, stopped: threading.Event) -> None:
    # the beginning of a TLS record of 16 KiB: a ServerHello that never ends
    connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")
    while not stopped.wait(_PAUSE):
        connection.sendall(b"\x01")


#: What a stranger may do, and what of it ends a request: its time, or its size.
MANNERS: dict[str, tuple[str, Manner]] = {
    "silence": ("time", _drip(b"", b"")),
    "accepts only": ("time", _accepts_only),
    "slow headers": ("time", _drip(_HEAD + b"X-Slow: ", b"x")),
    "endless informational answers": ("time", _drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "slow body": ("time", _drip(_HEAD + b"Content-Length: 99999\r\n\r\n", b" ")),
    "slow chunks": ("time", _drip(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")),
    "endless body": ("size", _pour(_HEAD + b"\r\n", b" " * 65536)),
    "huge body": ("size", _pour(_HEAD + b"Content-Length: 9999999999\r\n\r\n", b" " * 65536)),
    "compressed body": ("size", answer("200 OK", _zeros(64), Content_Encoding="gzip")),
    "endless chunk header": (
        "anything",
        _pour(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    ),
    "endless headers": ("anything", _pour(_HEAD, b"X-More: " + b"x" * 1000 + b"\r\n")),
}
TRICKLING_HANDSHAKE = _trickling_handshake
