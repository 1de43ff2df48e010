"""Sealing: taking the CA key out of VCD, where everyone who may read the VM can see it.

Order matters: the key is first kept (a file of this user, a Secret in the cluster), then removed
from the control plane VM's customization section. Killed in between, the key is still in VCD and
sealing again finishes.
"""

from __future__ import annotations

from functools import partial

from cse_client.engines.direct import ca_files
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api
from cse_client.engines.direct.custody import find_pki, identity_of
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.errors import ClusterUnreachable
from cse_client.guest import stored_scripts
from cse_client.guest.pki import ClusterPKI, pki_to_files
from cse_client.kube.ca_secret import store_ca_secret
from cse_client.model import Event, EventKind, Progress, footprint
from cse_client.vcd import tasks

__all__ = ["seal_cluster"]


def seal_cluster(
    cluster: ExistingCluster,
    *,
    deadline: float,
    progress: Progress,
    pki: ClusterPKI | None = None,
) -> str:
    """Seal one cluster and return the path of the file that keeps its CA from now on.

    `pki` is its PKI where that is known already.

    Raises ClusterUnreachable when the cluster's API cannot be reached from here: the key must be
    in the cluster before it leaves VCD.
    """
    vcd, vapp = cluster.vcd, cluster.vapp
    cluster.require_control_plane()
    text = "Seal the cluster: move its CA key out of VCD"
    progress(Event(EventKind.STARTED, text))
    pki = pki or find_pki(cluster)
    try:
        with open_api(cluster, pki, timeout=API_TIMEOUT) as api:
            store_ca_secret(api, pki_to_files(pki))
    except ClusterUnreachable as silence:
        progress(Event(EventKind.FAILED, text))
        silence.hint = "A cluster can only be sealed from where its API can be reached."
        raise
    path = ca_files.keep(identity_of(cluster), pki)
    sealed = stored_scripts.sealed_script()
    for head in cluster.control_planes:
        href = head.href
        write = partial(vcd.write_customization_script, href, sealed)
        tasks.done(vcd, write, deadline=deadline)
    tasks.done(
        vcd, lambda: vcd.write_metadata(vapp.href, {footprint.SEALED: "true"}), deadline=deadline
    )
    progress(Event(EventKind.DONE, text))
    return str(path)
