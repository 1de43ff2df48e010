"""Backup files: how they are encrypted, written, verified and read.

A backup is a tar archive that is encrypted with age (see `age_files`): `backup.json`,
the record; `pki/...`, the files of /etc/kubernetes/pki that a control plane begins with; and
`etcd.db`, a snapshot for `etcdutl snapshot restore`. docs/backup.md shows how to open one with
`age` and `tar` alone.

No more than one piece of a backup is in memory, and nothing is written that is not encrypted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cse_client import bounds, sent
from cse_client.engines.direct.age_files import (
    PIECE,
    damaged,
    decrypted,
    digest_of,
    encrypt,
    locked_identity,
    not_a_backup,
    recipient,
)
from cse_client.errors import CseError
from cse_client.guest.pki import PKI_FILES, ClusterPKI, pki_from_files, pki_to_files
from cse_client.model.backups import FORMAT, BackupKey, BackupLock

__all__ = ["OpenBackup", "check_lock", "check_new", "open_backup", "write_backup"]

_RECORD, _PKI, _SNAPSHOT = "backup.json", "pki/", "etcd.db"
_BLOCK = tarfile.BLOCKSIZE
#: Bytes that each member may have: what encrypts to a public key may come from anybody.
_MOST_RECORD = 4 * 1024 * 1024
_MOST_PKI = 64 * 1024
_MOST_SNAPSHOT = 64 * 1024**3


# Writing


def check_lock(lock: BackupLock) -> None:
    """Check the public keys before anything is read of the cluster.

    Raises:
        WrongUsage: a key is none of age or ssh.
    """
    for text in lock.recipients:
        recipient(text)


def check_new(path: Path) -> None:
    """Check that a new file can be made, before anything is read of the cluster.

    Raises:
        CseError: there is a file of that name, or no such folder.
    """
    try:
        if path.exists():
            raise _taken(path)
        if not path.parent.is_dir():
            raise CseError(f"The file {path} cannot be written: there is no folder {path.parent}.")
    except OSError as error:
        raise CseError(f"The file {path} cannot be written: {error.strerror or error}.") from None


def write_backup(
    path: Path,
    record: Mapping[str, Any],
    pki: ClusterPKI,
    snapshot: Iterable[bytes],
    size: int,
    lock: BackupLock,
) -> int:
    """Write a backup, read it back to its end, and give it its name only then; return its size.

    `snapshot` is `size` bytes in pieces.

    Raises:
        CseError: there is a file of that name, it cannot be written, or what is read back differs.
        Exception: whatever `snapshot` raises.
    """
    from pyrage import x25519

    # Nobody else ever has this identity: it proves that what was written can be decrypted.
    own = x25519.Identity.generate()
    public = [recipient(text) for text in lock.recipients]
    with _new_file(path) as file:
        if lock.passphrase:
            file.write(locked_identity(str(own), lock.passphrase))
        written = encrypt(_archive(record, pki, snapshot, size), file, [own.to_public(), *public])
        file.flush()
        os.fsync(file.fileno())
        name = Path(file.name)
        key = BackupKey(passphrase=lock.passphrase, identity="" if lock.passphrase else str(own))
        if digest_of(name, key) != written:
            raise CseError(f"The file {path} does not read back as it was written; it was removed.")
        return int(file.tell())


def _archive(
    record: Mapping[str, Any], pki: ClusterPKI, snapshot: Iterable[bytes], size: int
) -> Iterator[bytes]:
    members = {_RECORD: json.dumps(record, indent=1, sort_keys=True).encode() + b"\n"}
    members.update({_PKI + name: content for name, content in pki_to_files(pki).items()})
    for name, content in members.items():
        yield _header(name, len(content))
        yield content + bytes(-len(content) % _BLOCK)
    yield _header(_SNAPSHOT, size)
    yield from snapshot
    yield bytes(-size % _BLOCK + 2 * _BLOCK)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[Any]:
    """Give a file of mode 0600 that gets its name at the end, or is gone."""
    name = ""
    try:
        if path.exists():
            raise _taken(path)
        with tempfile.NamedTemporaryFile(
            prefix=f".{path.name}.", dir=path.parent, delete=False
        ) as file:
            name = file.name
            yield file
        _rename(name, path)
    except OSError as error:
        raise CseError(f"The file {path} cannot be written: {error.strerror or error}.") from None
    finally:
        if name:
            with contextlib.suppress(OSError):
                Path(name).unlink()


def _rename(name: str, path: Path) -> None:
    """Give a file its name, but never that of another file."""
    sent.note_file()
    try:
        os.link(name, path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # a file system without hard links
        Path(name).rename(path)


def _taken(path: Path) -> CseError:
    return CseError(f"The file {path} exists already.", hint="Choose another file with -o.")


# Reading


@dataclass
class OpenBackup:
    """A backup that is being read: all but the snapshot is known.

    `size` is that of the snapshot in bytes.
    """

    path: Path
    record: Mapping[str, Any]
    pki: ClusterPKI = field(repr=False)
    size: int
    _stream: IO[bytes] = field(repr=False)
    _check: Any = field(repr=False)

    def snapshot(self) -> Iterator[bytes]:
        """Yield the snapshot piece by piece, once.

        Raises:
            CseError: the file is damaged or cut off.
        """
        digest = hashlib.sha256()
        tail = b""
        for piece in _exactly(self._stream, self.size, self._check):
            yield piece
            data = tail + piece
            digest.update(data[: -digest.digest_size])
            tail = data[-digest.digest_size :]
        _rest(self._stream, self._check)
        if digest.digest() != tail:
            raise damaged(self.path)


@contextlib.contextmanager
def open_backup(path: Path, key: BackupKey) -> Iterator[OpenBackup]:
    """Give a backup, as far as its snapshot.

    Raises:
        WrongUsage: it cannot be read, or is not a backup.
        CseError: it is damaged, or `key` does not open it.
    """
    with decrypted(path, key) as (stream, check):
        _refuse_other_file(path, stream, check)
        record: Any = None
        files: dict[str, bytes] = {}
        while True:
            name, size = _next_member(path, stream, check)
            if name == _SNAPSHOT:
                break
            most = _MOST_RECORD if name == _RECORD else _MOST_PKI
            content = b"".join(_exactly(stream, size, check)) if size <= most else b""
            b"".join(_exactly(stream, -size % _BLOCK, check))
            if name == _RECORD:
                record = _parsed(path, content)
            elif name.removeprefix(_PKI) in PKI_FILES.values() and content:
                files[name[len(_PKI) :]] = content
            else:
                raise damaged(path)
        if record is None or not _BLOCK <= size <= _MOST_SNAPSHOT:
            raise damaged(path)
        try:
            pki = pki_from_files(files)
        except CseError as error:
            raise CseError(f"The keys in {path} cannot be used: {error.clause}.") from None
        yield OpenBackup(path, record, pki, size, stream, check)


def _refuse_other_file(path: Path, stream: Any, check: Any) -> None:
    """Refuse what somebody else encrypted: a backup begins with its record.

    Raises:
        WrongUsage: it is something else.
    """
    begin = _RECORD.encode() + b"\0"
    if stream.peek(len(begin))[: len(begin)] != begin:
        _rest(stream, check)
        raise not_a_backup(path)


def _parsed(path: Path, content: bytes) -> Mapping[str, Any]:
    try:
        found = bounds.load_json(content)
    except ValueError:
        raise damaged(path) from None
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise damaged(path)
    if found["format"] > FORMAT:
        raise CseError(
            f"The file {path} was written by a newer version of cse-client.",
            hint="Upgrade cse-client.",
        )
    return found


def _next_member(path: Path, stream: IO[bytes], check: Any) -> tuple[str, int]:
    header = b"".join(_exactly(stream, _BLOCK, check))
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError):
        raise damaged(path) from None
    if info.type != tarfile.REGTYPE or info.size < 0:
        raise damaged(path)
    return info.name, info.size


def _exactly(stream: IO[bytes], size: int, check: Any) -> Iterator[bytes]:
    """Yield `size` bytes in pieces; `check` raises what ended the stream before."""
    while size:
        piece = stream.read(min(size, PIECE))
        if not piece:
            check(ended=True)
        size -= len(piece)
        yield piece


def _rest(stream: IO[bytes], check: Any) -> None:
    """Read to the end, which is where the last piece of the encryption is verified."""
    while stream.read(PIECE):
        pass
    check(ended=False)
