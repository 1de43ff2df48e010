"""OVA files: what is accepted, and a sentence for everything that is damaged or unsuitable."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cse_client.errors import WrongUsage
from cse_client.vcd.ova import read_ova
from tests.support.ova import (
    DISK,
    TPM,
    cloud_image,
    descriptor,
    machine,
    manifest,
    write_ova,
)

CONTENT = b"disk" * 500
SIZED = descriptor({DISK: f'ovf:size="{len(CONTENT)}"'}).encode()
Files = dict[str, bytes]


def test_a_cloud_image(tmp_path: Path) -> None:
    package = read_ova(cloud_image(tmp_path / "a.ova", CONTENT))
    assert [(one.name, one.size) for one in package.files] == [(DISK, len(CONTENT))]
    assert (package.hardware_version, package.size) == (10, len(package.descriptor) + len(CONTENT))
    seen: list[tuple[int, int]] = []
    package.verify(lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]
    with package.path.open("rb") as archive:
        pieces = list(package.files[0].pieces(archive, lambda: 900))
    assert [len(one) for one in pieces] == [900, 900, 200]
    assert b"".join(pieces) == CONTENT


def test_disks_in_parts_and_sizes_that_are_not_stated(tmp_path: Path) -> None:
    text = descriptor({DISK: 'ovf:size="2000" ovf:chunkSize="1500"', "x.nvram": ""})
    parts = {f"{DISK}.000000000": CONTENT[:1500], f"{DISK}.000000001": CONTENT[1500:]}
    files = {"./a.ovf": text.encode(), **parts, "x.nvram": b"123"}
    package = read_ova(write_ova(tmp_path / "a.ova", files))
    assert [(one.name, one.size) for one in package.files] == [(DISK, 2000), ("x.nvram", 3)]
    with package.path.open("rb") as archive:
        assert b"".join(package.files[0].pieces(archive, lambda: 1000)) == CONTENT


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({DISK: CONTENT}, "it contains no OVF descriptor"),
        ({"a.ovf": SIZED, "b.ovf": SIZED}, "it contains 2 OVF descriptors"),
        ({"a.ovf": b"<html/>", DISK: CONTENT}, "its descriptor 'a.ovf' is not OVF 1.x"),
        ({"a.ovf": b"\x00", DISK: CONTENT}, "its descriptor 'a.ovf' is not OVF 1.x"),
        ({"a.ovf": SIZED}, f"it lacks '{DISK}', which its OVF descriptor references"),
        (
            {"a.ovf": SIZED, DISK: CONTENT[1:]},
            f"is damaged: '{DISK}' has 1999 bytes, and the OVF descriptor states 2000.",
        ),
        (
            {"a.ovf": descriptor({"http://x/disk.vmdk": ""}).encode()},
            "references 'http://x/disk.vmdk', which is not inside of it",
        ),
        ({"a.ovf": descriptor({"../d": ""}).encode()}, "references '../d', which is not inside"),
        (
            {"a.ovf": descriptor(machines="").encode(), DISK: CONTENT},
            "it describes no virtual machine",
        ),
        (
            {"a.ovf": descriptor(machines=machine("a") + machine("b")).encode(), DISK: CONTENT},
            "it describes 2 virtual machines, and a node template has exactly one",
        ),
        (
            {"a.ovf": descriptor(machines=machine(extra=TPM)).encode(), DISK: CONTENT},
            "its virtual machine has a virtual TPM",
        ),
        (
            {"a.ovf": SIZED, "a.mf": manifest({DISK: b"other"}), DISK: CONTENT},
            f"is damaged: '{DISK}' does not match the SHA256 checksum in its manifest.",
        ),
        (
            {"a.ovf": SIZED, "a.mf": manifest({"a.ovf": b"x"}, "SHA1"), DISK: CONTENT},
            "is damaged: 'a.ovf' does not match the SHA1 checksum in its manifest.",
        ),
        (
            {"a.ovf": descriptor({DISK: 'ovf:size="9999999" ovf:chunkSize="1"'}).encode()},
            "is cut into more than 1000 pieces",
        ),
        ({"a.ovf": b" " * (12 * 1024 * 1024 + 1)}, "has more than 12582912 bytes"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, files: Files, message: str) -> None:
    path = write_ova(tmp_path / "a.ova", files)
    with pytest.raises(WrongUsage) as caught:
        read_ova(path).verify()
    assert message in caught.value.message
    assert str(path) in caught.value.message


def _symlink(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name, link in (("a.ovf", ""), (DISK, "/etc/passwd")):
            member = tarfile.TarInfo(name)
            member.type = tarfile.SYMTYPE if link else tarfile.REGTYPE
            member.linkname, member.size = link, 0 if link else len(SIZED)
            archive.addfile(member, None if link else io.BytesIO(SIZED))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _path: None, "does not exist"),
        (Path.mkdir, "is a directory"),
        (Path.touch, "is not an OVA file: it is not a tar archive."),
        (lambda path: path.write_bytes(b"QFI\xfb" * 1000), "it is not a tar archive"),
        (lambda path: path.write_bytes(SIZED), "it is not a tar archive"),
        (lambda path: path.write_bytes(gzip.compress(b"x" * 9999)), "it is not a tar archive"),
        (_symlink, f"it lacks '{DISK}'"),
    ],
)
def test_files_that_are_none(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    path = tmp_path / "a.ova"
    make(path)
    with pytest.raises(WrongUsage) as caught:
        read_ova(path)
    assert message in caught.value.message


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 0.99), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255))))
def test_damage_is_refused_or_harmless(
    tmp_path: Path, share: float, flips: list[tuple[float, int]]
) -> None:
    """No other error than ours, and no disk that is shorter than it was."""
    whole = bytearray(cloud_image(tmp_path / "whole.ova", CONTENT).read_bytes())
    for place, value in flips:
        whole[int(place * (len(whole) - 1))] = value
    path = tmp_path / "a.ova"
    path.write_bytes(whole if flips else whole[: int(share * len(whole))])
    try:
        package = read_ova(path)
        package.verify()
    except WrongUsage:
        return
    with package.path.open("rb") as archive:
        for one in package.files:
            assert sum(len(piece) for piece in one.pieces(archive, lambda: 700)) == one.size
