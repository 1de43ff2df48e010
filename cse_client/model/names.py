"""Names of new clusters and of templates: one rule for what is typed and for what a file states."""

from __future__ import annotations

import re

from cse_client.errors import CseError, WrongUsage

__all__ = ["NAME_RULE", "check_name", "name_problem", "split_revision"]

#: Longest name of a cluster; CSE's own limit (container-service-extension, vApp name check).
_NAME_LENGTH = 25
_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9-]{0,23}[A-Za-z0-9])?", re.ASCII)
NAME_RULE = (
    f"A name has 1 to {_NAME_LENGTH} letters, digits and dashes, begins with a letter and does not "
    "end with a dash."
)
_REVISION = re.compile(r"(?P<name>.+)_rev(?P<revision>\d{1,9})", re.ASCII | re.DOTALL)


def split_revision(template: str) -> tuple[str, int | None]:
    """Return a template's name and the revision at its end, as in `NAME_revN`; None: there is none.

    The name may begin with a catalog's.
    """
    match = _REVISION.fullmatch(template)
    return (template, None) if match is None else (match["name"], int(match["revision"]))


def check_name(name: str) -> list[CseError]:
    """Check the name of a new cluster: it becomes a vApp, a host name and a kubeconfig context."""
    if not name:
        return [WrongUsage("The cluster's name is empty.", hint=NAME_RULE)]
    problem = name_problem(name)
    if not problem:
        return []
    return [WrongUsage(f"The cluster name '{name}' is not allowed: {problem}.", hint=NAME_RULE)]


def name_problem(name: str) -> str:
    """Return why a new cluster cannot have this name, a clause; empty when it can."""
    if _NAME.fullmatch(name):
        return ""
    strange = sorted({c for c in name if not re.fullmatch(r"[A-Za-z0-9-]", c)})
    if strange:
        return f"it contains {', '.join(_sign(c) for c in strange[:5])}"
    if len(name) > _NAME_LENGTH:
        return f"it has {len(name)} characters"
    if not name:
        return "it is empty"
    return f"it begins with {_sign(name[0])}" if not name[0].isalpha() else "it ends with '-'"


def _sign(character: str) -> str:
    return "a blank" if character == " " else f"'{character}'"
