"""Passphrases: from a file, the environment or the terminal; never from the command line."""

from __future__ import annotations

import os
from collections.abc import Callable

from cse_client.cli.console import Console
from cse_client.errors import WrongUsage
from cse_client.inputs import read_named

__all__ = ["VARIABLE", "known_passphrase", "new_passphrase", "private_key"]

VARIABLE = "CSE_BACKUP_PASSPHRASE"
_LONGEST = 64 * 1024


def new_passphrase(console: Console, file: str, look: Callable[[], None]) -> str:
    """Return the passphrase for a new backup, asking twice where it is typed.

    `look` raises what would refuse the backup anyway; it is called before somebody is asked.

    Raises:
        WrongUsage: there is none, or the two differ.
    """
    found = _given(file)
    if found:
        return found
    if not console.can_ask():
        raise WrongUsage(
            "A backup is always encrypted, and there is no terminal to ask for a passphrase.",
            hint=f"Use --passphrase-file FILE, the environment variable {VARIABLE}, or a public"
            " key with --recipient.",
        )
    look()
    typed = console.ask_secret("Passphrase for the backup")
    if typed != console.ask_secret("The same passphrase again"):
        raise WrongUsage("The two passphrases are different; nothing was written.")
    return typed


def known_passphrase(console: Console, file: str, look: Callable[[], None]) -> str:
    """Return the passphrase of an existing backup, empty where nobody can be asked.

    For `look` see `new_passphrase`.
    """
    found = _given(file)
    if found or not console.can_ask():
        return found
    look()
    return console.ask_secret("Passphrase of the backup")


def private_key(file: str) -> str:
    """Return the text of a private key.

    Raises:
        WrongUsage: the file cannot be read.
    """
    return _read("private key file", file)


def _given(file: str) -> str:
    if not file:
        return os.environ.get(VARIABLE, "")
    text = _read("passphrase file", file).splitlines()[:1]
    if not text or not text[0]:
        raise WrongUsage(f"The first line of {file} is empty, and it is to be the passphrase.")
    return text[0]


def _read(kind: str, file: str) -> str:
    try:
        return read_named(kind, file, _LONGEST).decode("utf-8")
    except UnicodeDecodeError:
        raise WrongUsage(f"The {kind} '{file}' is not a text file.") from None
