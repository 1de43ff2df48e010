"""Which keys a file for `cluster apply` may have, and what is wrong with one that has others.

A server drops what it does not know (3.1) or answers with a Python constructor's complaint (3.0),
and a misspelled count becomes its default: no workers at all with 3.1. So the form is checked here,
before anything is sent. Keys and types: container-service-extension 3.0.5,
container_service_extension/def_/models.py; 3.1.4, rde/models/rde_2_1_0.py and
cse_def_schema/schema_2_1_0.json.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from cse_client.engines.server.entities.dialects import FIRST, LATEST, Dialect
from cse_client.errors import CseError, WrongUsage
from cse_client.yamlplaces import Path, Places, Position, nearest_key, path_text

__all__ = ["MOST_NODES", "check_keys"]

#: The most nodes of one kind, by the generation of the entity type.
MOST_NODES: Mapping[str, int] = {"1": 100, "2": 200}

_TEXT, _NUMBER, _COUNT, _FLAG, _ANY = "text", "number", "count", "flag", "any"
_Keys = Mapping[str, Any]
_Steps = tuple[str, ...]
_Positions = Mapping[Path, Position]


_WANTED = {
    _TEXT: "text",
    _FLAG: "true or false, without quotes",
    _NUMBER: "a whole number, 0 or more, without quotes",
    _COUNT: "a number of nodes, 0 or more, without quotes",
}


def check_keys(
    dialect: Dialect, document: Mapping[str, Any], positions: _Positions
) -> list[CseError]:
    """Return what is wrong with a file's keys and the types of its values.

    A value that is null counts as not stated. `positions` tells lines and the text as written.
    """
    return list(_Check(dialect, positions).of_object(document, _keys_of(dialect), ()))


def _keys_of(dialect: Dialect) -> _Keys:
    """Return the whole tree of keys of one dialect; a leaf says what its value must be."""
    group = {"count": _COUNT, dialect.sizing: _TEXT, dialect.storage: _TEXT}
    sized = {**group, "cpu": _NUMBER, "memory": _NUMBER} if dialect.second_generation else group
    groups = {dialect.control_plane: sized, "workers": sized, "nfs": group}
    settings: dict[str, Any] = {
        dialect.network: _TEXT,
        dialect.ssh_key: _TEXT,
        dialect.rollback: _FLAG,
    }
    spec: dict[str, Any] = {
        dialect.distribution: {dialect.template: _TEXT, dialect.revision: _NUMBER},
        "settings": settings,
    }
    if dialect.second_generation:
        spec["topology"] = groups
        version = {"name": _TEXT, "version": _TEXT}
        settings |= {"csi": _ANY, "cni": version, "cpi": version}
        blocks = {"cidrBlocks": _ANY}
        settings["network"] = {"expose": _FLAG, "cni": _ANY, "pods": blocks, "services": blocks}
    else:
        spec |= {**groups, "expose": _FLAG}
    metadata = (dialect.name, dialect.org, dialect.vdc, dialect.site)
    return {
        dialect.version_key: _TEXT,
        "kind": _TEXT,
        "metadata": {key: _TEXT for key in metadata if key},
        "spec": spec,
        "status": _ANY,
    }


def _paths(keys: _Keys, above: _Steps = ()) -> Iterator[_Steps]:
    """Yield the paths of all keys of a tree, those of objects too."""
    for key, below in keys.items():
        yield (*above, key)
        if isinstance(below, Mapping):
            yield from _paths(below, (*above, key))


def _translations(theirs: Dialect, ours: Dialect) -> dict[_Steps, _Steps]:
    """Return for the paths of one generation those of the same things in the other."""

    def of(dialect: Dialect) -> dict[str, _Steps]:
        groups = ("control_plane", dialect.control_plane), ("workers",) * 2, ("nfs",) * 2
        named: dict[str, _Steps] = {"version": (dialect.version_key,)}
        for word, key in (("name", dialect.name), ("org", dialect.org), ("vdc", dialect.vdc)):
            named[word] = ("metadata", key)
        for word, key in groups:
            path = (*dialect.groups, key)
            named |= {
                word: path,
                f"{word} count": (*path, "count"),
                f"{word} sizing": (*path, dialect.sizing),
                f"{word} storage": (*path, dialect.storage),
            }
        distribution = ("spec", dialect.distribution)
        settings = ("spec", "settings")
        return named | {
            "distribution": distribution,
            "template": (*distribution, dialect.template),
            "revision": (*distribution, dialect.revision),
            "network": (*settings, dialect.network),
            "ssh key": (*settings, dialect.ssh_key),
            "rollback": (*settings, dialect.rollback),
            "expose": (*settings, "network", "expose")
            if dialect.second_generation
            else ("spec", "expose"),
        }

    there, here = of(theirs), of(ours)
    return {path: here[word] for word, path in there.items() if path != here[word]}


class _Check:
    """Walks through a file's document beside the tree of known keys."""

    def __init__(self, dialect: Dialect, positions: _Positions) -> None:
        other = FIRST if dialect.second_generation else LATEST
        self._most = MOST_NODES[dialect.version[0]]
        self._places = Places(positions)
        self._known = list(_paths(_keys_of(dialect)))
        self._other = "CSE 3.0" if dialect.second_generation else "CSE 3.1"
        self._elsewhere = {path[-1] for path in _paths(_keys_of(other))}
        self._translated = _translations(other, dialect)

    def of_object(self, value: Mapping[Any, Any], keys: _Keys, path: _Steps) -> Iterator[CseError]:
        for key, one in value.items():
            here = (*path, str(key))
            below = keys.get(key) if isinstance(key, str) else None
            if below is None:
                yield self._unknown(here, keys)
            elif one is None or below == _ANY:
                continue
            elif isinstance(below, str):
                yield from self._of_leaf(one, below, here)
            elif isinstance(one, Mapping):
                yield from self.of_object(one, below, here)
            else:
                named = ", ".join(below)
                yield WrongUsage(
                    f"{self._places.at(here)} must be an object with the keys {named}."
                )

    def _unknown(self, path: _Steps, keys: _Keys) -> WrongUsage:
        """Name an unknown key, and the one that may be meant."""
        key = path[-1]
        meant = self._translated.get(path)
        if meant is not None:
            return WrongUsage(
                f"{self._places.at(path)} is a key of {self._other}; for this CSE server it is "
                f"{path_text(meant)}."
            )
        sentence = f"{self._places.at(path)} is not a key that a CSE server reads"
        if key in self._elsewhere and not any(key == known[-1] for known in self._known):
            sentence = f"{self._places.at(path)} is a key of {self._other}, not of this CSE server"
        near = nearest_key(key, keys, self._known)
        return WrongUsage(f"{sentence}; did you mean '{near}'?" if near else f"{sentence}.")

    def _of_leaf(self, value: Any, wanted: str, path: _Steps) -> Iterator[CseError]:
        if isinstance(value, (Mapping, list)):
            kind = "a list" if isinstance(value, list) else "an object"
            yield WrongUsage(f"{self._places.at(path)} must be {_WANTED[wanted]}, not {kind}.")
        elif wanted == _TEXT:
            if not isinstance(value, str):
                yield WrongUsage(self._places.not_text(path, value))
        elif wanted == _FLAG:
            if not isinstance(value, bool):
                yield WrongUsage(f"{self._places.at(path)} must be {_WANTED[wanted]}.")
        elif not isinstance(value, int) or isinstance(value, bool) or value < 0:
            yield WrongUsage(f"{self._places.at(path)} must be {_WANTED[wanted]}.")
        elif wanted == _COUNT and value > self._most:
            yield WrongUsage(
                f"{self._places.at(path)} is {_number(value)}, and a CSE server takes {self._most}"
                " nodes at most."
            )


def _number(value: int) -> str:
    return str(value) if abs(value) < math.pow(10, 12) else "a huge number"
