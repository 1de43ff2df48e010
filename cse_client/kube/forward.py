"""A stream to a port of a pod, through the API server: what `kubectl port-forward` does.

The subresource `portforward` speaks WebSocket with the protocol v4.channel.k8s.io: every binary
message begins with the number of its channel, 0 for data and 1 for an error's text, and the first
message of each channel is the port number, two bytes, low byte first
(kubernetes:staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go).
"""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from cse_client import bounds
from cse_client.content import plain
from cse_client.errors import ClusterUnreachable
from cse_client.kube.credentials import Credentials
from cse_client.kube.proxy import proxy_for
from cse_client.kube.serving import connection_to
from cse_client.kube.tls import client_context
from cse_client.kube.unreachable import explain, explain_status

__all__ = ["Forward", "forward_port"]

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
#: Bytes of one message: runtimes copy pieces of 32 KiB.
_MOST_MESSAGE = 1024 * 1024
_PIECE = 64 * 1024
_LONGEST_WRITE = 30.0
_LONGEST_REASON = 200
_NOT_FOUND = 404


class Forward:
    """The stream `socket`, and what the pod's node reported when it broke.

    One thread does all reading and writing on the TLS connection: OpenSSL's objects do not bear two
    at a time.
    """

    def __init__(self, web: _Web) -> None:
        self.socket, self._far = socket.socketpair()
        self._web = web
        self._seen = {_DATA: False, _ERROR: False}
        self._error = ""
        threading.Thread(target=self._pump, name="port-forward", daemon=True).start()

    @property
    def error(self) -> str:
        """What the pod's node reported, fit for a message; empty if nothing."""
        return self._error

    def close(self) -> None:
        """End the stream."""
        # the thread sees the end and closes the connection
        with contextlib.suppress(OSError):
            self._far.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _pump(self) -> None:
        web, far = self._web, self._far
        # whatever ends the connection, the reader sees the end of the stream
        with contextlib.suppress(Exception):
            while True:
                ready = web.wait(far)
                for message in web.receive():
                    self._receive(message[0], message[1:])
                if ready:
                    piece = far.recv(_PIECE)
                    if not piece:
                        break
                    web.send(bytes([_DATA]) + piece)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)
        far.close()
        web.close()

    def _receive(self, channel: int, data: bytes) -> None:
        if channel not in self._seen:
            return
        if not self._seen[channel]:
            self._seen[channel] = True
            data = data[2:]
        if channel == _DATA:
            self._far.sendall(data)
        elif data:
            text = data[:_LONGEST_REASON].decode("utf-8", "replace")
            self._error = plain(text, _LONGEST_REASON)


class _Web:
    """A WebSocket connection: the library's protocol on a TLS connection that never blocks."""

    def __init__(self, stream: ssl.SSLSocket, uri: str) -> None:
        from websockets.client import ClientProtocol
        from websockets.uri import parse_uri

        self._stream = stream
        self._protocol = ClientProtocol(
            parse_uri(uri),
            subprotocols=[_PROTOCOL],  # type: ignore[list-item]
            max_size=_MOST_MESSAGE,
        )
        self._message = b""
        self._early: list[Any] = []

    def open(self, token: str, seconds: float) -> None:
        """Shake hands; raises what the library or the connection raises."""
        request = self._protocol.connect()
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        self._protocol.send_request(request)
        self._flush()
        end = time.monotonic() + seconds
        while True:
            select.select([self._stream], [], [], max(0.0, end - time.monotonic()))
            if time.monotonic() >= end:
                raise TimeoutError
            self._read()
            if self._protocol.handshake_exc is not None:
                raise self._protocol.handshake_exc
            # the first messages may come together with the answer to the handshake
            events = self._protocol.events_received()
            if events:
                self._early = events[1:]
                return

    def wait(self, other: socket.socket) -> bool:
        """Wait until there is something to read, here or from `other`; return whether there."""
        nothing_here = 0 if self._early or self._stream.pending() else None
        ready, _, _ = select.select([self._stream, other], [], [], nothing_here)
        return other in ready

    def receive(self) -> Iterator[bytes]:
        """Yield the messages that have come, none of them empty; raises at the end."""
        from websockets.frames import Frame, Opcode

        self._read()
        self._flush()  # the answer to a ping
        early, self._early = self._early, []
        for event in (*early, *self._protocol.events_received()):
            if not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.CLOSE:
                raise EOFError
            if event.opcode in (Opcode.BINARY, Opcode.CONT):
                self._message += event.data
                if event.fin:
                    message, self._message = self._message, b""
                    if message:
                        yield message

    def send(self, message: bytes) -> None:
        """Send one message."""
        self._protocol.send_binary(message)
        self._flush()

    def close(self) -> None:
        """Say good-bye as far as that can be done at once, and close the connection."""
        with contextlib.suppress(Exception):
            self._protocol.send_close()
            self._flush()
        self._stream.close()

    def _read(self) -> None:
        try:
            data = self._stream.recv(_PIECE)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
            if self._protocol.handshake_exc is None:
                raise EOFError

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            left = memoryview(data)
            while left:
                try:
                    left = left[self._stream.send(left) :]
                except ssl.SSLWantWriteError:
                    if not select.select([], [self._stream], [], _LONGEST_WRITE)[1]:
                        raise TimeoutError from None
                except ssl.SSLWantReadError:
                    select.select([self._stream], [], [], _LONGEST_WRITE)


@contextlib.contextmanager
def forward_port(
    access: Credentials,
    namespace: str,
    pod: str,
    port: int,
    *,
    timeout: float,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Forward]:
    """Give a stream to `port` of a pod; `timeout` in seconds bounds connecting.

    That the port is open at all shows only when the stream is used.

    Raises:
        ClusterUnreachable: the API server does not answer, or refuses.
    """
    from websockets.exceptions import InvalidStatus, WebSocketException

    proxy = proxy_for(access.server, os.environ if environ is None else environ)
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
    url = urlsplit(access.server)._replace(scheme="wss", path=path, query=f"ports={port}")
    context = client_context(access.ca, access.certificate, access.key)

    def work() -> _Web:
        connection = connection_to(access.server, proxy, timeout, context)
        connection.connect()
        connection.sock.setblocking(False)
        web = _Web(connection.sock, urlunsplit(url))
        try:
            web.open(access.token, timeout)
        except BaseException:
            connection.close()
            raise
        return web

    try:
        peer = f"the Kubernetes API at {access.server}"
        web = bounds.within(2 * timeout, work, peer=peer)
    except InvalidStatus as refusal:
        status = refusal.response.status_code
        if status == _NOT_FOUND:
            raise _no_pod(namespace, pod) from None
        raise explain_status(status, access.server, proxy) from None
    except (WebSocketException, http.client.HTTPException, OSError, ValueError) as error:
        raise explain(error, access.server, proxy) from None
    forward = Forward(web)
    try:
        yield forward
    finally:
        forward.close()


def _no_pod(namespace: str, pod: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"The cluster has no running pod {pod} in the namespace {namespace}.", reason="not found"
    )
