"""Keeping a cluster's control planes on different hosts, by an anti-affinity rule of its VDC.

It is an improvement where VCD allows it: a command warns where that fails, and goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cse_client.errors import CseError, SessionInvalid
from cse_client.model import CONTROL_PLANE, Event, EventKind, Progress, VApp, Vdc, node_kind
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.vcd.affinity import AffinityRules, AntiAffinityRule
    from cse_client.vcd.client import VcdClient

__all__ = ["drop_separation", "keep_separate", "rule_name"]

_LEAST_VMS = 2
#: A rule is no reason to wait longer than that.
_SECONDS = 60.0


def rule_name(cluster: str) -> str:
    """Return the name of a cluster's rule."""
    return f"cse-{cluster}-control-planes"


def keep_separate(vcd: VcdClient, vdc: Vdc, vapp: VApp, progress: Progress) -> None:
    """Make the rule hold for all control planes that a vApp has; none for a single one.

    One request where nothing is to be changed. Only rules are touched whose VMs all belong to this
    vApp: a name proves nothing.

    Raises:
        SessionInvalid: the session has ended.
    """

    def keep() -> None:
        rules = vcd.affinity_rules(vdc)
        heads = [vm.href for vm in vapp.vms if node_kind(vm.name) == CONTROL_PLANE]
        rule = _own(rules, vapp)
        if len(heads) < _LEAST_VMS:
            if rule is not None:
                _done(vcd, lambda: rules.delete(rule))
        elif rule is None:
            _done(vcd, lambda: rules.add(rule_name(vapp.name), heads))
        elif rule.vms != {*heads} or not rule.enabled:
            _done(vcd, lambda: rules.change(rule, heads))

    _try(
        keep,
        progress,
        f"Control planes of cluster '{vapp.name}' may run on the same host.",
    )


def drop_separation(vcd: VcdClient, vdc: Vdc, vapp: VApp, progress: Progress) -> None:
    """Delete the rule of a vApp that is about to be deleted; no request with one control plane.

    Raises:
        SessionInvalid: the session has ended.
    """
    if sum(node_kind(vm.name) == CONTROL_PLANE for vm in vapp.vms) < _LEAST_VMS:
        return

    def drop() -> None:
        rules = vcd.affinity_rules(vdc)
        rule = _own(rules, vapp)
        if rule is not None:
            _done(vcd, lambda: rules.delete(rule))

    _try(drop, progress, f"The affinity rule '{rule_name(vapp.name)}' is left in VCD.")


def _own(rules: AffinityRules, vapp: VApp) -> AntiAffinityRule | None:
    own = {vm.href for vm in vapp.vms}
    name = rule_name(vapp.name)
    return next((one for one in rules.all() if one.name == name and one.vms <= own), None)


def _done(vcd: VcdClient, call: Callable[[], tasks.Task]) -> None:
    tasks.done(vcd, call, deadline=vcd.clock.monotonic() + _SECONDS)


def _try(work: Callable[[], None], progress: Progress, otherwise: str) -> None:
    try:
        work()
    except SessionInvalid:
        raise
    except CseError as error:
        progress(Event(EventKind.WARNING, f"{otherwise} {error.message}"))
