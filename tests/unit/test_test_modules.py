"""The structure of the tests: what they share lies in modules that are not tests themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import ROOT

SOURCES = sorted((ROOT / "tests").rglob("*.py"))
UNIT_TESTS = sorted((ROOT / "tests/unit").rglob("test_*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module imports; relative ones begin with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            yield from (f"{module}.{one.name}" for one in node.names)


def wrong(name: str, in_support: bool) -> bool:
    """Return whether a module of the tests must not import this name."""
    if name.startswith("."):
        return True
    first, *rest = name.split(".")
    if first != "tests":
        return False
    private = any(part == "conftest" or part.startswith("test_") for part in rest)
    return private or (in_support and rest[:1] not in ([], ["support"]))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_shared_code_is_imported_from_its_own_module(path: Path) -> None:
    in_support = "support" in path.relative_to(ROOT).parts
    found = [one for one in imported(ast.parse(path.read_text())) if wrong(one, in_support)]
    assert found == [], "move what is shared to tests/support or to a module beside the tests"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("from tests.e2e.conftest import Cloud", True),
        ("from tests.unit import test_bounds", True),
        ("import tests.unit.test_bounds", True),
        ("from .conftest import Answer", True),
        ("from tests.sweeps.stage import Stage", False),
        ("from tests.support import manifests", False),
        ("import pytest", False),
    ],
)
def test_the_rule_itself(line: str, expected: bool) -> None:
    assert any(wrong(one, in_support=False) for one in imported(ast.parse(line))) is expected


DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".ci").iterdir()]


@pytest.mark.parametrize("path", sorted(DOCUMENTS), ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_tests_that_exist(path: Path) -> None:
    named = re.findall(r"(?:[a-z0-9_]+/)*test_[a-z0-9_]+\.py", path.read_text(encoding="utf-8"))
    missing = [one for one in named if not list((ROOT / "tests").glob(one.removeprefix("tests/")))]
    assert missing == []


def test_unit_tests_lie_where_the_package_has_a_folder() -> None:
    folders = {path.parent.relative_to(ROOT / "tests/unit") for path in UNIT_TESTS}
    assert [one for one in folders if not (ROOT / "cse_client" / one).is_dir()] == []
