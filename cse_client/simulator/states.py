"""How time passes for tasks: at once, by looks, or by the clock.

After moto's state transitions: a state advances immediately, after N describe calls, or after a
number of seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pace"]


@dataclass(frozen=True)
class Pace:
    """One of three ways.

    `instant`: a task is over when the request that began it has been answered. `polls` > 0: a
    task is over at the Nth look at it (or at its owner). Otherwise by the simulator's clock:
    realistic durations multiplied by `scale`, the boots of guests as well.
    """

    instant: bool = True
    polls: int = 0
    scale: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Pace:
        """Read `instant`, `polls:N` or `seconds:SCALE`; anything else raises ValueError."""
        word, _, value = text.partition(":")
        if word == "instant" and not value:
            return cls()
        if word == "polls" and value.isdigit() and int(value) > 0:
            return cls(instant=False, polls=int(value))
        if word == "seconds":
            scale = float(value or "1")
            if scale > 0:
                return cls(instant=False, scale=scale)
        raise ValueError(f"not a way to pass time: {text!r} (instant, polls:N or seconds:SCALE)")
