"""Requests of each command in front of a CSE server 2.6.1, and of a list of 500 clusters.

    python benchmarks/server_requests.py

A command's own requests are those that its work cannot do without: the request itself, and for
`resize`, `node create` and `node delete` the question what nodes and which template the cluster
has. Looks at a running task are not counted. The limit is the own ones and 2 more: the question
whether there is a server, and reading back what a change has made. CSE's client 3.0.1 makes 7
requests in front of 2.6.1 before its one of these commands (counted on its code).
"""

from __future__ import annotations

import sys
import time

import arguments
from cloud import Bench, bench

MORE, CLUSTERS, PREAMBLE = 2, 500, 7
NAME = "counted"

#: Words, and how many requests are the command's own.
COMMANDS = (
    ("template list", 1),
    ("cluster list", 1),
    (f"cluster create {NAME} -n net1 -N 1", 1),
    (f"cluster info {NAME}", 1),
    (f"cluster resize {NAME} -N 2 -n net1", 2),
    (f"node create {NAME} -n net1", 2),
    (f"node list {NAME}", 1),
    (f"node info {NAME} WORKER", 1),
    (f"node delete {NAME} WORKER --yes", 2),
    (f"cluster upgrade-plan {NAME}", 1),
    ("ovdc list", 1),
    ("system info", 1),
    (f"cluster delete {NAME} --yes", 1),
)


def count(cloud: Bench, words: str) -> int:
    """Run a command and return its requests without the looks at tasks."""
    if "WORKER" in words:
        vms = cloud.control("GET", "state")["vapps"][NAME]["vms"]
        words = words.replace("WORKER", next(vm for vm in sorted(vms) if vm.startswith("node-")))
    cloud.control("DELETE", "journal")
    cloud.vcd("cse", *words.split())
    asked = cloud.control("GET", "journal")["requests"]
    return sum(not one["path"].startswith("/api/task/") for one in asked)


def main() -> int:
    """Count; the exit code says whether the limits hold."""
    arguments.parser(
        "Counts the requests of each command with a CSE server 2.6.1; the limit is 2 more than the"
        " command cannot do without."
    ).parse_args()
    line = "{:<34} {:>5} {:>6} {:>6} {:>12}"
    print(line.format("command", "own", "limit", "found", "3.0.1 makes"))
    good = True
    with bench("--cse", "2.6.1", "--no-guests") as cloud:
        for words, own in COMMANDS:
            found = count(cloud, words)
            good &= found <= own + MORE
            print(line.format(words, own, own + MORE, found, f"{PREAMBLE} + 1"), flush=True)
        cloud.control("POST", "vapps", {"count": CLUSTERS, "prefix": "many"})
        cloud.control("DELETE", "journal")
        began = time.perf_counter()
        used = cloud.vcd("cse", "cluster", "list")
        seconds = time.perf_counter() - began
        asked = [one["path"] for one in cloud.control("GET", "journal")["requests"]]
        listed = used.out.count("many-")
        lists = asked.count("/api/cse/clusters")
        good &= (listed, lists, len(asked)) == (CLUSTERS, 1, 2)
        print(f"\ncluster list, {listed} clusters: {lists} request for the list (limit 1),")
        print(f"{len(asked)} in all, {seconds:.1f} s, {used.peak_mib:.0f} MiB")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
