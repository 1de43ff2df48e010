"""What must be known before a control plane is upgraded in place; nothing is changed here."""

from __future__ import annotations

import re

from cse_client import suggest
from cse_client.content import plain
from cse_client.engines.direct.in_place_record import BEGUN, FINAL, UpgradeRecord
from cse_client.engines.direct.operations.in_place.control_plane import OnlyControlPlane
from cse_client.engines.direct.operations.in_place.forward import (
    InPlaceTarget,
    script_with_upgrade,
)
from cse_client.errors import Conflict, Refused
from cse_client.model import Vm
from cse_client.model.templates import LONGEST_SOURCE

__all__ = ["check_resumed", "check_upgrade"]

_VERSION = re.compile(r"v?1\.(\d{1,3})\.\d{1,3}", re.ASCII)
_LONGEST = 200


def check_upgrade(control_plane: OnlyControlPlane, target: InPlaceTarget) -> None:
    """Refuse an upgrade, new or resumed, that cannot be done in this way.

    Raises:
        Refused, Conflict: it cannot.
        ClusterUnreachable: the API does not answer, in a cluster that no run has touched yet.
    """
    vm = control_plane.vm()
    record = control_plane.record
    if record is not None and record.version != target.version and control_plane.is_final(record):
        # an earlier upgrade, which is over
        record = control_plane.record = None
    if record is not None:
        check_resumed(control_plane, target, record)
        return
    running = control_plane.running_version()
    _check_version(running, target.version)
    if running == target.version:
        return
    script = control_plane.vcd.customization_script(vm.href)
    script_with_upgrade(script, vm, "upgrade-0", target)
    if target.rollback:
        _check_snapshot(control_plane, vm)


def check_resumed(
    control_plane: OnlyControlPlane, target: InPlaceTarget, record: UpgradeRecord
) -> None:
    """Refuse to go on with anything else than what this command requests.

    Anybody who may edit the vApp may have written the record, so it chooses no packages.

    Raises:
        Conflict: an earlier run was requested with other options.
    """
    if record.phase not in (BEGUN, FINAL):
        return
    name = control_plane.cluster.name
    back = suggest.cse("cluster upgrade", name, roll_back=True)
    if record.version != target.version:
        raise Conflict(
            f"Cluster '{name}' is being upgraded to Kubernetes {target.version}, but its metadata"
            f" records an upgrade to {record.version}.",
            hint=f"Go back: {back}",
        )
    if record.source == target.source or control_plane.is_final(record):
        return
    source = plain(record.source, LONGEST_SOURCE)
    text = (
        f"An upgrade of cluster '{name}' to Kubernetes {record.version} with the packages of"
        f" {source} is not finished."
    )
    if not target.package_source:
        again = suggest.cse("cluster upgrade", name, package_source=source)
        raise Conflict(text, hint=f"Repeat --package-source: {again}")
    if not control_plane.has_failed(record):
        raise Conflict(text, hint=f"Resume it with the same options, or go back: {back}")


def _check_version(before: str, version: str) -> None:
    """Refuse what kubeadm would: builds of others, down, more than one minor release up."""
    now, to = _VERSION.fullmatch(before), _VERSION.fullmatch(version)
    if now is None or to is None:
        raise Refused(
            f"Kubernetes {plain(before, _LONGEST)} cannot be upgraded to {version} with packages."
        )
    if not int(now[1]) <= int(to[1]) <= int(now[1]) + 1:
        raise Refused(
            f"Kubernetes {before} cannot be upgraded to {version}: an upgrade goes up by one minor"
            " release at most."
        )


def _check_snapshot(control_plane: OnlyControlPlane, vm: Vm) -> None:
    """Refuse a VM of which no snapshot can be created."""
    state = control_plane.vcd.snapshots.state(vm.href)
    if state.created is not None:
        raise Conflict(
            f"The VM {vm.name} has a snapshot of {state.created:%Y-%m-%d %H:%M} UTC, and VCD"
            " keeps only one.",
            hint="Remove it in VCD, or use --no-rollback.",
        )
    if not state.allowed:
        raise Refused(
            f"VCD does not allow you to create a snapshot of the VM {vm.name}, so there would"
            " be no way back from a failed upgrade.",
            hint='The right "vApp: Snapshot Operations" is required; without it, use'
            " --no-rollback and make a backup before: "
            + suggest.cse("cluster backup", control_plane.cluster.name),
        )
