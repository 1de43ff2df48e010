"""The published JSON Schemas of results, closed: a key that they do not describe is an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import click
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from cse_client.cli.output import ShowingCommand
from cse_client.cse import cse


def schemas() -> dict[str, Any]:
    """Return the schemas by their names, as they are shipped."""
    folder = files("cse_client").joinpath("schemas")
    return {
        one.name.removesuffix(".json"): json.loads(one.read_text(encoding="utf-8"))
        for one in folder.iterdir()
        if one.name.endswith(".json")
    }


def showing_commands(
    command: click.Command = cse, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ShowingCommand]]:
    """Yield the commands that list or show things, with their paths below `vcd cse`."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from showing_commands(child, (*path, name))
    elif isinstance(command, ShowingCommand):
        yield " ".join(path), command


def check(path: str, document: Any) -> None:
    """Check a document against the schema of the command that printed it."""
    command = dict(showing_commands())[path]
    closed = {name: _closed(one) for name, one in schemas().items()}
    registry: Registry[Any] = Registry().with_resources(
        (f"{name}.json", Resource.from_contents(one)) for name, one in closed.items()
    )
    reference = {"$ref": f"{command.schema}.json"}
    wanted = {"type": "array", "items": reference} if command.many else reference
    validator = Draft202012Validator(
        wanted, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    problems = [f"{one.json_path}: {one.message}" for one in validator.iter_errors(document)]
    assert problems == [], f"describe what is new in cse_client/schemas/{command.schema}.json"


def _closed(schema: Any) -> Any:
    properties = schema.get("properties", {})
    return {**schema, "additionalProperties": False} if properties else schema
