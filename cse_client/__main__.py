"""`python -m cse_client`: whether `vcd cse` can work on this machine, and what to type next.

For a user to whom `vcd` says "No such command 'cse'". It reads and changes nothing: vcd-cli is not
imported, since that creates log files in the working directory. Exit code 0 means that vcd-cli
loads the extension, 1 that something is missing, 2 wrong usage.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

from cse_client import __version__
from cse_client.content import plain
from cse_client.suggest import shell_line

__all__ = ["EXTENSION", "OTHER_EXTENSION", "USAGE", "main"]

EXTENSION = "cse_client.cse"
#: VMware's own extension, which also defines `vcd cse`.
OTHER_EXTENSION = "container_service_extension.client.cse"
USAGE = """\
Usage: python -m cse_client

Show the version, whether vcd-cli loads the extension, and what to type next.
vcd-cli runs the commands themselves: `vcd cse`."""
_PROFILES = "~/.vcd-cli/profiles.yaml"
_MOST_BYTES = 1024 * 1024
_MOST_CAUSE = 200


class _NotReady(Exception):
    """`vcd cse` cannot work yet: the cause as a sentence, and the next step."""

    def __init__(self, cause: str, step: str) -> None:
        super().__init__(cause)
        self.step = step


def main(arguments: Sequence[str]) -> int:
    """Print the report; return the exit code."""
    if arguments:
        asked = set(arguments) <= {"-h", "--help"}
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
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
            f"vcd-cli does not load {EXTENSION}: it is not in 'extensions' of {_PROFILES}.",
            shell_line([vcd, "profile", "extension", "add", EXTENSION]),
        )
    if OTHER_EXTENSION in extensions:
        raise _NotReady(
            f"Two extensions define 'vcd cse': {EXTENSION} and {OTHER_EXTENSION}.",
            shell_line([vcd, "profile", "extension", "delete", OTHER_EXTENSION]),
        )
    print(f"vcd-cli loads the extension {EXTENSION}.")
    print("Next:")
    print(f"  {shell_line([vcd, 'login', 'HOST', 'ORGANIZATION', 'USER'])}")
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
    path = Path("~/.vcd-cli/profiles.yaml").expanduser()
    if not path.exists():
        return []
    step = f"Correct {_PROFILES} or remove it; vcd-cli makes a new one."
    try:
        data = _load(path)
    except Exception as error:  # noqa: BLE001 - whatever a damaged file does to the parser
        cause = " ".join(plain(line) for line in str(error).split("\n"))[:_MOST_CAUSE]
        raise _NotReady(f"{_PROFILES} cannot be read: {cause}", step) from None
    extensions = data.get("extensions") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(extensions, (list, type(None))):
        raise _NotReady(f"{_PROFILES} is empty or damaged.", step)
    return [str(module) for module in extensions or ()]


def _load(path: Path) -> Any:
    """Return the file's value, read as vcd-cli reads it."""
    import yaml

    if not path.is_file():
        raise OSError("it is not a regular file.")
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise OSError("it is larger than 1 MiB.")
    return yaml.safe_load(data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
