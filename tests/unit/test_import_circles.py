"""No module imports itself, through however many others.

Imports in functions and those for type checking count as well: whoever reads one module of a
circle has to read all of them.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest


def circle(package: str) -> list[str]:
    """Return the modules of a circle in the order of their imports; [] where there is none."""
    graph = grimp.build_graph(package, cache_dir=None)
    imports = {one: graph.find_modules_directly_imported_by(one) for one in sorted(graph.modules)}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        # graphlib names each module before those that import it
        return list(reversed(error.args[1]))
    return []


def test_the_package_has_no_import_circle() -> None:
    assert circle("cse_client") == []


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
    found = circle("planted")
    assert sorted(set(found)) == ["planted.a", "planted.b"]
    assert found[0] == found[-1]
