"""Signals that end a command as Ctrl-C does."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["owns_sigint", "signals_interrupt"]


@contextlib.contextmanager
def signals_interrupt() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C, so that they too can be resumed or cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    owned = owns_sigint()
    names = ("SIGTERM", "SIGHUP", *(("SIGINT",) if owned else ()))
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # what is ignored stays so: nohup does that
    handled = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in handled}
    if owned:
        # what is left is to say how it ended
        before[signal.SIGINT] = signal.SIG_IGN
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def owns_sigint() -> bool:
    """Return whether SIGINT is this program's to handle, as `cse_client.cse` arranges it."""
    if threading.current_thread() is not threading.main_thread():
        return False
    return getattr(signal.getsignal(signal.SIGINT), "early", False)
