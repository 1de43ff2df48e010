"""Encryption with age (https://age-encryption.org/v1), piece by piece.

For public keys (of age or of ssh) the file is an age file. For a passphrase, it begins with an age
identity made for this file, encrypted with the passphrase as armored text, and an age file for this
identity follows: the library encrypts with a passphrase only what fits into memory.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from cse_client import suggest
from cse_client.errors import CseError, WrongUsage
from cse_client.model.backups import BackupKey

__all__ = [
    "PIECE",
    "check_passphrase_opens",
    "damaged",
    "decrypted",
    "digest_of",
    "encrypt",
    "locked_identity",
    "not_a_backup",
    "recipient",
]

#: Bytes that are read at once.
PIECE = 256 * 1024

_ARMOR_BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
_ARMOR_END = b"-----END AGE ENCRYPTED FILE-----\n"
_AGE = b"age-encryption.org/v1"
_HEAD = 8192
#: What the library says of a passphrase whose key takes too much time (age: scrypt.rs).
_TOO_SLOW = "excessive work"
_CHANCES = 10


def locked_identity(identity: str, passphrase: str) -> bytes:
    """Return an identity as the beginning of a file that its passphrase opens."""
    from pyrage import passphrase as by_passphrase

    return bytes(by_passphrase.encrypt(f"{identity}\n".encode(), passphrase, armored=True))


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


def encrypt(pieces: Iterator[bytes], file: Any, recipients: list[Any]) -> str:
    """Encrypt; return the SHA-256 of what was encrypted."""
    import pyrage

    source, target = _Source(pieces), _Target(file)
    try:
        pyrage.encrypt_io(source, target, recipients)
    except (pyrage.EncryptError, OSError) as error:
        # the library makes a text of what its callers raise
        raise source.error or target.error or error from None
    return source.digest.hexdigest()


def recipient(text: str) -> Any:
    """Return what the library encrypts to.

    Raises:
        WrongUsage: the text is not a public key of age or ssh.
    """
    import pyrage

    kind = pyrage.ssh if text.startswith("ssh-") else pyrage.x25519
    try:
        return kind.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise WrongUsage(
            "A value of --recipient is not a public key that a backup can be encrypted to.",
            hint="Use a key of age (age1...), or an ssh key of type ssh-ed25519 or ssh-rsa.",
        ) from None


def digest_of(path: Path, key: BackupKey) -> str:
    """Return the SHA-256 of what a file decrypts to; raises like `decrypted`."""
    digest = hashlib.sha256()
    with decrypted(path, key) as (stream, check):
        while piece := stream.read(PIECE):
            digest.update(piece)
        check(ended=False)
    return digest.hexdigest()


@contextlib.contextmanager
def decrypted(path: Path, key: BackupKey) -> Iterator[tuple[IO[bytes], Any]]:
    """Give the stream of what a file decrypts to, and what to call at its end.

    The library writes, and a tar archive is read: a pipe and a thread are between them.

    Raises:
        WrongUsage: the file cannot be read, is not a backup, or `key` is of another kind.
        CseError: it is damaged, or `key` does not open it.
    """
    import pyrage

    errors: list[Exception] = []

    def check(*, ended: bool) -> None:
        """Raise what went wrong; `ended`: the stream ended although more was due."""
        thread.join()
        if errors or ended:
            raise damaged(path)

    with _opened(path) as file:
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


def check_passphrase_opens(path: Path) -> None:
    """Check that a file is a backup which a passphrase opens, before somebody is asked for it.

    Raises:
        WrongUsage: it cannot be read, is not a backup, or was encrypted with a public key.
    """
    with _opened(path) as file:
        head = file.read(_HEAD)
    if not head.startswith(_ARMOR_BEGIN):
        raise _without_passphrase(path, head)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        reason = error.strerror or error
        raise WrongUsage(f"The backup file '{path}' cannot be read: {reason}.") from None
    with file:
        yield file


def _without_passphrase(path: Path, head: bytes) -> CseError:
    if not head.startswith(_AGE):
        return not_a_backup(path)
    return WrongUsage(
        f"The file {path} was encrypted with a public key.",
        hint="Specify the file with the private key: --identity FILE.",
    )


def _identity(path: Path, file: IO[bytes], key: BackupKey) -> Any:
    """Return the identity that opens the rest of `file`, which is then at its beginning."""
    import pyrage

    head = file.read(_HEAD)
    if head.startswith(_ARMOR_BEGIN):
        end = head.find(_ARMOR_END)
        if end < 0:
            raise damaged(path)
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
            raise CseError(
                f"The passphrase does not open {path}.",
                hint="The passphrase is the first line of --passphrase-file, or else the value of"
                " the variable CSE_BACKUP_PASSPHRASE, or else what you type. Correct it and run the"
                " same command again.",
            ) from None
        return _own_identity(path, text.decode("ascii", "replace").strip())
    if not head.startswith(_AGE) or not key.identity:
        raise _without_passphrase(path, head)
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
    return damaged(path)


def not_a_backup(path: Path) -> WrongUsage:
    """Return the error for a file that is something else."""
    return WrongUsage(
        f"The file {path} is not a backup of a cluster.",
        hint=f"Specify a file that `{suggest.cse('cluster backup', 'NAME')}` wrote.",
    )


def damaged(path: Path) -> CseError:
    """Return the error for a file that does not decrypt to its end."""
    return CseError(
        f"The backup {path} is damaged or cut off.",
        hint="Use another copy of the file, or an older backup.",
    )
