"""Which template a user's words mean."""

from __future__ import annotations

from datetime import date

import pytest

from cse_client.engines.direct.templates import choose, support_ended, with_default
from cse_client.errors import NotFound
from cse_client.model import Template, TemplateFacts
from cse_client.versions import version_key


def template(name: str, revision: int, kubernetes: str) -> Template:
    return Template(
        name=name,
        revision=revision,
        catalog="cse",
        item=f"{name}_rev{revision}",
        href=f"h/{name}/{revision}",
        facts=TemplateFacts(kubernetes=kubernetes),
    )


OLD = template("ubuntu-16.04_k8-1.9_weave-2.3.0", 1, "1.9")
GUIDE_1 = template("ubuntu-16.04_k8-1.18_weave-2.6.5", 1, "1.18")
GUIDE_2 = template("ubuntu-16.04_k8-1.18_weave-2.6.5", 2, "1.18")
NEW = template("ubuntu-24.04_k8-1.33_antrea-2.3", 1, "1.33")


def test_versions_are_not_compared_as_text() -> None:
    assert version_key("1.9") < version_key("1.18") < version_key("1.18.6") < version_key("1.33")


def test_the_guides_template_is_the_default_in_its_highest_revision() -> None:
    marked = with_default([OLD, GUIDE_1, NEW, GUIDE_2])
    assert [t.item for t in marked if t.is_default] == [GUIDE_2.item]


def test_without_the_guides_template_the_newest_is_the_default() -> None:
    assert [t.item for t in with_default([OLD, NEW]) if t.is_default] == [NEW.item]


TODAY = date(2026, 11, 26)
SUPPORTED = template("k8s", 0, "1.36.3")
NEWEST = template("k8s-new", 0, "1.37.1")
FUTURE = template("later", 0, "1.40.0")


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ([NEW, SUPPORTED, OLD], SUPPORTED),
        ([SUPPORTED, NEWEST, NEW], NEWEST),
        ([NEWEST, FUTURE], FUTURE),
        ([OLD, NEW], NEW),
        ([SUPPORTED, GUIDE_1], GUIDE_1),
    ],
)
def test_the_default_is_the_guides_or_the_newest_that_is_supported(
    there: list[Template], wanted: Template
) -> None:
    marked = with_default(there, today=TODAY)
    assert [t.item for t in marked if t.is_default] == [wanted.item]


@pytest.mark.parametrize(
    ("others", "end"),
    [
        ([NEW], "a newer one is ubuntu-24.04_k8-1.33_antrea-2.3_rev1 (Kubernetes 1.33)"),
        ([NEW, SUPPORTED], "a newer one is k8s_rev0 (Kubernetes 1.36.3)"),
        ([OLD], "to build a newer one: vcd cse template build --help"),
    ],
)
def test_a_default_out_of_support_names_a_newer_one(others: list[Template], end: str) -> None:
    (line,) = support_ended([GUIDE_2, *others], GUIDE_2, today=TODAY)
    assert line == (
        "Kubernetes 1.18 of the default template 'ubuntu-16.04_k8-1.18_weave-2.6.5_rev2' has been"
        f" out of support since 2021-06-18; {end}"
    )


@pytest.mark.parametrize("supported", [NEWEST, FUTURE, template("unknown", 1, "")])
def test_a_supported_default_needs_no_warning(supported: Template) -> None:
    assert list(support_ended([supported, OLD], supported, today=TODAY)) == []


def test_the_configured_default_wins() -> None:
    marked = with_default([OLD, GUIDE_2, NEW], configured=OLD.name)
    assert [t.item for t in marked if t.is_default] == [OLD.item]


def test_no_templates_at_all_says_what_to_do() -> None:
    with pytest.raises(NotFound, match="No Kubernetes template") as caught:
        choose(with_default([]), "", None)
    assert "template build" in caught.value.hint and "template register" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "revision", "wanted"),
    [
        ("", None, GUIDE_2),
        (GUIDE_1.name, None, GUIDE_2),
        (GUIDE_1.name, 1, GUIDE_1),
        (GUIDE_1.item, None, GUIDE_1),
        ("", 1, GUIDE_1),
        (NEW.name, 1, NEW),
    ],
)
def test_choose(words: str, revision: int | None, wanted: Template) -> None:
    assert choose(with_default([OLD, GUIDE_1, GUIDE_2, NEW]), words, revision).item == wanted.item


def test_an_unknown_template_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match="'nope' was not found") as caught:
        choose(with_default([GUIDE_1, NEW]), "nope", None)
    assert NEW.name in caught.value.hint


def test_an_unknown_revision_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match="no revision 7") as caught:
        choose(with_default([GUIDE_1, GUIDE_2]), GUIDE_1.name, 7)
    assert "1, 2" in caught.value.hint
