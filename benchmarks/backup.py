"""`cluster backup`: time and memory.

    python benchmarks/backup.py [OBJECTS]

The limits: 10 s beyond etcd's own time for 1,000 objects of 4 kB, and memory that does not grow
with the size of the database. The database of the simulated etcd is read in no time, so what is
measured is the client: two passes over the file, the encryption, and the connection.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import arguments
from cloud import bench

NAME = "full"
#: Writes a backup of so many MiB, and prints the peak of its memory in MiB.
WRITING = """
import hashlib, resource, sys
from pathlib import Path
from pyrage import x25519
from cse_client.engines.direct.backup_files import write_backup
from cse_client.guest.pki import mint_pki
from cse_client.model.backups import BackupLock

def snapshot(pieces):
    digest, piece = hashlib.sha256(), bytes(32768)
    for _ in range(pieces):
        digest.update(piece)
        yield piece
    yield digest.digest()

path, pieces = Path(sys.argv[1]), int(sys.argv[2]) * 32
lock = BackupLock(recipients=(str(x25519.Identity.generate().to_public()),))
write_backup(path, {}, mint_pki("x"), snapshot(pieces), pieces * 32768 + 32, lock)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def objects(count: int) -> str:
    noise = base64.b64encode(os.urandom(3000)).decode()
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"c{number}"},
            "data": {"noise": noise},
        }
        for number in range(count)
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def peak_of(mib: int) -> float:
    with tempfile.TemporaryDirectory(prefix="cse-bench.") as folder:
        words = [sys.executable, "-c", WRITING, str(Path(folder, "b")), str(mib)]
        return float(subprocess.run(words, capture_output=True, check=True, text=True).stdout)


def main() -> None:
    parser = arguments.parser(
        "Measures the time and the memory of `cluster backup`; the limits are 10 s beyond etcd's"
        " own time for 1,000 objects of 4 kB, and memory that does not grow with the database."
    )
    parser.add_argument(
        "objects", nargs="?", type=arguments.number, default=1000, help="objects to back up"
    )
    count = parser.parse_args().objects
    from pyrage import x25519

    to = ("--recipient", str(x25519.Identity.generate().to_public()))
    with bench("--guest-speed", "30") as cloud, tempfile.TemporaryDirectory() as folder:
        cloud.vcd("cse", "cluster", "create", NAME, "-n", "net1", "-N", "0")
        config = Path(folder, "config")
        config.touch(0o600)
        config.write_text(cloud.vcd("cse", "cluster", "config", NAME).out)
        few = cloud.vcd("cse", "cluster", "backup", NAME, "-o", f"{folder}/few", *to)
        kubectl = ["kubectl", "--kubeconfig", str(config), "create", "-f", "-"]
        subprocess.run(kubectl, input=objects(count), text=True, check=True, capture_output=True)
        many = cloud.vcd("cse", "cluster", "backup", NAME, "-o", f"{folder}/many", *to)
        size = Path(folder, "many").stat().st_size / 1e6
    small, large = peak_of(16), peak_of(1024)
    print(f"objects         {count} of 4 kB, {size:.1f} MB; none: {few.wall:.2f} s")
    print(f"wall            {many.wall:.2f} s in all; the limit is 10 beyond etcd's own time")
    print(f"CPU             {many.cpu:.2f} s")
    print(f"peak memory     {many.peak_mib:.1f} MiB ({few.peak_mib:.1f} for none)")
    print(f"1 GiB           {large:.1f} MiB of memory; 16 MiB: {small:.1f} MiB")


if __name__ == "__main__":
    main()
