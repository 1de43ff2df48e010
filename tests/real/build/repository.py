"""A signed package repository without suites and components, as pkgs.k8s.io is one."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from email.utils import formatdate
from pathlib import Path
from types import TracebackType

__all__ = ["Signer", "write_repository"]

_KEY = "rsa3072"


class Signer:
    """A key that exists within a `with` only; what it signed stays good."""

    def __init__(self, name: str) -> None:
        self._name = name
        # The agent's socket does not fit into a long path.
        self._home = tempfile.mkdtemp(prefix="gpg-", dir="/tmp")

    def __enter__(self) -> Signer:
        self._gpg("--passphrase", "", "--quick-generate-key", self._name, _KEY, "sign", "never")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        subprocess.run(
            ["gpgconf", "--homedir", self._home, "--kill", "all"], capture_output=True, check=False
        )
        shutil.rmtree(self._home, ignore_errors=True)

    def public_key(self) -> str:
        """Return the public key, armored."""
        return self._gpg("--armor", "--export").decode()

    def sign(self, release: Path) -> None:
        """Write InRelease and Release.gpg beside a Release file."""
        folder = release.parent
        (folder / "InRelease").write_bytes(self._gpg("--clearsign", "--output", "-", str(release)))
        detached = self._gpg("--armor", "--detach-sign", "--output", "-", str(release))
        (folder / "Release.gpg").write_bytes(detached)

    def _gpg(self, *words: str) -> bytes:
        done = subprocess.run(
            ["gpg", "--homedir", self._home, "--batch", "--quiet", "--yes", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode:
            raise OSError(f"`gpg {words[0]}`: {done.stderr.decode().strip()}")
        return done.stdout


def write_repository(folder: Path, signer: Signer) -> None:
    """Write the index of all packages below a folder, and sign it.

    The files are those that apt reads: Packages, Packages.gz, Release, InRelease, Release.gpg; and
    Release.key, as pkgs.k8s.io has it.
    """
    entries = [_entry(folder, package) for package in sorted(folder.rglob("*.deb"))]
    packages = "\n".join(entries).encode()
    indexes = {"Packages": packages, "Packages.gz": gzip.compress(packages, mtime=0)}
    lines = [f"Date: {formatdate(usegmt=True)}", "Architectures: all amd64 arm64", "SHA256:"]
    for name, content in indexes.items():
        (folder / name).write_bytes(content)
        lines.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} {name}")
    (folder / "Release").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "Release.key").write_text(signer.public_key(), encoding="utf-8")
    signer.sign(folder / "Release")


def _entry(folder: Path, package: Path) -> str:
    control = subprocess.run(
        ["dpkg-deb", "--field", package], capture_output=True, text=True, check=True
    )
    content = package.read_bytes()
    return (
        control.stdout.rstrip("\n")
        + f"\nFilename: {package.relative_to(folder)}\nSize: {len(content)}\n"
        + f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
    )
