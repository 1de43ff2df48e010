"""Every error that a user can meet, in one tree.

Each class fixes an exit code, documented in docs/exit-codes.md::

    CseError                      1  failed
    +-- WrongUsage                2  the words typed cannot be carried out
    +-- NotFound                  3  a named thing does not exist or cannot be seen
    +-- Refused                   4  rights, quota, capacity, policy or state forbid it
    |   +-- SessionInvalid        4  not logged in, or the session has expired
    +-- NotFinished               5  ended early and can be resumed
    |   +-- TimedOut              5  a deadline passed
    |   +-- Interrupted           5  Ctrl-C
    +-- Conflict                  1  the name is taken, or other work must end first
    |   +-- Replaced              1  the name belongs to something else than was looked at
    +-- VcdFault                  1  VCD or the way to it failed
    |   +-- TaskFailed            1  a VCD task ended in error, aborted or canceled
    +-- GuestFailed               1  a node reported a failure, with phase and log lines
    +-- ClusterUnreachable        1  the cluster's Kubernetes API cannot be reached from here
    +-- PreflightFailed           *  several problems at once; the first one's exit code

An error carries one clear `message` (names the thing and the cause), an optional `hint` (the next
step to take) and `notes`: what went wrong afterwards, while cleaning up. The first error wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = [
    "ClusterUnreachable",
    "Conflict",
    "CseError",
    "GuestFailed",
    "Interrupted",
    "InterruptedBefore",
    "NotFinished",
    "NotFound",
    "PreflightFailed",
    "Refused",
    "Replaced",
    "SessionInvalid",
    "TaskFailed",
    "TimedOut",
    "VcdFault",
    "WrongUsage",
    "raise_all",
]


class CseError(Exception):
    """The root: `message`, `hint` (may be empty) and a growing list of `notes`.

    `pool` names the worker pool that it is about, where a request is about several.
    """

    exit_code = 1
    pool = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.notes: list[str] = []

    @property
    def clause(self) -> str:
        """Return the message without its stop, to be embedded in another sentence."""
        return self.message.rstrip(".")


class WrongUsage(CseError):
    """What was typed cannot be carried out, whatever the cloud looks like."""

    exit_code = 2


class NotFound(CseError):
    """A named thing does not exist, or is hidden from this user."""

    exit_code = 3


class Refused(CseError):
    """Rights, quota, capacity, policy or the state of the object forbid it."""

    exit_code = 4


class SessionInvalid(Refused):
    """Nobody is logged in, or the session has expired."""


class NotFinished(CseError):
    """The command ended early; running it again resumes the operation."""

    exit_code = 5


class TimedOut(NotFinished):
    """A deadline passed."""


class Interrupted(NotFinished):
    """The user pressed Ctrl-C."""


class InterruptedBefore(KeyboardInterrupt):
    """Ctrl-C before a command has changed anything, or once it has put back what it wrote."""


class Conflict(CseError):
    """The name is taken, or something else must end first: another command, unfinished work.

    What no wait and no other command can help with is Refused.
    """


class Replaced(Conflict):
    """A name belongs to something else than when the command looked at it, see `looked_at`."""


class VcdFault(CseError):
    """VCD answered with an error, or could not be reached.

    `status` is the HTTP status (0 when there was no answer), `code` is VCD's minor error code
    (for example `BUSY_ENTITY`), `request_id` is VCD's own id of the request.

    `outcome_unknown`: a change was sent and no answer came back, so look before sending it again.
    `repeatable`: the request never reached VCD (or was turned away), so it may be sent again.
    `lasting`: trying again or waiting does not help: a stranger answers, or too much.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = 0,
        code: str = "",
        request_id: str = "",
        outcome_unknown: bool = False,
        repeatable: bool = False,
        lasting: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.outcome_unknown = outcome_unknown
        self.repeatable = repeatable
        self.lasting = lasting

    @property
    def unanswered(self) -> bool:
        """Whether VCD gave no answer at all: nothing more can be done there for now."""
        return self.status == 0


class TaskFailed(VcdFault):
    """A VCD task ended in error, aborted or canceled."""

    @property
    def unanswered(self) -> bool:
        """Return False: VCD reported how its task ended."""
        return False


class GuestFailed(CseError):
    """A node reported that its bootstrap failed.

    `node` is the VM's name, `phase` the bootstrap phase, `log` its last log lines.
    """

    def __init__(
        self, message: str, *, node: str, phase: str, log: Sequence[str] = (), hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.node = node
        self.phase = phase
        self.log = tuple(log)


class ClusterUnreachable(CseError):
    """The cluster's Kubernetes API cannot be reached, or does not accept us, from here.

    `reason` tells the cases apart: `no route`, `refused`, `timed out`, `closed`, `unknown host`,
    `not ours` (its certificate is not this cluster's), `expired` (its certificate has ended),
    `unauthorized`, `forbidden`, `not ready`, `proxy` or `failed`.
    """

    def __init__(self, message: str, *, hint: str = "", reason: str = "failed") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class PreflightFailed(CseError):
    """Several problems were found before anything was written; all are in `problems`."""

    def __init__(self, message: str, problems: Sequence[CseError], *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)
        self.exit_code = problems[0].exit_code if problems else CseError.exit_code


def raise_all(problems: Iterable[CseError], refused: str = "") -> None:
    """Raise one problem as it is and several as `PreflightFailed`; do nothing for none.

    `refused` is what cannot be done, a sentence without its full stop.
    """
    found = list(problems)
    if len(found) == 1:
        raise found[0]
    if found:
        text = f"{refused} for {len(found)} reasons" if refused else ""
        text = text or f"{len(found)} problems were found"
        raise PreflightFailed(f"{text}; nothing was changed.", found)
