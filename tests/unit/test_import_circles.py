"""No module imports itself, through however many others; nor does one folder of another.

Imports in functions and those for type checking count as well: whoever reads one module of a
circle has to read all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

Imports = Mapping[str, "set[str]"]


@lru_cache(maxsize=1)
def imports_of(package: str) -> Imports:
    """Return which modules of a package each of its modules imports."""
    graph = grimp.build_graph(package, cache_dir=None)
    return {one: graph.find_modules_directly_imported_by(one) for one in sorted(graph.modules)}


def circle(imports: Imports) -> list[str]:
    """Return the modules of a circle in the order of their imports; [] where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        # graphlib names each module before those that import it
        return list(reversed(error.args[1]))
    return []


def between_children(imports: Imports, folder: str) -> Imports:
    """Return which modules and folders in a folder import which others of them, taken whole."""
    depth = folder.count(".") + 2
    found: dict[str, set[str]] = defaultdict(set)

    def child(module: str) -> str:
        return ".".join(module.split(".")[:depth])

    for module, imported in imports.items():
        if module.startswith(f"{folder}."):
            inside = {child(one) for one in imported if one.startswith(f"{folder}.")}
            found[child(module)] |= inside - {child(module)}
    return found


def test_the_package_has_no_import_circle() -> None:
    assert circle(imports_of("cse_client")) == []


def test_no_folder_imports_itself_through_others() -> None:
    imports = imports_of("cse_client")
    folders = {one.rpartition(".")[0] for one in imports} - {""}
    circles = {one: circle(between_children(imports, one)) for one in sorted(folders)}
    assert {one: found for one, found in circles.items() if found} == {}


@pytest.mark.parametrize(
    "import_of_a",
    [
        "from planted.a import A\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from planted.a import A\n",
        "def work() -> None:\n    from planted.a import A\n",
        "from planted import a\n",
        "from . import a\n",
    ],
    ids=["run-time", "type-only", "in a function", "a module", "relative"],
)
def test_the_rule_itself(import_of_a: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "planted"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from planted.b import B\n\nA = B\n")
    (package / "b.py").write_text(f"{import_of_a}\nB = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    imports_of.cache_clear()
    found = circle(imports_of("planted"))
    assert sorted(set(found)) == ["planted.a", "planted.b"]
    assert found[0] == found[-1]


def test_folders_are_taken_whole() -> None:
    imports = {"p": set[str](), "p.a.x": {"p.b.y"}, "p.b.y": set[str](), "p.b.z": {"p.a.w"}}
    assert circle(imports) == []
    assert sorted(set(circle(between_children(imports, "p")))) == ["p.a", "p.b"]
    assert circle(between_children(imports, "p.b")) == []
