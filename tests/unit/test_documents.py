"""The documents lead to each other and to their own parts, and none is left out of the index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.programs import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
#: Links and pictures of Markdown, reference definitions, and the same in HTML.
LINKS = (
    re.compile(r"\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)"),
    re.compile(r"^\[[^\]]+\]:\s+(\S+)", re.M),
    re.compile(r"\b(?:href|src|srcset)=\"([^\"]+)\""),
    re.compile(r"<((?:https?|mailto):[^>\s]+)>"),
)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.M)


@cache
def text(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """All links of a page; nothing in code is one."""
    prose = re.sub(r"`[^`\n]*`", "`code`", text(page))
    return [found for pattern in LINKS for found in pattern.findall(prose)]


def inside(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Yield the links of a page to files here: as they are written, the file, and the anchor."""
    for link in links(page):
        path, _, anchor = link.partition("#")
        if not urlsplit(link).scheme:
            yield link, (page.parent / unquote(path)) if path else page, anchor


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    found: dict[str, int] = {}
    names = []
    for heading in HEADING.findall(text(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        times = found.get(name, 0)
        found[name] = times + 1
        names.append(f"{name}-{times}" if times else name)
    return frozenset(names)


def wrong_links(page: Path) -> list[str]:
    """The links of a page to what does not exist, and addresses that are none."""
    wrong = []
    for link, file, anchor in inside(page):
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(link)
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme and not (
            (parts.scheme == "https" and "." in parts.netloc)
            or (parts.scheme == "mailto" and "@" in parts.path)
        ):
            wrong.append(link)
    return wrong


def test_a_wrong_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# `a b`: c\n\n# Twice\n\n# Twice\n")
    good = (
        "[a](other.md) [b](other.md#a-b-c) [c](#here) [d](other.md#twice-1) <https://example.com/x>"
        '\n\n![e](other.md "title") <img src="other.md"> `[x](none.md)`\n'
    )
    wrong = ["gone.md", "other.md#gone", "#gone", "http://example.com", "https://nowhere"]
    page = tmp_path / "page.md"
    bad = "\n".join(f"[x]({link})" for link in wrong)
    picture = '<source srcset="gone.svg">\n\n[ref]: gone.md\n'
    page.write_text(f"# Here\n\n{good}\n```\n# no heading\n[x](code.md)\n```\n{bad}\n{picture}")
    assert sorted(wrong_links(page)) == sorted([*wrong, "gone.svg", "gone.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert wrong_links(page) == []


@pytest.mark.parametrize("index", [DOCS / "README.md", DOCS / "decisions" / "README.md"])
def test_an_index_lists_every_page(index: Path) -> None:
    pages = {page.name for page in index.parent.glob("*.md")} - {"README.md"}
    assert pages <= {file.name for _link, file, _anchor in inside(index)}


def test_the_readme_leads_to_every_page_of_users() -> None:
    linked = {file for _link, file, _anchor in inside(ROOT / "README.md")}
    assert set(DOCS.glob("*.md")) - linked == set()
