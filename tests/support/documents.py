"""Documents in Markdown: their text, links and anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

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
