"""Hints that errors of both protocols share."""

from __future__ import annotations

from cse_client import suggest

__all__ = ["without_server"]


def without_server() -> str:
    """Return what to do when the server fails: the same command with the direct engine.

    What the direct engine cannot do needs the provider's help.
    """
    line = suggest.without_server()
    if line:
        return f"Without the server: {line}"
    return "This requires the CSE server: ask the provider, who operates it."
