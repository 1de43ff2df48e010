"""The program `cse` in forks of a process that has imported it; see `fork_server.py`."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

_SERVER = Path(__file__).with_name("fork_server.py")
#: A fork cannot change what the interpreter, its loader or the C library read when they started.
_FIXED = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_")
#: All of stdin is written before the program reads; a pipe holds no more than this.
_MOST_INPUT = 60_000
_starting = Lock()
_servers: list[ForkServer] = []


class ForkServer:
    """A running fork server, with an environment of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._fixed = _fixed(environment)
        self._folder = tempfile.TemporaryDirectory()
        self._path = str(Path(self._folder.name) / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._path)
            listener.listen(64)
            self._process = subprocess.Popen(
                [sys.executable, str(_SERVER), str(listener.fileno())],
                env=environment,
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
            )

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._folder.cleanup()

    def can_run(self, environment: Mapping[str, str], stdin: bytes) -> bool:
        """Return whether a fork can be what a new process would have been."""
        return _fixed(environment) == self._fixed and len(stdin) <= _MOST_INPUT

    def run(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        stdin: bytes,
        timeout: float,
    ) -> tuple[int, bytes, bytes]:
        """Run `cse` to its end; return its exit code, stdout and stderr.

        Raises:
            subprocess.TimeoutExpired: it was killed, as it did not end in time.
        """
        request = {"words": words, "folder": str(folder), "environment": dict(environment)}
        reading, writing = os.pipe()
        os.write(writing, stdin)
        os.close(writing)
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            socket.socket(socket.AF_UNIX) as asking,
        ):
            asking.settimeout(timeout)
            asking.connect(self._path)
            socket.send_fds(asking, [b"-"], [reading, out.fileno(), err.fileno()])
            os.close(reading)
            asking.sendall(json.dumps(request).encode())
            asking.shutdown(socket.SHUT_WR)
            with asking.makefile("rb") as answer:
                process = int(answer.readline())
                try:
                    code = int(answer.readline())
                except BaseException as error:
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                    if isinstance(error, socket.timeout):
                        raise subprocess.TimeoutExpired([*words], timeout) from None
                    raise
            out.seek(0)
            err.seek(0)
            return code, out.read(), err.read()


def _fixed(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if key.startswith(_FIXED)}


def fork_server(environment: Callable[[], Mapping[str, str]]) -> ForkServer:
    """Return the fork server of this test process; the first call starts it.

    `environment` returns one of a program that a test starts, without what measures coverage.
    """
    with _starting:
        if not _servers:
            server = ForkServer(environment())
            atexit.register(server.close)
            _servers.append(server)
        return _servers[0]
