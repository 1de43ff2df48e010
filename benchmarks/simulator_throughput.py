"""Simple requests per second that the simulator answers over one keep-alive connection.

The simulator runs in a process of its own. What counts is CPU time of that process: requests per
second of CPU are requests per second on one core, whatever else the machine does.

    python benchmarks/simulator_throughput.py [SECONDS]
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import arguments


def main() -> None:
    parser = arguments.parser(
        "Measures how many requests the simulator answers for each second of its CPU; the limit is"
        " 1000."
    )
    parser.add_argument(
        "seconds",
        nargs="?",
        type=arguments.factor,
        default=3.0,
        help="how long to send each of the two requests",
    )
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready"
        command = [sys.executable, "-m", "cse_client.simulator", "--ready-file", str(ready)]
        with subprocess.Popen(
            [*command, "--no-guests"],
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[1],
        ) as process:
            while not ready.exists():
                time.sleep(0.02)
            try:
                measure(json.loads(ready.read_text(encoding="utf-8")), process.pid, seconds)
            finally:
                process.send_signal(signal.SIGTERM)


def measure(simulator: dict[str, str], process: int, seconds: float) -> None:
    context = ssl.create_default_context(cafile=simulator["ca"])
    connection = http.client.HTTPSConnection(simulator["host"], context=context, timeout=30)
    accept = {"Accept": "application/*+xml;version=36.0"}
    credentials = f"{simulator['user']}@{simulator['org']}:{simulator['password']}"
    login = {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}
    connection.request("POST", "/cloudapi/1.0.0/sessions", headers={**accept, **login})
    response = connection.getresponse()
    response.read()
    token = response.headers["X-VMWARE-VCLOUD-ACCESS-TOKEN"]
    headers = {**accept, "Authorization": f"Bearer {token}"}
    for path in ("/api/session", "/api/query?type=vApp&format=records"):
        count, began, before = 0, time.monotonic(), cpu_seconds(process)
        while time.monotonic() - began < seconds:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            count += 1
        wall, cpu = time.monotonic() - began, cpu_seconds(process) - before
        print(
            f"GET {path}: {count / wall:.0f} requests/s as one client saw it,"
            f" {count / cpu:.0f} requests per second of the simulator's CPU"
            f" ({count / cpu / 1000:.2f} of the 1000 wanted)"
        )


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
