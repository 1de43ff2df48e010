"""Every module says at its top, in `__all__`, which of its names others may use."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.programs import ROOT

MODULES = sorted((ROOT / "cse_client").rglob("*.py"))


def problems(source: str) -> list[str]:
    """Return what is wrong with a module's `__all__`, a sentence each."""
    wrong, listed, defined, public = [], None, False, False
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined = True
            public = public or not node.name.startswith("_")
            continue
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets += [node.target] if isinstance(node, (ast.AnnAssign, ast.AugAssign)) else []
        names = [one.id for one in targets if isinstance(one, ast.Name)]
        public = public or any(not one.startswith("_") for one in names)
        if "__all__" not in names:
            continue
        if isinstance(node, ast.AugAssign) or listed:
            wrong.append("__all__ is made in several statements")
        elif defined:
            wrong.append("__all__ comes after a function or a class")
        listed = True
    if public and not listed:
        wrong.append("__all__ is missing")
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_are_listed_at_the_top(path: Path) -> None:
    assert problems(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('__all__ = ["work"]\ndef work(): ...\n', []),
        ("def _work(): ...\n_LIMIT = 1\n", []),
        ("def work(): ...\n", ["__all__ is missing"]),
        ("LIMIT = 1\n", ["__all__ is missing"]),
        ("LIMIT: int = 1\n", ["__all__ is missing"]),
        ('def work(): ...\n__all__ = ["work"]\n', ["__all__ comes after a function or a class"]),
        ('__all__ = ["work"]\n__all__ += ["play"]\n', ["__all__ is made in several statements"]),
    ],
)
def test_the_rule_itself(source: str, expected: list[str]) -> None:
    assert problems(source) == expected
