"""Time to the first useful word: CPU of short commands beyond `vcd version`, in paired runs.

    python benchmarks/first_word.py [PAIRS]

Against the simulator, with a cluster of two nodes. CPU time is that of the whole process, user and
system; the two commands of a pair are run in turn, so that whatever else the machine does hits
both alike. The limits hold on an otherwise idle machine.
"""

from __future__ import annotations

import statistics
import sys

import arguments
from cloud import bench

#: Words after `vcd cse`, and the limit in milliseconds.
COMMANDS = {"--help": 30, "cluster list": 120, "cluster config bench": 150}


def main() -> int:
    """Measure; the exit code says whether the limits hold."""
    parser = arguments.parser(
        "Measures the CPU time of short commands beyond that of `vcd version`; the limits are 30 ms"
        " for `--help`, 120 ms for `cluster list` and 150 ms for `cluster config`."
    )
    parser.add_argument(
        "pairs", nargs="?", type=arguments.number, default=20, help="pairs of runs for each command"
    )
    pairs = parser.parse_args().pairs
    line = "{:<28} {:>10} {:>10} {:>10} {:>8}"
    print(line.format("vcd cse ...", "CPU ms", "version", "beyond", "limit"))
    good = True
    with bench("--no-guests") as cloud:
        cloud.vcd("-n", "cse", "cluster", "create", "bench", "-n", "net1", "-N", "1")
        for words, limit in COMMANDS.items():
            commands = (("version",), ("cse", *words.split()))
            for command in commands:  # bytecode and file caches
                cloud.vcd(*command)
            measured = []
            for number in range(pairs):  # each goes first in half of the pairs
                order = commands if number % 2 else commands[::-1]
                used = {command: cloud.vcd(*command).cpu * 1000 for command in order}
                measured.append((used[commands[0]], used[commands[1]]))
            without, with_it = (statistics.median(column) for column in zip(*measured))
            beyond = statistics.median(two - one for one, two in measured)
            good &= beyond <= limit
            shown = (f"{with_it:.0f}", f"{without:.0f}", f"{beyond:.0f}")
            print(line.format(words, *shown, limit), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
