"""The addresses that VCD gives its objects."""

from __future__ import annotations

__all__ = ["href_id"]


def href_id(href: str) -> str:
    """Return the last segment of an object's address, such as a task's id.

    For most objects it is the UUID; for vApps and VMs the UUID with a prefix (`vapp-...`). The
    tenant's and the administrator's addresses of one object share it.
    """
    return href.rstrip("/").rpartition("/")[2]
