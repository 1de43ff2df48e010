"""Which entries of a kubeconfig may be replaced: those of the same cluster, and no others.

An entry without our mark is somebody else's, whatever its name. One with our mark belongs to the
cluster that the mark names. Its CA is what the user trusts since it was saved, so another CA needs
a reason: the vApp was created again, or the user accepts it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cse_client import suggest
from cse_client.errors import Conflict, Refused
from cse_client.kube.kubeconfig import tree
from cse_client.kube.kubeconfig.mark import Mark

__all__ = ["CaChanged", "Claim", "ca_fingerprint", "check_replaceable"]

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----")
_SINGULAR = {"clusters": "cluster", "users": "user", "contexts": "context"}


class CaChanged(Refused):
    """An entry of ours would get another CA, although its cluster is the same.

    `now` is the fingerprint of the CA that would be trusted from then on.
    """

    def __init__(self, message: str, *, now: str) -> None:
        super().__init__(message)
        self.now = now


@dataclass(frozen=True)
class Claim:
    """What is to be saved: the new entries' mark, and how doubts are settled.

    `accepted` is the fingerprint of a CA that the user accepts. `gone` is asked whether the
    cluster of a mark is known to be deleted.
    """

    mark: Mark
    ca: str
    accepted: str = ""
    gone: Callable[[Mark], bool] = lambda _mark: False

    @classmethod
    def of(cls, new: tree.Root, *, accepted: str = "", gone: Callable[[Mark], bool]) -> Claim:
        """Return the claim of a kubeconfig; one without our mark may replace nothing."""
        mark = tree.mark_of(tree.only_entry(new, "contexts")) or Mark("", "")
        ca = ca_fingerprint(tree.ca_of(tree.only_entry(new, "clusters")))
        return cls(mark, ca, accepted, gone)


def ca_fingerprint(data: str) -> str:
    """Return the SHA-256 fingerprint of `certificate-authority-data`, in lower-case hex.

    That of one certificate is what `openssl x509 -fingerprint -sha256` shows without its colons.
    A bundle has one of its own; empty for no data.
    """
    if not data:
        return ""
    try:
        pem = _decoded(data)
        text = pem.decode("ascii", "replace")
        certificates = [_decoded(body) for body in _PEM.findall(text)] or [pem]
    except (binascii.Error, ValueError):
        certificates = [data.encode()]
    digests = sorted({hashlib.sha256(one).hexdigest() for one in certificates})
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def _decoded(data: str) -> bytes:
    return base64.b64decode("".join(data.split()), validate=True)


def check_replaceable(item: tree.Entry, section: str, path: Path, claim: Claim) -> None:
    """Raise unless an entry may be replaced by what `claim` is for.

    Raises:
        Conflict: the entry is somebody else's, or another cluster's.
        CaChanged: it is this cluster's, with another CA.
    """
    kind, name = _SINGULAR[section], tree.name_of(item)
    theirs = tree.mark_of(item)
    if theirs is None:
        raise _taken(f"A {kind} '{name}' of something else already exists in {path}.", kind, name)
    known = theirs.identity.bound and claim.mark.identity.bound
    if not claim.mark.matches(theirs) and not claim.mark.same_location(theirs):
        at = f" at {theirs.host}" if theirs.host else ""
        raise _taken(
            f"The {kind} '{name}' in {path} belongs to another cluster ({theirs.name}{at}).",
            kind,
            name,
        )
    if known and not claim.mark.matches(theirs):
        if claim.gone(theirs):
            return
        raise _taken(
            f"The {kind} '{name}' in {path} belongs to another cluster, which still exists: the"
            f" one with the vApp id {theirs.vapp}.",
            kind,
            name,
        )
    before = theirs.ca
    if section == "clusters":
        before = ca_fingerprint(tree.ca_of(item)) or theirs.ca
    if before and claim.ca not in (before, claim.accepted):
        raise CaChanged(
            f"The CA of cluster {theirs.name} is not the one that {path} trusts for it. Trusted:"
            f" sha256:{before}. Now: sha256:{claim.ca}. Nothing was saved.",
            now=claim.ca,
        )


def _taken(message: str, kind: str, name: str) -> Conflict:
    if kind == "context":
        return Conflict(message, hint="Choose another name: --context NAME")
    if kind == "cluster":
        remove = suggest.kubectl("config delete-cluster", name)
    else:
        remove = suggest.kubectl("config delete-user", name)
    return Conflict(
        message,
        hint=f"Save into another file: --kubeconfig FILE. If the {kind} is not needed: {remove}",
    )
