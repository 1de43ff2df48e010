"""Which templates a cluster can be upgraded to: Kubernetes' rules of version skew.

One minor release at a time, never down; and kubelets may be at most three minor releases older than
the API server, two where it is older than 1.28 (kubernetes.io, "Version Skew Policy").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from cse_client import suggest
from cse_client.content import plain
from cse_client.engines.direct.metadata import RELEASES, recorded_template_revision
from cse_client.engines.direct.templates import choose
from cse_client.engines.upgrade_plans import no_upgrades
from cse_client.errors import CseError, Refused
from cse_client.model import Template, footprint
from cse_client.model.upgrades import UpgradeSpec
from cse_client.versions import version_key

__all__ = [
    "choose_target",
    "refuse_unfit",
    "release_of",
    "short_release",
    "skew_problems",
    "targets",
]

_EXACT = re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?", re.ASCII)
_THREE_MINORS_SINCE = 28
#: The numbers of a minor release: 1.37.
_MINOR = 2


def release_of(template: Template) -> str:
    """Return the Kubernetes release in a template, exact where that is known."""
    known = RELEASES.get((template.name, template.revision))
    return known.kubernetes if known is not None else template.facts.kubernetes


def short_release(version: str) -> str:
    """Return an API server's version as templates name it: `v1.36.3` is 1.36.3."""
    return version.lstrip("v")


def targets(
    templates: Sequence[Template],
    release: str,
    metadata: Mapping[str, str],
    *,
    keepalived: bool = False,
) -> list[Template]:
    """Return what a cluster of this release can be upgraded to, the best first.

    That is the newest release; of one release, a template that contains keepalived where that is
    needed, then one for the cluster's network plug-in, then the user's own, then the highest
    revision. A higher revision of the cluster's own template is an upgrade as well.
    """
    cni = metadata.get(footprint.CNI, "").lower()
    name = metadata.get(footprint.TEMPLATE_NAME, "")
    revision = recorded_template_revision(metadata) or 0

    def fits(template: Template) -> bool:
        new, old = version_key(release_of(template)), version_key(release)
        if not new or any(skew_problems(template, release, [])):
            return False
        return new > old or (template.name == name and template.revision > revision)

    found = [template for template in templates if fits(template)]

    def worth(template: Template) -> tuple[object, ...]:
        facts = template.facts
        return (
            version_key(release_of(template)),
            facts.keepalived or not keepalived,
            facts.cni.lower() == cni,
            template.is_own,
            template.revision,
        )

    return sorted(found, key=worth, reverse=True)


def choose_target(
    templates: Sequence[Template],
    spec: UpgradeSpec,
    release: str,
    metadata: Mapping[str, str],
    *,
    keepalived: bool = False,
) -> Template | None:
    """Return the template that is requested, or the newest one that fits.

    None is returned where there are templates, and none is newer than the cluster.

    Raises:
        NotFound: none fits, because there is none or it would skip a release, for example.
    """
    if spec.template:
        return choose(templates, spec.template, spec.template_revision)
    found = targets(templates, release, metadata, keepalived=keepalived)
    if found:
        return found[0]
    refuse_unfit(templates, release, spec.cluster)
    return None


def refuse_unfit(templates: Sequence[Template], release: str, cluster: str) -> None:
    """Refuse templates of which none fits, unless that is because none is newer than the cluster.

    Raises:
        NotFound: there is none, or one is newer and does not fit.
    """
    known = [version_key(release_of(template)) for template in templates]
    if not any(known) or max(known) > version_key(release):
        raise no_upgrades(cluster)


def skew_problems(template: Template, release: str, kubelets: Sequence[str]) -> Iterator[CseError]:
    """Yield why a cluster of this release, with kubelets of these, may not get the template's."""
    new = release_of(template)
    before, after = version_key(release), version_key(new)
    if len(after) < _MINOR:
        yield _unknown(template)
        return
    if after[:3] < before[: len(after)]:
        yield Refused(
            f"Template '{template.item}' contains Kubernetes {new}, and the cluster has"
            f" {plain(release)}: a cluster cannot be downgraded."
        )
    elif after[0] != before[0] or after[1] > before[1] + 1:
        yield Refused(
            f"Template '{template.item}' contains Kubernetes {new}, and the cluster has"
            f" {plain(release)}: an upgrade cannot skip a minor release.",
            hint=f"Upgrade to a template with Kubernetes 1.{before[1] + 1} first. To list what is"
            f" possible: {suggest.cse('cluster upgrade-plan', suggest.cluster())}",
        )
    elif not _EXACT.fullmatch(new):
        yield _unknown(template)
    most = 3 if after[1] >= _THREE_MINORS_SINCE else 2
    late = sorted(
        {v for v in kubelets if version_key(v)[1:2] and after[1] - version_key(v)[1] > most}
    )
    if late:
        yield Refused(
            f"The cluster has kubelets of {', '.join(plain(one) for one in late)}, which are too"
            f" old for a control plane of {new}.",
            hint="Replace those nodes first.",
        )


def _unknown(template: Template) -> Refused:
    return Refused(
        f"The exact Kubernetes version of template '{template.item}' is not known.",
        hint="Register the template with --kubernetes-version X.Y.Z:"
        f" {suggest.cse('template register', help=True)}",
    )
