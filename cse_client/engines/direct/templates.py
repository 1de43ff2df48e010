"""Which template to use: the default, and what a user's words mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timezone

from cse_client import suggest
from cse_client.engines.direct.metadata import RecordedSpec
from cse_client.errors import NotFound
from cse_client.model import Template
from cse_client.model.support import end_of_support, is_supported
from cse_client.versions import version_key

__all__ = ["GUIDE_DEFAULT", "choose", "name_of", "namesakes", "support_ended", "with_default"]

#: The template that guides for CSE name as the default.
GUIDE_DEFAULT = "ubuntu-16.04_k8-1.18_weave-2.6.5"


def with_default(
    templates: Sequence[Template], configured: str = "", *, today: date | None = None
) -> list[Template]:
    """Mark one template as the default and return all, newest Kubernetes first.

    The default is the configured name, else the guide's, else the newest whose Kubernetes is
    supported, else the newest; of several revisions the highest. Of those that are alike, the
    session's own organization's comes first, then the first catalog by name.
    """
    by_catalog = sorted(templates, key=lambda t: (not t.is_own, t.catalog, t.id))
    ordered = sorted(
        by_catalog,
        key=lambda t: (version_key(t.facts.kubernetes), t.name, t.revision),
        reverse=True,
    )
    chosen = _default(ordered, configured, today or _today())
    return [replace(template, is_default=template is chosen) for template in ordered]


def _default(ordered: Sequence[Template], configured: str, today: date) -> Template | None:
    for wanted in (configured, GUIDE_DEFAULT):
        matches = [t for t in ordered if wanted and wanted in (t.name, t.item)]
        if matches:
            return max(matches, key=lambda t: t.revision)
    supported = (t for t in ordered if is_supported(t.facts.kubernetes, today))
    return next(supported, ordered[0] if ordered else None)


def choose(
    templates: Sequence[Template], name: str, revision: int | None, *, earlier: str = ""
) -> Template:
    """Return the template that `name` and `revision` mean.

    `name` may be empty (the default), a template's name, a whole catalog item's name with its
    revision, CATALOG/ either of them, or a template's id. Without a revision the highest wins. Of
    several that are alike, the one whose id is `earlier` wins, else the first in the order of
    `with_default`.

    Raises:
        NotFound: nothing fits; the hint names what there is.
    """
    if not templates:
        raise NotFound(
            "No Kubernetes template can be seen in any catalog.",
            hint="Build one from a plain Ubuntu template: "
            f"`{suggest.cse('template build', help=True)}`; register a prepared one: "
            f"`{suggest.cse('template register', help=True)}`; or ask the provider to share the CSE"
            " catalog with your organization.",
        )
    matches = _matches(templates, name or next(t.name for t in templates if t.is_default))
    if not matches:
        known = ", ".join(sorted({t.name for t in templates}))
        raise NotFound(f"Template '{name}' was not found.", hint=f"Available: {known}.")
    wanted = max(t.revision for t in matches) if revision is None else revision
    exact = [t for t in matches if t.revision == wanted]
    if not exact:
        known = ", ".join(str(r) for r in sorted({t.revision for t in matches}))
        raise NotFound(
            f"Template '{name}' has no revision {revision}.", hint=f"Available: {known}."
        )
    return next((t for t in exact if t.id == earlier), exact[0])


def namesakes(templates: Sequence[Template], chosen: Template, name: str) -> Iterator[str]:
    """Yield a warning where `name` means other templates as much as the chosen one.

    Their catalogs have different names, or the same one: those of the user's organization and of
    organizations that share theirs are independent of each other.
    """
    same = [
        t
        for t in _matches(templates, name or chosen.name)
        if (t.name, t.revision) == (chosen.name, chosen.revision) and t.id != chosen.id
    ]
    if not same:
        return
    others = "; ".join(f"{_catalog(one)}: --template {_choice(one, templates)}" for one in same[:5])
    yield (
        f"The template '{chosen.item}' is in {1 + len(same)} catalogs; the one in "
        f"{_catalog(chosen)} is used. To use another, {others}"
    )


def support_ended(
    templates: Sequence[Template], chosen: Template, *, today: date | None = None
) -> Iterator[str]:
    """Yield a warning where a default template's Kubernetes is out of support.

    It names a newer template, a supported one first, or how to build one.
    """
    today = today or _today()
    version = chosen.facts.kubernetes
    end = end_of_support(version)
    if end is None or is_supported(version, today):
        return
    newer = sorted(
        (t for t in templates if version_key(t.facts.kubernetes) > version_key(version)),
        key=lambda t: (
            is_supported(t.facts.kubernetes, today) is True,
            t.is_own,
            version_key(t.facts.kubernetes),
        ),
        reverse=True,
    )
    instead = f"to build a newer one: {suggest.cse('template build', help=True)}"
    if newer:
        best = newer[0]
        instead = f"a newer one is {best.item} (Kubernetes {best.facts.kubernetes})"
    yield (
        f"Kubernetes {version} of the default template '{chosen.item}' has been out of support"
        f" since {end}; {instead}"
    )


def name_of(text: str, recorded: RecordedSpec) -> str:
    """Return the template's name in what a user typed, without catalog and revision.

    An id stands for the recorded template when it is that template's.
    """
    if text and text == recorded.template_id:
        return recorded.template
    return text.rpartition("/")[2].partition("_rev")[0]


def _matches(templates: Sequence[Template], text: str) -> list[Template]:
    catalog, _slash, name = text.rpartition("/")
    ways: tuple[Callable[[Template], bool], ...] = (
        lambda t: t.item == text,
        lambda t: t.name == text,
        lambda t: (t.catalog, t.item) == (catalog, name),
        lambda t: (t.catalog, t.name) == (catalog, name),
        lambda t: t.id == text,
    )
    for fits in ways:
        found = [t for t in templates if fits(t)]
        if found:
            return found
    return []


def _choice(one: Template, templates: Sequence[Template]) -> str:
    """Return the words that mean this template and no other."""
    text = f"{one.catalog}/{one.item}"
    return suggest.quote(text if _matches(templates, text) == [one] else one.id)


def _catalog(one: Template) -> str:
    owner = "of your organization" if one.is_own else "of another organization"
    return f"catalog '{one.catalog}' {owner}"


def _today() -> date:
    return datetime.now(timezone.utc).date()
