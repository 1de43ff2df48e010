"""Noticing that a cluster was deleted while a command changed it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.bounds import TimeUp
from cse_client.errors import (
    CseError,
    Interrupted,
    NotFound,
    SessionInvalid,
    VcdFault,
    WrongUsage,
)

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = [
    "DeletedMeanwhile",
    "known_absent",
    "noticing_deletion",
    "out_of_reach",
]


class DeletedMeanwhile(NotFound):
    """The cluster that a command was at work on was deleted from elsewhere."""


def out_of_reach(error: CseError) -> bool:
    """Return whether VCD does not answer, or another server does: nothing can be removed then."""
    if isinstance(error, TimeUp):
        return True
    return isinstance(error, VcdFault) and (error.unanswered or error.lasting)


@contextlib.contextmanager
def noticing_deletion(vcd: VcdClient, name: str, href: Callable[[], str]) -> Iterator[None]:
    """Report a failure that came because cluster `name` was deleted by another command as that.

    A deleted vApp answers as one that is forbidden (403), and its task or its nodes fail
    in many ways: all of them are symptoms. `href` returns the vApp's, empty while there is none.

    Raises:
        DeletedMeanwhile: instead of what was raised within, which is its cause.
    """
    try:
        yield
    except (DeletedMeanwhile, SessionInvalid, Interrupted, WrongUsage):
        raise
    except CseError as error:
        if not _is_gone(vcd, href(), error):
            raise
        deleted = DeletedMeanwhile(
            f"Cluster '{name}' was deleted by another command while this one was changing it.",
            hint=f"List the clusters: {suggest.cse('cluster list')}",
        )
        deleted.notes.append(f"It was first noticed as: {error.message}")
        raise deleted from error


def _is_gone(vcd: VcdClient, href: str, error: CseError) -> bool:
    unanswered = isinstance(error, VcdFault) and error.unanswered
    return bool(href) and not unanswered and known_absent(vcd, href)


def known_absent(vcd: VcdClient, vapp_href: str) -> bool:
    """Return whether a vApp is known to be deleted; False where that cannot be asked."""
    try:
        return vcd.gone(vapp_href)
    except CseError:
        return False
