"""What can be judged from the words alone, before anything is asked of the cloud.

Each check returns the problems that it found, as sentences with a hint, so that `create` can
report all of them at once.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import struct
from collections.abc import Iterable
from pathlib import Path

from cse_client.errors import CseError, PreflightFailed, WrongUsage

__all__ = [
    "check_endpoint",
    "check_existing_name",
    "check_name",
    "check_register",
    "check_sizes",
    "check_workers",
    "parse_duration",
    "raise_all",
    "read_ssh_key",
    "split_template",
]

#: Longest name of a cluster; CSE's own limit (container-service-extension, vApp name check).
NAME_LENGTH = 25
MOST_WORKERS = 500
#: authorized_keys text that still leaves room in a customization script.
MOST_KEY_BYTES = 4096
MOST_MEMORY_MB = 24 * 1024 * 1024
MOST_CPUS = 1024
HIGHEST_PORT = 65535
HOST_LENGTH = 253

_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9-]{0,23}[A-Za-z0-9])?", re.ASCII)
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
    re.ASCII,
)
_PORT = re.compile(r"\d{1,5}", re.ASCII)
_VERSION = re.compile(r"1\.\d{1,3}\.\d{1,3}", re.ASCII)
_REVISION = re.compile(r"(?P<name>.+)_rev(?P<revision>\d+)", re.ASCII)
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.ASCII)
_KEY_TYPES = (
    "ssh-rsa",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_PRIVATE = ("PRIVATE KEY-----", "PuTTY-User-Key-File-")
_NAME_RULE = (
    f"A name has 1 to {NAME_LENGTH} letters, digits and dashes, begins with a letter and does not "
    "end with a dash."
)


def raise_all(problems: Iterable[CseError]) -> None:
    """Raise one problem as it is and several as `PreflightFailed`; do nothing for none."""
    found = list(problems)
    if len(found) == 1:
        raise found[0]
    if found:
        raise PreflightFailed(f"{len(found)} problems were found; nothing was created.", found)


def check_name(name: str) -> list[CseError]:
    """Check the name of a new cluster: it becomes a vApp, a host name and a kubeconfig context."""
    if _NAME.fullmatch(name):
        return []
    if not name:
        return [WrongUsage("The cluster's name is empty.", hint=_NAME_RULE)]
    strange = sorted({c for c in name if not re.fullmatch(r"[A-Za-z0-9-]", c)})
    if strange:
        signs = ", ".join(_sign(c) for c in strange[:5])
        what = f"it contains {signs}"
    elif len(name) > NAME_LENGTH:
        what = f"it has {len(name)} characters"
    elif not name[0].isalpha():
        what = f"it begins with {_sign(name[0])}"
    else:
        what = "it ends with '-'"
    return [WrongUsage(f"The cluster name '{name}' is not allowed: {what}.", hint=_NAME_RULE)]


def check_existing_name(name: str) -> None:
    """Refuse an empty name; any other may be that of a cluster which somebody else made.

    Raises:
        WrongUsage: the name is empty or blank.
    """
    if not name.strip():
        raise WrongUsage("The cluster's name is empty.", hint="`vcd cse cluster list` shows names.")


def check_endpoint(endpoint: str) -> list[CseError]:
    """Check an address that the cluster's API is to be known by: HOST or HOST:PORT."""
    host, colon, port = endpoint.partition(":")
    good_port = not colon or (_PORT.fullmatch(port) and 0 < int(port) <= HIGHEST_PORT)
    if _HOST.fullmatch(host) and len(host) <= HOST_LENGTH and good_port:
        return []
    return [
        WrongUsage(
            f"'{endpoint}' is no endpoint: a host name or an IPv4 address is wanted, and a port"
            " where it is not 6443.",
            hint="For example --endpoint k8s.example.com or --endpoint 203.0.113.5:443",
        )
    ]


def check_workers(count: int) -> list[CseError]:
    """Check the number of workers of a new cluster."""
    if count < 0:
        return [
            WrongUsage(
                f"The number of nodes cannot be {count}.",
                hint="0 makes a cluster of a control plane alone.",
            )
        ]
    if count > MOST_WORKERS:
        return [WrongUsage(f"{count} nodes are too many: {MOST_WORKERS} is the limit.")]
    return []


def check_sizes(*, cpus: int | None, memory_mb: int | None, timeout: float) -> list[CseError]:
    """Check the numbers of virtual CPUs and MiB of a node, and the seconds of patience."""
    found: list[CseError] = []
    if cpus is not None and not 1 <= cpus <= MOST_CPUS:
        found.append(WrongUsage(f"A node cannot have {cpus} CPUs.", hint="kubeadm needs 2."))
    if memory_mb is not None and not 1 <= memory_mb <= MOST_MEMORY_MB:
        found.append(
            WrongUsage(
                f"A node cannot have {memory_mb} MB of memory.",
                hint="--memory is in MB, for example --memory 4096.",
            )
        )
    if timeout <= 0:
        found.append(WrongUsage("The time-out must be longer than 0 seconds."))
    return found


def check_register(*, version: str, cni_manifest: str, pod_cidr: str) -> list[CseError]:
    """Check what is said of a template that is to be registered."""
    found: list[CseError] = []
    if not _VERSION.fullmatch(version):
        found.append(
            WrongUsage(
                f"'{version}' is not a Kubernetes version.",
                hint="`kubeadm version -o short` in the template tells it, for example 1.33.1.",
            )
        )
    if cni_manifest and not cni_manifest.startswith("/"):
        found.append(WrongUsage(f"The CNI manifest '{cni_manifest}' must be an absolute path."))
    if pod_cidr:
        try:
            ipaddress.ip_network(pod_cidr)
        except ValueError:
            found.append(
                WrongUsage(
                    f"'{pod_cidr}' is not a network.", hint="For example --pod-cidr 10.244.0.0/16."
                )
            )
    return found


def parse_duration(text: str) -> float:
    """Return the seconds that `90`, `90s`, `20m`, `1h30m` or `30d` mean.

    Raises:
        WrongUsage: it is none of these.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise WrongUsage(
            f"'{text}' is not a duration.", hint="Use seconds or a form such as 90s, 20m or 1h30m."
        )
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return float(days * 86400 + hours * 3600 + minutes * 60 + seconds)


def split_template(template: str, revision: int | None) -> tuple[str, int | None]:
    """Return a template's name and revision; the name may carry its revision as `X_revN`.

    Raises:
        WrongUsage: both say a revision and they differ, or the revision is negative.
    """
    if revision is not None and revision < 0:
        raise WrongUsage(f"A template revision cannot be {revision}.")
    match = _REVISION.fullmatch(template)
    if match is None:
        if revision is not None and not template:
            raise WrongUsage(
                "--template-revision needs --template.",
                hint="`vcd cse template list` shows names and revisions.",
            )
        return template, revision
    named = int(match["revision"])
    if revision is not None and revision != named:
        raise WrongUsage(
            f"'{template}' is revision {named}, but revision {revision} was asked for."
        )
    return match["name"], named


def read_ssh_key(path: str) -> str:
    """Return the public keys in a file, one a line, without comments and blank lines.

    Nothing of the file's content ever gets into a message: it may be the wrong file.

    Raises:
        WrongUsage: it cannot be read, or is not a file of OpenSSH public keys.
    """
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise WrongUsage(f"The ssh key '{path}' is a folder, not a file.")
        with file.open("rb") as stream:
            content = stream.read(64 * 1024)
    except FileNotFoundError:
        raise WrongUsage(
            f"The ssh key file '{path}' does not exist.", hint="`ssh-keygen -t ed25519` makes one."
        ) from None
    except OSError as error:
        raise WrongUsage(
            f"The ssh key file '{path}' cannot be read: {error.strerror or error}."
        ) from None
    return _public_keys(path, content.decode("utf-8", "replace"))


def _public_keys(path: str, text: str) -> str:
    if any(sign in text for sign in _PRIVATE):
        raise WrongUsage(
            f"'{path}' is a private key; it must stay on this machine.",
            hint=f"Give the public key, usually {path}.pub.",
        )
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise WrongUsage(f"The ssh key file '{path}' holds no key.")
    for number, key in enumerate(keys, 1):
        if not _is_public_key(key):
            which = f"line {number} of '{path}'" if len(keys) > 1 else f"'{path}'"
            raise WrongUsage(
                f"{which[0].upper()}{which[1:]} is not an OpenSSH public key.",
                hint=f"A public key begins with {_KEY_TYPES[0]}, {_KEY_TYPES[1]} or alike.",
            )
    joined = "\n".join(keys)
    if len(joined.encode()) > MOST_KEY_BYTES:
        raise WrongUsage(
            f"The keys in '{path}' are too long together: {MOST_KEY_BYTES} bytes is the limit.",
            hint="Give one key; more can be added to the nodes later.",
        )
    return joined


def _is_public_key(line: str) -> bool:
    """Tell whether a line is a type and a blob that names the same type (RFC 4253, 6.6)."""
    kind, _, rest = line.partition(" ")
    if kind not in _KEY_TYPES or not line.isprintable():
        return False
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
        (length,) = struct.unpack(">I", blob[:4])
    except (binascii.Error, struct.error, ValueError):
        return False
    return blob[4 : 4 + length] == kind.encode() and len(blob) > 4 + length


def _sign(character: str) -> str:
    return "a blank" if character == " " else f"'{character}'"
