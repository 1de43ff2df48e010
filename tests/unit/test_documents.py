"""The documents lead to each other and to their own parts, and none is left out of the index."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.documents import inside, wrong_links
from tests.support.programs import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


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


def test_a_recording_is_a_picture_that_needs_nothing_else() -> None:
    pictures = list(DOCS.glob("images/*.svg"))
    assert pictures
    for picture in pictures:
        root = ElementTree.parse(picture).getroot()  # noqa: S314  (it is ours)
        names = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert {"title", "desc", "text", "use"} <= names
        assert names.isdisjoint({"script", "image", "foreignObject", "a"})
        links = {element.get("href", "#") for element in root.iter()}
        ids = {f"#{element.get('id')}" for element in root.iter()}
        assert links - ids == {"#"}
        assert "prefers-color-scheme:dark" in picture.read_text(encoding="utf-8")
