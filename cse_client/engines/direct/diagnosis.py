"""Finding out why a cluster does not work: VCD, the nodes' own reports, Kubernetes, the records.

What stops a cluster is a chain: the VMs are off, so that the API is silent, so that nodes are not
Ready. The causes are therefore ordered from the bottom up, and what follows from one that was
found is not named as another. What cannot be looked at is noted; nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, TypeVar

from cse_client import suggest
from cse_client.content import capitalized
from cse_client.engines.direct.credentials import PROBE_TIMEOUT, open_api
from cse_client.engines.direct.custody import find_pki
from cse_client.engines.direct.describe import inspect_cluster
from cse_client.engines.direct.etcd_symptoms import EtcdSymptoms, look_at_etcd
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.history import events_of
from cse_client.engines.direct.holders import holders
from cse_client.engines.direct.kube_symptoms import KubeSymptoms, look_at_kubernetes
from cse_client.engines.direct.pending import unfinished_work
from cse_client.errors import ClusterUnreachable, CseError, SessionInvalid
from cse_client.model import VApp, Vm
from cse_client.model.diagnosis import Cause, Diagnosis
from cse_client.model.events import ClusterEvent
from cse_client.plurals import counted, noun
from cse_client.reports import parse_guestinfo

__all__ = ["diagnose", "of_failure"]

_T = TypeVar("_T")
_LOG_LINES = 10
#: Consoles that are photographed: one request each.
_MOST_PICTURES = 20
#: What VCD shows of a guest's customization (gcStatus) until and unless it has worked.
_PENDING = ("GC_PENDING", "REBOOT_PENDING")
_BROKEN = "GC_FAILED"
#: A guest whose customization has not begun after this time has no VMware Tools, most likely.
_SOON = timedelta(minutes=10)
_LEASE = timedelta(days=2)
_METADATA = "Change the metadata"
#: Reasons of ClusterUnreachable that say more of where this machine is than of the cluster.
_UNSEEN = ("no route", "timed out", "unknown host")
#: Problems of `cluster info` that other steps name with their causes.
_NAMED_ALREADY = re.compile(
    r"is powered off|is suspended|is stopped|is NotReady|is Unknown|^unfinished: "
)


@dataclass
class _Look:
    """What was seen so far; each step adds to it."""

    cluster: ExistingCluster
    vapp: VApp
    events: list[ClusterEvent] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def attempt(self, what: str, look: Callable[[], _T], otherwise: _T) -> _T:
        """Return what `look` returns; where it cannot, note why."""
        try:
            return look()
        except SessionInvalid:
            raise
        except CseError as error:
            self.missing.append(f"{what}: {error.clause}")
            return otherwise


def diagnose(cluster: ExistingCluster, failure: Mapping[str, Any] | None) -> Diagnosis:
    """Look at a cluster from all sides; `failure` is the last one that this machine recorded."""
    vapp = cluster.vcd.vapp_in_motion(cluster.vapp.href)
    look = _Look(replace(cluster, vapp=vapp), vapp)
    look.events = look.attempt("VCD's tasks", lambda: events_of(look.cluster, all_=True), [])
    look.facts["events"] = [_plain(one) for one in look.events]
    look.facts["machines"] = [_machine(vm) for vm in vapp.vms]
    look.facts["vapp"] = _vapp_facts(look)
    if any(vm.guestinfo is None for vm in vapp.vms):
        look.missing.append(
            'the bootstrap reports in guestinfo: they take the right "vApp: Allow All Extra Config"'
        )
    look.facts["records"] = dict(sorted(cluster.metadata.items()))
    described = look.attempt("the description", lambda: inspect_cluster(look.cluster), None)
    if described is not None:
        look.facts["cluster"] = _plain(described)
    symptoms = look.attempt("Kubernetes", lambda: _kubernetes(look), None)
    if symptoms is not None:
        look.facts["kubernetes"] = symptoms.facts
    etcd = None
    if symptoms is not None and symptoms.silence is None:
        etcd = look.attempt("etcd", lambda: _etcd(look), None)
    if etcd is not None:
        look.facts["etcd"] = etcd.facts
    if failure is not None:
        look.facts["last failure"] = dict(failure)
    machines = [*_failed_tasks(look), *_machines_off(look), *_guests(look)]
    causes = [*machines, *(etcd.causes() if etcd is not None else ())]
    if failure is not None and _is_newest(failure, look) and not (machines and failure.get("node")):
        causes += of_failure(failure)
    if not causes or symptoms is None or symptoms.silence is None:
        causes += _kubernetes_causes(look, symptoms)
    silence = symptoms.silence if symptoms is not None else None
    problems = described.problems if described is not None else ()
    # that the API is silent has been named, or follows from what has been
    causes += _records(
        look, tuple(one for one in problems if silence is None or silence.clause not in one)
    )
    causes += _soon(look)
    return Diagnosis(
        cluster=cluster.name,
        causes=tuple(causes),
        facts=look.facts,
        missing=tuple(look.missing),
        pictures=_pictures(look),
    )


def of_failure(failure: Mapping[str, Any]) -> Iterator[Cause]:
    """Yield the failure that a command on this machine met last, also of a cluster that is gone."""
    lines = [str(line) for line in failure.get("log") or ()]
    node = failure.get("node")
    shown = [f"{node}: {line}" if node else line for line in lines[-_LOG_LINES:]]
    shown += [str(note) for note in failure.get("notes") or ()]
    yield Cause(
        f"The last command, `{failure.get('command')}`, failed at {str(failure.get('when'))[:19]}:"
        f" {failure.get('error')}",
        str(failure.get("hint") or ""),
        tuple(shown),
    )


# VCD


def _machines_off(look: _Look) -> Iterator[Cause]:
    name = look.cluster.name
    if not look.vapp.vms:
        yield Cause(
            f"The vApp of cluster {name} has no VMs.",
            f"Delete the cluster: {suggest.cse('cluster delete', name)}",
            tuple(_lines_about(look, failed=True)),
        )
        return
    off = [vm for vm in look.vapp.vms if not vm.is_on]
    if not off:
        return
    if len(off) == len(look.vapp.vms):
        yield Cause(
            f"All VMs of cluster {name} are off ({_statuses(off)}).",
            f"Start the cluster: {suggest.cse('cluster start', name)}",
            tuple(_last_events(look, "Power off", "Suspend", "Shut down")),
        )
        return
    names = ", ".join(vm.name for vm in off)
    yield Cause(
        f"{counted(len(off), 'VM')} of cluster {name} {noun(len(off), 'is', 'are')} off: {names}"
        f" ({_statuses(off)}).",
        f"Repair the cluster: {suggest.cse('cluster repair', name)}",
        tuple(_last_events(look, "Power off", "Suspend", "Shut down")),
    )


def _failed_tasks(look: _Look) -> Iterator[Cause]:
    """Yield the newest task of each thing where it failed: a later one has made up for it."""
    newest: dict[str, ClusterEvent] = {}
    for event in look.events:
        if event.failed or (event.what != _METADATA and event.status == "success"):
            newest[event.about] = event
    for event in sorted(newest.values(), key=lambda one: one.when, reverse=True):
        if not event.failed:
            continue
        ids = f"task {event.task}" + (f", request {event.request}" if event.request else "")
        yield Cause(
            f"In VCD, '{event.what}' of {event.about} failed:"
            f" {(event.reason or event.status).rstrip('.')}.",
            f"If it fails again, report its ids to your provider: {ids}.",
            (f"{event.when:%Y-%m-%d %H:%M:%S} UTC, by {event.user}",),
        )


def _vapp_facts(look: _Look) -> dict[str, Any]:
    vapp = look.vapp
    return {
        "name": vapp.name,
        "id": vapp.id,
        "status": vapp.status,
        "owner": vapp.owner,
        "networks": list(vapp.networks),
        "created": _plain(vapp.created),
        "lease ends": _plain(vapp.lease_ends),
    }


def _machine(vm: Vm) -> dict[str, Any]:
    report = parse_guestinfo(vm.name, vm.guestinfo) if vm.guestinfo else None
    return {
        "name": vm.name,
        "status": vm.status,
        "deployed": vm.deployed,
        "address": vm.ip,
        "cpus": vm.cpus,
        "memory_mb": vm.memory_mb,
        "customization": vm.customization,
        "bootstrap": None if report is None else _plain(report),
    }


def _pictures(look: _Look) -> dict[str, bytes]:
    running = [vm for vm in look.vapp.vms if vm.is_on][:_MOST_PICTURES]
    found = {}
    for vm in running:
        read = partial(look.cluster.vcd.console_picture, vm.href)
        picture = look.attempt(f"the console of {vm.name}", read, b"")
        if picture:
            found[vm.name] = picture
    return found


# Guests


def _guests(look: _Look) -> Iterator[Cause]:
    for vm in look.vapp.vms:
        report = parse_guestinfo(vm.name, vm.guestinfo) if vm.guestinfo else None
        if report is not None and report.status == "failed":
            yield Cause(
                f"The bootstrap of node {vm.name} failed in the phase {report.phase}"
                f" (exit code {report.exit_code}).",
                f"Repair the cluster: {suggest.cse('cluster repair', look.cluster.name)}",
                tuple(f"{vm.name}: {line}" for line in report.log[-_LOG_LINES:]),
            )
        elif vm.customization == _BROKEN:
            yield Cause(
                f"The guest customization of VM {vm.name} failed (GC_FAILED).",
                "Look at /var/log/vmware-imc in the guest, and at the picture of its console.",
            )
        elif vm.is_on and vm.customization in _PENDING and _is_old(look, vm):
            yield Cause(
                f"The guest customization of VM {vm.name} has not begun ({vm.customization}):"
                " VMware Tools does not run in the guest.",
                "Install open-vm-tools in the template, and look at the picture of the console.",
            )


def _is_old(look: _Look, vm: Vm) -> bool:
    """Return whether a VM was powered on long ago; True where that is not known."""
    about = (vm.name, look.vapp.name)
    last = [one.when for one in look.events if one.about in about and one.what == "Power on"]
    return not last or datetime.now(timezone.utc) - last[-1] > _SOON


# Kubernetes


def _kubernetes(look: _Look) -> KubeSymptoms | None:
    if not look.cluster.endpoint or not any(vm.is_on for vm in look.vapp.vms):
        return None
    try:
        with open_api(look.cluster, find_pki(look.cluster), timeout=PROBE_TIMEOUT) as api:
            return look_at_kubernetes(api)
    except ClusterUnreachable as silence:
        return KubeSymptoms(silence=silence)


def _etcd(look: _Look) -> EtcdSymptoms:
    return look_at_etcd(look.cluster, find_pki(look.cluster))


def _kubernetes_causes(look: _Look, symptoms: KubeSymptoms | None) -> Iterator[Cause]:
    if symptoms is None:
        return
    running = [vm for vm in look.vapp.vms if vm.is_on]
    names = {vm.name for vm in running}
    if symptoms.silence is not None:
        if symptoms.silence.reason in _UNSEEN:
            look.missing.append(
                f"Kubernetes: {symptoms.silence.clause} (normal for a private network: run this"
                " command on a machine in it)"
            )
        elif look.cluster.control_plane is not None and look.cluster.control_plane.name in names:
            yield Cause(f"{capitalized(symptoms.silence.clause)}.", symptoms.silence.hint)
        return
    name = look.cluster.name
    repair, renew = suggest.cse("cluster repair", name), suggest.cse("cluster renew", name)
    yield from symptoms.causes(names, repair, renew)


# Records


def _records(look: _Look, problems: tuple[str, ...]) -> Iterator[Cause]:
    cluster = look.cluster
    holding = list(holders(cluster.metadata).values())
    for holder in holding:
        yield Cause(holder.sentence(cluster.name), "Wait until that has ended.")
    unfinished = unfinished_work(cluster)
    if unfinished is not None and not holding:
        what, command = unfinished
        yield Cause(f"An operation is unfinished: {what}.", f"Resume it: {command}")
    # a record that is missing stops little; what cannot be read, or is not there, stops more
    for problem in sorted(problems, key=lambda one: one.endswith("is missing")):
        if _NAMED_ALREADY.search(problem):
            continue
        yield Cause(
            f"{capitalized(problem.rstrip('.'))}.",
            _surplus_cure(cluster, problem)
            or f"Show how to repair it: {suggest.cse('cluster repair', cluster.name)}",
        )


def _surplus_cure(cluster: ExistingCluster, problem: str) -> str:
    """Return how to delete workers that nobody requested, which a repair keeps; else nothing."""
    remove = "Delete those that were not requested: "
    if cluster.records_pools:
        for pool in cluster.pools:
            more = len(cluster.workers_of(pool.name)) > pool.size
            if more and problem.startswith(f"pool '{pool.name}' has "):
                line = suggest.cse("pool resize", cluster.name, pool.name, nodes=pool.size)
                return f"{remove}{line}"
        return ""
    wanted = cluster.desired_workers
    if wanted is not None and len(cluster.workers) > wanted and " worker VM" in problem:
        return f"{remove}{suggest.cse('cluster resize', cluster.name, nodes=wanted)}"
    return ""


def _soon(look: _Look) -> Iterator[Cause]:
    ends = look.vapp.lease_ends
    if ends is not None and ends - datetime.now(timezone.utc) < _LEASE:
        yield Cause(
            f"The lease of the vApp ends at {ends:%Y-%m-%d %H:%M} UTC; VCD stops it then.",
            "Renew the lease in VCD.",
        )


def _is_newest(failure: Mapping[str, Any], look: _Look) -> bool:
    """Return whether nothing about the cluster has succeeded since a failure was recorded."""
    try:
        when = datetime.fromisoformat(str(failure.get("when")))
    except ValueError:
        return False
    done = [one for one in look.events if one.what != _METADATA and one.status == "success"]
    return not any(one.when > when for one in done)


# Words


def _last_events(look: _Look, *whats: str) -> Iterator[str]:
    found = [one for one in look.events if one.what in whats and not one.failed]
    for event in found[-2:]:
        yield f"{event.when:%Y-%m-%d %H:%M:%S} UTC: {event.what} of {event.about}, by {event.user}"


def _lines_about(look: _Look, *, failed: bool) -> Iterator[str]:
    for event in [one for one in look.events if one.failed is failed][-3:]:
        yield f"{event.when:%Y-%m-%d %H:%M:%S} UTC: {event.what}: {event.reason}"


def _statuses(vms: list[Vm]) -> str:
    return ", ".join(sorted({vm.status for vm in vms}))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "__dataclass_fields__"):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
