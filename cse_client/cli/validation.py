"""What can be judged from the words alone, before anything is asked of the cloud.

Each check returns the problems that it found, as sentences with a hint, so that `create` can
report all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cse_client import suggest
from cse_client.errors import CseError, WrongUsage, raise_all
from cse_client.inputs import read_file
from cse_client.model.cluster import CONTROL_PLANES
from cse_client.model.endpoints import AUTO, NO_ADDRESS, is_address, is_endpoint
from cse_client.model.hardware import megabytes
from cse_client.model.names import split_revision
from cse_client.model.ranges import pod_cidr_problem
from cse_client.model.ssh_keys import InvalidPublicKey, parse_public_key

__all__ = [
    "check_control_planes",
    "check_endpoint",
    "check_existing_name",
    "check_register",
    "check_sizes",
    "check_vip",
    "check_workers",
    "collect",
    "node_source",
    "parse_disk_size",
    "parse_duration",
    "raise_all",
    "read_ssh_key",
    "refuse_pks",
    "split_template",
]

T = TypeVar("T")

MOST_WORKERS = 500
MOST_MEMORY_MB = 24 * 1024 * 1024
MOST_CPUS = 1024
#: vSphere's largest virtual disk.
MOST_DISK_MB = 62 * 1024 * 1024

_VERSION = re.compile(r"1\.\d{1,3}\.\d{1,3}", re.ASCII)
_LONGEST_DURATION = 36500 * 86400.0
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.ASCII)
_LONGEST_KEY_FILE = 64 * 1024
_KEY_HINT = "Specify a file with one public key, for example ~/.ssh/id_ed25519.pub."


def collect(problems: list[CseError], look: Callable[[], T], otherwise: T) -> T:
    """Return what `look` returns; what it raises is added to `problems` instead."""
    try:
        return look()
    except CseError as problem:
        problems.append(problem)
        return otherwise


def node_source(
    template: str, revision: int | None, ssh_key: str | None
) -> tuple[str, int | None, str, list[CseError]]:
    """Return template, revision and SSH key that new nodes are created from, and every problem.

    The arguments are options as typed; `ssh_key` is a file, or None.
    """
    problems: list[CseError] = []
    nothing: tuple[str, int | None] = ("", None)
    found = collect(problems, lambda: split_template(template, revision), nothing)
    key = collect(problems, lambda: "" if ssh_key is None else read_ssh_key(ssh_key), "")
    return *found, key, problems


def check_existing_name(name: str) -> None:
    """Refuse an empty name; any other may be that of a cluster which somebody else made.

    Raises:
        WrongUsage: the name is empty or blank.
    """
    if not name.strip():
        raise WrongUsage(
            "The cluster's name is empty.", hint=f"`{suggest.cse('cluster list')}` lists them."
        )


def check_endpoint(endpoint: str) -> list[CseError]:
    """Check an address that the cluster's API is to be known by: HOST or HOST:PORT."""
    if is_endpoint(endpoint):
        return []
    return [
        WrongUsage(
            f"'{endpoint}' is not a valid endpoint; use HOST or HOST:PORT (default port 6443).",
            hint="For example: --endpoint k8s.example.com or --endpoint 203.0.113.5:443.",
        )
    ]


def check_vip(vip: str) -> list[CseError]:
    """Check a virtual address: an IPv4 address, `auto` or `none`; empty is the default."""
    if vip in ("", AUTO, NO_ADDRESS) or is_address(vip):
        return []
    return [
        WrongUsage(
            f"'{vip}' is not a valid virtual address; use an IPv4 address, auto or none.",
            hint="For example: --vip 10.0.0.250.",
        )
    ]


def check_control_planes(count: int) -> list[CseError]:
    """Check the number of control planes that a cluster is to have."""
    if count in CONTROL_PLANES:
        return []
    return [
        WrongUsage(
            f"A cluster can have 1, 3 or 5 control planes, not {count}.",
            hint="A number in between would not tolerate more failures of etcd's members.",
        )
    ]


def check_workers(count: int) -> list[CseError]:
    """Check the number of workers of a new cluster."""
    if count < 0:
        return [
            WrongUsage(
                f"The number of nodes cannot be {count}.",
                hint="Specify 0 for a cluster with a control plane only.",
            )
        ]
    if count > MOST_WORKERS:
        return [WrongUsage(f"{count} nodes are too many; the maximum is {MOST_WORKERS}.")]
    return []


def check_sizes(
    *, cpus: int | None, memory_mb: int | None, timeout: float = 1.0, option: str = "--memory"
) -> list[CseError]:
    """Check the numbers of virtual CPUs and MiB of a node, and the seconds of patience.

    `option` is the one of the memory.
    """
    found: list[CseError] = []
    if cpus is not None and not 1 <= cpus <= MOST_CPUS:
        found.append(
            WrongUsage(
                f"A node cannot have {cpus} CPUs.", hint="A control plane requires at least 2."
            )
        )
    if memory_mb is not None and not 1 <= memory_mb <= MOST_MEMORY_MB:
        found.append(
            WrongUsage(
                f"A node cannot have {memory_mb} MB of memory.",
                hint=f"{option} is in MB, for example {option} 4096.",
            )
        )
    if timeout <= 0:
        found.append(WrongUsage("The timeout must be greater than 0 seconds."))
    return found


def check_register(*, version: str, cni_manifest: str, pod_cidr: str) -> list[CseError]:
    """Check the facts of a template that is to be registered."""
    found: list[CseError] = []
    if not _VERSION.fullmatch(version):
        found.append(
            WrongUsage(
                f"'{version}' is not a Kubernetes version.",
                hint="Specify the output of `kubeadm version -o short` in the template, for example"
                " 1.33.1.",
            )
        )
    if cni_manifest and not cni_manifest.startswith("/"):
        found.append(WrongUsage(f"The CNI manifest '{cni_manifest}' must be an absolute path."))
    problem = pod_cidr_problem(pod_cidr) if pod_cidr else ""
    if problem:
        found.append(
            WrongUsage(
                f"'{pod_cidr}' is not a valid pod network: {problem}.",
                hint="For example: --pod-cidr 10.244.0.0/16",
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
    # as float: thousands of digits are infinite, and an int of them takes its time
    days, hours, minutes, seconds = (float(group or 0) for group in match.groups())
    total = days * 86400 + hours * 3600 + minutes * 60 + seconds
    if total > _LONGEST_DURATION:
        raise WrongUsage(
            f"'{text[:40]}' is longer than 100 years.", hint="Use a shorter one, for example 30d."
        )
    return total


def parse_disk_size(text: str) -> int:
    """Return the MB that `40G`, `40GB`, `40Gi`, `1T`, `40960M` or `40960` mean.

    Raises:
        WrongUsage: it is none of these, or no disk can have that size.
    """
    size = megabytes(text)
    if size is None:
        raise WrongUsage(
            f"'{text[:40]}' is not the size of a disk.", hint="Use a form such as 40G or 40960M."
        )
    if not 0 < size <= MOST_DISK_MB:
        raise WrongUsage(f"A disk cannot have {size} MB.", hint="The largest has 62T.")
    return size


def split_template(template: str, revision: int | None) -> tuple[str, int | None]:
    """Return a template's name and revision; the name may carry its revision as `X_revN`.

    Raises:
        WrongUsage: both say a revision and they differ, or the revision is negative.
    """
    if revision is not None and revision < 0:
        raise WrongUsage(f"A template revision cannot be {revision}.")
    name, named = split_revision(template)
    if named is None:
        if revision is not None and not template:
            raise WrongUsage(
                "--template-revision requires --template.",
                hint=f"`{suggest.cse('template list')}` lists names and revisions.",
            )
        return template, revision
    if revision is not None and revision != named:
        raise WrongUsage(
            f"'{template}' is revision {named}, but --template-revision is {revision}."
        )
    return name, named


def read_ssh_key(path: str) -> str:
    """Return the public key in a file as one line.

    Nothing of the file's content ever gets into a message: it may be the wrong file.

    Raises:
        WrongUsage: it cannot be read, or does not hold exactly one OpenSSH public key.
    """
    try:
        content = read_file(Path(path).expanduser(), _LONGEST_KEY_FILE)
    except IsADirectoryError:
        raise WrongUsage(f"The SSH key file '{path}' is a directory.") from None
    except FileNotFoundError:
        raise WrongUsage(
            f"The SSH key file '{path}' does not exist.",
            hint="To create a key: ssh-keygen -t ed25519",
        ) from None
    except OSError as error:
        raise WrongUsage(
            f"The SSH key file '{path}' cannot be read: {error.strerror or error}.", hint=_KEY_HINT
        ) from None
    try:
        return parse_public_key(content.decode("utf-8", "replace")).line
    except InvalidPublicKey as wrong:
        hint = f"Specify the public key, usually {path}.pub." if wrong.private else _KEY_HINT
        raise WrongUsage(f"The SSH key file '{path}' {wrong}.", hint=hint) from None


def refuse_pks(what: str) -> None:
    """Refuse an option or a command that is about Enterprise PKS.

    Raises:
        WrongUsage: always.
    """
    raise WrongUsage(
        f"{what} is not supported: Enterprise PKS has reached its end of life, and this "
        "client manages native clusters only.",
        hint="Manage Enterprise PKS clusters with the `pks` or `tkgi` command.",
    )
