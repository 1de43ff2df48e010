"""How messages name the values of a YAML document: by path, by line, and as they are written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from cse_client.content import plain

__all__ = ["Path", "Places", "Position", "nearest_key", "path_text"]


#: The steps that lead to a value: keys of objects and indexes of lists.
Path = tuple[Union[str, int], ...]


@dataclass(frozen=True)
class Position:
    """Where a value, or its key, stands: its line from 1 on, and for a scalar its text as written.

    `plain` says that the text stands without quotes, so that YAML guesses its type. `unread` says
    that the value is not known, because of a problem that is reported already.
    """

    line: int
    text: str = ""
    plain: bool = False
    unread: bool = False


@dataclass(frozen=True)
class Places:
    """Names the values of a document in messages: by path, line, and the text as written."""

    positions: Mapping[Path, Position]

    def at(self, path: Path) -> str:
        """Return a value's path and line: `'spec.network' (line 7)`."""
        line = self.line(path)
        return f"'{path_text(path)}'" + (f" (line {line})" if line else "")

    def line(self, path: Path) -> int:
        """Return the line of a value, 0 where it is not known."""
        position = self.positions.get(path)
        return 0 if position is None else position.line

    def is_unread(self, path: Path) -> bool:
        """Return whether a value is not known, because of a problem that is reported already."""
        position = self.positions.get(path)
        return position is not None and position.unread

    def written(self, path: Path, value: Any) -> str:
        """Return a scalar as it is written, for a message."""
        position = self.positions.get(path)
        return plain(position.text if position and position.text else json.dumps(value))

    def not_text(self, path: Path, value: bool | float) -> str:
        """Return why a boolean or a number cannot be text, as a sentence, and how to write it."""
        kind = f"the boolean {json.dumps(value)}" if isinstance(value, bool) else "a number"
        return self.unquoted(path, value, kind)

    def unquoted(self, path: Path, value: Any, kind: str) -> str:
        """Return that a text without quotes is `kind` to readers of YAML, as a sentence."""
        written = self.written(path, value)
        key = f"{path[-1]}: " if path and isinstance(path[-1], str) else ""
        return (
            f"{self.at(path)} must be text, and YAML reads {written} as {kind}; put it in quotes: "
            f'{key}"{written}".'
        )


def path_text(path: Path) -> str:
    """Return a path for people: `spec.settings.csi[0].name`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{plain(step)}" if text else plain(step)
    return text


def nearest_key(key: str, beside: Iterable[str], known: Sequence[tuple[str, ...]]) -> str:
    """Return the known key that is most like an unknown one; empty where none is.

    `beside` are the keys known where it stands, `known` the paths of all.
    """
    import difflib

    near_by = {_alike(one): one for one in beside}
    wanted = _alike(key)
    if wanted in near_by:
        return near_by[wanted]
    moved = [path for path in known if _alike(path[-1]) == wanted]
    if moved:
        return path_text(moved[0])
    near = difflib.get_close_matches(wanted, list(near_by), n=1)
    if near:
        return near_by[near[0]]
    names = {_alike(path[-1]): path for path in known}
    near = difflib.get_close_matches(wanted, list(names), n=1, cutoff=0.8)
    return path_text(names[near[0]]) if near else ""


def _alike(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")
