"""Templates as files name them: CATALOG/NAME_revN, or less of it."""

from __future__ import annotations

from cse_client.model import ClusterSpec
from cse_client.model.pools import Pool

__all__ = ["is_same_template", "template_text"]


def template_text(spec: ClusterSpec | Pool) -> str:
    """Return the template of a cluster or a pool as a file states it."""
    if spec.template_revision is None:
        return spec.template
    return f"{spec.template}_rev{spec.template_revision}"


def is_same_template(wanted: ClusterSpec | Pool, now: ClusterSpec | Pool) -> bool:
    """Return whether the template in `now` is one that `wanted` means."""
    if wanted.template and wanted.template == now.template_id:
        return True
    catalog, _, name = wanted.template.rpartition("/")
    its_catalog, _, its_name = now.template.rpartition("/")
    if catalog and its_catalog and catalog != its_catalog:
        return False
    return name == its_name and wanted.template_revision in (None, now.template_revision)
