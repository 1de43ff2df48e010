"""One operation on a cluster at a time, whoever starts it and wherever.

Two layers. On one machine an advisory file lock in the user's state folder, which the kernel lets
go of when its holder dies. Between machines and users an entry in the vApp's metadata that says
who is at work, since when, and until when at most.

VCD's metadata knows no compare-and-swap, and a request may be held back on its way for as long as
it takes. So:

1. Each owner writes its claim, and with it what it is about to do, into keys of its own (see
   `journal`), waits until VCD's task has ended, and reads all of them: of two who start at once, at
   least one sees the other. The one whose key sorts first waits for the other to step back; the
   other steps back and puts its own keys back to what they were.
2. Nobody else held the cluster since the caller looked at it: the journal's turn is still the same.
   Otherwise what the caller decided is about a cluster that no longer exists so; it steps back.
3. Only then is anything else written. The end is recorded with a turn above all that were seen.

So whoever steps back has changed nothing. What arrives late is a claim or a record of a turn that
has ended, and those are ignored (`holders.holders`, `journal.read_journal`).
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import IO, TYPE_CHECKING

from cse_client import sent
from cse_client.clock import Clock
from cse_client.engines.direct import journal
from cse_client.engines.direct.holders import (
    FREE,
    LONGEST_NAME,
    PREFIX,
    Holder,
    highest_turn,
    holders,
    next_turn,
    show_minute,
)
from cse_client.errors import Conflict, CseError, InterruptedBefore
from cse_client.model import Session, footprint
from cse_client.model.pools import Pool
from cse_client.state import state_folder
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.engines.direct.operation import Operation
    from cse_client.vcd.client import VcdClient

__all__ = ["ChangedMeanwhile", "ClusterLock", "owner_of"]

#: How long the one who may wait gives the other to step back, and the pause between two looks.
_WAIT_FOR_OTHERS = 15.0
_LOOK_AGAIN = 0.5
#: What a run may take longer than its time-out: rolling back has its own time.
_AFTERWARDS = 300.0
_GIVE_UP = 5.0


class ChangedMeanwhile(Conflict):
    """Somebody else held the cluster since it was looked at; looking again may help."""


class ClusterLock:
    """One run's claim on the cluster `name` in the VDC at `vdc_href`.

    `shown` is what messages call it where it is not a cluster.
    """

    def __init__(
        self,
        vcd: VcdClient,
        session: Session,
        *,
        name: str,
        vdc_href: str,
        clock: Clock,
        shown: str = "",
    ) -> None:
        self._vcd = vcd
        self._name = name
        self._shown = shown or f"cluster '{name}'"
        self.clock = clock
        self._who = f"{session.user}@{session.org}"
        self._host = socket.gethostname()
        self.owner = owner_of(session)
        self.key = PREFIX + self.owner
        self.turn = 0
        self._held = False
        self._written = False
        self._broken: dict[str, str] = {}
        self._before: dict[str, str] = {}
        self._seen: dict[str, str] = {}
        digest = hashlib.sha256(f"{vdc_href} {name}".encode()).hexdigest()[:24]
        self._path = state_folder() / "locks" / digest
        self._file: IO[str] | None = None

    # On this machine

    def acquire_local(self) -> None:
        """Acquire the lock file: keep this user's other commands on this machine out.

        Raises:
            Conflict: one of them is changing the cluster.
        """
        if self._file is not None:
            return
        try:
            import fcntl
        except ImportError:  # not a POSIX system: the metadata's entry has to do
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # a+: what another holder wrote must survive the attempt
            stream = self._path.open("a+", encoding="utf-8")
        except OSError:
            # a state folder that cannot be written stops no operation
            return
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            number = re.sub(r"\D", "", stream.read(20))
            stream.close()
            raise Conflict(
                f"Another command of {_login()} on this machine is changing {self._shown}"
                f"{f' (process {number})' if number else ''}.",
                hint="Wait until it ends, or stop it.",
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        self._file = stream

    def release_local(self) -> None:
        """Release the lock file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # Between machines

    @property
    def held(self) -> bool:
        """Whether this run holds the cluster."""
        return self._held

    def refuse_if_held(self, metadata: Mapping[str, str], *, break_lock: bool = False) -> None:
        """Refuse to go on while somebody else holds the cluster.

        Our own entry does not count: `acquire_local` made sure that the command that left it died.

        Raises:
            Conflict: who holds it, and since when.
        """
        if break_lock:
            return
        for holder in self._others(metadata).values():
            raise self._is_held(holder)

    def left_behind(self, metadata: Mapping[str, str]) -> bool:
        """Return whether a killed command of this owner has left its claim.

        To be asked with the local lock held: no command is running then whose claim it may be.
        """
        return metadata.get(self.key, FREE).partition(" ")[0] != FREE

    def claim(
        self,
        vapp_href: str,
        seen: Mapping[str, str],
        *,
        doing: str,
        deadline: float,
        seconds: float | None = None,
        operation: Operation | None = None,
        first: Mapping[str, str] | None = None,
        break_lock: bool = False,
    ) -> dict[str, str]:
        """Claim the cluster until `deadline`; return its metadata as read afterwards.

        `operation` is recorded in the same request, in a key of this owner's. `first` is what the
        metadata of a new vApp begins with, before which nobody else claims it. `seen` is the
        metadata that the caller's decisions rest on, read before the vApp was. The claim ends by
        itself after `seconds`, by default what is left until `deadline`. With `break_lock` the
        claims and unreadable records in `seen` do not count; write `ending_broken` afterwards.

        Raises:
            Conflict: somebody else holds it, or has held it since `seen` was read; the claim is
                withdrawn.
            InterruptedBefore: Ctrl-C; the claim is withdrawn, nothing was unfinished before, and
                this run had changed nothing either.
        """
        # what a run did before, such as another change of a file, is not withdrawn with the claim
        is_first = not sent.changes()
        if seconds is None:
            seconds = deadline - self.clock.monotonic()
        if break_lock:
            damaged = {key: seen[key] for key in journal.read_journal(seen).damaged}
            self._broken = {**{k: seen[k] for k in self._others(seen)}, **damaged}
        self._seen = dict(seen)
        self.turn = next_turn(seen)
        record = {} if operation is None else journal.begun(self.owner, self.turn, operation)
        self._before = journal.of_owner(self.owner, seen) if record else {}
        # a damaged record of our own is overwritten, not ended
        self._broken = {key: value for key, value in self._broken.items() if key not in record}
        self._written = True
        try:
            values = {**(first or {}), **record, **self._entry(doing, seconds)}
            self._write(vapp_href, values, deadline)
            found = self._settle(vapp_href, {**seen, **(first or {})}, deadline)
        except Conflict:
            self.release(vapp_href, seconds=60.0)
            raise
        except KeyboardInterrupt:
            self.release(vapp_href)
            resumes = journal.read_journal(seen).operation is not None
            if self._written or first or resumes or not is_first:
                raise
            raise InterruptedBefore from None
        self._held = True
        return found

    def begun(self, operation: Operation) -> dict[str, str]:
        """Return the metadata that records an operation under a claim that is held already."""
        return journal.begun(self.owner, self.turn, operation)

    def end(
        self,
        vapp_href: str,
        write: Callable[[dict[str, str]], object],
        workers: int | None = None,
        nodes: tuple[str, ...] = (),
        heads: int | None = None,
        pools: tuple[Pool, ...] | None = None,
    ) -> None:
        """Record the end of what this claim was for, and release the cluster.

        `write` writes the metadata. See `journal.Done` for the other arguments.
        """
        write(self._ended(vapp_href, workers, nodes, heads, pools or None))
        self._held = self._written = False

    def _ended(
        self,
        vapp_href: str,
        workers: int | None = None,
        nodes: tuple[str, ...] = (),
        heads: int | None = None,
        pools: tuple[Pool, ...] | None = None,
    ) -> dict[str, str]:
        """Return the metadata that ends what this claim was for and releases the cluster.

        Reads the metadata: the turn that ends is above those of all who have tried meanwhile. An
        owner has one record of an end, so a turn that leaves a number of nodes alone repeats the
        last one that was recorded.
        """
        try:
            seen = self._vcd.vapp_metadata(vapp_href)
        except CseError:
            seen = self._seen
        turn = max(self.turn, highest_turn(seen))
        known = journal.read_journal(seen)
        workers = known.workers if workers is None else workers
        heads = known.heads if heads is None else heads
        pools = known.pools if pools is None else pools
        return {**journal.ended(self.owner, turn, workers, nodes, heads, pools), **self._free()}

    def ending_broken(self) -> dict[str, str]:
        """Return the metadata that ends the claims and records which `break_lock` was about."""
        return {
            key: FREE if key.startswith(PREFIX) else journal.NONE
            for key in self._broken
            if key != self.key
        }

    def release(self, vapp_href: str, *, seconds: float = _GIVE_UP, ended: bool = False) -> None:
        """Release the cluster, as far as that can be done at once; never raises.

        With `ended` what was begun is ended as well. An entry that stays ends by itself, and does
        not hold its own writer back.
        """
        if not self._written:
            return
        if ended and self._held:
            values = self._ended(vapp_href)
        else:
            # who steps back has begun nothing; who leaves early has, and says so
            values = {**({} if self._held else self._before), **self._free()}
        deadline = self.clock.monotonic() + seconds
        try:
            self._write(vapp_href, values, deadline)
        except CseError:
            return
        self._held = self._written = False

    # Private

    def _entry(self, doing: str, seconds: float) -> dict[str, str]:
        now = datetime.now(timezone.utc)
        value = {
            "who": self._who[:LONGEST_NAME],
            "host": self._host[:LONGEST_NAME],
            "doing": doing[:LONGEST_NAME],
            "since": now.isoformat(timespec="seconds"),
            "until": (now + timedelta(seconds=seconds + _AFTERWARDS)).isoformat(timespec="seconds"),
            "turn": self.turn,
        }
        return {self.key: json.dumps(value, separators=(",", ":"))}

    def _free(self) -> dict[str, str]:
        return {self.key: f"{FREE} {self.turn}"}

    def _others(self, metadata: Mapping[str, str]) -> dict[str, Holder]:
        return {
            key: holder
            for key, holder in holders(metadata).items()
            if key != self.key and metadata[key] != self._broken.get(key)
        }

    def _settle(self, vapp_href: str, seen: Mapping[str, str], deadline: float) -> dict[str, str]:
        """Read the metadata until ours is the only claim; return it."""
        patience = min(deadline, self.clock.monotonic() + _WAIT_FOR_OTHERS)
        while True:
            metadata = self._vcd.vapp_metadata(vapp_href)
            changed = self._basis(metadata) != self._basis(seen)
            others = self._others(metadata)
            if not others:
                if changed or self.key not in holders(metadata):
                    self._drop_ended(metadata)
                    raise self._was_changed()
                return metadata
            first = min(others)
            if changed or first < self.key or self.clock.monotonic() >= patience:
                self._drop_ended(metadata)
                raise self._is_held(others[first])
            self.clock.sleep(_LOOK_AGAIN)

    def _drop_ended(self, metadata: Mapping[str, str]) -> None:
        """Let `release` not record again what a late write of a killed run has ended since."""
        if self._before and journal.read_journal({**metadata, **self._before}).operation is None:
            self._before = journal.of_owner(self.owner, {})

    def _basis(self, metadata: Mapping[str, str]) -> tuple[object, ...]:
        """Return what stays as it is as long as nobody else holds the cluster."""
        # those who have only just claimed it, and we ourselves, have not changed it yet
        racing = {key.rpartition(".")[2] for key in holders(metadata)} | {self.owner}
        what = (footprint.CLUSTER_ID, footprint.PHASE, footprint.SPEC)
        turn = journal.read_journal(metadata, without=racing).turn
        return (turn, *(metadata.get(key) for key in what))

    def _write(self, vapp_href: str, values: Mapping[str, str], deadline: float) -> None:
        vcd = self._vcd
        tasks.done(vcd, lambda: vcd.write_metadata(vapp_href, values), deadline=deadline)

    def _is_held(self, holder: Holder) -> Conflict:
        return Conflict(
            holder.sentence(self._name),
            hint=f"Wait until that command ends. If it no longer runs, add --break-lock; the lock"
            f" expires at {show_minute(holder.until)}.",
        )

    def _was_changed(self) -> ChangedMeanwhile:
        return ChangedMeanwhile(
            f"Cluster '{self._name}' was changed by another command while this one was reading it;"
            " nothing was changed.",
            hint="Run the same command again.",
        )


def owner_of(session: Session) -> str:
    """Return the owner of entries: a user, on a machine, with the state folder of the lock file."""
    identity = f"{session.user}@{session.org} {socket.gethostname()} {state_folder()}"
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "this user"
