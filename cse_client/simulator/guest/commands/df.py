"""df: the disk of a VM whose image is made of packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.simulator.guest.containers import free_mb

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["df"]


def df(system: System, call: Call) -> int:
    """Show the root file system, whatever path is asked for, in blocks of 1 KB, or of 1 MB (-m)."""
    letters = "".join(word[1:] for word in call.words if word[:1] == "-" and word[:2] != "--")
    mega = "m" in letters or "-BM" in call.words or "--block-size=M" in call.words
    unit = 1 if mega else 1024
    size = system.hardware.disk_mb * unit
    free = max(free_mb(system), 0) * unit
    columns = next(
        (word.partition("=")[2] for word in call.words if word.startswith("--output=")), ""
    )
    if columns:
        values = {"avail": free, "size": size, "used": size - free}
        call.out(" ".join(one.capitalize() for one in columns.split(",")))
        call.out(" ".join(str(values.get(one, "-")) for one in columns.split(",")))
        return 0
    blocks = "1048576-blocks" if mega else "1024-blocks"
    used = size - free
    call.out(f"Filesystem     {blocks}    Used Available Capacity Mounted on")
    call.out(f"/dev/sda1 {size:>14} {used:>7} {free:>9} {used * 100 // size:>7}% /")
    return 0
