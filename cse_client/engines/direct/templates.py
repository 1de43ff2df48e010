"""Which template to use: the default, and what a user's words mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from cse_client.errors import NotFound
from cse_client.model import Template

#: The template that guides for CSE name as the default.
GUIDE_DEFAULT = "ubuntu-16.04_k8-1.18_weave-2.6.5"


def version_key(text: str) -> tuple[int, ...]:
    """Turn '1.18.6' into (1, 18, 6), so that versions are never compared as text or floats."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def with_default(templates: Sequence[Template], configured: str = "") -> list[Template]:
    """Mark one template as the default and return all, newest Kubernetes first.

    The default is the configured name, else the guide's, else the newest; of several revisions
    the highest.
    """
    ordered = sorted(
        templates,
        key=lambda t: (version_key(t.facts.kubernetes), t.name, t.revision),
        reverse=True,
    )
    chosen = _default(ordered, configured)
    return [replace(template, is_default=template is chosen) for template in ordered]


def _default(ordered: Sequence[Template], configured: str) -> Template | None:
    for wanted in (configured, GUIDE_DEFAULT):
        matches = [t for t in ordered if wanted and wanted in (t.name, t.item)]
        if matches:
            return max(matches, key=lambda t: t.revision)
    return ordered[0] if ordered else None


def choose(templates: Sequence[Template], name: str, revision: int | None) -> Template:
    """Return the template that `name` and `revision` mean.

    `name` may be empty (the default), a template's name, or a whole catalog item's name with its
    revision. Without a revision the highest wins. Raises NotFound naming what there is.
    """
    if not templates:
        raise NotFound(
            "No Kubernetes template can be seen in any catalog.",
            hint="Ask the provider to share the CSE catalog with your organisation, or mark a"
            " prepared template with: vcd cse template register CATALOG ITEM",
        )
    if not name:
        wanted = next(t for t in templates if t.is_default)
        name = wanted.name
        matches = [t for t in templates if t.name == name]
    else:
        matches = [t for t in templates if t.item == name] or [
            t for t in templates if t.name == name
        ]
    if not matches:
        known = ", ".join(sorted({t.name for t in templates}))
        raise NotFound(f"Template '{name}' was not found.", hint=f"There are: {known}.")
    if revision is None:
        return max(matches, key=lambda t: t.revision)
    exact = [t for t in matches if t.revision == revision]
    if not exact:
        known = ", ".join(str(r) for r in sorted({t.revision for t in matches}))
        raise NotFound(
            f"Template '{name}' has no revision {revision}.", hint=f"There are: {known}."
        )
    return exact[0]
