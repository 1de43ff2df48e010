"""The program `cse-complete`, which shells start at every Tab.

It never asks, and prints nothing but what can be completed: one a line, with a tab and a
description for shells that show one; or `:files` where the shell is to offer files.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cse_client.completion import cache
from cse_client.completion.line import Line, Tree, candidates, quoted, split

__all__ = ["main"]

_FILES = ":files"
#: Seconds after which names are asked for again, also if asking has failed.
_FRESH, _FRESH_FAILURE = 60.0, 10.0
#: Names older than this are not offered, even if newer ones cannot be had.
_STALE = 86400.0
#: Seconds that the cloud is waited for where no names are known.
_PATIENCE = 2.0
#: An entry of the cache: when names were last asked for, and whether with success; when the names
#: were those of the cloud. `_FORM` changes when its keys do.
_NOTHING: Mapping[str, Any] = {"at": 0.0, "ok": False, "since": 0.0, "names": []}
_FORM = 2
#: Seconds after which this program ends, whatever it waits for.
_LONGEST = 8.0
_COMMANDS, _NAMES = "commands.json", "names.json"
#: What the names of a kind depend on, by the names of options and arguments.
_PLACE = ("engine", "org", "vdc")
_SCOPES: Mapping[str, Sequence[str]] = {
    "nodes": (*_PLACE, "cluster", "name"),
    "templates": ("engine",),
    "vdcs": ("org",),
}
#: Folders whose modules define commands.
_SOURCES = ("", "cli", "cli/commands", "cli/commands/cluster", "completion")


def main() -> None:
    """Print what can be completed: `bash LINE BREAKS`, or `SHELL WORD... CURRENT` for others.

    LINE is the command line up to the cursor, BREAKS the characters at which bash's line editor
    begins a new word.
    """
    _end_quietly()
    shell, *rest = sys.argv[1:]
    line = split(rest[0]) if shell == "bash" else Line(rest[:-1], split(rest[-1]).current)
    program = line.words.pop(0).rpartition("/")[2] if line.words else ""
    found = candidates(_tree(program), line, _names)
    if found is None:
        text = f"{_FILES}\n"
    elif shell == "bash":
        text = _for_bash(found, line, rest[1])
    else:
        text = "".join(f"{one}\t{about}\n" for one, about in found)
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.flush()


def _for_bash(found: Iterable[tuple[str, str]], line: Line, breaks: str) -> str:
    """Return words as bash's line editor inserts them: only what is after the last break."""
    cut = 0
    if not line.quote:
        cut = max((line.current.rfind(one) + 1 for one in breaks if one in "=:"), default=0)
    words = (quoted(one[cut:], line.quote) for one, _about in found)
    return "".join(f"{one}\n" for one in words if one is not None)


def _end_quietly() -> None:
    """Let nothing but the answer be seen, nothing be asked, and nothing take long."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 2)
    for name in ("SIGALRM", "SIGINT", "SIGPIPE"):
        signal.signal(getattr(signal, name), lambda _number, _frame: os._exit(1))
    signal.setitimer(signal.ITIMER_REAL, _LONGEST)


def _tree(program: str) -> Tree:
    """Return the commands of `vcd` or `cse`, from the cache unless the package has changed."""
    stamp = _tree_stamp()
    kept = cache.read(_COMMANDS)
    # vcd-cli cannot be imported while its profiles file is damaged
    known = kept.get("stamp") == stamp and ("vcd" in kept["programs"] or _same_profile(kept))
    if not known:
        from cse_client.completion.tree import programs

        kept = {"stamp": stamp, "programs": programs(), "profile": cache.profile_stamp()}
        cache.write(_COMMANDS, kept)
    trees: Mapping[str, Tree] = kept["programs"]
    return trees.get("vcd" if program == "vcd" else "cse", {})


def _same_profile(kept: Mapping[str, Any]) -> bool:
    return bool(kept.get("profile") == cache.profile_stamp())


def _tree_stamp() -> list[Any]:
    """Return what changes when the package is replaced by another version, or edited."""
    root = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    newest = 0
    for folder in _SOURCES:
        with os.scandir(f"{root}/{folder}") as entries:
            times = [one.stat().st_mtime_ns for one in entries if one.name.endswith(".py")]
        newest = max(newest, *times)
    return [root, newest, sys.prefix, list(sys.version_info[:2])]


def _names(kind: str, typed: Mapping[str, str]) -> Sequence[str]:
    """Return names of a kind: from the cache at once, even if they are asked for again behind.

    Only where nothing is known, the cloud is waited for.
    """
    scope = "\n".join((kind, *(typed.get(one, "") for one in _SCOPES.get(kind, _PLACE))))
    entry = _entries().get(scope, _NOTHING)
    if 0 <= time.time() - entry["at"] < (_FRESH if entry["ok"] else _FRESH_FAILURE):
        return list(entry["names"])
    names = list(entry["names"]) if 0 <= time.time() - entry["since"] < _STALE else []
    # also what other Tabs find while the cloud has not answered
    _keep(scope, {"at": time.time(), "ok": False, "since": entry["since"], "names": names})
    told = _asked_behind(kind, typed, scope)
    if names or not os.read(told, 1):
        return names
    select.select([told], [], [], _PATIENCE)
    return list(_entries().get(scope, _NOTHING)["names"])


def _asked_behind(kind: str, typed: Mapping[str, str], scope: str) -> int:
    """Let a process of its own ask for names and keep them; return a pipe from it.

    It writes a byte to the pipe before it asks, and the pipe ends when it does.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return reading
    try:
        os.setsid()
        os.close(reading)
        # the shell reads to the end of what this program prints
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        signal.setitimer(signal.ITIMER_REAL, _LONGEST)
        from cse_client.completion.names import fetch, load

        load()
        with contextlib.suppress(OSError):
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            os.write(writing, b".")
        names = fetch(kind, typed)
        if names is not None:
            now = time.time()
            _keep(scope, {"at": now, "ok": True, "since": now, "names": list(names)})
    finally:
        os._exit(0)


def _entries() -> dict[str, Any]:
    kept = cache.read(_NAMES)
    entries = kept.get("entries") if kept.get("stamp") == _names_stamp() else None
    return entries if isinstance(entries, dict) else {}


def _keep(scope: str, entry: Mapping[str, Any]) -> None:
    # read again: another Tab may have been as fast
    cache.write(_NAMES, {"stamp": _names_stamp(), "entries": {**_entries(), scope: entry}})


def _names_stamp() -> list[Any]:
    return [_FORM, *cache.profile_stamp()]


if __name__ == "__main__":
    main()
