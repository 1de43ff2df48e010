"""Words that a shell reads in its own way, and bash to ask how."""

from __future__ import annotations

import subprocess

NASTY = [
    "a b",
    "it's",
    'say "x"',
    "$HOME",
    "`id`",
    "$(id)",
    "a;b",
    "a|b&c",
    "*?[x]",
    "~root",
    "#x",
    "!x",
    "a\\b",
    "(1)",
    "{a,b}",
    "démo",
    "-rf",
    "--yes",
    "--",
    "",
]


def read_by_bash(line: str) -> list[str]:
    """Return the words that bash makes of a command line."""
    script = 'eval "set -- $1"; printf "%s\\0" "$@"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", line], capture_output=True, check=True, cwd="/"
    )
    return [word.decode("utf-8", "surrogateescape") for word in done.stdout.split(b"\0")[:-1]]
