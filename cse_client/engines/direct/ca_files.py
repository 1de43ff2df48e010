"""The files that keep the CA keys of sealed clusters on this machine.

Each file names its cluster by what VCD reports of it (`ClusterIdentity`), never by
the id in the vApp's metadata alone, and is read for that cluster only. It is JSON, mode 0600, one
base64 text a PEM file. Older files hold the keys and nothing else, under the cluster's id.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cse_client import sent, suggest
from cse_client.errors import CseError, Refused
from cse_client.guest.pki import ClusterPKI, check_pki, fingerprint
from cse_client.model.identity import ClusterIdentity
from cse_client.state import state_folder

__all__ = ["KeptCA", "ca_file", "claiming", "keep", "kept", "old_ca_file", "read", "remove"]

_FORMAT = 2
#: The keys of a cluster take 8 kB.
_LARGEST = 1 << 16
_MOST_FILES = 1000
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class KeptCA:
    """A CA file: where it is, and its cluster; `owner` is None for one that names none."""

    path: Path
    owner: ClusterIdentity | None
    pki: ClusterPKI = field(repr=False)


def ca_file(identity: ClusterIdentity) -> Path:
    """Return where the CA of a sealed cluster is kept: one file for each cluster.

    No part of the name is taken as it came, so none can name another file.
    """
    digest = hashlib.sha256(json.dumps(identity.key).encode()).hexdigest()[:16]
    label = re.sub(r"[^0-9A-Za-z-]", "_", identity.name.partition("@")[0])[:40]
    return _folder() / f"{label or 'cluster'}.{digest}.json"


def old_ca_file(cluster_id: str) -> Path | None:
    """Return the file that an older version wrote for a cluster's id, if there is one.

    Whoever may edit a vApp chooses the id, so the file need not be that vApp's.
    """
    safe = re.sub(r"[^0-9A-Za-z-]", "_", cluster_id)[:64]
    path = _folder() / f"{safe}.json"
    return path if safe and path.exists() else None


def kept(identity: ClusterIdentity) -> KeptCA | None:
    """Return the CA that this machine keeps for a cluster, or None.

    Raises:
        Refused: others may read the file.
        CseError: it is damaged, or it is another cluster's.
    """
    if not identity.bound:
        return None
    path = _path_of(identity)
    if path is None:
        return None
    found = read(path)
    if found.owner is None or found.owner.key != identity.key:
        raise CseError(
            f"The CA file {path} is not that of {identity.name}, so it is not used.",
            hint=f"Move it away: {suggest.program('mv', str(path), f'{path}.old')}",
        )
    return found


def keep(identity: ClusterIdentity, pki: ClusterPKI) -> Path:
    """Keep a cluster's CA, and return the file's path; a file that is there is never replaced.

    Raises:
        Refused: another CA is kept for the cluster already.
        CseError: the file cannot be written, or the one that is there is damaged.
    """
    if not identity.bound:
        raise CseError(
            f"VCD does not report which vApp {identity.name} is, so its CA cannot be kept here."
        )
    there = kept(identity)
    if there is not None:
        return _same(there, pki, identity)
    path = ca_file(identity)
    values = {
        "format": _FORMAT,
        "name": identity.name,
        "host": identity.host,
        "org": identity.org,
        "vapp": identity.vapp,
        "cluster-id": identity.cluster_id,
        "ca": fingerprint(pki.ca_cert),
        "pki": {part: base64.b64encode(pem).decode() for part, pem in vars(pki).items()},
    }
    try:
        _write_new(path, json.dumps(values, indent=1) + "\n")
    except FileExistsError:
        return _same(read(path), pki, identity)
    except OSError as error:
        raise CseError(
            f"The CA file {path} cannot be written: {error.strerror or error}."
        ) from None
    return path


def remove(identity: ClusterIdentity) -> Path | None:
    """Remove the file of a cluster that is gone; return its path where there was one.

    Raises:
        CseError: it is another cluster's, damaged, or cannot be removed.
    """
    there = kept(identity)
    if there is None:
        return None
    try:
        there.path.unlink(missing_ok=True)
    except OSError as error:
        raise CseError(
            f"The CA file {there.path} cannot be removed: {error.strerror or error}.",
            hint=suggest.program("rm", str(there.path)),
        ) from None
    return there.path


def claiming(cluster_id: str) -> Iterator[tuple[Path, ClusterIdentity]]:
    """Yield the files of clusters that have this id in their metadata, and which those are."""
    for path in _files():
        with contextlib.suppress(CseError, OSError):
            owner = read(path).owner
            if owner is not None and owner.cluster_id == cluster_id != "":
                yield path, owner


def read(path: Path) -> KeptCA:
    """Read a CA file of either format.

    Raises:
        Refused: others may read it.
        CseError: there is none, or it is damaged. None of its content is shown.
    """
    try:
        text = _private_text(path)
        raw = json.loads(text)
        owner = None
        if "format" in raw:
            if raw["format"] != _FORMAT:
                raise CseError(
                    f"The CA file {path} was written by another version of cse-client.",
                    hint="Upgrade cse-client.",
                )
            owner = _owner(raw)
            parts = raw["pki"]
        else:
            parts = raw
        pki = ClusterPKI(
            **{part: base64.b64decode(data, validate=True) for part, data in parts.items()}
        )
    except OSError as error:
        raise CseError(f"The CA file {path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, binascii.Error):
        raise _damaged(path, "it is not what this client wrote") from None
    try:
        check_pki(pki)
    except CseError as error:
        raise _damaged(path, error.message) from None
    if owner is not None and raw["ca"] != fingerprint(pki.ca_cert):
        raise _damaged(path, "its CA is not the one that it names")
    return KeptCA(path, owner, pki)


def _folder() -> Path:
    return state_folder() / "ca"


def _files() -> list[Path]:
    try:
        return sorted(_folder().glob("*.json"))[:_MOST_FILES]
    except OSError:
        return []


def _path_of(identity: ClusterIdentity) -> Path | None:
    """Return the file of a cluster, whatever name the vApp had when it was written."""
    ending = ca_file(identity).name.partition(".")[2]
    try:
        return next(iter(sorted(_folder().glob(f"*.{ending}"))), None)
    except OSError:
        return None


def _private_text(path: Path) -> str:
    # a FIFO must not stop us
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _damaged(path, "it is not a regular file")
        if os.name == "posix" and found.st_mode & _OTHERS:
            raise Refused(
                f"The CA file {path} can be read or changed by others"
                f" (mode {stat.S_IMODE(found.st_mode):04o}), so it is not used.",
                hint=f"If nobody has: {suggest.program('chmod', '600', str(path))}",
            )
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise _damaged(path, f"it is larger than {_LARGEST} bytes")
    return data.decode("ascii")


def _owner(raw: dict[str, Any]) -> ClusterIdentity:
    texts = [raw[key] for key in ("host", "org", "vapp", "name", "cluster-id")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("not a text")
    return ClusterIdentity(*texts)


def _damaged(path: Path, why: str) -> CseError:
    return CseError(
        f"The CA file {path} is damaged: {why}.",
        hint="Restore it from a copy. The cluster keeps its CA too: an administrator's kubeconfig"
        " reads the Secret cse-cluster-ca in kube-system.",
    )


def _same(there: KeptCA, pki: ClusterPKI, identity: ClusterIdentity) -> Path:
    if there.owner is None or there.owner.key != identity.key or there.pki != pki:
        raise Refused(
            f"{there.path} keeps another CA for {identity.name}, and is not overwritten. Kept:"
            f" sha256:{fingerprint(there.pki.ca_cert)}. Now: sha256:{fingerprint(pki.ca_cert)}.",
        )
    return there.path


def _write_new(path: Path, text: str) -> None:
    """Write a file of mode 0600 whole, or not at all.

    Raises:
        FileExistsError: there is one.
        OSError: it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes it 0600 whatever the umask says
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        sent.note_file()
        try:
            os.link(partial, path)
        except FileExistsError:
            raise
        except OSError:
            # a file system without hard links
            if path.exists():
                raise FileExistsError(path) from None
            Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
