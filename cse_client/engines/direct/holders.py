"""Who holds a cluster, as the claims in its vApp's metadata say.

Anybody who may edit the vApp can write them: one that cannot be read locks nothing. `lock` writes
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from cse_client.engines.direct import claims, journal
from cse_client.model import footprint

__all__ = [
    "FREE",
    "LONGEST_NAME",
    "PREFIX",
    "PROTECTING",
    "UNPROTECTING",
    "Holder",
    "damaged_claims",
    "highest_turn",
    "holders",
    "next_turn",
    "show_minute",
]

PREFIX = f"{footprint.LOCK}."
FREE = "free"
LONGEST_NAME = 128
#: What is being done by commands that leave no other record.
PROTECTING, UNPROTECTING = "protecting it against deletion", "ending its protection"
_KEY = re.compile(rf"{re.escape(PREFIX)}[0-9a-zA-Z_-]{{1,64}}", re.ASCII)


@dataclass(frozen=True)
class Holder:
    """Who changes a cluster: `until` is when the claim ends by itself, both times in UTC.

    `turn` is None in a claim without one (of an older version).
    """

    who: str
    host: str
    doing: str
    since: datetime
    until: datetime
    turn: int | None = None

    def sentence(self, name: str) -> str:
        """Return the sentence that names who holds cluster `name`, and since when."""
        return (
            f"Cluster '{name}' is being changed by {self.who} on {self.host} since"
            f" {show_minute(self.since)} ({self.doing})."
        )


def holders(metadata: Mapping[str, str]) -> dict[str, Holder]:
    """Return the claims on a cluster that have not ended, by key; damaged ones are none."""
    now = datetime.now(timezone.utc)
    found = journal.read_journal(metadata)
    return {
        key: holder
        for key, holder in _claims(metadata).items()
        if holder is not None
        and holder.until > now
        # its turn has ended: it arrived late, or was broken
        and (holder.turn is None or holder.turn > found.ended)
    }


def damaged_claims(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys of claims that cannot be read; they lock nothing."""
    return tuple(key for key, holder in _claims(metadata).items() if holder is None)


def _claims(metadata: Mapping[str, str]) -> dict[str, Holder | None]:
    """Return every claim, alive or not; None for a damaged one."""
    return {
        key: _holder(value)
        for key, value in metadata.items()
        if _KEY.fullmatch(key) and _turn_of_free(value) is None
    }


def _holder(value: str) -> Holder | None:
    raw = claims.json_object(value)
    if raw is None:
        return None
    since, until = claims.moment(raw.get("since")), claims.moment(raw.get("until"))
    who, host, doing = (
        claims.text(raw.get(name), LONGEST_NAME) for name in ("who", "host", "doing")
    )
    if since is None or until is None or not who:
        return None
    turn = claims.integer(raw.get("turn"), 0, journal.LAST_TURN)
    return Holder(who, host, doing, since, until, turn)


def _turn_of_free(value: str) -> int | None:
    """Return the turn in the value of a lock that is free, 0 where it has none; else None."""
    word, _, turn = value.partition(" ")
    if word != FREE or not re.fullmatch(r"[0-9]{0,10}", turn, re.ASCII):
        return None
    return min(int(turn or 0), journal.LAST_TURN)


def next_turn(metadata: Mapping[str, str]) -> int:
    """Return a turn above every one that was seen, whoever has or had it."""
    return min(highest_turn(metadata) + 1, journal.LAST_TURN)


def highest_turn(metadata: Mapping[str, str]) -> int:
    """Return the highest turn in any claim or record."""
    turns = [journal.read_journal(metadata).turn]
    turns += [holder.turn or 0 for holder in _claims(metadata).values() if holder is not None]
    free = [_turn_of_free(value) for key, value in metadata.items() if _KEY.fullmatch(key)]
    return max(turns + [turn for turn in free if turn is not None])


def show_minute(moment: datetime) -> str:
    """Return a time in UTC for a message."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
