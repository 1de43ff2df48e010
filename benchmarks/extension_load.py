"""What our extension adds to every `vcd` command: paired runs of `vcd version`, with and without.

    python benchmarks/extension_load.py [PAIRS]

Prints the CPU time of both (user and system, of the whole process), the difference and the ratio.
The two are run in turn, so that whatever else the machine does hits both alike. The import alone,
measured inside the process, says more where the machine is busy.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import arguments

VCD = str(Path(sys.executable).parent / "vcd")
WITHOUT = "active: null\n"
WITH = "active: null\nextensions:\n- cse_client.cse\n"
IMPORT = """
import time
import vcd_cli.vcd
began = time.process_time()
import cse_client.cse
print(time.process_time() - began)
"""


def environment(home: Path) -> dict[str, str]:
    """An environment in which compiled modules are kept, as after an ordinary installation."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "HOME": str(home), "PYTHONPYCACHEPREFIX": str(home.parent / "compiled")}


def cpu_seconds(home: Path) -> float:
    """Run `vcd version` and return the CPU seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [VCD, "version"],
        cwd=home,
        env=environment(home),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def import_seconds(home: Path) -> float:
    """Return the CPU seconds of importing the extension into a fresh vcd-cli."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def main() -> None:
    parser = arguments.parser(
        "Measures the CPU time that this extension adds to every `vcd` command; the limit is 5 ms."
    )
    parser.add_argument("pairs", nargs="?", type=arguments.number, default=40, help="pairs of runs")
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        homes = []
        for name, text in (("without", WITHOUT), ("with", WITH)):
            home = Path(folder, name)
            (home / ".vcd-cli").mkdir(parents=True)
            (home / ".vcd-cli" / "profiles.yaml").write_text(text)
            homes.append(home)
        for home in homes:  # bytecode and file caches
            cpu_seconds(home)
        measured = []
        for number in range(pairs):  # each goes first in half of the pairs
            order = homes if number % 2 else homes[::-1]
            used = {home: cpu_seconds(home) for home in order}
            measured.append((used[homes[0]], used[homes[1]]))
        imported = statistics.median(import_seconds(homes[0]) for _ in range(pairs))
    without = statistics.median(one for one, _ in measured)
    with_it = statistics.median(two for _, two in measured)
    added = statistics.median(two - one for one, two in measured)
    print(f"pairs                    {pairs}")
    print(f"vcd version without      {without * 1000:7.1f} ms CPU (median)")
    print(f"vcd version with         {with_it * 1000:7.1f} ms CPU (median)")
    print(f"added (median of pairs)  {added * 1000:7.1f} ms CPU; the limit is 5")
    print(f"the import by itself     {imported * 1000:7.1f} ms CPU (median)")
    print(f"ratio                    {with_it / without:7.3f}")


if __name__ == "__main__":
    main()
