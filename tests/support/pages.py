"""The commands that pages of the documentation show, and what they print."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import ROOT

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
#: What stands for any text within a line, and on a line of its own for any lines.
_ANYTHING = "..."


@dataclass(frozen=True)
class Shown:
    """One command of a page, as it is typed, and the output that the page shows."""

    command: str
    output: str

    def matches(self, printed: str) -> bool:
        """Return whether this may be what the page shows."""
        lines = self.output.splitlines(keepends=True)
        pattern = "".join(
            "(?:.*\n)*?" if line.strip() == _ANYTHING else _pattern(line) for line in lines
        )
        return re.fullmatch(pattern, printed) is not None


def _pattern(line: str) -> str:
    return ".*?".join(re.escape(part) for part in line.split(_ANYTHING))


def commands(page: str) -> list[Shown]:
    """Return the commands in the `console` blocks of a page below docs, in order."""
    text = Path(ROOT / "docs" / page).read_text(encoding="utf-8")
    found = []
    for block in _BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _newline, output = part.partition("\n")
            while command.endswith("\\"):
                more, _newline, output = output.partition("\n")
                command = f"{command[:-1]} {more.strip()}"
            found.append(Shown(command, output))
    return found
