"""`cluster apply` of a file with three pools of 10 workers, against one pool of 30.

    python benchmarks/pools.py [--scale S] [--workers N] [--turns T]

Tasks and guests take realistic seconds times S (default 1). The bootstrap of each node really runs
on this machine: the smaller S is, the more do thirty of them wait for its cores and not for the
client. Both files are applied in turn, each as often as `--turns` says, and the shortest makespans
are compared. The limit is 1.1: pools change what is in the one composition, not how many there are,
and so the numbers of tasks and of requests that change something must be the same.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import arguments
from cloud import Bench, bench
from scaling import in_sequence

LIMIT = 1.1
NAME = "bench"
LINE = "{:<22} {:>8} {:>18} {:>8} {:>14}"


def file_of(sizes: Sequence[int]) -> str:
    """Return the file of a cluster with pools of these sizes."""
    pools = "".join(
        f"  - {{name: pool-{number}, size: {size}, labels: {{example.com/pool: p{number}}}}}\n"
        for number, size in enumerate(sizes)
    )
    head = f"apiVersion: cse-client/v1\nkind: Cluster\nmetadata: {{name: {NAME}}}\n"
    return f"{head}spec:\n  network: net1\n  pools:\n{pools}"


def applied(cloud: Bench, sizes: Sequence[int]) -> tuple[float, int, int]:
    """Create the cluster and delete it; return seconds, tasks in sequence and changing requests."""
    before = len(cloud.control("GET", "state")["tasks"]["all"])
    cloud.control("DELETE", "journal")
    with tempfile.TemporaryDirectory(prefix="cse-bench.") as folder:
        path = Path(folder, "cluster.yaml")
        path.write_text(file_of(sizes))
        used = cloud.vcd("cse", "cluster", "apply", "-f", str(path))
    tasks = cloud.control("GET", "state")["tasks"]["all"][before:]
    requests = cloud.control("GET", "journal")["requests"]
    changes = [one for one in requests if one["method"] != "GET"]
    cloud.vcd("cse", "cluster", "delete", NAME, "--yes")
    return used.wall, in_sequence([task for task in tasks if task["ended"]]), len(changes)


def main() -> None:
    parser = arguments.parser(
        "Measures `cluster apply` of a file with three pools against one pool of as many workers;"
        f" the limit is a ratio of {LIMIT}, with as many tasks and changes."
    )
    arguments.add_scale(parser)
    parser.add_argument("--workers", type=arguments.number, default=30, help="workers in all")
    parser.add_argument(
        "--turns", type=arguments.number, default=2, help="times that each is applied"
    )
    chosen = parser.parse_args()
    third = chosen.workers // 3
    cases = {"1 pool": [3 * third], "3 pools": [third] * 3}
    best: dict[str, float] = {}
    changes: dict[str, set[tuple[int, int]]] = {name: set() for name in cases}
    print(LINE.format("file", "seconds", "tasks in sequence", "changes", "ratio (limit)"))
    options = ("--guest-speed", f"{1 / chosen.scale:g}", "--time", f"seconds:{chosen.scale}")
    with bench(*options) as cloud:
        for _turn in range(chosen.turns):
            for name, sizes in cases.items():
                wall, tasks, sent = applied(cloud, sizes)
                best[name] = min(wall, best.get(name, wall))
                changes[name].add((tasks, sent))
                text = f"{name} of {sizes[0]}"
                print(LINE.format(text, f"{wall:.1f}", tasks, sent, ""), flush=True)
    ratio = best["3 pools"] / best["1 pool"]
    print(LINE.format("shortest", "", "", "", f"{ratio:.2f} ({LIMIT})"))
    if ratio > LIMIT or changes["1 pool"] != changes["3 pools"]:
        sys.exit("three pools take longer, or more, than one")


if __name__ == "__main__":
    main()
