"""What can be read from a node's script as found in VCD, and what replaces it there."""

from __future__ import annotations

import re
import shlex

from cse_client.errors import CseError
from cse_client.guest.pki import PKI_FILES, ClusterPKI, pki_from_files
from cse_client.guest.script_format import (
    CONTROL_PLANE,
    FORMAT,
    SEALED,
    WORKER,
    damaged,
    format_of,
    header_line,
    kind_of,
    payload_of,
    with_installer,
)

__all__ = [
    "finished_script",
    "is_ours",
    "is_sealed",
    "recover_pki",
    "recover_ssh_key",
    "sealed_script",
]

_FILE = re.compile(
    r"^put /etc/kubernetes/pki/(\S+) [0-7]+ <<'CSE_FILE'\n(.*?)^CSE_FILE$", re.M | re.S
)
_SSH_KEY = re.compile(r"^SSH_KEY=(.*)$", re.M)
_IDENTITY = re.compile(r"^CSE_ID=.*$", re.M)
_KEYS = re.compile(r"^put_pki\(\) \{\n.*?^\}$", re.M | re.S)


def is_ours(script: str) -> bool:
    """Return whether a script, as found in VCD, is a control plane's of ours, sealed or not."""
    return kind_of(script) in (CONTROL_PLANE, SEALED)


def is_sealed(script: str) -> bool:
    """Return whether `script`, as found in VCD, is `sealed_script`'s."""
    return kind_of(script) == SEALED


def recover_pki(script: str) -> ClusterPKI | None:
    """Read the PKI back from a control plane's script as found in VCD.

    Returns None for a script that holds none: sealed, a worker's, or not ours. Raises CseError when
    the script is ours but damaged, or newer than this version knows.
    """
    if kind_of(script) != CONTROL_PLANE:
        return None
    if format_of(script) > FORMAT:
        raise CseError(
            "the control plane's script in VCD was written by a newer version of cse-client",
            hint="Upgrade cse-client.",
        )
    body = payload_of(script)
    files = {path: content.encode() for path, content in _FILE.findall(body)}
    try:
        return pki_from_files({path: files[path] for path in PKI_FILES.values() if path in files})
    except CseError as error:
        raise damaged(error.message) from None


def recover_ssh_key(script: str) -> str | None:
    """Return root's key line that a node's script holds; empty: the script gives none.

    Returns None for a script that does not say: sealed, not ours, or damaged.
    """
    if kind_of(script) not in (CONTROL_PLANE, WORKER):
        return None
    try:
        found = _SSH_KEY.search(payload_of(script))
        return "".join(shlex.split(found.group(1))) if found is not None else None
    except (CseError, ValueError):
        return None


def sealed_script() -> str:
    """Return what replaces a control plane's script in VCD once the CA has been removed."""
    return (
        f"#!/bin/bash\n{header_line(SEALED)}\n"
        "# The cluster is sealed: its CA is in its own Secret kube-system/cse-cluster-ca and with\n"
        "# the administrator who sealed it, not here. There is nothing to do.\nexit 0\n"
    )


def finished_script(script: str) -> str:
    """Return a control plane's script, as found in VCD, without what only its bootstrap needs.

    The keys of the cluster and root's key line can be read from it as before.

    Raises:
        CseError: the script is damaged, or not a control plane's with keys.
    """
    if kind_of(script) != CONTROL_PLANE:
        raise damaged("it is not the script of a control plane")
    body = payload_of(script)
    kept = [_IDENTITY.search(body), _SSH_KEY.search(body), _KEYS.search(body)]
    lines = [found.group() for found in kept if found is not None]
    if len(lines) != len(kept):
        raise damaged("its payload has no keys")
    identity, *rest = lines
    return with_installer(CONTROL_PLANE, identity, [*rest, "exit 0"])
