"""Texts as people see them: sentences, and nothing that could steer a terminal."""

from __future__ import annotations

from typing import Any

__all__ = ["capital", "printable", "sentence"]

#: These keep their small letter at the start of a sentence.
_PROGRAMS = frozenset(
    ("bash", "containerd", "docker", "kubeadm", "kubectl", "kubelet", "pip", "systemd", "vcd")
)


def sentence(text: str) -> str:
    """Return a message as a sentence: a capital letter at its start and a stop at its end.

    A first word that is not of small letters only is a name, and stays. A hint gets no stop: many
    are a command to type.
    """
    text = capital(text)
    return text if not text or text[-1] in ".!?:" else f"{text}."


def capital(text: str) -> str:
    """Return text with a capital letter at its start, unless its first word is a name."""
    head, separator, rest = text.partition(" ")
    word = head.isascii() and head.isalpha() and head.islower() and head not in _PROGRAMS
    if separator and word:
        return f"{head.capitalize()} {rest}"
    return text


def printable(value: Any, *, keep_newlines: bool = False) -> str:
    """Return a value as text that cannot steer a terminal: names in VCD may hold anything."""
    kept = "\n" if keep_newlines else ""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() or c in kept else " " for c in text)
