"""Packages: `apt-get install` and `apt-get remove`."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cse_client.simulator.guest.commands.apt import (
    AptError,
    Run,
    proxy_of,
    reason_of,
    wait_for_lock,
)
from cse_client.simulator.guest.commands.apt_lists import available_packages, listed_packages
from cse_client.simulator.guest.commands.internet import FetchFailed, reach
from cse_client.simulator.guest.containers import free_mb
from cse_client.simulator.guest.packages import database
from cse_client.simulator.guest.packages.package import Package, newest, satisfies, version_key
from cse_client.simulator.guest.packages.sources import Source

if TYPE_CHECKING:
    from cse_client.simulator.guest.system import System

__all__ = ["install", "remove"]

_DOWNLOAD_SECONDS, _UNPACK_SECONDS = 3.0, 2.0


def install(run: Run, words: Sequence[str]) -> int:
    """Install or upgrade packages: NAME, NAME=VERSION, or a pattern of versions."""
    wait_for_lock(run)
    run.out("Reading package lists...\nBuilding dependency tree...\nReading state information...")
    offers = available_packages(run.system)
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
            reach(run.system, url, proxy_of(run, source.uri), run.wait)
        except FetchFailed as error:
            failed.append(f"E: Failed to fetch {url}  {reason_of(error)}")
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
    offers = listed_packages(system)
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
            if system.systemd.files.masked(unit):
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
