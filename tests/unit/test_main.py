"""`python -m cse_client` reports what is missing and what to type, and changes nothing."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cse_client
from tests.support.programs import ROOT, VCD, Result

Run = Callable[..., Result]

#: Text of ~/.vcd-cli/profiles.yaml -> what the error says.
UNREADABLE = {
    "": "is empty or damaged",
    "text": "is empty or damaged",
    "[cse_client.cse]": "is empty or damaged",
    "extensions: cse_client.cse": "is empty or damaged",
    "extensions: [": "cannot be read",
    "a: b: c": "cannot be read",
    "a: *b": "cannot be read",
    "a: !!bool x": "cannot be read",
    "a: 2024-99-99": "cannot be read",
    "a: \x1b[31m": "cannot be read",
    "[" * 5000: "cannot be read",
    "#" * (1024 * 1024 + 1): "larger than 1 MiB",
}


@pytest.fixture
def profiles(home: Path) -> Path:
    return home / ".vcd-cli" / "profiles.yaml"


@pytest.fixture
def check(run: Run, home: Path) -> Callable[..., Result]:
    """Run the report; whatever it says, it is no traceback and leaves every file as it was."""

    def start(*words: str, program: tuple[str, ...] = ("-m", "cse_client"), **env: str) -> Result:
        before = files(home)
        result = run(sys.executable, *program, *words, env=env)
        assert "Traceback" not in result.err
        assert files(home) == before
        return result

    return start


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def hint(result: Result) -> str:
    assert result.code == 1
    error, step = result.err.splitlines()
    assert error.startswith("Error: ")
    assert step.startswith("Hint: ")
    return step.removeprefix("Hint: ")


def test_all_is_well(check: Run) -> None:
    result = check()
    assert result.code == 0
    assert result.err == ""
    first, second, *rest = result.out.splitlines()
    assert first.startswith(f"cse-client {cse_client.__version__}, Python 3.")
    assert second.startswith("vcd-cli 24.1")
    assert second.endswith(": vcd")
    assert rest == [
        "vcd-cli loads the extension cse_client.cse.",
        "Next:",
        "  vcd cse login HOST ORGANIZATION USER",
        "  vcd cse -h",
    ]


@pytest.mark.parametrize("text", [None, "active: default\n", "extensions:\n", "extensions: [x]"])
def test_the_hint_registers_the_extension(
    check: Run, run: Run, profiles: Path, text: str | None
) -> None:
    profiles.unlink()
    if text is not None:
        profiles.write_text(text)
    result = check()
    assert "vcd-cli does not load cse_client.cse" in result.err
    run(*shlex.split(hint(result)))
    assert check().code == 0


def test_two_extensions_define_the_command(check: Run, run: Run, profiles: Path) -> None:
    with profiles.open("a") as file:
        file.write("- container_service_extension.client.cse\n")
    result = check()
    assert "Two extensions define 'vcd cse'" in result.err
    run(*shlex.split(hint(result)), "--yes")
    assert check().code == 0


@pytest.mark.parametrize("text", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_damaged_profiles_file(check: Run, profiles: Path, text: str) -> None:
    profiles.write_text(text)
    result = check()
    assert "Correct ~/.vcd-cli/profiles.yaml or remove it" in hint(result)
    assert UNREADABLE[text] in result.err
    assert "\x1b" not in result.err


def test_a_profiles_file_that_is_a_folder(check: Run, profiles: Path) -> None:
    profiles.unlink()
    profiles.mkdir()
    assert "it is not a regular file" in check().err


def test_another_vcd_comes_first_on_path(check: Run, profiles: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy("/bin/true", other / "vcd")
    profiles.unlink()
    result = check(PATH=f"{other}:/usr/bin:/bin")
    assert hint(result) == f"{VCD} profile extension add cse_client.cse"


def test_without_vcd_cli(check: Run) -> None:
    result = check(program=("-S", "-m", "cse_client"), PYTHONPATH=str(ROOT))
    assert "vcd-cli is not installed in " in result.err
    assert "pip install ." in hint(result)


def test_a_setuptools_that_vcd_cli_cannot_use(check: Run) -> None:
    code = (
        "import runpy, sys; sys.modules['pkg_resources'] = None; "
        "sys.argv[1:] = []; runpy.run_module('cse_client', run_name='__main__')"
    )
    result = check(program=("-c", code))
    assert "vcd-cli needs pkg_resources" in result.err
    assert "pip install 'setuptools>=78.1.1,<80.9'" in hint(result)


def test_words_are_a_command_of_the_program(check: Run) -> None:
    shown = check("cluster", "-h")
    assert shown.code == 0
    assert shown.out.startswith("Usage: python -m cse_client cluster [OPTIONS] COMMAND")
    wrong = check("nothing")
    assert (wrong.code, wrong.out) == (2, "")
    assert "No such command 'nothing'." in wrong.err
    login = "python -m cse_client login HOST ORGANIZATION USER"
    assert check("cluster", "list").err.endswith(f"Hint: Log in: {login}\n")
