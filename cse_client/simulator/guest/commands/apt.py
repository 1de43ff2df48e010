"""apt-get: update, install, remove and clean, with apt's own words and exit codes.

The texts were taken from runs of apt 2.6.1 against a signed repository, a missing one, one of
another key, held locks and a full disk.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cse_client.simulator.guest.commands.internet import FetchFailed, content, reach
from cse_client.simulator.guest.containers import free_mb
from cse_client.simulator.guest.packages import database
from cse_client.simulator.guest.packages.archive import (
    KEY_ID,
    UBUNTU_KEYRING,
    kubernetes_packages,
    release_key,
    ubuntu_packages,
)
from cse_client.simulator.guest.packages.package import Package, newest, satisfies, version_key
from cse_client.simulator.guest.packages.sources import Source, option, sources

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = [
    "FAILED",
    "AptError",
    "Run",
    "install",
    "madison",
    "refresh",
    "remove",
    "wait_for_lock",
]

_LISTS = "/var/lib/apt/lists"
#: apt-get's exit code for every failure.
FAILED = 100
_DOWNLOAD_SECONDS, _UNPACK_SECONDS = 3.0, 2.0


class AptError(Exception):
    """apt gives up; its words were written already, or are this text."""


@dataclass
class Run:
    """One command line: where its words go, and its options."""

    system: System
    call: Call

    def option(self, name: str) -> str:
        """Return a configuration option."""
        return option(self.system.disk, self.call.words, name)

    def wait(self, seconds: float) -> None:
        """Let seconds of the guest's time pass."""
        self.system.sleep_call(self.call, seconds)

    @property
    def quiet(self) -> bool:
        """Whether output for the log is wanted, or none."""
        return any(word in ("-qq", "-q=2", "--quiet=2") for word in self.call.words)

    def out(self, text: str) -> None:
        """Write what -qq leaves out."""
        if not self.quiet:
            self.call.out(text)


# Locks


def wait_for_lock(run: Run) -> None:
    """Take dpkg's lock as apt does.

    DPkg::Lock::Timeout is for this lock alone (apt-pkg/deb/debsystem.cc, `GetLockMaybeWait`).
    """
    left = run.system.locked("packages")
    if not left:
        return
    limit = float(run.option("DPkg::Lock::Timeout") or 0)
    held = (
        "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1719"
        " (unattended-upgr)"
    )
    if limit:
        run.call.out(f"Waiting for cache lock: {held}...")
        run.wait(left if limit < 0 else min(limit, left))
        if not run.system.locked("packages"):
            return
    else:
        run.call.err(f"E: {held}")
    raise AptError(
        "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another"
        " process using it?"
    )


def _lock_lists(run: Run) -> None:
    if run.system.locked("lists"):
        run.out("Reading package lists...")
        raise AptError(
            f"E: Could not get lock {_LISTS}/lock. It is held by process 1702 (apt-get)\n"
            f"E: Unable to lock directory {_LISTS}/"
        )


# Lists


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
            transient.append(f"Failed to fetch {source.root}/InRelease  {_reason(error)}")
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


def _reason(error: FetchFailed) -> str:
    if error.kind == "name":
        return f"Temporary failure resolving '{error.host}'"
    if error.kind == "certificate":
        return (
            "Certificate verification failed: The certificate is NOT trusted. The certificate"
            " issuer is unknown.  Could not handshake: Error in the certificate verification."
        )
    where = f"{error.host}:{error.port} (203.0.113.10)"
    return f"Could not connect to {where}, connection timed out"


def _fetch_lists(run: Run, number: int, source: Source) -> None:
    """Fetch one source's lists.

    Raises FetchFailed for what is not reached, AptError for what is not accepted.
    """
    system = run.system
    place = source.label
    try:
        reach(system, source.root + "/", _proxy(run, source.uri), run.wait)
    except FetchFailed as error:
        run.out(f"Err:{number} {place} InRelease\n  {_reason(error)}")
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


def _proxy(run: Run, url: str) -> str:
    """Return the proxy for a URL; https falls back to http's (apt-transport-https(1))."""
    names = ["http", "https"] if url.startswith("https") else ["http"]
    for scheme in reversed(names):
        value = run.option(f"Acquire::{scheme}::Proxy")
        if value:
            return "" if value == "DIRECT" else value
    return ""


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


# Installing


def _lists(system: System) -> Iterator[tuple[Source, dict[str, str]]]:
    """Yield each paragraph of the fetched lists with the source that it came from."""
    disk = system.disk
    names = [name for name in disk.names(_LISTS) if name.endswith("_Packages")]
    for source in sources(disk):
        for name in names:
            if re.fullmatch(re.escape(source.list_name) + r"(_.*)?_Packages", name):
                for fields in database.paragraphs(disk.text(f"{_LISTS}/{name}")):
                    yield source, fields


def _available(system: System) -> dict[str, list[Package]]:
    """Return what the fetched lists offer, by name."""
    offered = {(fields["Package"], fields["Version"]) for _source, fields in _lists(system)}
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
        for source, fields in _lists(run.system)
        if fields["Package"] in names
    ]
    found.sort(key=lambda one: one[0], reverse=True)
    return [
        f"{name:>10} | {version:>10} | {source.label} Packages"
        for _, name, version, source in found
    ]


def install(run: Run, words: Sequence[str]) -> int:
    """Install or upgrade packages: NAME, NAME=VERSION, or a pattern of versions."""
    wait_for_lock(run)
    run.out("Reading package lists...\nBuilding dependency tree...\nReading state information...")
    offers = _available(run.system)
    present = database.installed(run.system.disk)
    wanted: dict[str, Package] = {}
    for word in words:
        package = _chosen(run, word, offers, present)
        if package is not None:
            wanted[package.name] = package
    asked = list(wanted)
    _add_dependencies(wanted, offers, present)
    fresh = {
        name: one
        for name, one in wanted.items()
        if name not in present or present[name].version != one.version
    }
    _refuse_changes(run, fresh, present)
    _announce(run, asked, fresh, present)
    if not fresh or "-s" in run.call.words or "--simulate" in run.call.words:
        return 0
    _check_space(run, list(fresh.values()))
    _download(run, list(fresh.values()))
    if "-d" in run.call.words or "--download-only" in run.call.words:
        return 0
    _unpack_all(run, list(fresh.values()))
    return 0


def _chosen(
    run: Run,
    word: str,
    offers: dict[str, list[Package]],
    present: dict[str, database.Installed],
) -> Package | None:
    """Return the package that a word means, None for what is installed and not offered."""
    name, equals, pattern = word.partition("=")
    offered = offers.get(name, [])
    if not offered:
        if name in present and not equals:
            run.out(f"{name} is already the newest version ({present[name].version}).")
            return None
        raise AptError(f"E: Unable to locate package {name}")
    if not equals:
        found = newest(offered)
    else:
        found = newest([one for one in offered if fnmatch.fnmatchcase(one.version, pattern)])
        if found is None:
            raise AptError(f"E: Version '{pattern}' for '{name}' was not found")
    assert found is not None  # noqa: S101  # something is offered
    return found


def _add_dependencies(
    wanted: dict[str, Package],
    offers: dict[str, list[Package]],
    present: dict[str, database.Installed],
) -> None:
    """Add what the wanted packages need and what is not installed in a version that suffices."""
    todo = list(wanted.values())
    while todo:
        package = todo.pop()
        for text in package.depends:
            name, _, relation = text.partition(" ")
            if name in wanted and satisfies(wanted[name].version, relation):
                continue
            if name in present and satisfies(present[name].version, relation):
                continue
            found = newest(
                [one for one in offers.get(name, ()) if satisfies(one.version, relation)]
            )
            if found is None:
                raise AptError(
                    "Some packages could not be installed. This may mean that you have\n"
                    "requested an impossible situation or if you are using the unstable\n"
                    "distribution that some required packages have not yet been created\n"
                    "or been moved out of Incoming.\n"
                    "The following information may help to resolve the situation:\n\n"
                    "The following packages have unmet dependencies:\n"
                    f" {package.name} : Depends: {text} but it is not installable\n"
                    "E: Unable to correct problems, you have held broken packages."
                )
            wanted[name] = found
            todo.append(found)


def _refuse_changes(
    run: Run, fresh: dict[str, Package], present: dict[str, database.Installed]
) -> None:
    words = run.call.words
    held = [name for name in fresh if name in present and present[name].held]
    if held and "--allow-change-held-packages" not in words:
        raise AptError(
            "E: Held packages were changed and -y was used without --allow-change-held-packages."
        )
    older = [
        name
        for name, one in fresh.items()
        if name in present and version_key(one.version) < version_key(present[name].version)
    ]
    if older and "--allow-downgrades" not in words:
        raise AptError("E: Packages were downgraded and -y was used without --allow-downgrades.")
    if fresh and not any(w in ("-y", "--yes", "--assume-yes", "-qq") for w in words):
        # Nobody is there to answer.
        raise AptError("Do you want to continue? [Y/n] Abort.")


def _announce(
    run: Run,
    asked: Sequence[str],
    fresh: dict[str, Package],
    present: dict[str, database.Installed],
) -> None:
    new = sorted(name for name in fresh if name not in present)
    upgraded = len(fresh) - len(new)
    further = sorted(name for name in fresh if name not in asked)
    if further:
        run.out("The following additional packages will be installed:\n  " + " ".join(further))
    if new:
        run.out("The following NEW packages will be installed:\n  " + " ".join(new))
    run.out(f"{upgraded} upgraded, {len(new)} newly installed, 0 to remove and 0 not upgraded.")


def _check_space(run: Run, packages: Sequence[Package]) -> None:
    """Raise apt's error where the archives do not fit onto the disk."""
    need = sum(one.size_mb for one in packages)
    if free_mb(run.system) < need * 1.3:
        raise AptError("E: You don't have enough free space in /var/cache/apt/archives/.")


def _download(run: Run, packages: Sequence[Package]) -> None:
    """Fetch the archives from where the lists came from."""
    failed = []
    for package in packages:
        source = _source_of(run.system, package)
        if source is None:
            continue
        url = f"{source.uri.rstrip('/')}/{_pool(source, package)}"
        try:
            reach(run.system, url, _proxy(run, source.uri), run.wait)
        except FetchFailed as error:
            failed.append(f"E: Failed to fetch {url}  {_reason(error)}")
            break
        run.out(f"Get:1 {source.label} {package.name} amd64 {package.version}")
    if failed:
        failed.append(
            "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?"
        )
        raise AptError("\n".join(failed))
    run.wait(_DOWNLOAD_SECONDS)
    with run.system.life.guard():
        for package in packages:
            path = f"/var/cache/apt/archives/{package.file_name.replace(':', '%3a')}"
            run.system.disk.write(path, b"!<arch>\n")


def _pool(source: Source, package: Package) -> str:
    if source.suite.endswith("/"):
        return f"amd64/{package.file_name}"
    return f"pool/main/{package.name[0]}/{package.name}/{package.file_name}"


def _source_of(system: System, package: Package) -> Source | None:
    """Return the source whose list offers a package."""
    wanted = (package.name, package.version)
    offers = _lists(system)
    return next((one for one, f in offers if (f["Package"], f["Version"]) == wanted), None)


def _unpack_all(run: Run, packages: Sequence[Package]) -> None:
    """Unpack, set up, enable and start."""
    system = run.system
    for package in packages:
        run.out(f"Unpacking {package.name} ({package.version}) ...")
    run.wait(_UNPACK_SECONDS)
    with system.life.guard():
        for package in packages:
            database.unpack(system.disk, package)
        database.record(system.disk, packages)
    system.platform.packages_changed(system)
    for package in packages:
        run.out(f"Setting up {package.name} ({package.version}) ...")
        for unit in package.enabled:
            if system.systemd.masked(unit):
                continue
            for link, target in system.systemd.enable(unit) or []:
                run.out(f"Created symlink {link} → {target}.")
            _begin(run, unit)


def _begin(run: Run, unit: str) -> None:
    """Start a service and wait for it, as deb-systemd-invoke does."""
    started = run.system.systemd.begin(unit)
    while started is not None and not started.settled.wait(0.02):
        run.system.pause_call(run.call, 0)


def remove(run: Run, names: Sequence[str]) -> int:
    """Remove packages."""
    wait_for_lock(run)
    present = database.installed(run.system.disk)
    doomed = [name for name in names if name in present]
    for name in names:
        if name not in present:
            run.out(f"Package '{name}' is not installed, so not removed")
    run.out(f"0 upgraded, 0 newly installed, {len(doomed)} to remove and 0 not upgraded.")
    system = run.system
    for name in doomed:
        for path in system.disk.text(f"/var/lib/dpkg/info/{name}.list").splitlines():
            if path.endswith(".service"):
                system.systemd.stop(path.rpartition("/")[2])
    with system.life.guard():
        database.remove(system.disk, doomed)
    system.platform.packages_changed(system)
    return 0
