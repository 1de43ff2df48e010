"""What is wrong with the values of a file, beyond their types, and with values that do not fit.

What has another type than the schema requires is reported by `schema`, and left out here: so all
mistakes of a file are found in one run.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from cse_client.content import plain
from cse_client.engines.declared.fields import FIELDS, Steps, value_at
from cse_client.engines.declared.schema import Problems
from cse_client.engines.declared.values import (
    LARGEST_MB,
    SIZE_CLAUSE,
    checksum_clause,
    clause_of,
    fits,
    ranges_clause,
    shown,
)
from cse_client.errors import WrongUsage
from cse_client.model.names import NAME_RULE, name_problem
from cse_client.model.pools import Taint, label_problem, pool_name_problem, taint_problem
from cse_client.yamlplaces import Path, Places

__all__ = ["taint_of", "value_problems"]

_MOST_WORKERS = 500
_RANGES = {"pods": ("spec", "podCidr"), "Services": ("spec", "serviceCidr")}
#: Addresses that nodes have to reach, or to have: the cluster's own ranges cannot contain them.
_OUTSIDE = (
    ("spec", "endpoint"),
    ("spec", "virtualAddress"),
    ("spec", "ntp"),
    ("spec", "dns"),
)


def value_problems(
    sound: Mapping[str, Any], document: Mapping[str, Any], places: Places
) -> Problems:
    """Return what is wrong with the values of a file.

    `sound` is the document without the values of wrong types, where entries of a list are None
    instead.
    """
    return list(_Values(sound, document, places).problems())


def taint_of(raw: Mapping[str, Any]) -> Taint:
    """Return a taint as a file states it."""
    return Taint(raw["key"], raw["effect"], raw.get("value", ""))


class _Values:
    def __init__(
        self, sound: Mapping[str, Any], document: Mapping[str, Any], places: Places
    ) -> None:
        self._sound = sound
        self._document = document
        self._places = places

    def problems(self) -> Iterator[tuple[int, WrongUsage]]:
        yield from self._name_problems()
        usable: dict[Steps, Any] = {}
        for field in FIELDS:
            value = value_at(self._sound, field.path)
            if isinstance(value, list):
                value = [one for one in value if one is not None] or None
            if value is None:
                continue
            clause = clause_of(field, value)
            if clause:
                yield self._wrong(field.path, clause, shown(field, value))
            else:
                usable[field.path] = value
        yield from self._proxy_problems()
        yield from self._range_problems(usable)
        yield from self._pool_problems()
        yield from self._addon_problems()

    def _wrong(
        self, path: Path, clause: str, shown: str = "", *, hint: str = ""
    ) -> tuple[int, WrongUsage]:
        value = f": '{shown}'" if shown else ""
        return self._problem(path, f"is not valid{value}: {clause}.", hint=hint)

    def _problem(self, path: Path, text: str, *, hint: str = "") -> tuple[int, WrongUsage]:
        return self._places.line(path), WrongUsage(f"{self._places.at(path)} {text}", hint=hint)

    def _name_problems(self) -> Iterator[tuple[int, WrongUsage]]:
        path = ("metadata", "name")
        name = value_at(self._sound, path)
        clause = name_problem(name) if name else ""
        if clause:
            yield self._wrong(path, clause, plain(name, 60), hint=NAME_RULE)

    def _proxy_problems(self) -> Iterator[tuple[int, WrongUsage]]:
        proxy = value_at(self._document, ("spec", "proxy"))
        stated = proxy if isinstance(proxy, Mapping) else {}
        if stated.get("noProxy") and "http" not in stated and "https" not in stated:
            path = ("spec", "proxy", "noProxy")
            yield self._problem(path, "requires spec.proxy.http or spec.proxy.https.")

    def _range_problems(self, usable: Mapping[Steps, Any]) -> Iterator[tuple[int, WrongUsage]]:
        """Yield the conflicts of the ranges that the file states for pods and for Services."""
        ranges = {
            what: ipaddress.IPv4Network(usable[path])
            for what, path in _RANGES.items()
            if path in usable
        }
        pods, services = ranges.get("pods"), ranges.get("Services")
        if pods is not None and services is not None and pods.overlaps(services):
            other = self._places.at(_RANGES["pods"])
            yield self._problem(_RANGES["Services"], f"overlaps {other}.")
        for path in _OUTSIDE:
            value = usable.get(path, ())
            for text in [value] if isinstance(value, str) else value:
                for what, range_ in ranges.items():
                    if _is_in(text, range_):
                        at = self._places.at(_RANGES[what])
                        yield self._problem(
                            path, f"is in the range of the cluster's {what}, {at}: '{text}'."
                        )

    def _pool_problems(self) -> Iterator[tuple[int, WrongUsage]]:
        pools = _entries(self._sound, ("spec", "pools"))
        seen: dict[str, Path] = {}
        for path, pool in pools:
            here, name = (*path, "name"), pool.get("name")
            if name is not None:
                if name in seen:
                    other = self._places.at(seen[name])
                    yield self._problem(here, f"and {other} are both '{plain(name, 60)}'.")
                seen.setdefault(name, here)
                clause = pool_name_problem(name)
                if clause:
                    yield self._wrong(here, clause, plain(name, 60))
            for key, most in LARGEST_MB.items():
                if key in pool and not fits(pool[key], most):
                    yield self._wrong((*path, key), SIZE_CLAUSE, str(pool[key])[:40])
            yield from self._mark_problems(pool, path)
        workers = sum(pool.get("size", 0) for _path, pool in pools)
        if workers > _MOST_WORKERS:
            text = f"have {workers} workers together; the maximum is {_MOST_WORKERS}."
            yield self._problem(("spec", "pools"), text)

    def _mark_problems(
        self, pool: Mapping[str, Any], path: Path
    ) -> Iterator[tuple[int, WrongUsage]]:
        for key, value in pool.get("labels", {}).items():
            clause = label_problem(key, value)
            if clause:
                yield self._wrong((*path, "labels", key), clause)
        seen = set()
        for here, raw in _entries(pool, ("taints",)):
            if "key" not in raw or "effect" not in raw:
                continue
            taint = taint_of(raw)
            clause = taint_problem(taint)
            if not clause and (taint.key, taint.effect) in seen:
                clause = "the pool has another taint with that key and effect"
            seen.add((taint.key, taint.effect))
            if clause:
                yield self._wrong((*path, *here), clause, plain(str(taint), 60))

    def _addon_problems(self) -> Iterator[tuple[int, WrongUsage]]:
        seen: dict[str, Path] = {}
        for path, raw in _entries(self._sound, ("spec", "addons")):
            here, name = (*path, "name"), raw.get("name")
            if name in seen:
                yield self._problem(here, f"and {self._places.at(seen[name])} are both '{name}'.")
            elif name is not None:
                seen[name] = here
            clause = checksum_clause(raw["checksum"]) if "checksum" in raw else ""
            if clause:
                yield self._wrong((*path, "checksum"), clause)
            for option, addon in (("addresses", "metallb"), ("address", "contour")):
                if option not in raw:
                    continue
                if name not in (None, addon):
                    yield self._wrong((*path, option), f"it is for {addon} only")
                    continue
                clause = ranges_clause(raw[option], one=option == "address")
                if clause:
                    yield self._wrong((*path, option), clause, plain(raw[option], 60))


def _entries(document: Mapping[str, Any], path: Steps) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return the objects of a list that have the right type, each with its path."""
    found = value_at(document, path) or ()
    return [((*path, number), one) for number, one in enumerate(found) if one is not None]


def _is_in(text: str, range_: ipaddress.IPv4Network) -> bool:
    """Return whether a text is an address in a range; the port of an endpoint does not matter."""
    try:
        return ipaddress.IPv4Address(text.partition(":")[0]) in range_
    except ValueError:
        return False
