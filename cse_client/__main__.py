"""`python -m cse_client`: the program `cse`; alone, whether `vcd cse` can work on this machine.

The report is for a user to whom `vcd` says "No such command 'cse'". It only reads, and changes
nothing: vcd-cli is not imported, since that creates log files in the working directory. Exit code 0
means that vcd-cli loads the extension, 1 that something is missing.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from cse_client import __version__, profiles
from cse_client.content import plain
from cse_client.suggest import shell_line

__all__ = ["EXTENSION", "OTHER_EXTENSION", "main"]

EXTENSION = "cse_client.cse"
#: VMware's own extension, which also defines `vcd cse`.
OTHER_EXTENSION = "container_service_extension.client.cse"
_MOST_CAUSE = 200


class _NotReady(Exception):
    """`vcd cse` cannot work yet: the cause as a sentence, and the next step."""

    def __init__(self, cause: str, step: str) -> None:
        super().__init__(cause)
        self.step = step


def main(arguments: Sequence[str]) -> int:
    """Run a command; without one print the report and return its exit code."""
    if arguments:
        from cse_client.program import main as run

        run(arguments, program=_called())
    print(f"cse-client {__version__}, Python {platform.python_version()}, {sys.prefix}")
    try:
        _report()
    except _NotReady as problem:
        print(f"Error: {problem}\nHint: {problem.step}", file=sys.stderr)
        return 1
    return 0


def _report() -> None:
    """Print what was found.

    Raises:
        _NotReady: `vcd cse` would not work.
    """
    vcd = _vcd()
    print(f"vcd-cli {_vcd_cli_version()}: {vcd}")
    extensions = _extensions()
    if EXTENSION not in extensions:
        raise _NotReady(
            f"vcd-cli does not load {EXTENSION}: it is not in 'extensions' of {profiles.SHOWN}.",
            shell_line([vcd, "profile", "extension", "add", EXTENSION]),
        )
    if OTHER_EXTENSION in extensions:
        raise _NotReady(
            f"Two extensions define 'vcd cse': {EXTENSION} and {OTHER_EXTENSION}.",
            shell_line([vcd, "profile", "extension", "delete", OTHER_EXTENSION]),
        )
    print(f"vcd-cli loads the extension {EXTENSION}.")
    print("Next:")
    print(f"  {shell_line([vcd, 'cse', 'login', 'HOST', 'ORGANIZATION', 'USER'])}")
    print(f"  {shell_line([vcd, 'cse', '-h'])}")


def _vcd() -> str:
    """Return how to type `vcd` of this environment: its name, or its path if PATH has another."""
    ours = which("vcd", path=str(Path(sys.executable).parent))
    found = which("vcd")
    if ours is None or (found is not None and Path(found).samefile(ours)):
        return "vcd"
    return ours


def _vcd_cli_version() -> str:
    again = "Install this package and what it depends on into one environment: pip install ."
    try:
        found = version("vcd-cli")
    except PackageNotFoundError:
        raise _NotReady(f"vcd-cli is not installed in {sys.prefix}.", again) from None
    if find_spec("pkg_resources") is None:
        step = shell_line([sys.executable, "-m", "pip", "install", "setuptools>=78.1.1,<80.9"])
        raise _NotReady("vcd-cli needs pkg_resources of an older setuptools.", step)
    return found


def _extensions() -> list[str]:
    """Return the modules that vcd-cli loads.

    Raises:
        _NotReady: the file with its profiles cannot be read.
    """
    if not profiles.path().exists():
        return []
    step = f"Correct {profiles.SHOWN} or remove it; vcd-cli makes a new one."
    try:
        data = profiles.load()
    except profiles.Unreadable as error:
        cause = " ".join(plain(line) for line in error.message.split("\n"))[:_MOST_CAUSE]
        raise _NotReady(f"{profiles.SHOWN} cannot be read: {cause}", step) from None
    extensions = data.get("extensions") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(extensions, (list, type(None))):
        raise _NotReady(f"{profiles.SHOWN} is empty or damaged.", step)
    return [str(module) for module in extensions or ()]


def _called() -> tuple[str, ...]:
    """Return how to call this program again: `python` means this one only where PATH says so."""
    for name in ("python", "python3"):
        # compared by name: a virtual environment's are links to the same file
        if which(name) == sys.executable:
            return (name, "-m", "cse_client")
    return (sys.executable, "-m", "cse_client")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
