"""Which values a file may state, each by the rule for the option that means the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cse_client.content import plain
from cse_client.engines.addons.ranges import parse_auto, parse_ranges
from cse_client.engines.declared.fields import Field, size_of
from cse_client.errors import WrongUsage
from cse_client.model.certificates import InvalidCa, ca_certificates
from cse_client.model.endpoints import AUTO, NO_ADDRESS, is_address, is_endpoint
from cse_client.model.settings import setting_problem, setting_shown
from cse_client.model.ssh_keys import InvalidPublicKey, parse_public_key

__all__ = [
    "LARGEST_MB",
    "SIZE_CLAUSE",
    "checksum_clause",
    "clause_of",
    "fits",
    "ranges_clause",
    "shown",
]

LARGEST_MB = {"memory": 24 * 1024 * 1024, "disk": 62 * 1024 * 1024}
SIZE_CLAUSE = "it is not a size such as 8G or 8192, or too large"


def fits(value: int | str, most: int) -> bool:
    """Return whether a value is a size, and not larger than `most` MB."""
    size = size_of(value)
    return size is not None and size <= most


def ranges_clause(value: str, *, one: bool) -> str:
    """Return why a text is not addresses for an add-on: one, or ranges, or auto:N."""
    if one:
        return "" if is_address(value) else "it is not an IPv4 address"
    try:
        return "" if parse_auto(value) or parse_ranges(value) else "it is empty"
    except WrongUsage as wrong:
        return wrong.clause[:1].lower() + wrong.clause[1:]


def checksum_clause(value: str) -> str:
    """Return why a text is not the checksum of a manifest; empty if it is one."""
    from cse_client.kube.addons.fetch import parse_checksum

    try:
        parse_checksum(value)
    except WrongUsage as wrong:
        return wrong.clause[:1].lower() + wrong.clause[1:]
    return ""


def _endpoint_clause(value: str) -> str:
    return "" if is_endpoint(value) else "it is not of the form HOST or HOST:PORT"


def _address_clause(value: str) -> str:
    good = value in (AUTO, NO_ADDRESS) or is_address(value)
    return "" if good else "it is not an IPv4 address, auto or none"


def _key_clause(value: str) -> str:
    try:
        parse_public_key(value)
    except InvalidPublicKey as wrong:
        return f"it {wrong}"
    return ""


def _ca_clause(value: str) -> str:
    try:
        ca_certificates(value.encode())
    except InvalidCa as wrong:
        return f"it {wrong}"
    return ""


_CLAUSES: Mapping[str, Callable[[Any], str]] = {
    "endpoint": _endpoint_clause,
    "vip": _address_clause,
    "ssh_key": _key_clause,
    "settings.registry_ca": _ca_clause,
}
#: Values of which nothing is shown: they may be private keys, written at the wrong place.
_SECRET = ("ssh_key", "settings.registry_ca")


def clause_of(field: Field, value: Any) -> str:
    """Return why a value cannot be used, a clause; empty when it can."""
    if field.path[-1] in LARGEST_MB:
        return "" if fits(value, LARGEST_MB[field.path[-1]]) else SIZE_CLAUSE
    if field.name in _CLAUSES:
        return _CLAUSES[field.name](value)
    group, _, name = field.name.rpartition(".")
    if group != "settings" or not value:
        return ""
    if isinstance(value, list) and any(" " in one or "," in one for one in value):
        return "each entry of the list is one of them, without blanks and commas"
    return setting_problem(name, field.form.read(value))


def shown(field: Field, value: Any) -> str:
    """Return a value for a message; empty where it may be a secret."""
    if field.name in _SECRET:
        return ""
    group, _, name = field.name.rpartition(".")
    text = str(field.form.read(value) if group == "settings" else value)
    return plain(setting_shown(name, text) if group == "settings" else text, 60)
