"""The documents lead to each other, and none is left out of the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.programs import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def links(page: Path) -> list[str]:
    """The relative links of a page."""
    found = LINK.findall(page.read_text(encoding="utf-8"))
    return [link for link in found if not link.startswith(("https:", "http:"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("index", [DOCS / "README.md", DOCS / "decisions" / "README.md"])
def test_an_index_lists_every_page(index: Path) -> None:
    pages = {page.name for page in index.parent.glob("*.md")} - {"README.md"}
    assert pages <= set(links(index))


def test_the_readme_leads_to_every_page_of_users() -> None:
    missing = {f"docs/{page.name}" for page in DOCS.glob("*.md")} - set(links(ROOT / "README.md"))
    assert missing == set()
