"""The plan of an upgrade without a CSE server, before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.errors import NotFound, Refused, raise_all

if TYPE_CHECKING:
    from cse_client.engines.base import Replacing
    from cse_client.model.upgrades import UpgradePlan, UpgradeSpec

__all__ = ["checked_plan", "no_upgrades"]


def no_upgrades(cluster: str) -> NotFound:
    """Return the error for a cluster that no template can upgrade."""
    return NotFound(
        f"No upgrades are available for cluster '{cluster}'.",
        hint="Build or register a template with a newer Kubernetes version; upgrades skip no minor"
        " release.",
    )


def checked_plan(engine: Replacing, spec: UpgradeSpec) -> UpgradePlan:
    """Return the plan of an upgrade that nothing is in the way of.

    Raises:
        NotFound: there is no template to upgrade to.
        Refused, PreflightFailed: something is in the way.
    """
    plan = engine.plan_upgrade(spec)
    problems = [Refused(text, hint=cure) for text, cure in plan.refusals()]
    raise_all(problems, f"Cluster '{spec.cluster}' cannot be upgraded to Kubernetes {plan.after}")
    return plan
