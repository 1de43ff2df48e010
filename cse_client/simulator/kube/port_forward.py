"""The WebSocket of a pod's portforward, protocol v4.channel.k8s.io, for one port.

kubernetes:staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go: a binary message
begins with its channel, 0 for data and 1 for an error; the first message of each is the port.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping

__all__ = ["Stream", "serve_forward"]

#: Serves one connection to a port until it ends.
Stream = Callable[[socket.socket], None]

_PROTOCOL = "v4.channel.k8s.io"
_PIECE = 32 * 1024


def serve_forward(
    connection: socket.socket, target: str, headers: Mapping[str, str], port: int, stream: Stream
) -> None:
    """Accept the upgrade that was asked for with `headers`, and pass on bytes until one end closes.

    Raises:
        OSError: the client has left.
    """
    from websockets.frames import Frame, Opcode
    from websockets.server import ServerProtocol

    web = ServerProtocol(subprotocols=[_PROTOCOL])  # type: ignore[list-item]
    lock = threading.Lock()

    def send(message: bytes | None = None) -> None:
        with lock:
            if message is not None:
                web.send_binary(message)
            for data in web.data_to_send():
                if data:
                    connection.sendall(data)

    head = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    web.receive_data(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
    (request,) = web.events_received()
    web.send_response(web.accept(request))  # type: ignore[arg-type]
    send()
    near, far = socket.socketpair()
    threading.Thread(target=stream, args=(far,), name="port-forward", daemon=True).start()
    number = port.to_bytes(2, "little")
    send(b"\0" + number)
    send(b"\1" + number)

    def back() -> None:
        with contextlib.suppress(OSError):
            while piece := near.recv(_PIECE):
                send(b"\0" + piece)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=back, name="port-forward", daemon=True).start()
    try:
        while data := connection.recv(_PIECE):
            web.receive_data(data)
            for frame in web.events_received():
                binary = isinstance(frame, Frame) and frame.opcode is Opcode.BINARY
                data = bytes(frame.data) if isinstance(frame, Frame) and binary else b""
                if data[:1] == b"\0":
                    near.sendall(data[1:])
            send()
    finally:
        near.close()
