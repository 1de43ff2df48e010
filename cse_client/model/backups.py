"""Backups of clusters: how a file is encrypted and opened, and what became of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cse_client.model.cluster import ClusterRef

__all__ = ["FORMAT", "Backup", "BackupKey", "BackupLock", "RestorePlan", "RestoredSpec"]

#: Version of the files' content.
FORMAT = 1


@dataclass(frozen=True)
class BackupLock:
    """What a new backup is encrypted with: a passphrase, or public keys of age or ssh."""

    passphrase: str = field(default="", repr=False)
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True)
class BackupKey:
    """What opens a backup: its passphrase, or the text of a private key of age or ssh."""

    passphrase: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)


@dataclass(frozen=True)
class RestoredSpec:
    """A cluster that is restored from a backup, or a new one that is made from it.

    What is empty or None is as the backup records it, and for an existing cluster as it is: of that
    only the template can be chosen. `vip` is as in `ClusterSpec`.
    """

    name: str
    vdc: str = ""
    org: str = ""
    network: str = ""
    template: str = ""
    template_revision: int | None = None
    vip: str = ""
    workers: int | None = None
    accept_eulas: bool = False

    @property
    def ref(self) -> ClusterRef:
        """Which cluster is meant."""
        return ClusterRef(self.name, self.vdc, self.org)


@dataclass(frozen=True)
class RestorePlan:
    """What a restore would do, one sentence each, and what it does not bring back.

    `lost` are the ends of a sentence, such as `files on control plane VMs`.
    """

    steps: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True)
class Backup:
    """A backup that was written and verified; `size` in bytes is that of the file."""

    cluster: str
    file: str
    size: int
    etcd_size: int
    etcd_version: str
    kubernetes_version: str
    created: datetime
