"""Every option of every command has a typed parameter in its function, or a field of its object.

click passes options as keyword arguments, which mypy does not see; this test holds the two ends
together, so that mypy's check of the functions covers what users type.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import click
import pytest

from cse_client.commands import cse

#: click's name of a type -> Python's.
TYPES = {
    "condition": "str",
    "integer": "int",
    "integer range": "int",
    "text": "str",
    "choice": "str",
    "runtime": "str",
    "duration": "float",
    "size": "int",
}


def commands(group: click.Group = cse, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, f"{path}{name} ")
        else:
            yield f"{path}{name}", found


COMMANDS = dict(commands())


def default(option: click.Parameter) -> Any:
    """Return what a command gets where an option was not typed."""
    context = click.Context(click.Command("any"))
    value = option.get_default(context, call=False)
    # `cli.values` hides empty defaults behind a callback
    return option.callback(context, option, value) if option.callback is not None else value


def expected(option: click.Parameter) -> str:
    """Return the annotation that goes with an option."""
    if option.multiple or option.nargs == -1:
        return "tuple[str, ...]"
    if isinstance(option, click.Option) and option.is_flag:
        return "bool"
    kind = TYPES[option.type.name]
    # click 8.3 has a value of its own for no default
    optional = not isinstance(default(option), (str, int, float)) and not option.required
    return f"{kind} | None" if optional else kind


def declared(function: Any) -> dict[str, str]:
    """Return the annotations of a command's function, with the fields of its option objects."""
    found = {}
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        kind = function.__globals__.get(parameter.annotation)
        if dataclasses.is_dataclass(kind):
            found.update({field.name: str(field.type) for field in dataclasses.fields(kind)})
        else:
            found[parameter.name] = str(parameter.annotation)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_typed(name: str) -> None:
    command = COMMANDS[name]
    typed = {str(option.name): expected(option) for option in command.params if option.expose_value}
    assert declared(inspect.unwrap(command.callback or repr)) == typed
