"""How a guest's stand-ins reach the simulator: one loopback port, a secret token per guest.

A stand-in sends NUL-ended fields: token, command, working folder, KUBECONFIG, HOME, standard
input as base64, number of words, words. The answer is lines whose first letter says what the rest
is: o and e for a line of standard output and error (capitals: without its newline), h for a host
name to set, x for the exit code, which ends it.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Call", "CallAborted", "Channel", "Exchange", "exchange"]

_FIXED_FIELDS = 7
_LARGEST = 8 << 20


class CallAborted(BaseException):  # must pass through every `except Exception`
    """Whoever called the stand-in was killed."""


class Channel:
    """One connection from a guest."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()
        self._rest = b""

    def send(self, text: str) -> None:
        """Send text.

        Raises:
            CallAborted: the other side is gone.
        """
        try:
            with self._lock:
                self._socket.sendall(text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise CallAborted from error

    def gone(self, seconds: float) -> bool:
        """Wait up to `seconds`; True as soon as the other side hung up."""
        try:
            ready, _, _ = select.select([self._socket], [], [], seconds)
            return bool(ready) and not self._socket.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def line(self) -> str | None:
        """Return the next line from the guest, None at the end."""
        while b"\n" not in self._rest:
            try:
                data = self._socket.recv(4096)
            except OSError:
                return None
            if not data:
                return None
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode("utf-8", "replace")

    def fields(self) -> list[str] | None:
        """Return the fields of a call; None when the connection ends before they are complete."""
        data = b""
        count = None
        while count is None or data.count(b"\0") < count:
            try:
                more = self._socket.recv(65536)
            except OSError:
                return None
            if not more or len(data) > _LARGEST:
                return None
            data += more
            if count is None and data.count(b"\0") >= _FIXED_FIELDS:
                words = data.split(b"\0")[_FIXED_FIELDS - 1]
                if not words.isdigit():
                    return None
                count = _FIXED_FIELDS + int(words)
        parts = data.split(b"\0")
        self._rest = b"\0".join(parts[count:])
        return [part.decode("utf-8", "surrogateescape") for part in parts[:count]]

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@dataclass
class Call:
    """A stand-in at work: its words and surroundings, and where its output goes."""

    channel: Channel
    command: str
    folder: str
    kubeconfig: str
    home: str
    words: list[str]
    encoded_input: str = ""

    @property
    def stdin(self) -> bytes:
        """What was on standard input, where the words ask for it."""
        return base64.b64decode(self.encoded_input)

    @property
    def text(self) -> str:
        """The command line."""
        return " ".join([self.command, *self.words])

    def out(self, text: str, end: str = "\n") -> None:
        """Write to standard output."""
        self._lines("o", text + end)

    def err(self, text: str, end: str = "\n") -> None:
        """Write to standard error."""
        self._lines("e", text + end)

    def _lines(self, letter: str, text: str) -> None:
        parts = text.split("\n")
        answer = "".join(f"{letter}{part}\n" for part in parts[:-1])
        if parts[-1]:
            answer += f"{letter.upper()}{parts[-1]}\n"
        self.channel.send(answer)


class Exchange:
    """Listens for all guests of this process."""

    def __init__(self) -> None:
        self._guests: dict[str, Callable[[Channel, list[str]], None]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.listen(self._listener)

    def listen(self, listener: socket.socket) -> None:
        """Answer calls on a further socket, until it is closed."""
        threading.Thread(
            target=self._accept, args=(listener,), name="guest-exchange", daemon=True
        ).start()

    def register(self, handler: Callable[[Channel, list[str]], None]) -> str:
        """Have calls with the returned token answered by `handler(channel, fields)`."""
        token = secrets.token_hex(16)
        self._guests[token] = handler
        return token

    def forget(self, token: str) -> None:
        """Stop answering this token."""
        self._guests.pop(token, None)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(
                target=self._serve, args=(connection,), name="guest-call", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        channel = Channel(connection)
        try:
            fields = channel.fields()
            handler = self._guests.get(fields[0]) if fields else None
            if fields and handler:
                handler(channel, fields)
        finally:
            channel.close()


_only: list[Exchange] = []
_lock = threading.Lock()


def exchange() -> Exchange:
    """Return this process's exchange, listening since its first use."""
    with _lock:
        if not _only:
            _only.append(Exchange())
        return _only[0]
