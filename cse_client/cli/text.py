"""Texts as people see them: sentences, and nothing that could steer a terminal.

Names and messages from VCD, a CSE server, Kubernetes or a file may hold anything: control
characters, line breaks that fake a line of ours, and signs that turn the direction of writing
around. `printable` makes them harmless, and everything that is shown goes through it: `console` and
`progress` for both streams, `runlog` for the log. A text of ours has one line, so each line break
in it is foreign; lines are made by whoever shows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cse_client import suggest

__all__ = ["capital", "duration", "json_text", "numbered", "printable", "sentence", "shortened"]

_UNITS = ((3600, "h"), (60, "m"), (1, "s"))
#: These keep their small letter at the start of a sentence.
_PROGRAMS = frozenset(
    (
        "bash",
        "containerd",
        "cse",
        "docker",
        "kubeadm",
        "kubectl",
        "kubelet",
        "pip",
        "systemd",
        "vcd",
    )
)


def sentence(text: str) -> str:
    """Return a message as a sentence: a capital letter at its start and a stop at its end.

    A first word that is not of small letters only is a name, and stays. A hint gets no stop: many
    are a command to type.
    """
    text = capital(text)
    return text if not text or text[-1] in ".!?:" else f"{text}."


def capital(text: str) -> str:
    """Return text with a capital letter at its start, unless that is a name or a command line."""
    head, separator, rest = text.partition(" ")
    word = head.isascii() and head.isalpha() and head.islower()
    if separator and word and head not in _PROGRAMS and not suggest.is_program(head):
        return f"{head.capitalize()} {rest}"
    return text


def numbered(steps: Iterable[str]) -> list[str]:
    """Return the steps of a plan as lines that begin with their numbers."""
    return [f"{number}. {step}" for number, step in enumerate(steps, 1)]


def duration(seconds: float) -> str:
    """Return a duration in whole seconds: `9s`, `3m5s`, `1h0m5s`."""
    whole = round(seconds)
    text = ""
    for size, unit in _UNITS:
        count, whole = divmod(whole, size)
        if count or text or unit == "s":
            text += f"{count}{unit}"
    return text


def shortened(text: str, columns: int, ellipsis: str = "…") -> str:
    """Return printable text that fits into so many columns of a terminal, cut off at the end.

    East Asian wide characters take two (Unicode Standard Annex 11), combining ones none.
    """
    room = columns - len(ellipsis)
    fitting = 0
    for character in text:
        columns -= _columns(character)
        if columns < 0:
            return text[:fitting] + ellipsis
        room -= _columns(character)
        fitting += room >= 0
    return text


def _columns(character: str) -> int:
    import unicodedata

    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def printable(value: Any) -> str:
    """Return a value as one line of text that cannot steer a terminal.

    What is no character to be seen (control and format characters, which includes those for the
    direction of writing, lone surrogates, unassigned ones) is written as its escape, such as
    `\\x1b`, so that names which differ look different. Line breaks, tabs and the like are blanks.
    """
    text = "" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _shown(c) for c in text)


def json_text(document: str) -> str:
    """Return a JSON document in characters that can be seen; it says the same as before.

    Outside of its strings a document holds none but blanks and line breaks.
    """
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in document)


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    code = ord(character)
    if code <= 0xFF:  # noqa: PLR2004
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def _json_escape(character: str) -> str:
    """Return a character as JSON's `\\u`; those beyond the first plane take two."""
    raw = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))
