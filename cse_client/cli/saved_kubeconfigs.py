"""Kubeconfig files of the user in which clusters were saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cse_client.cli.run import Run
    from cse_client.engines.base import Engine
    from cse_client.model import ClusterRef, Deletion

__all__ = ["forget_left", "forget_saved", "kubeconfig_files"]


def kubeconfig_files(explicit: str) -> list[Path]:
    """Return the kubeconfig files in use: the one that was typed, else as kubectl finds them."""
    import os

    from cse_client.kube.kubeconfig.paths import files_of

    return files_of(explicit, os.environ)


def forget_saved(run: Run, engine: Engine, deletion: Deletion, *, explicit: str) -> None:
    """Take a deleted cluster out of the user's kubeconfig; a problem there is only warned of.

    Which vApp a CSE server's cluster has is what its entity says (`externalId`), and whoever may
    edit the entity can name another cluster's vApp: so nothing is taken out whose vApp still
    exists.
    """
    from cse_client import suggest
    from cse_client.errors import CseError
    from cse_client.kube.kubeconfig.file import is_saved, remove_cluster
    from cse_client.kube.kubeconfig.mark import Mark

    if deletion.identity is None:
        return
    mark, files = Mark.of(deletion.identity), kubeconfig_files(explicit)
    try:
        claimed = engine.has_server and mark.identity.bound
        if claimed and is_saved(mark, files) and not engine.gone(mark.identity):
            run.console.warning(
                f"Your kubeconfig was not changed: the vApp {mark.vapp}, which cluster"
                f" {deletion.cluster} claimed as its own, still exists."
            )
            return
        cleaned = remove_cluster(mark, files)
    except CseError as error:
        run.console.warning(f"Could not remove the cluster from your kubeconfig: {error.message}")
        if error.hint:
            run.console.hint(error.hint)
        rest = suggest.again(yes=True)
        run.console.hint(f"To remove it afterwards: {rest}")
        return
    for path in cleaned:
        run.console.hint(f"The cluster was removed from {path}.")


def forget_left(run: Run, engine: Engine, ref: ClusterRef, *, explicit: str) -> bool:
    """Take a cluster that is gone out of the user's kubeconfig; tell whether it was in there.

    For a deletion that could not change the file. Only entries that name a vApp which is known to
    be gone are taken out.

    Raises:
        Conflict, CseError: a file is locked, damaged or cannot be written.
    """
    from cse_client.kube.kubeconfig.file import marks, remove_cluster
    from cse_client.kube.kubeconfig.mark import Mark

    files = kubeconfig_files(explicit)
    location = Mark.of(engine.location(ref))
    left = [mark for mark in marks(files) if mark.identity.bound and location.same_location(mark)]
    cleaned = [
        path
        for mark in dict.fromkeys(left)
        if engine.gone(mark.identity)
        for path in remove_cluster(mark, files)
    ]
    paths = [str(path) for path in dict.fromkeys(cleaned)]
    if paths:
        run.console.sentence(
            f"Cluster {ref.name} was already deleted; it was removed from {', '.join(paths)}.",
            {"cluster": ref.name, "files": paths},
        )
    return bool(paths)
