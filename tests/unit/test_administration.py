"""The administrator's guide names every right that the program asks for."""

from __future__ import annotations

import re

from tests.support.messages import templates
from tests.support.programs import ROOT

RIGHT = re.compile(
    r"\b(?:vApp Template / Media|vApp|Catalog|Organization vDC(?: [A-Z]\w+)*|API Tokens|General)"
    r": [A-Z](?:[\w/ -]*\w)?"
)


def rights() -> set[str]:
    """Return the rights that are named in the product's sources."""
    return {right for text in templates("cse_client") for right in RIGHT.findall(text)}


def listed() -> set[str]:
    """Return the rights in the guide's table; `X: A, B` are two of them."""
    page = (ROOT / "docs" / "administration.md").read_text(encoding="utf-8")
    section = page.partition("\n## Rights\n")[2].partition("\n## ")[0]
    found = set()
    for cell in re.findall(r"^\| ([^|]+) \|", section, re.M):
        kind, _, names = cell.partition(": ")
        found |= {f"{kind}: {name}" for name in names.split(", ")}
    return found


def test_every_right_is_in_the_guide() -> None:
    assert len(rights()) > 10
    assert rights() - listed() == set()
