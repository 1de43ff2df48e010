"""A client of an API server that asks once a second, whatever became of what it asked before."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.programs import ROOT

__all__ = ["Asked", "Client", "asking"]

#: How long an answer may take, as for `kubectl --request-timeout=5s`.
_SECONDS = 5.0
_OK = 200


@dataclass(frozen=True)
class Asked:
    """What came of it: how many were asked, and when (time of day) which of them failed and why."""

    asked: int
    failed: tuple[str, ...]
    slowest: float

    def __str__(self) -> str:
        line = f"{self.asked} asked, {len(self.failed)} failed, slowest {self.slowest:.2f} s"
        return "\n".join([line, *self.failed])


class Client:
    """The result is there once `end` was called."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.asked: Asked | None = None

    def end(self) -> Asked:
        """Stop asking, and wait for the last answer."""
        if self.asked is None:
            out, err = self._process.communicate("", timeout=60)
            assert self._process.returncode == 0, err
            found = json.loads(out)
            self.asked = Asked(found["asked"], tuple(found["failed"]), found["slowest"])
        return self.asked


@contextmanager
def asking(pid: int, address: str) -> Iterator[Client]:
    """Ask for /readyz at `address`, port 6443, once a second in the network of a process.

    Nobody's certificate is checked: who answers is not the question.
    """
    process = subprocess.Popen(
        [
            *("nsenter", "--target", str(pid), "--net"),
            *(sys.executable, "-m", "tests.real.asking", address),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    client = Client(process)
    try:
        yield client
    finally:
        if process.poll() is None:
            client.end()


def _ask(address: str) -> str:
    """Return why the API server was not ready, or ""."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, 6443, timeout=_SECONDS, context=context)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        content = answer.read(4096).decode("utf-8", "replace")
        failing = [line for line in content.splitlines() if line.startswith("[-]")]
        return "" if answer.status == _OK else f"{answer.status} {' '.join(failing)}"
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def _main(address: str) -> None:
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    took: list[float] = []
    failed: list[tuple[float, str]] = []

    def one(began: float) -> None:
        why = _ask(address)
        took.append(time.time() - began)
        if why:
            failed.append((began, why))

    threads: list[threading.Thread] = []
    due = time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        due += 1.0
        threads.append(threading.Thread(target=one, args=(time.time(),)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    lines = [f"{time.strftime('%T', time.localtime(at))} {why}" for at, why in sorted(failed)]
    found = {"asked": len(took), "failed": lines, "slowest": max(took, default=0.0)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1])
