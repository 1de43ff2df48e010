"""`cluster resize`, `node delete` and `node list`: tasks in sequence, requests and makespan.

    python benchmarks/scaling.py [--scale S]

Tasks and guests take realistic seconds times S (default 1, which takes a quarter of an hour). Two
tasks are in sequence when the second began after the first had ended. With guests, every new node's
bootstrap really runs on this machine: the smaller S is, the more do fifty of them wait for its
cores and not for the client. Without guests, what is left is VCD's share, without a limit: from the
first task's start to the last one's end.

The limits: growing from 2 to 52 workers awaits at most 3 tasks in sequence and takes at most 1.3
times as long as adding one (the simulator copies 16 VMs of a recompose at a time, as VCD's linked
clones of one host are, and 10 s pass for each further batch); deleting 10 nodes takes at most 3
times as long as deleting one; `node list` on 200 nodes makes at most 4 requests, the cluster's own
API included. CSE's server takes 3 tasks for each new VM, one after the other, and about 5 s more
for each deleted node (measured on its code).
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import arguments
from cloud import Bench, bench

MANY, BEFORE, AFTER = 200, 2, 52


def in_sequence(tasks: list[dict[str, Any]]) -> int:
    """Return the length of the longest chain of tasks that waited for each other."""
    spans = sorted((_moment(task["ended"]), _moment(task["started"])) for task in tasks)
    length, last = 0, None
    for ended, started in spans:
        if last is None or started >= last:
            length, last = length + 1, ended
    return length


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def measured(cloud: Bench, *words: str) -> tuple[float, int, int]:
    """Run `vcd cse` and return seconds, tasks in sequence and requests."""
    before = len(cloud.control("GET", "state")["tasks"]["all"])
    cloud.control("DELETE", "journal")
    used = cloud.vcd("cse", *words)
    tasks = cloud.control("GET", "state")["tasks"]["all"][before:]
    requests = len(cloud.control("GET", "journal")["requests"])
    return used.wall, in_sequence([task for task in tasks if task["ended"]]), requests


def workers(cloud: Bench) -> list[str]:
    """Return the names of the workers."""
    rows = json.loads(cloud.vcd("-j", "cse", "node", "list", "bench").out)
    return [row["Name"] for row in rows if row["Kind"] == "worker"]


def finish(cloud: Bench) -> list[dict[str, Any]]:
    """Wait until VCD is idle and return all its tasks."""
    while (tasks := cloud.control("GET", "state")["tasks"])["running"]:
        time.sleep(0.1)
    return list(tasks["all"])


def alone(cloud: Bench, count: int) -> tuple[float, int, int]:
    """Resize without waiting for guests; return VCD's seconds, tasks in sequence and requests."""
    before = len(finish(cloud))
    cloud.control("DELETE", "journal")
    cloud.vcd("-n", "cse", "cluster", "resize", "bench", "-N", str(count))
    tasks = finish(cloud)[before:]
    began = min(_moment(task["started"]) for task in tasks)
    ended = max(_moment(task["ended"]) for task in tasks)
    requests = len(cloud.control("GET", "journal")["requests"])
    return (ended - began).total_seconds(), in_sequence(tasks), requests


def main() -> None:
    parser = arguments.parser(
        "Measures `cluster resize`, `node delete` and `node list`; the limits are 3 tasks in"
        " sequence, 1.3 times the time of one new worker for 50, 3 times that of one deleted node"
        " for 10, and 4 requests for the list of 200 nodes."
    )
    arguments.add_scale(parser)
    scale = parser.parse_args().scale
    line = "{:<28} {:>8} {:>18} {:>9} {:>22}"
    print(line.format("command", "seconds", "tasks in sequence", "requests", "ratio (limit)"))

    def told(name: str, result: tuple[float, int, int], ratio: str = "") -> None:
        wall, tasks, requests = result
        print(line.format(name, f"{wall:.1f}", tasks, requests, ratio), flush=True)

    with bench("--guest-speed", f"{1 / scale:g}", "--time", f"seconds:{scale}") as cloud:
        cloud.vcd("cse", "cluster", "create", "bench", "-n", "net1", "-N", str(BEFORE - 1))
        one = measured(cloud, "cluster", "resize", "bench", "-N", str(BEFORE))
        told(f"resize {BEFORE - 1} -> {BEFORE}", one)
        many = measured(cloud, "cluster", "resize", "bench", "-N", str(AFTER))
        told(f"resize {BEFORE} -> {AFTER}", many, f"{many[0] / one[0]:.2f} (1.3)")
        names = workers(cloud)
        single = measured(cloud, "node", "delete", "bench", names[0], "--yes")
        told("node delete, 1 node", single)
        ten = measured(cloud, "node", "delete", "bench", *names[1:11], "--yes")
        told("node delete, 10 nodes", ten, f"{ten[0] / single[0]:.2f} (3)")
    with bench("--no-guests", "--time", f"seconds:{scale}") as cloud:
        cloud.vcd("-n", "cse", "cluster", "create", "bench", "-n", "net1", "-N", str(BEFORE - 1))
        finish(cloud)
        one = alone(cloud, BEFORE)
        told(f"resize {BEFORE - 1} -> {BEFORE}, VCD alone", one)
        many = alone(cloud, AFTER)
        told(f"resize {BEFORE} -> {AFTER}, VCD alone", many, f"{many[0] / one[0]:.2f}")
    with bench("--no-guests") as cloud:
        cloud.vcd("-n", "cse", "cluster", "create", "bench", "-n", "net1", "-N", str(MANY - 1))
        listed = measured(cloud, "node", "list", "bench")
        told(f"node list, {MANY} nodes", listed, f"{listed[2]} + 1 of Kubernetes (4)")


if __name__ == "__main__":
    main()
