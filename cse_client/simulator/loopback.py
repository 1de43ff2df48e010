"""Which part of the loopback range a simulator's networks take.

Guests listen on their addresses, so two simulators on one machine must not share a range. The
first to run takes 127.20.x.x, the next 127.21.x.x and so on; a bound socket on the range's first
gateway is the claim, and ends with the process.
"""

from __future__ import annotations

import contextlib
import socket

__all__ = ["DEFAULT_RANGE", "REAL_RANGE", "AddressRange"]

DEFAULT_RANGE = "127.20"
#: For real guests: they are in a network namespace of the simulator's own.
REAL_RANGE = "10.77"
_LAST = 59
_CLAIM_PORT = 6440


class AddressRange:
    """A claimed range. `prefix` are its first two numbers, as in `127.20`.

    Args:
        prefix: the wanted range; None takes the first free one from 127.20 on.

    Raises OSError when the wanted range, or every one, is taken.
    """

    def __init__(self, prefix: str | None = None) -> None:
        if prefix is not None:
            first, _, second = prefix.partition(".")
            if first != "127" or not second.isdigit() or not 1 <= int(second) <= 255:  # noqa: PLR2004
                raise ValueError(f"not a part of the loopback range: {prefix!r} (such as 127.20)")
            self.prefix, self._claim = prefix, _claim(prefix)
            return
        start = int(DEFAULT_RANGE.partition(".")[2])
        for number in range(start, _LAST + 1):
            with contextlib.suppress(OSError):
                self.prefix = f"127.{number}"
                self._claim = _claim(self.prefix)
                return
        raise OSError("every address range from 127.20 to 127.59 is in use")

    def release(self) -> None:
        """Give the range back."""
        self._claim.close()


def _claim(prefix: str) -> socket.socket:
    claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        claim.bind((f"{prefix}.0.1", _CLAIM_PORT))
    except OSError:
        claim.close()
        raise
    return claim
