"""Network namespaces: one for the whole simulated data center, one in it for each machine."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

__all__ = ["enter_network", "inside_network", "listen_inside"]

_T = TypeVar("_T")

_CLONE_NEWNET = 0x40000000  # linux/sched.h
#: Kernels allow a user 128 inotify instances (fs/notify/inotify/inotify_user.c), which is meant for
#: one machine. A kubelet and a runtime take some twenty, and all of ours share this kernel. The
#: value is the one that image-builder sets in a node.
_INOTIFY_INSTANCES = 8192
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(code: int) -> None:
    if code:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def enter_network() -> None:
    """Move this process into a network of its own, with a loopback device and as a router.

    It also raises the kernel's limit of inotify instances, which all machines share. Call it while
    there is one thread: a namespace belongs to a thread and those that it starts.

    Raises:
        OSError: the kernel does not allow it.
    """
    _checked(_libc.unshare(_CLONE_NEWNET))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n", encoding="utf-8")
    _raise_inotify_limit()


def _raise_inotify_limit() -> None:
    """Let all machines together watch as many files as each could alone; for this whole kernel."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text(encoding="utf-8")) < _INOTIFY_INSTANCES:
        limit.write_text(f"{_INOTIFY_INSTANCES}\n", encoding="utf-8")


def inside_network(pid: int, action: Callable[[], _T]) -> _T:
    """Return what `action` returns in the network of another process.

    Raises:
        OSError: the process is gone; and whatever `action` raises.
    """

    def enter() -> _T:
        handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _checked(_libc.setns(handle, _CLONE_NEWNET))
        finally:
            os.close(handle)
        return action()

    # A thread that ends at once, because it stays in the other network.
    with ThreadPoolExecutor(1, thread_name_prefix="guest-network") as thread:
        return thread.submit(enter).result()


def listen_inside(pid: int, port: int) -> socket.socket:
    """Return a socket that listens on 127.0.0.1 in the network of another process.

    Raises:
        OSError: the process is gone, or the port is taken there.
    """
    return inside_network(pid, lambda: socket.create_server(("127.0.0.1", port), backlog=512))
