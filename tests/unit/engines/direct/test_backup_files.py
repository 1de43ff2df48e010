"""Backup files, on a real file system and with the real encryption."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cse_client.engines.direct import backup_files
from cse_client.engines.direct.backup_files import open_backup, write_backup
from cse_client.errors import CseError, WrongUsage
from cse_client.guest.pki import ClusterPKI, mint_pki
from cse_client.model.backups import BackupKey, BackupLock

RECORD = {"format": 1, "cluster": {"id": "1", "name": "demo"}, "secret": "needle-in-record"}
BODY = bytes(range(256)) * 2048
SNAPSHOT = BODY + hashlib.sha256(BODY).digest()
#: Made by age-keygen.
PUBLIC = "age1d9j488a84qrven6hyn46ufzv39w8tl85gj4yuk82yxdstzz7wyeq7h4l08"

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def pki() -> ClusterPKI:
    return mint_pki("demo")


@pytest.fixture(scope="module")
def own_key() -> tuple[str, str]:
    """A pair of age keys: public, private."""
    from pyrage import x25519

    identity = x25519.Identity.generate()
    return str(identity.to_public()), f"# created today\n{identity}\n"


@pytest.fixture
def write(tmp_path: Path, pki: ClusterPKI) -> Write:
    def make(
        lock: BackupLock, name: str = "demo.backup", snapshot: bytes = SNAPSHOT, **more: object
    ) -> Path:
        path = tmp_path / name
        pieces = (snapshot[at : at + 30000] for at in range(0, len(snapshot), 30000))
        size = write_backup(path, {**RECORD, **more}, pki, pieces, len(snapshot), lock)
        assert size == path.stat().st_size
        return path

    return make


@pytest.fixture(scope="module")
def by_passphrase(pki: ClusterPKI, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "demo.backup"
    write_backup(path, RECORD, pki, iter([SNAPSHOT]), len(SNAPSHOT), BackupLock("a b c"))
    return path


def test_a_passphrase_opens_it(by_passphrase: Path, pki: ClusterPKI) -> None:
    assert by_passphrase.stat().st_mode & 0o777 == 0o600
    raw = by_passphrase.read_bytes()
    assert b"needle" not in raw
    assert b"PRIVATE KEY" not in raw
    assert BODY[:256] not in raw
    with open_backup(by_passphrase, BackupKey(passphrase="a b c")) as backup:
        assert backup.record == RECORD
        assert backup.pki == pki
        assert backup.size == len(SNAPSHOT)
        assert b"".join(backup.snapshot()) == SNAPSHOT


def test_public_keys_lock_it_and_each_private_key_opens_it(
    write: Write, own_key: tuple[str, str], tmp_path: Path
) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "ssh")], check=True
    )
    public, private = own_key
    path = write(BackupLock(recipients=(public, (tmp_path / "ssh.pub").read_text().strip())))
    for identity in (private, (tmp_path / "ssh").read_text()):
        with open_backup(path, BackupKey(identity=identity)) as backup:
            assert b"".join(backup.snapshot()) == SNAPSHOT


def test_age_and_tar_alone_open_it(write: Write, own_key: tuple[str, str], tmp_path: Path) -> None:
    """What docs/backup.md shows; the library's own call is the age here."""
    import pyrage

    path = write(BackupLock(recipients=(own_key[0],)))
    identity = pyrage.x25519.Identity.from_str(own_key[1].splitlines()[1])
    pyrage.decrypt_file(str(path), str(tmp_path / "a.tar"), [identity])
    subprocess.run(["tar", "-xf", "a.tar"], cwd=tmp_path, check=True)
    assert (tmp_path / "etcd.db").read_bytes() == SNAPSHOT
    assert (tmp_path / "pki/etcd/ca.key").read_bytes().startswith(b"-----BEGIN EC PRIVATE KEY")


@pytest.mark.parametrize(
    ("key", "kind", "text"),
    [
        (BackupKey(passphrase="a b d"), CseError, "The passphrase does not open "),
        (BackupKey(identity="x"), WrongUsage, "was encrypted with a passphrase"),
    ],
)
def test_another_key_does_not_open_it(
    by_passphrase: Path, key: BackupKey, kind: type[CseError], text: str
) -> None:
    with pytest.raises(kind) as caught, open_backup(by_passphrase, key):
        pass
    assert text in caught.value.message


def test_another_private_key_does_not_open_it(write: Write, own_key: tuple[str, str]) -> None:
    from pyrage import x25519

    path = write(BackupLock(recipients=(own_key[0],)))
    for identity, text in (
        (str(x25519.Identity.generate()), "The private key does not open "),
        ("AGE-SECRET-KEY-1", "is none of age or ssh"),
        ("", "was encrypted with a public key."),
    ):
        with pytest.raises(CseError) as caught, open_backup(path, BackupKey(identity=identity)):
            pass
        assert text in caught.value.message


@pytest.mark.parametrize("left", [0.02, 0.3, 0.7, 0.999])
def test_a_file_that_is_cut_off(write: Write, own_key: tuple[str, str], left: float) -> None:
    path = write(BackupLock(recipients=(own_key[0],)))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * left)])
    with pytest.raises(CseError) as caught, open_backup(path, BackupKey(identity=own_key[1])) as it:
        b"".join(it.snapshot())
    assert caught.value.message == f"The backup {path} is damaged or cut off."


def test_a_file_with_a_changed_bit(write: Write, own_key: tuple[str, str]) -> None:
    path = write(BackupLock(recipients=(own_key[0],)))
    raw = bytearray(path.read_bytes())
    raw[-20000] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CseError) as caught, open_backup(path, BackupKey(identity=own_key[1])) as it:
        b"".join(it.snapshot())
    assert "is damaged or cut off" in caught.value.message


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is not a backup of a cluster"),
        (b"PK\x03\x04" * 100, "is not a backup of a cluster"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\nabc", "is damaged or cut off"),
        (b"age-encryption.org/v1\njunk", "is damaged or cut off"),
    ],
)
def test_a_file_that_is_something_else(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    key = BackupKey(passphrase="a", identity="AGE-SECRET-KEY-1" + "Q" * 58)
    with pytest.raises(CseError) as caught, open_backup(path, key):
        pass
    assert text in caught.value.message or "is none of age" in caught.value.message


def test_a_newer_format_is_refused(write: Write, own_key: tuple[str, str]) -> None:
    path = write(BackupLock(recipients=(own_key[0],)), format=2)
    with pytest.raises(CseError) as caught, open_backup(path, BackupKey(identity=own_key[1])):
        pass
    assert "was written by a newer version" in caught.value.message


def test_a_wrong_checksum_inside_is_noticed(write: Write, own_key: tuple[str, str]) -> None:
    path = write(BackupLock(recipients=(own_key[0],)), snapshot=BODY + bytes(32))
    with pytest.raises(CseError) as caught, open_backup(path, BackupKey(identity=own_key[1])) as it:
        b"".join(it.snapshot())
    assert "is damaged" in caught.value.message


def test_no_file_is_overwritten_and_none_is_left(write: Write, tmp_path: Path) -> None:
    (tmp_path / "demo.backup").write_text("mine")
    with pytest.raises(CseError) as caught:
        write(BackupLock(recipients=(PUBLIC,)))
    assert "exists already" in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == ["demo.backup"]
    assert (tmp_path / "demo.backup").read_text() == "mine"


def test_what_breaks_the_snapshot_is_raised_as_it_is(tmp_path: Path, pki: ClusterPKI) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_backup(
            tmp_path / "b", RECORD, pki, broken(), 200_000, BackupLock(recipients=(PUBLIC,))
        )
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_the_file(tmp_path: Path) -> None:
    """A real file system that takes no more: a limit of this process, in one of its own."""
    program = f"""
import resource
from pathlib import Path
from cse_client.engines.direct.backup_files import write_backup
from cse_client.errors import CseError
from cse_client.guest.pki import mint_pki
from cse_client.model.backups import BackupLock
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_backup(Path({str(tmp_path / "b")!r}), {{}}, mint_pki("d"), iter([bytes(500_000)]),
        500_000, BackupLock(recipients=({PUBLIC!r},)))
except CseError as error:
    print(error.message)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout == f"The file {tmp_path / 'b'} cannot be written: File too large.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_backup_of_any_size_takes_little_memory(
    tmp_path: Path, pki: ClusterPKI, own_key: tuple[str, str]
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 96 * 1024 * 1024
    tracemalloc.start()
    pieces = (os.urandom(32768) for _ in range(size // 32768))
    lock = BackupLock(recipients=(own_key[0],))
    write_backup(tmp_path / "b", RECORD, pki, pieces, size, lock)
    with (
        pytest.raises(CseError),
        open_backup(tmp_path / "b", BackupKey(identity=own_key[1])) as backup,
    ):
        for _ in backup.snapshot():  # noise has no checksum
            pass
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    tracemalloc.stop()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize("text", ["age1abc", "ssh-dss AAAA", "hello", "AGE-SECRET-KEY-1"])
def test_what_is_no_public_key_is_refused_first(text: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        backup_files.check_lock(BackupLock(recipients=(PUBLIC, text)))
    assert "is not a public key" in caught.value.message
    assert text not in caught.value.message, "it may be a private key"
