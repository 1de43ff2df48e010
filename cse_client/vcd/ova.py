"""OVA files: what is in one, and whether VCD can make a node template of it.

An OVA is a plain tar archive of an OVF package: the descriptor, perhaps a manifest with checksums,
and the files that the descriptor references (DMTF DSP0243 1.1, sections 5.1 and 5.3). Everything is
read from the archive in its place: nothing is unpacked, and the archive is not trusted.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lxml import etree

from cse_client.errors import CseError, WrongUsage
from cse_client.vcd import answers, reading
from cse_client.vcd.answers import NotVcd

__all__ = ["OvaFile", "OvaPackage", "read_ova"]

#: VCD's own limit for a descriptor (Tenant Guide, "Deploy a vApp from an OVF Package").
_LONGEST_DESCRIPTOR = 12 * 1024 * 1024
_LONGEST_MANIFEST = 1024 * 1024
_MOST_MEMBERS = 1000
_PIECE = 1024 * 1024
_OVF = "http://schemas.dmtf.org/ovf/envelope/1"
_CHECKSUM = re.compile(
    r"(?P<kind>SHA1|SHA256|SHA384|SHA512) ?\((?P<name>.+)\) ?= ?(?P<digest>[0-9a-fA-F]+)", re.ASCII
)
_TPM = "vmware.vtpm"
_AGAIN = "Download or export it again."

OnRead = Callable[[int, int], None]


@dataclass(frozen=True)
class _Part:
    """A stretch of the archive: `size` bytes from `offset` on."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class OvaFile:
    """A file of the package, under the name by which the descriptor references it.

    It may lie in the archive in several parts (`chunkSize` of the descriptor).
    """

    name: str
    parts: tuple[_Part, ...]

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return sum(part.size for part in self.parts)

    def pieces(self, archive: IO[bytes], size: Callable[[], int]) -> Iterator[bytes]:
        """Yield its content in order, in pieces of at most `size()` bytes.

        Raises:
            OSError: the archive cannot be read, or has become shorter.
        """
        for part in self.parts:
            done = 0
            while done < part.size:
                archive.seek(part.offset + done)
                piece = archive.read(min(size(), part.size - done))
                if not piece:
                    raise OSError("the file has become shorter")
                done += len(piece)
                yield piece


@dataclass(frozen=True)
class OvaPackage:
    """An OVA whose structure is sound: one virtual machine, all files there, as long as stated."""

    path: Path
    descriptor: bytes
    files: tuple[OvaFile, ...]
    hardware_version: int
    checksums: tuple[tuple[str, str, OvaFile], ...] = ()

    @property
    def size(self) -> int:
        """The bytes that are uploaded."""
        return len(self.descriptor) + sum(one.size for one in self.files)

    def verify(self, on_read: OnRead = lambda _done, _total: None) -> None:
        """Compare the files with the manifest's checksums, if there is a manifest.

        Raises:
            WrongUsage: one does not match, or the archive cannot be read any more.
        """
        total = sum(one.size for _kind, _digest, one in self.checksums)
        done = 0
        with _opened(self.path) as archive:
            for kind, expected, one in self.checksums:
                digest = hashlib.new(kind.lower())
                for piece in one.pieces(archive, lambda: _PIECE):
                    digest.update(piece)
                    done += len(piece)
                    on_read(done, total)
                if digest.hexdigest() != expected.lower():
                    raise WrongUsage(
                        f"The OVA file '{self.path}' is damaged: '{one.name}' does not match the"
                        f" {kind} checksum in its manifest.",
                        hint=_AGAIN,
                    )


def read_ova(path: Path) -> OvaPackage:
    """Read what an OVA file consists of; the content of its disks is not read.

    Raises:
        WrongUsage: it is not an OVA file, is incomplete, or cannot become a node template.
    """
    members = _members(path)
    descriptors = [one for one in members.values() if one.name.lower().endswith(".ovf")]
    if len(descriptors) != 1:
        count = f"{len(descriptors)} OVF descriptors" if descriptors else "no OVF descriptor"
        raise _unfit(path, f"it contains {count}")
    descriptor = _content(path, descriptors[0], _LONGEST_DESCRIPTOR)
    try:
        root = answers.read_xml(descriptor, ("Envelope",))
    except (NotVcd, ValueError):
        raise _unfit(path, f"its descriptor '{descriptors[0].name}' is not OVF 1.x") from None
    machine = _only_machine(path, root)
    files = tuple(_referenced(path, root, members))
    return OvaPackage(
        path=path,
        descriptor=descriptor,
        files=files,
        hardware_version=_hardware_version(machine),
        checksums=tuple(_checksums(path, members, descriptors[0], files)),
    )


def _members(path: Path) -> dict[str, _Part]:
    """Return the regular files of the archive by name."""
    found: dict[str, _Part] = {}
    with _opened(path) as archive:
        length = archive.seek(0, 2)
        archive.seek(0)
        try:
            with tarfile.open(fileobj=archive, mode="r:") as tar:
                for member in tar:
                    if member.offset_data + member.size > length:
                        raise _cut(path, member.name)
                    if len(found) >= _MOST_MEMBERS:
                        raise _unfit(path, f"it contains more than {_MOST_MEMBERS} files")
                    name = member.name.removeprefix("./")
                    if member.isreg() and not member.issparse():
                        found[name] = _Part(name, member.offset_data, member.size)
        except (tarfile.TarError, ValueError, OverflowError):
            last = next(reversed(found), "")
            raise (_cut(path, last) if found else _not_tar(path)) from None
    if not found:
        raise _not_tar(path)
    return found


def _only_machine(path: Path, root: etree._Element) -> etree._Element:
    machines = list(root.iter(f"{{{_OVF}}}VirtualSystem"))
    if not machines:
        raise _unfit(path, "it describes no virtual machine")
    if len(machines) > 1:
        raise _unfit(
            path,
            f"it describes {len(machines)} virtual machines, and a node template has exactly one",
        )
    (machine,) = machines
    for item in reading.children(machine, "VirtualHardwareSection/Item"):
        if reading.text(item, "ResourceSubType").lower() == _TPM:
            raise _unfit(
                path,
                "its virtual machine has a virtual TPM, which nodes made from it cannot share",
                hint="Export the virtual machine without the TPM device.",
            )
    return machine


def _referenced(path: Path, root: etree._Element, members: dict[str, _Part]) -> Iterator[OvaFile]:
    """Yield the files that the descriptor references."""
    seen: set[str] = set()
    for element in reading.children(root, "References/File"):
        name = _own(element, "href")
        if not name or name in seen:
            continue
        seen.add(name)
        stated = reading.number(_own(element, "size"))
        chunk = reading.number(_own(element, "chunkSize"))
        parts = _parts(path, name, members, stated, chunk)
        one = OvaFile(name, tuple(parts))
        if stated is not None and one.size != stated:
            raise WrongUsage(
                f"The OVA file '{path}' is damaged: '{name}' has {one.size} bytes, and the OVF"
                f" descriptor states {stated}.",
                hint=_AGAIN,
            )
        yield one


def _parts(
    path: Path, name: str, members: dict[str, _Part], stated: int | None, chunk: int | None
) -> Iterator[_Part]:
    """Yield where a file lies: under its own name, or cut into pieces of `chunk` bytes."""
    count = -(-(stated or 0) // chunk) if chunk and chunk > 0 else 0
    if count > _MOST_MEMBERS:
        raise _unfit(path, f"its file '{name}' is cut into more than {_MOST_MEMBERS} pieces")
    names = [f"{name}.{number:09d}" for number in range(count)] or [name]
    for one in names:
        if one not in members:
            elsewhere = "://" in one or one.startswith(("/", "../"))
            lacks = f"it lacks '{one}', which its OVF descriptor references"
            if elsewhere:
                lacks = f"its OVF descriptor references '{one}', which is not inside of it"
            raise _unfit(path, lacks)
        yield members[one]


def _checksums(
    path: Path, members: dict[str, _Part], descriptor: _Part, files: Sequence[OvaFile]
) -> Iterator[tuple[str, str, OvaFile]]:
    """Yield the checksums of the manifest, with the files that they belong to."""
    manifest = next((one for one in members.values() if one.name.lower().endswith(".mf")), None)
    if manifest is None:
        return
    text = _content(path, manifest, _LONGEST_MANIFEST).decode("utf-8", "replace")
    known = {one.name: one for one in files}
    known[descriptor.name] = OvaFile(descriptor.name, (descriptor,))
    for part in members.values():
        known.setdefault(part.name, OvaFile(part.name, (part,)))
    for line in text.splitlines():
        found = _CHECKSUM.fullmatch(line.strip())
        if found is not None and found["name"] in known:
            yield found["kind"], found["digest"], known[found["name"]]


def _hardware_version(machine: etree._Element) -> int:
    """Return the number of `vmx-13`, 0 where there is none."""
    kind = reading.text(machine, "VirtualHardwareSection/System/VirtualSystemType")
    versions = [int(one) for one in re.findall(r"vmx-0*(\d{1,4})", kind, re.ASCII)]
    return max(versions, default=0)


def _content(path: Path, part: _Part, most: int) -> bytes:
    if part.size > most:
        raise _unfit(path, f"its file '{part.name}' has more than {most} bytes")
    with _opened(path) as archive:
        archive.seek(part.offset)
        return archive.read(part.size)


def _opened(path: Path) -> IO[bytes]:
    hint = "Specify an OVA file."
    try:
        if not path.exists():
            raise WrongUsage(f"The OVA file '{path}' does not exist.")
        if not path.is_file():
            kind = "a directory" if path.is_dir() else "not a regular file"
            raise WrongUsage(f"The OVA file '{path}' is {kind}.", hint=hint)
        return path.open("rb")
    except OSError as error:
        raise WrongUsage(
            f"The OVA file '{path}' cannot be read: {error.strerror or error}.", hint=hint
        ) from None


def _own(element: etree._Element, name: str) -> str:
    return element.get(f"{{{_OVF}}}{name}") or element.get(name) or ""


def _unfit(path: Path, why: str, *, hint: str = "") -> CseError:
    return WrongUsage(f"The OVA file '{path}' cannot be used: {why}.", hint=hint)


def _cut(path: Path, name: str) -> CseError:
    return WrongUsage(
        f"The OVA file '{path}' is incomplete: it ends within or after '{name}'.", hint=_AGAIN
    )


def _not_tar(path: Path) -> CseError:
    return WrongUsage(
        f"'{path}' is not an OVA file: it is not a tar archive.",
        hint="To pack an OVF package: tar -cf NAME.ova NAME.ovf NAME.vmdk",
    )
