"""One operation on a cluster at a time, whoever starts it and wherever.

Two layers. On one machine an advisory file lock in the user's state folder, which the kernel lets
go of when its holder dies. Between machines and users an entry in the vApp's metadata that says
who is at work, since when, and until when at most. VCD's metadata knows no compare-and-swap, so
each holder writes a key of its own first and reads all of them afterwards: of two who start at
once, at least one sees the other and steps back.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import random
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import IO, TYPE_CHECKING

from cse_client.errors import Conflict, CseError
from cse_client.model import Session
from cse_client.state import state_folder
from cse_client.vcd import tasks
from cse_client.vcd.tasks import Clock

if TYPE_CHECKING:
    from cse_client.vcd.gateway import Gateway

__all__ = ["ClusterLock", "Holder", "holders"]

PREFIX = "cse.client.lock."
_FREE = "free"
_ATTEMPTS = 4
#: What a run may take longer than its time-out: rolling back has its own time.
_AFTERWARDS = 300.0
_GIVE_UP = 5.0


@dataclass(frozen=True)
class Holder:
    """Who changes a cluster: `until` is when the claim ends by itself, both times in UTC."""

    who: str
    host: str
    doing: str
    since: datetime
    until: datetime

    def sentence(self, name: str) -> str:
        """Say who holds cluster `name`, and since when."""
        return (
            f"Cluster '{name}' is being changed by {self.who} on {self.host} since"
            f" {_minute(self.since)} ({self.doing})."
        )


class ClusterLock:
    """One run's claim on the cluster `name` in the VDC at `vdc_href`."""

    def __init__(
        self, gateway: Gateway, session: Session, *, name: str, vdc_href: str, clock: Clock
    ) -> None:
        self._gateway = gateway
        self._name = name
        self._clock = clock
        self._who = f"{session.user}@{session.org}"
        self._host = socket.gethostname()
        identity = f"{self._who} {self._host} {state_folder()}"
        self.key = PREFIX + hashlib.sha256(identity.encode()).hexdigest()[:12]
        place = hashlib.sha256(f"{vdc_href} {name}".encode()).hexdigest()[:24]
        self._path = state_folder() / "locks" / place
        self._file: IO[str] | None = None

    # ---- on this machine ------------------------------------------------------------------

    def take_here(self) -> None:
        """Keep this user's other commands on this machine out.

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
                f"Another command of {_login()} on this machine is changing cluster"
                f" '{self._name}'{f' (process {number})' if number else ''}.",
                hint="Wait for its end, or stop it.",
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        self._file = stream

    def leave_here(self) -> None:
        """Let this user's other commands in again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # ---- between machines -----------------------------------------------------------------

    def refuse_if_held(self, metadata: Mapping[str, str], *, break_lock: bool = False) -> None:
        """Refuse to go on while somebody else holds the cluster.

        Our own entry is left by a command of ours that died (`take_here` told), and is none.

        Raises:
            Conflict: who holds it, and since when.
        """
        if break_lock:
            return
        for key, holder in holders(metadata).items():
            if key != self.key:
                raise self._held(holder)

    def entry(self, doing: str, seconds: float) -> dict[str, str]:
        """Return the metadata that claims the cluster for at most `seconds` and a rollback."""
        now = datetime.now(timezone.utc)
        value = {
            "who": self._who,
            "host": self._host,
            "doing": doing,
            "since": now.isoformat(timespec="seconds"),
            "until": (now + timedelta(seconds=seconds + _AFTERWARDS)).isoformat(timespec="seconds"),
        }
        return {self.key: json.dumps(value, separators=(",", ":"))}

    def free_entry(self) -> dict[str, str]:
        """Return the metadata that gives the cluster free."""
        return {self.key: _FREE}

    def broken(self, metadata: Mapping[str, str]) -> dict[str, str]:
        """Return the metadata that ends everybody else's claim, because the user said so."""
        return {key: _FREE for key in holders(metadata) if key != self.key}

    def confirm(self, vapp_href: str) -> dict[str, str]:
        """Read the metadata after our entry was written; return it when nobody else has one.

        Raises:
            Conflict: somebody else claims the cluster too; our claim is withdrawn.
        """
        metadata = self._gateway.vapp_metadata(vapp_href)
        others = [held for key, held in holders(metadata).items() if key != self.key]
        if not others:
            return metadata
        self.release(vapp_href, seconds=60.0)
        raise self._held(others[0])

    def claim(
        self, vapp_href: str, values: Mapping[str, str], *, doing: str, deadline: float
    ) -> dict[str, str]:
        """Claim the cluster until `deadline`; return its metadata as read afterwards.

        `values` are written in the same request. Two who start at once both step back, and both
        try again after a pause of random length.

        Raises:
            Conflict: somebody else holds it.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            seconds = deadline - self._clock.monotonic()
            self._write(vapp_href, {**values, **self.entry(doing, seconds)}, deadline)
            try:
                return self.confirm(vapp_href)
            except Conflict:
                if attempt == _ATTEMPTS:
                    raise
            self._clock.sleep(random.uniform(0.2, 1.0) * attempt)  # noqa: S311 - no secret
            self.refuse_if_held(self._gateway.vapp_metadata(vapp_href))
        raise AssertionError  # the loop returns or raises

    def _write(self, vapp_href: str, values: Mapping[str, str], deadline: float) -> None:
        task = tasks.change(
            self._gateway,
            lambda: self._gateway.write_metadata(vapp_href, values),
            deadline=deadline,
        )
        tasks.wait(self._gateway, task, deadline=deadline)

    def release(self, vapp_href: str, *, seconds: float = _GIVE_UP) -> None:
        """Give the cluster free, as far as that can be done at once; never raises.

        An entry that stays ends by itself, and does not hold its own writer back.
        """
        deadline = self._clock.monotonic() + seconds
        try:
            self._write(vapp_href, self.free_entry(), deadline)
        except CseError:
            return

    def _held(self, holder: Holder) -> Conflict:
        return Conflict(
            holder.sentence(self._name),
            hint=f"Wait for its end. If that command no longer runs, add --break-lock; the claim"
            f" ends by itself at {_minute(holder.until)}.",
        )


def holders(metadata: Mapping[str, str]) -> dict[str, Holder]:
    """Return the claims on a cluster that have not ended, by key; damaged ones are none."""
    now = datetime.now(timezone.utc)
    found = {}
    for key, text in metadata.items():
        if not key.startswith(PREFIX) or text == _FREE:
            continue
        try:
            raw = json.loads(text)
            holder = Holder(
                who=str(raw["who"]),
                host=str(raw["host"]),
                doing=str(raw["doing"]),
                since=datetime.fromisoformat(raw["since"]),
                until=datetime.fromisoformat(raw["until"]),
            )
            alive = holder.until > now
        except (ValueError, KeyError, TypeError):
            continue
        if alive:
            found[key] = holder
    return found


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "this user"
