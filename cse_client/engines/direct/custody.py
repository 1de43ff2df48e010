"""Custody of CA keys: the only module that decides which key is used for a cluster.

Everything in VCD is a claim of whoever may edit the vApp: its metadata, the recorded endpoint, the
control plane's script. So a key that this machine keeps is used for the vApp that it was kept for
and for no other, and it wins over anything in VCD. A plain copy of a sealed vApp has everything but
the vApp's id, and gets nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cse_client import suggest
from cse_client.engines.direct import ca_files
from cse_client.engines.direct.credentials import API_TIMEOUT, open_api
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.identity import identify, is_gone, named
from cse_client.errors import ClusterUnreachable, CseError, NotFound, Refused
from cse_client.guest import stored_scripts
from cse_client.guest.pki import BACKDATE, ClusterPKI, fingerprint, valid_from
from cse_client.model import VApp, VAppRecord, footprint
from cse_client.model.hrefs import href_id
from cse_client.model.identity import ClusterIdentity

__all__ = [
    "adopt_ca_file",
    "contradictions",
    "find_pki",
    "identity_of",
    "remove_ca_file",
    "same_id_vapps",
]

#: How far the clock of the machine that made a CA may have been behind VCD's.
_CLOCK_SKEW = timedelta(minutes=5)


def identity_of(cluster: ExistingCluster) -> ClusterIdentity:
    """Return the identity of the cluster in a vApp."""
    return identify(
        cluster.vcd,
        cluster=cluster.name,
        vdc=cluster.vdc.name,
        org=cluster.vdc.org,
        vapp=cluster.vapp.id or cluster.vapp.href,
        cluster_id=cluster.cluster_id,
    )


def find_pki(cluster: ExistingCluster) -> ClusterPKI:
    """Return the cluster's CA keys: those kept on this machine, else those in its script in VCD.

    Raises:
        Refused: it is sealed and its key is not on this machine; a file on this machine does not
            say to which cluster it belongs; or the vApp is a copy that leads to the original's API.
        NotFound: it has no control plane VM, or its CA was never ours (CSE made it).
        CseError: the file or the script is damaged.
    """
    vm = cluster.require_control_plane()
    identity = identity_of(cluster)
    kept = ca_files.kept(identity)
    if kept is not None:
        return kept.pki
    script = cluster.vcd.customization_script(vm.href)
    pki = stored_scripts.recover_pki(script)
    old = ca_files.old_ca_file(identity.cluster_id)
    if old is not None and (pki is None or ca_files.read(old).pki != pki):
        return _adopt_old(cluster, old)
    sealed = bool(cluster.metadata.get(footprint.SEALED))
    if pki is not None and sealed:
        raise Refused(
            f"The metadata of cluster '{cluster.name}' says that it is sealed, but its control"
            " plane's script in VCD holds a CA key (certificate"
            f" sha256:{fingerprint(pki.ca_cert)}), so somebody has put it there. It is not used.",
            hint="Use the machine that sealed it, or an administrator's kubeconfig.",
        )
    if pki is not None:
        _refuse_copy(cluster, pki)
        return pki
    if sealed or stored_scripts.is_sealed(script):
        raise _not_here(cluster.name, identity)
    raise NotFound(
        f"Cluster '{cluster.name}' was not created by this client, so its CA key is not available"
        " here.",
        hint=f"Its kubeconfig is on the VM {vm.name}, in /root/.kube/config"
        f" (root's password: {suggest.vcd('vm info', cluster.name, vm.name)}).",
    )


def adopt_ca_file(cluster: ExistingCluster, path: Path) -> Path:
    """Keep the CA in `path` for this cluster from now on, because the user declares it its CA.

    For a vApp that was restored or moved, and so has another id than the one that was sealed.
    `path` stays as it is. Returns the new file's path.

    Raises:
        Refused: it is not this cluster's, as far as can be verified, or another CA is kept for it.
        ClusterUnreachable: the cluster's API cannot be asked.
    """
    identity = identity_of(cluster)
    file = ca_files.read(path)
    if file.owner is not None and file.owner.key != identity.key:
        same_cloud = file.owner.host == identity.host
        if same_cloud and not is_gone(cluster.vcd, file.owner):
            raise Refused(
                f"{path} keeps the CA of {file.owner.name}, whose vApp {file.owner.vapp} still"
                f" exists, so it is not adopted for '{cluster.name}'."
            )
    why = _rival(cluster, file.pki) or _not_its_api(cluster, file.pki)
    if why:
        raise Refused(f"The CA in {path} is not adopted for cluster '{cluster.name}': {why}.")
    return ca_files.keep(identity, file.pki)


def remove_ca_file(cluster: ExistingCluster) -> list[str]:
    """Remove the CA file of a deleted cluster; return a note for each file that is left.

    The file stays where another vApp has the same cluster id: that may be the cluster restored from
    a backup, and this its only key.

    Raises:
        CseError: the file is damaged, cannot be removed, or VCD cannot be asked.
    """
    notes = []
    identity = identity_of(cluster)
    kept = ca_files.kept(identity)
    if kept is not None and (twin := next(same_id_vapps(cluster), None)):
        remove = suggest.program("rm", str(kept.path))
        notes.append(
            f"{kept.path} is left, because {_same_id(twin)}: if that is the cluster restored from a"
            f" backup, this is its CA key. If not: {remove}"
        )
    elif kept is not None:
        ca_files.remove(identity)
    old = ca_files.old_ca_file(identity.cluster_id)
    if old is not None:
        notes.append(
            f"{old} is left: it keeps the CA key of this cluster, or of another one with the same"
            f" id. If there is no other: {suggest.program('rm', str(old))}"
        )
    return notes


def contradictions(cluster: ExistingCluster) -> tuple[str, ...]:
    """Return what in VCD contradicts the CA that this machine keeps for the cluster."""
    vm = cluster.control_plane
    try:
        kept = ca_files.kept(identity_of(cluster))
        if kept is None or vm is None:
            return ()
        found = stored_scripts.recover_pki(cluster.vcd.customization_script(vm.href))
    except CseError as error:
        return (error.message,)
    if found is None or found == kept.pki:
        return ()
    return (
        f"the script of {vm.name} in VCD holds another CA (sha256:{fingerprint(found.ca_cert)})"
        f" than this machine keeps for the cluster (sha256:{fingerprint(kept.pki.ca_cert)}), which"
        " is the one in use",
    )


def _not_here(name: str, identity: ClusterIdentity) -> Refused:
    secret = suggest.kubectl(
        "get secret", "cse-cluster-ca", in_cluster=True, namespace="kube-system"
    )
    error = Refused(
        f"Cluster '{name}' is sealed and its CA key is not on this machine.",
        hint=f"Use the machine that sealed it (file {ca_files.ca_file(identity)}), or an"
        f" administrator's kubeconfig: {secret}",
    )
    for path, owner in ca_files.claiming(identity.cluster_id):
        adoption = suggest.cse("cluster seal", name, adopt=str(path))
        error.notes.append(
            f"{path} keeps the CA key of {owner.name} (vApp {owner.vapp} at {owner.host}), which"
            f" has the same cluster id; it is not used for '{name}'. Only if '{name}' is that"
            f" cluster, restored or moved: {adoption}"
        )
    return error


def _adopt_old(cluster: ExistingCluster, path: Path) -> ClusterPKI:
    """Bind a file that names no cluster to this one, where it provably belongs to it."""
    pki = ca_files.read(path).pki
    why = _too_young(cluster.vapp, pki) or _rival(cluster, pki)
    try:
        why = why or _not_its_api(cluster, pki)
    except ClusterUnreachable as silence:
        why = f"the cluster's API could not be asked ({silence.reason})"
    if why:
        adoption = suggest.cse("cluster seal", cluster.name, adopt=str(path))
        raise Refused(
            f"{path} keeps a CA key for the cluster id that '{cluster.name}' has, but that"
            f" it belongs to this cluster cannot be verified: {why}. It is not used.",
            hint=f"If you know that it is: {adoption}",
        )
    ca_files.keep(identity_of(cluster), pki)
    path.unlink(missing_ok=True)
    return pki


def _too_young(vapp: VApp, pki: ClusterPKI) -> str:
    """Return why a vApp cannot be the one that a CA was made for; VCD sets when it was made."""
    made = valid_from(pki.ca_cert) + BACKDATE
    if vapp.created is None or vapp.created <= made + _CLOCK_SKEW:
        return ""
    return f"the CA was made on {made:%Y-%m-%d %H:%M} UTC, before the vApp was"


def _refuse_copy(cluster: ExistingCluster, pki: ClusterPKI) -> None:
    """Refuse to act through a copy of an unsealed vApp on the cluster that it is a copy of.

    A copy has the CA key of the original and its recorded address, so what is meant for the copy
    would change the original. The vApp that was made first is the original.
    """
    if cluster.endpoint == cluster.require_control_plane().ip:
        return
    created = cluster.vapp.created
    for record in same_id_vapps(cluster):
        try:
            vapp = cluster.vcd.vapp(record.href)
            if vapp.created is None or created is None or vapp.created >= created:
                continue
            vdc = replace(cluster.vdc, name=record.vdc)
            same = _key_of(replace(cluster, vdc=vdc, vapp=vapp, metadata={})) == pki
        except CseError:
            # what cannot be read is no evidence
            continue
        if same:
            raise Refused(
                f"The vApp '{cluster.name}' is a copy of the cluster"
                f" {named(record.name, record.vdc)}: it has its id, its CA and its recorded API"
                f" address {cluster.endpoint}. Nothing was changed, because that is the other"
                " cluster's API.",
                hint=f"Delete the copy: {suggest.cse('cluster delete', cluster.name)}. If it is to"
                " replace the other one, delete that first.",
            )


def _key_of(cluster: ExistingCluster) -> ClusterPKI | None:
    kept = ca_files.kept(identity_of(cluster))
    if kept is not None:
        return kept.pki
    return stored_scripts.recover_pki(
        cluster.vcd.customization_script(cluster.require_control_plane().href)
    )


def same_id_vapps(cluster: ExistingCluster) -> Iterator[VAppRecord]:
    """Yield the other vApps that have the same cluster id; one request per 128 of them."""
    if not cluster.cluster_id:
        return
    for record in cluster.vcd.cluster_records(cluster_id=cluster.cluster_id):
        if href_id(record.href) != href_id(cluster.vapp.href):
            yield record


def _rival(cluster: ExistingCluster, pki: ClusterPKI) -> str:
    """Return which other vApp may be the one that a CA was made for, empty where none may.

    One that was made after the CA is not, where this one is old enough: else a copy could keep the
    original from its own key.
    """
    old_enough = not _too_young(cluster.vapp, pki)
    for record in same_id_vapps(cluster):
        try:
            other = cluster.vcd.vapp(record.href)
        except NotFound:
            continue
        if not (old_enough and _too_young(other, pki)):
            return _same_id(record)
    return ""


def _same_id(record: VAppRecord) -> str:
    return f"the vApp '{record.name}' in VDC '{record.vdc}' has the same cluster id"


def _not_its_api(cluster: ExistingCluster, pki: ClusterPKI) -> str:
    """Return why a CA is not the one of the cluster in a vApp, empty where it is.

    Raises:
        ClusterUnreachable: the cluster's API cannot be asked.
    """
    vm = cluster.require_control_plane()
    host = cluster.endpoint
    if not host:
        return "no address of its API is known"
    with open_api(cluster, pki, timeout=API_TIMEOUT) as api:
        try:
            names = {node.name for node in api.nodes()}
        except ClusterUnreachable as error:
            if error.reason == "not ours":
                return f"its API at {host} presents a certificate of another CA"
            raise
    if vm.name not in names:
        return f"the cluster at {host} has no node {vm.name}"
    return ""
