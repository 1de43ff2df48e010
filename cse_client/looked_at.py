"""That a change is made to what was looked at before: a name may be given to something else.

Between a question and its answer, a cluster may be deleted and another one be created under its
name. Every command finds things by name, once to show what it would change and once to change it,
and each of these look-ups passes through `check`. From `begin` on, a name stands for what it is
found to be first.

One command line a process, and so one of these (as in `sent`).
"""

from __future__ import annotations

from cse_client import sent, suggest
from cse_client.content import capitalized
from cse_client.errors import Replaced

__all__ = ["begin", "check", "check_cluster", "forget"]


class _LookedAt:
    def __init__(self) -> None:
        self.identities: dict[tuple[str, ...], str] | None = None


_looked_at = _LookedAt()


def forget() -> None:
    """Let names stand for whatever they are found to be, as where nothing is confirmed."""
    _looked_at.identities = None


def begin() -> None:
    """Let each name stand for what it is found to be first, from now on."""
    if _looked_at.identities is None:
        _looked_at.identities = {}


def check(kind: str, name: str, identity: str, *where: str, look: str) -> None:
    """Check that a name still belongs to what it was first found to belong to.

    `kind` is what it is, such as `cluster`; `identity` is its id in VCD, empty where it is not
    known; `where` distinguishes things of the same name, such as the VDC's href. `look` is the
    command that shows it.

    Raises:
        Replaced: it belongs to something else now.
    """
    if _looked_at.identities is None or not identity:
        return
    if _looked_at.identities.setdefault((kind, name, *where), identity) != identity:
        unchanged = "" if sent.changes() else "; nothing was changed"
        raise Replaced(
            f"{capitalized(kind)} '{name}' was replaced by another one of the same name after this"
            f" command looked at it{unchanged}.",
            hint=f"Look at it before you run the command again: {look}",
        )


def check_cluster(name: str, identity: str, *where: str) -> None:
    """Check that a cluster's name still belongs to what it was first found to belong to.

    Raises:
        Replaced: see `check`.
    """
    check("cluster", name, identity, *where, look=suggest.cse("cluster info", name))
