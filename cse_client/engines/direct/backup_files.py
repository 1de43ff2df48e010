"""Backup files: how they are encrypted, written, verified and read.

A backup is a tar archive that is encrypted with age (https://age-encryption.org/v1): `backup.json`,
the record; `pki/...`, the files of /etc/kubernetes/pki that a control plane begins with; and
`etcd.db`, a snapshot for `etcdutl snapshot restore`. docs/backup.md shows how to open one with
`age` and `tar` alone.

For public keys (of age or of ssh) the file is an age file. For a passphrase, it begins with an age
identity made for this file, encrypted with the passphrase as armored text, and an age file for this
identity follows: the library encrypts with a passphrase only what fits into memory.

No more than one piece of a backup is in memory, and nothing is written that is not encrypted.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cse_client import bounds
from cse_client.errors import CseError, WrongUsage
from cse_client.guest.pki import PKI_FILES, ClusterPKI, pki_from_files, pki_to_files
from cse_client.model.backups import FORMAT, BackupKey, BackupLock

__all__ = ["OpenBackup", "check_lock", "check_new", "open_backup", "write_backup"]

_RECORD, _PKI, _SNAPSHOT = "backup.json", "pki/", "etcd.db"
_ARMOR_BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
_ARMOR_END = b"-----END AGE ENCRYPTED FILE-----\n"
_AGE = b"age-encryption.org/v1"
_HEAD = 8192
_BLOCK = tarfile.BLOCKSIZE
_PIECE = 256 * 1024
#: Bytes that each member may have: what encrypts to a public key may come from anybody.
_MOST_RECORD = 4 * 1024 * 1024
_MOST_PKI = 64 * 1024
_MOST_SNAPSHOT = 64 * 1024**3
#: What the library says of a passphrase whose key takes too much time (age: scrypt.rs).
_TOO_SLOW = "excessive work"
_CHANCES = 10


# Writing


def check_lock(lock: BackupLock) -> None:
    """Check the public keys before anything is read of the cluster.

    Raises:
        WrongUsage: a key is none of age or ssh.
    """
    for text in lock.recipients:
        _recipient(text)


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
    public = [_recipient(text) for text in lock.recipients]
    with _new_file(path) as file:
        if lock.passphrase:
            file.write(_locked(str(own), lock.passphrase))
        written = _encrypt(_archive(record, pki, snapshot, size), file, [own.to_public(), *public])
        file.flush()
        os.fsync(file.fileno())
        name = Path(file.name)
        key = BackupKey(passphrase=lock.passphrase, identity="" if lock.passphrase else str(own))
        if _digest_of(name, key) != written:
            raise CseError(f"The file {path} does not read back as it was written; it was removed.")
        return int(file.tell())


def _locked(identity: str, passphrase: str) -> bytes:
    from pyrage import passphrase as by_passphrase

    return bytes(by_passphrase.encrypt(f"{identity}\n".encode(), passphrase, armored=True))


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
    try:
        os.link(name, path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError:  # a file system without hard links
        Path(name).rename(path)


def _taken(path: Path) -> CseError:
    return CseError(f"The file {path} exists already.", hint="Choose another file with -o.")


class _Source:
    """What is encrypted, piece by piece; `error` is what went wrong in making it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self.digest = hashlib.sha256()
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, none at the end."""
        try:
            while not self._rest:
                self._rest = next(self._pieces)
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        piece, self._rest = self._rest[:size], self._rest[size:]
        self.digest.update(piece)
        return piece


class _Target:
    """Where the library writes to; `error` is why that failed."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        """Write all of it."""
        try:
            self._file.write(data)
        except BaseException as error:
            self.error = error
            raise
        return len(data)

    def flush(self) -> None:
        """Do nothing: the file is flushed at its end."""


def _encrypt(pieces: Iterator[bytes], file: Any, recipients: list[Any]) -> str:
    """Encrypt; return the SHA-256 of what was encrypted."""
    import pyrage

    source, target = _Source(pieces), _Target(file)
    try:
        pyrage.encrypt_io(source, target, recipients)
    except (pyrage.EncryptError, OSError) as error:
        # the library makes a text of what its callers raise
        raise source.error or target.error or error from None
    return source.digest.hexdigest()


def _recipient(text: str) -> Any:
    import pyrage

    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise WrongUsage(
            "A value of --recipient is not a public key that a backup can be encrypted to.",
            hint="Use a key of age (age1...), or an ssh key of type ssh-ed25519 or ssh-rsa.",
        ) from None


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
            raise _damaged(self.path)


@contextlib.contextmanager
def open_backup(path: Path, key: BackupKey) -> Iterator[OpenBackup]:
    """Give a backup, as far as its snapshot.

    Raises:
        CseError: it cannot be read, is damaged, no backup, or `key` does not open it.
    """
    with _decrypted(path, key) as (stream, check):
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
                raise _damaged(path)
        if record is None or not _BLOCK <= size <= _MOST_SNAPSHOT:
            raise _damaged(path)
        try:
            pki = pki_from_files(files)
        except CseError as error:
            raise CseError(f"The keys in {path} cannot be used: {error.clause}.") from None
        yield OpenBackup(path, record, pki, size, stream, check)


def _parsed(path: Path, content: bytes) -> Mapping[str, Any]:
    try:
        found = bounds.load_json(content)
    except ValueError:
        raise _damaged(path) from None
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise _damaged(path)
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
        raise _damaged(path) from None
    if info.type != tarfile.REGTYPE or info.size < 0:
        raise _damaged(path)
    return info.name, info.size


def _exactly(stream: IO[bytes], size: int, check: Any) -> Iterator[bytes]:
    """Yield `size` bytes in pieces; `check` raises what ended the stream before."""
    while size:
        piece = stream.read(min(size, _PIECE))
        if not piece:
            check(ended=True)
        size -= len(piece)
        yield piece


def _rest(stream: IO[bytes], check: Any) -> None:
    """Read to the end, which is where the last piece of the encryption is verified."""
    while stream.read(_PIECE):
        pass
    check(ended=False)


def _digest_of(path: Path, key: BackupKey) -> str:
    digest = hashlib.sha256()
    with _decrypted(path, key) as (stream, check):
        while piece := stream.read(_PIECE):
            digest.update(piece)
        check(ended=False)
    return digest.hexdigest()


@contextlib.contextmanager
def _decrypted(path: Path, key: BackupKey) -> Iterator[tuple[IO[bytes], Any]]:
    """Give the stream of what a file decrypts to, and what to call at its end.

    The library writes, and a tar archive is read: a pipe and a thread are between them.
    """
    import pyrage

    errors: list[Exception] = []

    def check(*, ended: bool) -> None:
        """Raise what went wrong; `ended`: the stream ended although more was due."""
        thread.join()
        if errors or ended:
            raise _damaged(path)

    try:
        file = path.open("rb")
    except OSError as error:
        reason = error.strerror or error
        raise WrongUsage(f"The backup file '{path}' cannot be read: {reason}.") from None
    with file:
        identity = _identity(path, file, key)
        reading, writing = os.pipe()

        def work() -> None:
            pipe = os.fdopen(writing, "wb")
            try:
                pyrage.decrypt_io(file, _Target(pipe), [identity])
            except (pyrage.DecryptError, OSError) as error:
                errors.append(error)
            finally:
                # closing writes the rest, which nobody may want any more
                with contextlib.suppress(OSError):
                    pipe.close()

        thread = threading.Thread(target=work, name="backup", daemon=True)
        thread.start()
        try:
            with os.fdopen(reading, "rb") as stream:
                if not stream.peek(1):
                    thread.join()
                    if any(isinstance(error, pyrage.DecryptError) for error in errors):
                        raise _locked_out(path, key, errors[0])
                yield stream, check
        finally:
            # with nobody to read, it ends soon; `file` stays open for it until then
            thread.join()


def _identity(path: Path, file: IO[bytes], key: BackupKey) -> Any:
    """Return the identity that opens the rest of `file`, which is then at its beginning."""
    import pyrage

    head = file.read(_HEAD)
    if head.startswith(_ARMOR_BEGIN):
        end = head.find(_ARMOR_END)
        if end < 0:
            raise _damaged(path)
        end += len(_ARMOR_END)
        if not key.passphrase:
            raise WrongUsage(f"The file {path} was encrypted with a passphrase, and none is given.")
        file.seek(end)
        try:
            text = _unlocked(head[:end], key.passphrase)
        except pyrage.DecryptError as error:
            if _TOO_SLOW in str(error).lower():
                raise CseError(
                    f"This machine is too slow, or too busy, to compute the key of {path} from its"
                    " passphrase.",
                    hint="Try again, or use another machine.",
                ) from None
            raise CseError(f"The passphrase does not open {path}.") from None
        return _own_identity(path, text.decode("ascii", "replace").strip())
    if not head.startswith(_AGE):
        raise CseError(f"The file {path} is not a backup of a cluster.")
    if not key.identity:
        raise WrongUsage(
            f"The file {path} was encrypted with a public key.",
            hint="Specify the file with the private key: --identity FILE.",
        )
    file.seek(0)
    return _own_identity(path, key.identity)


@functools.lru_cache(maxsize=2)
def _unlocked(armor: bytes, passphrase: str) -> bytes:
    """Decrypt what is encrypted with a passphrase; once for each file, since it takes a second.

    The library measures the machine's speed and refuses what would take it much longer. A machine
    that was busy for a moment gets some more chances.
    """
    import pyrage

    for _ in range(_CHANCES - 1):
        try:
            return bytes(pyrage.passphrase.decrypt(armor, passphrase))
        except pyrage.DecryptError as error:
            if _TOO_SLOW not in str(error).lower():
                raise
    return bytes(pyrage.passphrase.decrypt(armor, passphrase))


def _own_identity(path: Path, text: str) -> Any:
    """Return an identity of age, alone or with comments as age-keygen writes it, or of ssh."""
    import pyrage

    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    try:
        if text.startswith("-----BEGIN"):
            return pyrage.ssh.Identity.from_buffer(text.encode())
        return pyrage.x25519.Identity.from_str(lines[0] if lines else "")
    except pyrage.IdentityError:
        raise WrongUsage(
            f"The private key for {path} is none of age or ssh, or has a passphrase of its own."
        ) from None


def _locked_out(path: Path, key: BackupKey, error: Exception) -> CseError:
    if "No matching keys" in str(error) and not key.passphrase:
        return CseError(f"The private key does not open {path}.")
    return _damaged(path)


def _damaged(path: Path) -> CseError:
    return CseError(f"The backup {path} is damaged or cut off.")
