"""`cluster list` over many clusters: requests and memory.

    python benchmarks/cluster_list.py [CLUSTERS]

The limit is 2 requests for each 128 clusters and 6 besides, and 100 MiB.
"""

from __future__ import annotations

import math

import arguments
from cloud import bench


def main() -> None:
    parser = arguments.parser(
        "Measures the requests and the memory of `cluster list`; the limits are 2 requests for each"
        " 128 clusters and 6 besides, and 100 MiB."
    )
    parser.add_argument(
        "clusters", nargs="?", type=arguments.number, default=1000, help="clusters to list"
    )
    count = parser.parse_args().clusters
    with bench("--no-guests") as cloud:
        few = cloud.vcd("cse", "cluster", "list")
        cloud.control("POST", "vapps", {"count": count, "workers": 2})
        cloud.control("DELETE", "journal")
        many = cloud.vcd("cse", "cluster", "list")
        requests = cloud.control("GET", "journal")["total"]
    rows = len(many.out.splitlines()) - 2
    limit = 2 * math.ceil(count / 128) + 6
    print(f"clusters        {rows} of {count} listed")
    print(f"requests        {requests}; the limit is {limit}")
    print(
        f"peak memory     {many.peak_mib:.1f} MiB ({few.peak_mib:.1f} for none); the limit is 100"
    )
    print(f"CPU             {many.cpu:.2f} s ({few.cpu:.2f} for none)")
    print(f"wall            {many.wall:.2f} s ({few.wall:.2f} for none)")


if __name__ == "__main__":
    main()
