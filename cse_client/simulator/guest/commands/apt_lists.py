"""apt's lists of packages: `apt-get update`, and what they offer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from cse_client.simulator.guest.commands.apt import FAILED, AptError, Run, proxy_of, reason_of
from cse_client.simulator.guest.commands.internet import FetchFailed, content, reach
from cse_client.simulator.guest.packages import database
from cse_client.simulator.guest.packages.archive import (
    KEY_ID,
    UBUNTU_KEYRING,
    kubernetes_packages,
    release_key,
    ubuntu_packages,
)
from cse_client.simulator.guest.packages.package import Package, version_key
from cse_client.simulator.guest.packages.sources import Source, sources

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import System

__all__ = ["available_packages", "listed_packages", "madison", "refresh"]

_LISTS = "/var/lib/apt/lists"


def _lock_lists(run: Run) -> None:
    if run.system.locked("lists"):
        run.out("Reading package lists...")
        raise AptError(
            f"E: Could not get lock {_LISTS}/lock. It is held by process 1702 (apt-get)\n"
            f"E: Unable to lock directory {_LISTS}/"
        )


def refresh(run: Run) -> int:
    """Fetch the lists of all sources (`apt-get update`); returns apt's exit code.

    What cannot be reached is a warning, unless APT::Update::Error-Mode is any; a repository
    without a Release file, or with a signature that nothing verifies, is an error.
    """
    _lock_lists(run)
    transient: list[str] = []
    notes: list[str] = []
    for number, source in enumerate(sources(run.system.disk), start=1):
        try:
            _fetch_lists(run, number, source)
        except FetchFailed as error:
            transient.append(f"Failed to fetch {source.root}/InRelease  {reason_of(error)}")
            if error.kind == "certificate":
                notes.append(_unsigned(source, "Release", "does not have a Release file"))
        except AptError as error:
            notes += str(error).splitlines()
    run.out("Reading package lists...")
    strict = run.option("APT::Update::Error-Mode") == "any"
    if transient:
        transient.append(
            "Some index files failed to download. They have been ignored, or old ones used instead."
        )
    for text in transient:
        run.call.err(f"{'E' if strict else 'W'}: {text}")
    for text in notes:
        run.call.err(text)
    return FAILED if notes or (transient and strict) else 0


def _unsigned(source: Source, file: str, what: str) -> str:
    return f"E: The repository '{source.label} {file}' {what}."


def _fetch_lists(run: Run, number: int, source: Source) -> None:
    """Fetch one source's lists.

    Raises FetchFailed for what is not reached, AptError for what is not accepted.
    """
    system = run.system
    place = source.label
    try:
        reach(system, source.root + "/", proxy_of(run, source.uri), run.wait)
    except FetchFailed as error:
        run.out(f"Err:{number} {place} InRelease\n  {reason_of(error)}")
        raise
    signer = "another" if system.faults.wrong_package_key else "kubernetes"
    release = content(f"{source.root}/InRelease", key=signer)
    if not release:
        run.out(f"Ign:{number} {place} InRelease\nErr:{number} {place} Release\n  404  Not Found")
        raise AptError(_unsigned(source, "Release", "does not have a Release file"))
    run.out(f"Get:{number} {place} InRelease [{len(release)} B]")
    if not source.trusted and not _verified(system, source, release.decode()):
        problem = (
            "The following signatures couldn't be verified because the public key is not"
            f" available: NO_PUBKEY {KEY_ID}"
        )
        run.out(f"Err:{number} {place} InRelease\n  {problem}")
        raise AptError(
            f"W: GPG error: {place} InRelease: {problem}\n"
            + _unsigned(source, "InRelease", "is not signed")
        )
    parts = [f"/{one}/binary-amd64" for one in source.components] or [""]
    for part in parts:
        body = content(f"{source.root}{part}/Packages") or b""
        run.out(f"Get:{number} {place} {part.strip('/')} Packages [{len(body)} B]")
        name = f"{source.list_name}{part.replace('/', '_')}_Packages"
        with system.life.guard():
            system.disk.write(f"{_LISTS}/{name}", body)


def _verified(system: System, source: Source, release: str) -> bool:
    """Return whether the named key verifies a Release file.

    apt takes .asc files as armored and .gpg files as binary, and ignores others (apt-secure(8)).
    """
    signer = release.rpartition("Signed-By: ")[2].strip()
    path = source.signed_by
    if signer == "ubuntu":
        return path in ("", UBUNTU_KEYRING)
    if path.startswith("-----"):
        return False
    armored, binary = release_key(signer)
    paths = [path] if path else []
    if not path:
        folder = "/etc/apt/trusted.gpg.d"
        paths = [f"{folder}/{name}" for name in system.disk.names(folder)]
    for one in paths:
        try:
            data = system.disk.read(one)
        except OSError:
            continue
        if one.endswith(".asc") and data.decode("utf-8", "replace").strip() == armored.strip():
            return True
        if one.endswith(".gpg") and data == binary:
            return True
    return False


def listed_packages(system: System) -> Iterator[tuple[Source, dict[str, str]]]:
    """Yield each paragraph of the fetched lists with the source that it came from."""
    disk = system.disk
    names = [name for name in disk.names(_LISTS) if name.endswith("_Packages")]
    for source in sources(disk):
        for name in names:
            if re.fullmatch(re.escape(source.list_name) + r"(_.*)?_Packages", name):
                for fields in database.paragraphs(disk.text(f"{_LISTS}/{name}")):
                    yield source, fields


def available_packages(system: System) -> dict[str, list[Package]]:
    """Return what the fetched lists offer, by name."""
    offered = {
        (fields["Package"], fields["Version"]) for _source, fields in listed_packages(system)
    }
    known = list(ubuntu_packages(system.image.os_version_id))
    for minor in sorted({version.rpartition(".")[0] for name, version in _patches(offered)}):
        known += kubernetes_packages(minor)
    found: dict[str, list[Package]] = {}
    for package in known:
        if (package.name, package.version) in offered:
            found.setdefault(package.name, []).append(package)
    return found


def _patches(offered: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the Kubernetes releases that are offered, without Debian's revision."""
    for name, version in offered:
        if name == "kubeadm":
            yield name, version.partition("-")[0]


def madison(run: Run, names: Sequence[str]) -> list[str]:
    """Return the lines of `apt-cache madison`, newest first."""
    found = [
        (version_key(fields["Version"]), fields["Package"], fields["Version"], source)
        for source, fields in listed_packages(run.system)
        if fields["Package"] in names
    ]
    found.sort(key=lambda one: one[0], reverse=True)
    return [
        f"{name:>10} | {version:>10} | {source.label} Packages"
        for _, name, version, source in found
    ]
