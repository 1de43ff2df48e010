"""The backup that is saved before an upgrade in place, in the user's state folder.

It is for the worst case only: a way back that fails as well. So it exists from before the change
until the upgrade or the way back is proven. It is encrypted like every backup, to a key beside it;
the folder is the user's own, as for the CA keys of sealed clusters (`ca_files`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from cse_client import suggest
from cse_client.engines.direct.custody import identity_of
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.operations.backup import back_up
from cse_client.errors import CseError
from cse_client.model import Progress
from cse_client.model.backups import BackupLock
from cse_client.state import state_folder, write_private

__all__ = ["discard", "restoring", "save"]


def save(cluster: ExistingCluster, *, progress: Progress) -> None:
    """Save a backup of a cluster instead of what an earlier upgrade left.

    Raises:
        CseError: what `back_up` raises.
    """
    from pyrage import x25519

    backup, key = _files(cluster)
    discard(cluster)
    identity = x25519.Identity.generate()
    try:
        backup.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(key, f"{identity}\n")
    except OSError as error:
        raise CseError(f"The file {key} cannot be written: {error.strerror or error}.") from None
    lock = BackupLock(recipients=(str(identity.to_public()),))
    back_up(cluster, backup, lock, progress=progress)


def discard(cluster: ExistingCluster) -> None:
    """Remove the backup; harmless where there is none."""
    for path in _files(cluster):
        with contextlib.suppress(OSError):
            path.unlink()


def restoring(cluster: ExistingCluster) -> str:
    """Return a sentence with the command that restores the backup; empty where there is none."""
    backup, key = _files(cluster)
    if not (backup.exists() and key.exists()):
        return ""
    command = suggest.cse("cluster restore", cluster.name, str(backup), identity=str(key))
    return f" The backup of before: {command}"


def _files(cluster: ExistingCluster) -> tuple[Path, Path]:
    digest = hashlib.sha256(json.dumps(identity_of(cluster).key).encode()).hexdigest()[:16]
    folder = state_folder() / "upgrades"
    return folder / f"{digest}.backup", folder / f"{digest}.key"
