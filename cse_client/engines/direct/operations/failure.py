"""What becomes of new VMs when the command that makes them fails: one policy for all of them.

- VCD is out of reach, or every node is Ready: nothing is removed; the same command resumes.
- The user asked to keep what was made (`--disable-rollback`): it stays, and the claim ends.
- Otherwise it is removed, in time of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from cse_client import bounds
from cse_client.engines.direct.deletion import out_of_reach
from cse_client.errors import CseError
from cse_client.model import Event, EventKind, Progress

__all__ = ["CLAIM_WITHOUT_WAITING", "ROLLBACK_SECONDS", "after_failure", "remove_made"]

#: A rollback gets its own time: the operation's may be used up.
ROLLBACK_SECONDS = 300.0
#: Seconds that a claim lasts when nobody waits, and so nobody is left to release it.
CLAIM_WITHOUT_WAITING = 60.0


def after_failure(
    error: CseError,
    *,
    all_ready: bool,
    rollback: bool,
    resume: str,
    kept: str,
    keep: Callable[[], None],
    roll_back: Callable[[], None],
) -> None:
    """Keep or remove what a failed command has made, and report it in a note under `error`.

    `all_ready`: every requested node is Ready. `resume` and `kept` are the notes for
    what stays; `keep` ends the claim on it.
    """
    if all_ready or out_of_reach(error):
        error.notes.append(resume)
    elif not rollback:
        error.notes.append(kept)
        keep()
    else:
        with bounds.afterwards(ROLLBACK_SECONDS):
            roll_back()


def remove_made(
    remove: Callable[[], None], error: CseError, progress: Progress, *, advice: str
) -> bool:
    """Remove what was made, reporting progress; return whether that worked.

    Where it did not, a note under `error` gives the reason, followed by `advice`.
    """
    text = "Removing what was made"
    progress(Event(EventKind.STARTED, text))
    try:
        remove()
    except CseError as second:
        progress(Event(EventKind.FAILED, text))
        error.notes.append(f"The removal failed too: {second.clause}. {advice}")
        return False
    progress(Event(EventKind.DONE, text))
    return True
