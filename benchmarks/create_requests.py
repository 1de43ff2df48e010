"""`cluster create`: VCD tasks and requests, by the number of workers.

    python benchmarks/create_requests.py [WORKERS ...]

A GET that has been asked before in the same run is polling. The limits are 3 tasks on the critical
path and 25 requests besides polling; CSE's server needs 3 tasks for each VM and
122 + 13 requests for each worker (measured on its code).
"""

from __future__ import annotations

from typing import Any

import arguments
from cloud import bench

TASKS, REQUESTS = 3, 25
CSE_TASKS_PER_VM, CSE_REQUESTS, CSE_REQUESTS_PER_WORKER = 3, 122, 13


def split(requests: list[dict[str, Any]]) -> tuple[int, int]:
    """Return how many requests were asked for a purpose, and how many only looked again."""
    seen: set[tuple[str, str]] = set()
    polls = 0
    for one in requests:
        key = (one["path"], one["query"])
        if one["method"] == "GET" and key in seen:
            polls += 1
        elif one["method"] == "GET":
            seen.add(key)
    return len(requests) - polls, polls


def main() -> None:
    parser = arguments.parser(
        "Counts the VCD tasks and requests of `cluster create`; the limits are 3 tasks on the"
        " critical path and 25 requests besides polling."
    )
    parser.add_argument(
        "workers",
        nargs="*",
        type=arguments.count,
        default=[0, 2, 20, 100],
        help="numbers of workers to create clusters with",
    )
    sizes = parser.parse_args().workers
    row = "{:>8} {:>6} {:>9} {:>11} {:>8} {:>7} {:>7} {:>8} {:>8}"
    print(
        row.format(
            "workers", "tasks", "requests", "limit", "polling", "tasks", "reqs", "s", "CPU s"
        )
    )
    print(row.format("", "", "", "", "", "vs CSE", "vs CSE", "wall", "client"))
    with bench("--guest-speed", "20") as cloud:
        for workers in sizes:
            before = len(cloud.control("GET", "state")["tasks"]["all"])
            cloud.control("DELETE", "journal")
            used = cloud.vcd("cse", "cluster", "create", "bench", "-n", "net1", "-N", str(workers))
            asked, polls = split(cloud.control("GET", "journal")["requests"])
            tasks = cloud.control("GET", "state")["tasks"]["all"][before:]
            cse_tasks = CSE_TASKS_PER_VM * (workers + 1)
            cse_requests = CSE_REQUESTS + CSE_REQUESTS_PER_WORKER * workers
            print(
                row.format(
                    workers,
                    len(tasks),
                    asked,
                    REQUESTS,
                    polls,
                    f"{len(tasks) / cse_tasks:.2f}",
                    f"{asked / cse_requests:.2f}",
                    f"{used.wall:.1f}",
                    f"{used.cpu:.1f}",
                )
            )
            print("         " + ", ".join(str(task.get("operation", task)) for task in tasks))
            cloud.vcd("cse", "cluster", "delete", "bench", "--yes")
    print(f"At most {TASKS} tasks may be waited for; the lease's is not.")


if __name__ == "__main__":
    main()
