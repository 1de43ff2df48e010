"""What happened to a cluster, from the tasks that VCD keeps about its vApp and VMs.

They show what every client did, VCD's own pages included, and who it was. VCD forgets them after a
time that the provider sets, and those about a VM are gone with the VM.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cse_client.engines.direct.existing import ExistingCluster
from cse_client.errors import CseError, SessionInvalid
from cse_client.model.events import ClusterEvent
from cse_client.model.hrefs import href_id
from cse_client.vcd.client import VcdClient
from cse_client.vcd.recent import RecentTask

__all__ = ["events_of"]

#: VCD's words for operations (names of its tasks) -> what a reader calls them.
_WORDS: Mapping[str, str] = {
    "vdcComposeVapp": "Create the vApp",
    "vdcInstantiateVapp": "Create the vApp",
    "vdcRecomposeVapp": "Add, change or delete VMs",
    "vdcDeleteVapp": "Delete the vApp",
    "vdcDeleteVm": "Delete the VM",
    "vdcUpdateVapp": "Change the vApp",
    "vappUpdateVm": "Change the VM",
    "vappDeploy": "Power on",
    "vappPowerOn": "Power on",
    "vappPowerOff": "Power off",
    "vappUndeployPowerOff": "Power off",
    "vappUndeployPowerOffForce": "Power off",
    "vappShutdownGuest": "Shut down",
    "vappRebootGuest": "Reboot",
    "vappReset": "Reset",
    "vappSuspend": "Suspend",
    "vappUpdateLease": "Change the lease",
    "metadataUpdate": "Change the metadata",
    "metadataDelete": "Change the metadata",
}
_METADATA = "Change the metadata"
_FAILED = ("error", "aborted", "canceled")
#: Failed tasks whose reason is read: one request each.
_MOST_REASONS = 20


def events_of(cluster: ExistingCluster, *, all_: bool = False) -> list[ClusterEvent]:
    """Return what happened to a cluster, the oldest first.

    Changes of metadata, with which commands record their own work, are left out unless they
    failed; `all_` keeps them.
    """
    hrefs = [cluster.vapp.href, *(vm.href for vm in cluster.vapp.vms)]
    found = cluster.vcd.tasks_about(hrefs)
    shown = [one for one in found if all_ or _words(one.name) != _METADATA or one.status in _FAILED]
    read = {one.href for one in [one for one in shown if one.status in _FAILED][-_MOST_REASONS:]}
    return [_event(cluster.vcd, one, read=one.href in read) for one in shown]


def _event(vcd: VcdClient, task: RecentTask, *, read: bool) -> ClusterEvent:
    reason, request = _reason(vcd, task) if read else ("", "")
    seconds = (task.ended - task.started).total_seconds() if task.ended is not None else None
    return ClusterEvent(
        when=task.started,
        what=_words(task.name),
        about=task.about,
        user=task.user,
        status=task.status.lower(),
        seconds=seconds,
        reason=reason,
        task=href_id(task.href),
        request=request,
    )


def _reason(vcd: VcdClient, task: RecentTask) -> tuple[str, str]:
    """Return why a task failed and the id of its request, as far as VCD still knows."""
    try:
        document = vcd.task(task.href)
    except SessionInvalid:
        raise
    except CseError:
        return "", ""
    return document.error, document.request_id


def _words(name: str) -> str:
    known = _WORDS.get(name)
    if known is not None:
        return known
    # an operation of another release: its name is made of words
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    return words[:1].upper() + words[1:] if words else "Unknown"
