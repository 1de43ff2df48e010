"""Values that nobody can have meant: refused for every option and argument of every command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import click
import pytest
from vcd_cli.vcd import vcd as vcd_program

from tests.support.commands import commands
from tests.support.programs import Result

Run = Callable[..., Result]

#: What else has to be said for click to come to the value, by type.
FILLED = {"integer": "2", "integer range": "2", "duration": "1m", "condition": "ready"}


def name_of(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return (parameter.metavar or str(parameter.name).upper()).strip("[]")


def filled(parameter: click.Parameter) -> str:
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    return FILLED.get(parameter.type.name, "x")


def line(command: click.Command, wanted: click.Parameter, value: str) -> list[str]:
    """Return words that give one parameter a value, and the required ones some."""
    options, arguments = [], []
    for parameter in command.params:
        chosen = value if parameter is wanted else filled(parameter)
        if isinstance(parameter, click.Option):
            if parameter is wanted or parameter.required:
                options.append(f"{max(parameter.opts, key=len)}={chosen}")
        else:
            arguments.append(chosen)
    return [*options, "--", *arguments]


def parameters() -> Iterator[tuple[str, str]]:
    for path, command in commands():
        for parameter in command.params:
            flag = isinstance(parameter, click.Option) and parameter.is_flag
            if not flag and path != "pks":
                yield path, str(parameter.name)


def invoke(path: str, name: str, value: str) -> tuple[int, str, click.Parameter]:
    """Run a command in this process, as far as it comes without a session."""
    from click.testing import CliRunner

    command = dict(commands())[path]
    wanted = next(one for one in command.params if one.name == name)
    words = [*path.split(), *line(command, wanted, value)]
    done = CliRunner().invoke(vcd_program, ["cse", *words])
    return done.exit_code, done.output, wanted


@pytest.mark.parametrize(("path", "name"), sorted(parameters()))
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_is_wrong_usage(
    path: str, name: str, value: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, output, parameter = invoke(path, name, value)
    said = output + capfd.readouterr().err
    assert code == 2, said
    assert name_of(parameter) in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("path", "name"), sorted(parameters()))
@pytest.mark.parametrize("value", ["x" * 5000, "a\nb", "\x1b[2J", "\udcff"])
def test_what_cannot_be_meant_is_wrong_usage(
    path: str, name: str, value: str, capfd: pytest.CaptureFixture[str]
) -> None:
    command = dict(commands())[path]
    parameter = next(one for one in command.params if one.name == name)
    if len(value) < 100 and ("FILE" in (parameter.metavar or "") or name == "file"):
        pytest.skip("a file may be called that")
    code, output, _parameter = invoke(path, name, value)
    assert code == 2, output + capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["cluster", "config", "demo", "--user", ""], "--user"),
        (
            ["cluster", "grant", "demo", "--user", "a", "--role", "edit", "--namespace", ""],
            "--namespace",
        ),
        (["cluster", "revoke", "demo", "--user", "a", "--namespace", " "], "--namespace"),
        (["cluster", "config", "demo", "--user", "a", "--group", ""], "--group"),
        (["cluster", "list", "--vdc", ""], "--vdc"),
        (["cluster", "list", "--org", ""], "--org"),
        (["cluster", "delete", "demo", "--yes", "--kubeconfig", ""], "--kubeconfig"),
    ],
)
def test_the_installed_program_names_the_option(vcd: Run, words: list[str], option: str) -> None:
    result = vcd("-j", "cse", *words)
    assert result.code == 2
    what = "empty" if words[-1] == "" else "blank"
    assert result.err == (
        f"Error: The value of {option} is {what}.\n"
        "Hint: Specify a value (a shell variable may not be set), or omit the option.\n"
    )
    assert json.loads(result.out)["exit_code"] == 2


@pytest.mark.parametrize(
    "words",
    [["list", "-o", ""], ["list", "-o "], ["apply", "-o", " "], ["apply", "--output="]],
)
def test_an_empty_output_is_not_taken_for_an_organization_or_a_file(
    vcd: Run, words: list[str]
) -> None:
    result = vcd("cse", "cluster", *words)
    assert (result.code, result.out) == (2, "")
    assert "Invalid value for '-o' / '--output': '" in result.err


@pytest.mark.parametrize("typed", [["-o", "json"], ["-oYAML"], ["--output=name"]])
@pytest.mark.parametrize("command", ["backup", "config"])
def test_a_format_is_not_taken_for_a_file(vcd: Run, command: str, typed: list[str]) -> None:
    result = vcd("cse", "cluster", command, "demo", *typed)
    value = typed[-1].replace("--output=", "").replace("-o", "")
    assert result == (
        *(2, ""),
        f"Error: -o is the file to write for this command, and '{value}' is an output format.\n"
        "Hint: To get JSON, begin with `cse -j`. To write a file with this name, use"
        f" -o ./{value}.\n",
    )


@pytest.mark.parametrize("nodes", [",", " , ", "a,,b", "a,"])
def test_an_empty_name_in_a_list(vcd: Run, nodes: str) -> None:
    result = vcd("cse", "cluster", "resize", "demo", "-N", "1", "--nodes-to-remove", nodes)
    assert (result.code, result.out) == (2, "")
    assert "--nodes-to-remove" in result.err


def test_an_empty_variable_counts_as_unset(vcd: Run) -> None:
    result = vcd("cse", "version", env={"CSE_ENGINE": "", "CSE_ADDON_MIRROR": ""})
    assert result.code == 0


@pytest.mark.parametrize("option", ["--user", "--group"])
@pytest.mark.parametrize("name", ["a" * 65, "\u00e9" * 33, "\u00e9" * 40, "\U0001f600" * 17])
def test_a_name_that_no_certificate_holds(vcd: Run, option: str, name: str) -> None:
    words = [option, name] if option == "--user" else ["--user", "a", option, name]
    result = vcd("cse", "cluster", "config", "demo", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"Error: The name of the {option[2:]} is too long: a certificate allows 64 bytes, and it"
        f" has {len(name.encode())}.\n"
    )


@pytest.mark.parametrize("name", ["a" * 64, "\u00e9" * 32, "\U0001f600" * 16])
def test_a_name_that_a_certificate_holds(vcd: Run, name: str) -> None:
    result = vcd("cse", "cluster", "config", "demo", "--user", name)
    assert (result.code, result.out) == (4, "")
    assert result.err.startswith("Error: You are not logged in.")
