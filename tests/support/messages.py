"""The texts in the sources of a package, of which its messages are made."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

#: What stands in a text for what is only known at run time.
VARIABLE = "\0"


def template(node: ast.AST) -> str | None:
    """Return the text that an expression makes, with VARIABLE for what is only known later."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else VARIABLE
    if isinstance(node, ast.JoinedStr):
        parts = (one.value if isinstance(one, ast.Constant) else VARIABLE for one in node.values)
        return "".join(str(part) for part in parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
        left, right = template(node.left), template(node.right)
        return None if left is None and right is None else (left or VARIABLE) + (right or VARIABLE)
    return None


@cache
def templates(package: str) -> tuple[str, ...]:
    """Return the texts in a package's sources; of this project's package without the simulator."""
    found = find_spec(package)
    assert found is not None and found.origin is not None
    folder = Path(found.origin).parent
    texts = set()
    for path in folder.rglob("*.py"):
        if path.relative_to(folder).parts[0] != "simulator":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            texts |= {template(node) for node in ast.walk(tree)}
    return tuple(sorted(one for one in texts if one))


def arguments(path: Path, maker: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of `maker` in a file: their texts, or their code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == maker:
            yield [template(one) or ast.unparse(one) for one in node.args]
