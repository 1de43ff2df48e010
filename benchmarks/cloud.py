"""A simulator for a benchmark, and `vcd` logged in to it in a home of its own."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROFILE = "active: null\nextensions:\n- cse_client.cse\n"
UNWANTED = ("XDG_", "PYTHONDONTWRITEBYTECODE")
VCD = str(Path(sys.executable).parent / "vcd")


@dataclass(frozen=True)
class Usage:
    """What one command took: wall and CPU seconds, peak memory in MiB, its exit code and output."""

    code: int
    wall: float
    cpu: float
    peak_mib: float
    out: str


class Bench:
    """A running simulator, its process id, and a logged-in home."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.pid = pid
        self._facts = json.loads((folder / "ready.json").read_text())
        self._home = folder / "home"
        (self._home / ".vcd-cli").mkdir(parents=True)
        (self._home / ".vcd-cli" / "profiles.yaml").write_text(PROFILE)
        self._env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(UNWANTED)},
            "HOME": str(self._home),
            # compiled modules are kept, as after an ordinary installation
            "PYTHONPYCACHEPREFIX": str(Path(sys.prefix, "benchmark-bytecode")),
            "NO_PROXY": "127.0.0.0/8,127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": self._facts["ca"],
            "CURL_CA_BUNDLE": self._facts["ca"],
            "VCD_PASSWORD": self._facts["password"],
        }
        self.vcd("login", *(self._facts[key] for key in ("host", "org", "user")))

    def vcd(self, *words: str) -> Usage:
        """Run `vcd`; fail loudly."""
        began = time.perf_counter()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(
                [VCD, *words], cwd=self._home, env=self._env, stdout=out, stderr=err
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            text, complaint = out.read(), err.read()
        if process.returncode:
            sys.exit(f"vcd {' '.join(words)} ended with {process.returncode}:\n{complaint}")
        wall = time.perf_counter() - began
        return Usage(0, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Pull one of the simulator's strings."""
        context = ssl.create_default_context(cafile=self._facts["ca"])
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        data = None if body is None else json.dumps(body).encode()
        url = f"https://{self._facts['host']}/simulator/{path}"
        request = urllib.request.Request(url, data, method=method)
        with opener.open(request, timeout=600) as answer:
            return json.load(answer)


@contextmanager
def bench(
    *options: str, program: tuple[str, ...] = ("-m", "cse_client.simulator")
) -> Iterator[Bench]:
    """Start a simulator with these options, and end it; `program` is what Python runs."""
    with tempfile.TemporaryDirectory(prefix="cse-bench.") as name:
        folder = Path(name)
        ready = folder / "ready.json"
        words = [sys.executable, *program, "--ready-file", str(ready)]
        process = subprocess.Popen([*words, *options], cwd=folder, stdout=subprocess.DEVNULL)
        try:
            while not (ready.exists() and ready.stat().st_size):
                if process.poll() is not None:
                    sys.exit("the simulator did not start")
                time.sleep(0.05)
            yield Bench(folder, process.pid)
        finally:
            process.terminate()
            process.wait()
