"""How long commands take, against the longest chain of waits that their work needs.

    python benchmarks/makespan.py [--scale S] [--only NAME ...]

VCD's tasks, the boots and the pauses inside guests take the simulator's own seconds times S (by
default 1, and then all of it takes about half an hour; with 0.1 a few minutes, but the guests'
CPU, which does not scale, counts ten times as much). The chain is what the command's work cannot
do without, added up of the simulator's figures, and is printed as a sum:

- `clone`: copying the VMs, all at once, in batches of 16; `boot`: power-on to the bootstrap script
- `runtime`, `images`, `network`: what a guest waits for: its container runtime, the images of
  kubeadm four at a time, and the image of the pod network
- `claim`, `record`: the two metadata tasks of an operation on an existing cluster, which come
  before and after everything else; `create` needs only the latter
- `undeploy`, `deploy`, `remove`, `delete`: the tasks of these names

Guests run on this machine's cores, on which a real VM does not depend. `guests` is the CPU time of
the simulator and all its guests; `without` is the ratio when that time, spread over the cores, is
taken off the makespan. The limit of 1.1 is for `create` of 0 to 20 workers, `resize` and the
deletions. `looks` are the requests to VCD that only looked again, in the minute with the most of
them; their limit is 70.

`cse` is another setting: tasks of 1 s and guests that need no time, in which CSE 2.6.1 took 59, 75
and 106 s for 1, 2 and 4 workers (measured on its code).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import arguments
from cloud import Bench, bench

from cse_client.simulator.guest import containers
from cse_client.simulator.vcd import machines, tasks

LIMIT, MOST_LOOKS = 1.1, 70
PULLS_AT_ONCE = 4
NAME = "bench"
LINE = "{:<22} {:>8} {:>8} {:>6} {:>6} {:>8} {:>8} {:>8}  {}"
CSE_SECONDS = {1: 59, 2: 75, 4: 106}
#: A simulator whose tasks all take the seconds that `--time seconds:S` names.
EVEN_TASKS = (
    "import sys; from cse_client.simulator.vcd import tasks;"
    " tasks.DURATIONS.clear(); tasks._USUAL_SECONDS = 1.0; tasks._BATCH_SECONDS = 0.0;"
    " from cse_client.simulator.__main__ import main; sys.exit(main())"
)


def clone(vms: int) -> float:
    """Return the seconds for copying so many VMs in one task."""
    batches = -(-vms // tasks._COPIES_AT_ONCE)
    return tasks.DURATIONS["vdcRecomposeVapp"] + (batches - 1) * tasks._BATCH_SECONDS


IMAGES = len(containers.kubernetes_images("1.18.6"))
BOOT = machines._BOOT_SECONDS
#: The services containerd and docker begin one after the other.
RUNTIME = 3.0
NETWORK = float(containers._PULL_SECONDS)
METADATA = tasks.DURATIONS["metadataUpdate"]


def pulls(images: int) -> float:
    """Return the seconds for pulling so many images, a few at a time."""
    return -(-images // PULLS_AT_ONCE) * float(containers._PULL_SECONDS)


Chain = dict[str, float]


def chain_of_create(workers: int) -> Chain:
    guest = {"runtime": RUNTIME, "images": pulls(IMAGES), "network": NETWORK}
    return {"clone": clone(workers + 1), "boot": BOOT, **guest, "record": METADATA}


def chain_of_growth(more: int) -> Chain:
    guest = {"runtime": RUNTIME, "images": pulls(2), "network": NETWORK}
    return {"claim": METADATA, "clone": clone(more), "boot": BOOT, **guest, "record": METADATA}


UNDEPLOY = tasks.DURATIONS["vappUndeployPowerOff"]
CHAIN_OF_REMOVAL = {
    "claim": METADATA,
    "undeploy": UNDEPLOY,
    "remove": tasks.DURATIONS["vdcRecomposeVapp"],
    "record": METADATA,
}
CHAIN_OF_DELETION = {"delete": tasks.DURATIONS["vdcDeleteVapp"]}
CHAIN_OF_STOP = {
    "claim": METADATA,
    "undeploy workers": UNDEPLOY,
    "undeploy vApp": UNDEPLOY,
    "record": METADATA,
}
CHAIN_OF_START = {
    "claim": METADATA,
    "deploy": tasks.DURATIONS["vappDeploy"],
    "boot": BOOT,
    "runtime": RUNTIME,
    "record": METADATA,
}


def cpu_of_tree(root: int) -> float:
    """Return the CPU seconds of a process and all below it, of those that have ended as well."""
    parents, spent = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
        spent[int(folder.name)] = sum(int(fields[i]) for i in range(11, 15))

    def below(pid: int) -> bool:
        while pid > 1 and pid != root:
            pid = parents.get(pid, 0)
        return pid == root

    return sum(ticks for pid, ticks in spent.items() if below(pid)) / os.sysconf("SC_CLK_TCK")


def busiest_minute(cloud: Bench) -> int:
    """Return how often the client only looked again in the minute in which it did so most."""
    seen, moments = set(), []
    for one in cloud.control("GET", "journal")["requests"]:
        key = (one["path"], one["query"])
        if one["method"] == "GET" and key in seen:
            moments.append(one["at"])
        seen.add(key)
    return max((sum(0 <= at - first < 60 for at in moments) for first in moments), default=0)


@dataclass
class Table:
    """Measures commands and prints a line for each."""

    cloud: Bench
    scale: float
    good: bool = True

    def measure(self, name: str, chain: Chain, *words: str, limit: float | None = LIMIT) -> None:
        """Run `vcd cse` with these words."""
        self.cloud.control("DELETE", "journal")
        before = cpu_of_tree(self.cloud.pid)
        wall = self.cloud.vcd("cse", *words).wall
        cpu = cpu_of_tree(self.cloud.pid) - before
        needed = sum(chain.values()) * self.scale
        ratio = wall / needed
        alone = max(wall - cpu / (os.cpu_count() or 1), 0.0) / needed
        if limit is not None:
            self.good &= ratio <= limit
        shown = " + ".join(f"{what} {seconds:g}" for what, seconds in chain.items())
        cells = (f"{needed:.1f}", f"{wall:.1f}", f"{ratio:.2f}", limit or "-", f"{cpu:.1f}")
        looks = busiest_minute(self.cloud)
        self.good &= looks <= MOST_LOOKS
        print(LINE.format(name, *cells, f"{alone:.2f}", looks, shown), flush=True)

    def create(self, workers: int, *, limit: float | None = LIMIT) -> None:
        """Measure a creation."""
        words = ("cluster", "create", NAME, "-n", "net1", "-N", str(workers))
        self.measure(f"create {workers}", chain_of_create(workers), *words, limit=limit)

    def delete(self) -> None:
        """Measure the deletion of the cluster."""
        self.measure("cluster delete", CHAIN_OF_DELETION, "cluster", "delete", NAME, "--yes")

    def made(self, workers: int) -> None:
        """Have a cluster, without measuring."""
        self.cloud.vcd("cse", "cluster", "create", NAME, "-n", "net1", "-N", str(workers))

    def gone(self) -> None:
        """Have no cluster, without measuring."""
        self.cloud.vcd("cse", "cluster", "delete", NAME, "--yes")

    def workers(self) -> list[str]:
        """Return the names of the workers."""
        rows: list[dict[str, Any]] = json.loads(
            self.cloud.vcd("-j", "cse", "node", "list", NAME).out
        )
        return [row["Name"] for row in rows if row["Kind"] == "worker"]


def create_0(table: Table) -> None:
    table.create(0)
    table.delete()


def create(table: Table, workers: int, limit: float | None = LIMIT) -> None:
    table.create(workers, limit=limit)
    table.gone()


def resize(table: Table) -> None:
    table.made(2)
    words = ("cluster", "resize", NAME, "-N")
    table.measure("resize 2 -> 3", chain_of_growth(1), *words, "3")
    table.cloud.vcd("cse", "cluster", "resize", NAME, "-N", "2")
    table.measure("resize 2 -> 52", chain_of_growth(50), *words, "52")
    table.gone()


def node_delete(table: Table) -> None:
    table.made(20)
    names = table.workers()
    for count in (1, 10):
        chosen, names = names[:count], names[count:]
        words = ("node", "delete", NAME, *chosen, "--yes")
        table.measure(f"node delete {count} of 20", CHAIN_OF_REMOVAL, *words)
    table.gone()


def power(table: Table) -> None:
    table.made(2)
    words = ("cluster", "stop", NAME, "--yes")
    table.measure("stop, 2 workers", CHAIN_OF_STOP, *words, limit=None)
    table.measure("start, 2 workers", CHAIN_OF_START, "cluster", "start", NAME, limit=None)
    table.gone()


PARTS: dict[str, Callable[[Table], None]] = {
    "create-0": create_0,
    "create-2": partial(create, workers=2),
    "create-20": partial(create, workers=20),
    "create-100": partial(create, workers=100, limit=None),
    "resize": resize,
    "node-delete": node_delete,
    "power": power,
}


def compare_with_cse() -> None:
    """Print how long clusters take with even tasks and quick guests."""
    print(f"\n{'workers':>8} {'CSE 2.6.1':>10} {'here':>8} {'guests':>8}   tasks of 1 s")
    options = ("--time", "seconds:1", "--guest-speed", "50")
    with bench(*options, program=("-c", EVEN_TASKS)) as cloud:
        cloud.control("POST", "guests", {"boot_delay": 0})
        for workers, theirs in CSE_SECONDS.items():
            before = cpu_of_tree(cloud.pid)
            words = ("cluster", "create", NAME, "-n", "net1", "-N", str(workers))
            wall = cloud.vcd("cse", *words).wall
            cpu = cpu_of_tree(cloud.pid) - before
            print(f"{workers:>8} {theirs:>10} {wall:>8.1f} {cpu:>8.1f}", flush=True)
            cloud.vcd("cse", "cluster", "delete", NAME, "--yes")


def main() -> int:
    """Measure; the exit code says whether the limits hold."""
    parser = arguments.parser(
        "Measures how long commands take against the longest chain of waits that their work needs;"
        " the limit of each command is in its row of the table."
    )
    arguments.add_scale(parser)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*PARTS, "cse"],
        default=[*PARTS, "cse"],
        help="parts to measure",
    )
    options = parser.parse_args()
    scale = options.scale
    began = time.perf_counter()
    good = True
    chosen = [name for name in PARTS if name in options.only]
    if chosen:
        load = os.getloadavg()[0]
        print(f"scale {scale:g}, {os.cpu_count()} cores, load {load:.1f} before")
        head = ("chain s", "took s", "ratio", "limit", "guests", "without", "looks")
        print(LINE.format("command", *head, "the chain at scale 1"))
        with bench("--guest-speed", f"{1 / scale:g}", "--time", f"seconds:{scale:g}") as cloud:
            table = Table(cloud, scale)
            for name in chosen:
                PARTS[name](table)
            good = table.good
    if "cse" in options.only:
        compare_with_cse()
    print(f"\n{time.perf_counter() - began:.0f} s in all")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
