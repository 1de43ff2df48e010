"""A client of an API server that asks once a second, whatever became of what it asked before."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.programs import ROOT

__all__ = ["OVERLOAD", "Asked", "Client", "asking"]

#: How long an answer may take, as for `kubectl --request-timeout=5s`.
_SECONDS = 5.0
_OK = 200
_EVERY, _PODS_EVERY = 1.0, 0.5
#: Load average of this machine above which etcd and API servers get no processor for seconds. An
#: API server that has accepted a connection and answers it after the address has left its machine
#: cannot answer at all, so a slow one loses what a quick one would not.
OVERLOAD = 4.0 * (os.cpu_count() or 1)


@dataclass(frozen=True)
class Asked:
    """What came of it: how many were asked, and when (time of day) which of them failed and why.

    `fewest` is how many pods were Ready when there were the fewest; -1 if none were watched. `load`
    is the highest load average.
    """

    asked: int
    failed: tuple[str, ...]
    slowest: float
    fewest: int
    load: float

    def noticed(self) -> tuple[str, ...]:
        """Return the failures; none on an overloaded machine, where they mean nothing."""
        return () if self.load > OVERLOAD else self.failed

    def __str__(self) -> str:
        line = f"{self.asked} asked, {len(self.failed)} failed, slowest {self.slowest:.2f} s"
        line += f", load {self.load:.0f}"
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
            self.asked = Asked(**{**found, "failed": tuple(found["failed"])})
        return self.asked


@contextmanager
def asking(pid: int, kubeconfig: Path, app: str = "") -> Iterator[Client]:
    """Ask for /readyz once a second in the network of a process.

    Args:
        pid: the process.
        kubeconfig: where the API is, and who asks.
        app: the label of pods in the default namespace, whose readiness is looked at, too.
    """
    words = (sys.executable, "-m", "tests.real.asking", str(kubeconfig), app)
    process = subprocess.Popen(
        ["nsenter", "--target", str(pid), "--net", *words],
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
        client.end()


class _Api:
    def __init__(self, kubeconfig: Path) -> None:
        document: Any = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._host, _, port = cluster["server"].removeprefix("https://").rpartition(":")
        self._port = int(port)
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=ca)
        keys = ("client-certificate-data", "client-key-data")
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"\n".join(base64.b64decode(user[key]) for key in keys))
            file.flush()
            self._context.load_cert_chain(file.name)

    def get(self, path: str) -> tuple[str, bytes]:
        """Return why there was no good answer, or "", and the content; connects anew."""
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=_SECONDS, context=self._context
        )
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}", b""
        finally:
            connection.close()
        if answer.status == _OK:
            return "", content
        lines = content.decode("utf-8", "replace").splitlines()
        return " ".join([str(answer.status), *(x for x in lines if x.startswith("[-]"))]), b""


def _ready(pod: Any) -> bool:
    conditions = pod["status"].get("conditions", ())
    leaving = "deletionTimestamp" in pod["metadata"]
    return not leaving and any(x["type"] == "Ready" and x["status"] == "True" for x in conditions)


def _main(kubeconfig: str, app: str) -> None:
    api = _Api(Path(kubeconfig))
    ended = threading.Event()
    took: list[float] = []
    failed: list[tuple[float, str]] = []
    ready: list[int] = []
    loads: list[float] = []

    def ask() -> None:
        began = time.time()
        loads.append(os.getloadavg()[0])
        why, _content = api.get("/readyz")
        took.append(time.time() - began)
        if why:
            failed.append((began, why))

    def look() -> None:
        why, content = api.get(f"/api/v1/namespaces/default/pods?labelSelector=app%3D{app}")
        if not why:
            ready.append(sum(map(_ready, json.loads(content)["items"])))

    def repeat(action: Callable[[], None], seconds: float) -> None:
        threads: list[threading.Thread] = []
        due = time.monotonic()
        while not ended.wait(max(0.0, due - time.monotonic())):
            due += seconds
            threads.append(threading.Thread(target=action))
            threads[-1].start()
        for thread in threads:
            thread.join()

    both = [threading.Thread(target=repeat, args=(ask, _EVERY))]
    if app:
        both.append(threading.Thread(target=repeat, args=(look, _PODS_EVERY)))
    for one in both:
        one.start()
    sys.stdin.read()
    ended.set()
    for one in both:
        one.join()
    lines = [f"{time.strftime('%T', time.localtime(at))} {why}" for at, why in sorted(failed)]
    sys.stdout.write(
        json.dumps(
            {
                "asked": len(took),
                "failed": lines,
                "slowest": max(took, default=0.0),
                "fewest": min(ready, default=-1),
                "load": max(loads, default=0.0),
            }
        )
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
