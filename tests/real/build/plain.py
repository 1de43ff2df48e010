"""The plain machine that node templates are built from, and the packages that it can have.

PLAIN/root/          the machine's disk: a Debian made by debootstrap
PLAIN/archive/       a signed repository of further Debian packages
PLAIN/server.{crt,key} for the servers of HOSTS; the machine trusts the certificate
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.real.build.repository import Signer, write_repository

__all__ = ["ARCHIVE_HOST", "HOSTS", "PlainFailed", "is_made", "make_plain", "plain_folder"]

#: Raised whenever the content changes.
_FORMAT = 1
#: Ubuntu cannot be had everywhere. Of Debian's releases this one has what Ubuntu 24.04 has:
#: containerd 1.7, cloud-init 25, systemd's unit files in /usr/lib.
_SUITE = "trixie"
_NEEDED = ("debootstrap", "dpkg-deb", "gpg", "openssl", "unshare")
_ELSEWHERE = "https://deb.debian.org/debian"
_SECONDS = 1200

ARCHIVE_HOST = "debian.test"
#: The names that the servers' certificate is for.
HOSTS = (ARCHIVE_HOST, "pkgs.k8s.io", "registry.k8s.io", "manifests.test")

_INSTALLED = (
    *("ca-certificates", "cloud-init", "curl", "init", "iproute2", "iputils-ping", "kmod"),
    *("netbase", "open-vm-tools", "openssh-server", "procps", "systemd", "systemd-sysv"),
)
_OFFERED = (
    *("apt-transport-https", "conntrack", "containerd", "ebtables", "ethtool", "gpg", "iptables"),
    *("jq", "keepalived", "nfs-common", "runc", "socat"),
)
_ARCHIVE_KEY = "/etc/apt/keyrings/archive.asc"
_SOURCES = f"""Types: deb
URIs: https://{ARCHIVE_HOST}/debian
Suites: ./
Signed-By: {_ARCHIVE_KEY}
"""


class PlainFailed(Exception):
    """The plain machine could not be made; the message ends with the last lines of output."""


def plain_folder(kits: Path) -> Path:
    """Return the folder of the plain machine beside the kits."""
    return kits / "plain-debian-13"


def is_made(plain: Path) -> bool:
    """Return whether the plain machine is there, as it is made now."""
    return (plain / f"format-{_FORMAT}").exists()


def make_plain(kits: Path) -> Path:
    """Make the plain machine unless it is there; return its folder. Root only.

    Raises:
        PlainFailed: a program is missing, or the mirror cannot be reached or lacks a package.
    """
    target = plain_folder(kits)
    if is_made(target):
        return target
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing:
        raise PlainFailed(f"Plain machines need programs that are missing: {', '.join(missing)}.")
    kits.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".plain.partial-", dir=kits))
    try:
        partial.chmod(0o755)
        (partial / "installed").write_text(" ".join(_INSTALLED), encoding="utf-8")
        (partial / "offered").write_text(" ".join(_OFFERED), encoding="utf-8")
        _write_certificate(partial)
        _debootstrap(partial)
        with Signer("Archive of the plain machine") as signer:
            write_repository(partial / "archive", signer)
            key = partial / "root" / _ARCHIVE_KEY[1:]
            key.parent.mkdir(parents=True, exist_ok=True)
            key.write_text(signer.public_key(), encoding="utf-8")
        sources = partial / "root/etc/apt/sources.list.d/debian.sources"
        sources.write_text(_SOURCES, encoding="utf-8")
        (partial / f"format-{_FORMAT}").touch()
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _write_certificate(partial: Path) -> None:
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:P-256", "-days", "3650", "-subj", "/CN=the Internet"),
            *("-addext", f"subjectAltName={names}"),
            *("-keyout", partial / "server.key", "-out", partial / "server.crt"),
        ],
        capture_output=True,
        check=True,
    )


def _debootstrap(partial: Path) -> None:
    script = Path(__file__).with_name("plain.sh")
    try:
        done = subprocess.run(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"),
                *("bash", script, partial / "root", _SUITE, _mirror(), partial),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PlainFailed(f"The plain machine was not made within {_SECONDS} s.") from error
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-10:])
        raise PlainFailed(f"The plain machine could not be made:\n{last}")


def _mirror() -> str:
    """Return the mirror of Debian that this machine's apt uses, else Debian's own."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(REPO_URI)"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    for line in listed.stdout.splitlines():
        if line.startswith("Debian main ") and "security" not in line:
            return line.split()[2]
    return _ELSEWHERE
