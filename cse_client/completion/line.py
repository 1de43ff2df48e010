"""A command line up to the cursor, and what can stand there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["Line", "Names", "Tree", "candidates", "quoted", "split"]

#: A command as `tree` describes it.
Tree = Mapping[str, Any]
#: Returns the names of a kind (`clusters`, `nodes`, ...), given the options and arguments typed.
Names = Callable[[str, Mapping[str, str]], Sequence[str]]
Offers = list[tuple[str, str]]

_PIECE = re.compile(
    r"""(?P<space>\s+) | '(?P<single>[^']*)(?P<end>'?) | "(?P<double>(?:\\.|[^"\\])*)(?P<end2>"?)
    | \\(?P<escaped>.?) | (?P<plain>[^\s'"\\]+) """,
    re.VERBOSE | re.DOTALL,
)
#: What a backslash changes in a double-quoted text.
_IN_QUOTES = re.compile(r'(["$`\\])')
_ESCAPED_IN_QUOTES = re.compile(r'\\(["$`\\])')
#: What has no meaning to a shell, wherever it stands.
_HARMLESS = re.compile(r"[^A-Za-z0-9_./+,@%^:=\x80-\U0010ffff-]")
_SHORT = len("-o")


class Line:
    """A command line up to the cursor: complete words, and the one that is being typed.

    `quote` is the quotation mark that is open in it.
    """

    def __init__(self, words: Sequence[str], current: str, quote: str = "") -> None:
        self.words = list(words)
        self.current = current
        self.quote = quote


def split(text: str) -> Line:
    """Read a command line up to the cursor as POSIX shells do, without expanding anything."""
    words: list[str] = []
    word, begun, quote = "", False, ""
    for piece in _PIECE.finditer(text):
        if piece["space"]:
            words += [word] if begun else []
            word, begun = "", False
            continue
        begun = True
        if piece["single"] is not None:
            word += piece["single"]
            quote = "" if piece["end"] else "'"
        elif piece["double"] is not None:
            word += _ESCAPED_IN_QUOTES.sub(r"\1", piece["double"])
            quote = "" if piece["end2"] else '"'
        else:
            word += piece["plain"] or piece["escaped"] or ""
    return Line(words, word, quote)


def quoted(text: str, quote: str) -> str | None:
    """Return text as it has to be typed in a POSIX shell, after an open quotation mark or none.

    None where it cannot be typed there.
    """
    if quote == "'":
        return None if "'" in text else text
    if quote:
        return _IN_QUOTES.sub(r"\\\1", text)
    return _HARMLESS.sub(lambda found: f"\\{found.group()}", text)


def candidates(tree: Tree, line: Line, names: Names) -> Offers | None:
    """Return what can stand where the cursor is, with descriptions; None for files.

    `tree` is a group of commands.
    """
    read = _Read(tree)
    for word in line.words:
        read.word(word)
    return read.offers(line.current, names)


class _Read:
    """What the words so far mean: the command, the values typed, and what comes next."""

    def __init__(self, tree: Tree) -> None:
        self._command: Tree = tree
        self._typed: dict[str, str] = {}
        self._used: set[str] = set()
        #: The option whose value comes next.
        self._option: Any = None
        self._only_arguments = False
        self._arguments = 0
        self._lost = False

    def word(self, word: str) -> None:
        """Read one more word."""
        if self._option is not None:
            self._typed[self._option["name"]] = word
            self._option = None
        elif word == "--" and not self._only_arguments:
            self._only_arguments = True
        elif self._is_option(word):
            self._read_option(word)
        elif self._commands:
            self._lost = self._lost or word not in self._commands
            self._command, self._used = self._commands.get(word, {}), set()
        else:
            argument = self._argument()
            if argument is not None:
                self._typed[argument["name"]] = word
            self._arguments += 1

    def offers(self, current: str, names: Names) -> Offers | None:
        """Return what can be typed next and begins with `current`; None for files."""
        if self._lost:
            return []
        if self._option is not None:
            return self._values(self._option, current, names)
        if self._is_option(current) or (current == "-" and not self._only_arguments):
            return self._options(current, names)
        if self._commands:
            listed = self._commands.items()
            return [(name, one["help"]) for name, one in listed if name.startswith(current)]
        argument = self._argument()
        return [] if argument is None else self._values(argument, current, names)

    @property
    def _commands(self) -> Mapping[str, Tree]:
        found: Mapping[str, Tree] = self._command.get("commands", {})
        return found

    def _is_option(self, word: str) -> bool:
        return len(word) > 1 and word.startswith("-") and not self._only_arguments

    def _read_option(self, word: str) -> None:
        option, value = self._find(word)
        if option is None:
            return
        self._used.add(option["name"])
        if value is not None:
            self._typed[option["name"]] = value
        elif option["takes"]:
            self._option = option

    def _find(self, word: str) -> tuple[Any, str | None]:
        """Return the option that a word is, or None, and the value in the same word, or None."""
        is_long = word.startswith("--")
        head, equals, value = word.partition("=") if is_long else (word[:_SHORT], "", "")
        for option in self._command.get("options", ()):
            if head in option["names"]:
                if is_long:
                    return option, value if equals else None
                return option, word[_SHORT:] if option["takes"] and word[_SHORT:] else None
        return None, None

    def _argument(self) -> Any:
        """Return the argument that comes next; the last one may be there many times."""
        known = self._command.get("arguments", ())
        if self._arguments < len(known):
            return known[self._arguments]
        return known[-1] if known and known[-1]["many"] else None

    def _options(self, current: str, names: Names) -> Offers | None:
        head, equals, value = current.partition("=")
        if equals:
            option, _value = self._find(head)
            if option is None or not option["takes"]:
                return []
            found = self._values(option, value, names)
            return None if found is None else [(f"{head}={one}", text) for one, text in found]
        return [
            (name, option["help"])
            for option in self._command.get("options", ())
            if option["name"] not in self._used or option["many"]
            for name in option["names"]
            # a short one is as quickly typed as found
            if name.startswith(current) and (name.startswith("--") or name == current)
        ]

    def _values(self, parameter: Mapping[str, Any], current: str, names: Names) -> Offers | None:
        offers = parameter["offers"]
        if offers == "files":
            return None
        if not isinstance(offers, list):
            offers = names(offers, self._typed) if offers else ()
        return [(one, "") for one in offers if one.startswith(current)]
