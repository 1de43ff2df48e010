from __future__ import annotations

import runpy
import sys
from collections.abc import Callable

import pytest

from cse_client.command_table import COMMANDS, GROUPS
from tests.support.programs import ROOT, Result

HEAVY = {"cryptography", "lightkube", "httpx", "httpx2", "asyncio"}

LOADED = """
import sys
import vcd_cli.vcd
before = set(sys.modules)
import cse_client.cse
{body}
print("\\n".join(sorted(set(sys.modules) - before)))
"""


@pytest.fixture
def loaded(run: Callable[..., Result], home: object) -> Callable[[str], list[str]]:
    """Return the modules that loading the extension (and what `body` does) brings with it."""

    def modules(body: str = "") -> list[str]:
        # no extension in the profile: vcd_cli.vcd would load ours at once
        (home / ".vcd-cli" / "profiles.yaml").write_text("active: null\n")  # type: ignore[operator]
        done = run(sys.executable, "-c", LOADED.format(body=body))
        assert done.code == 0, done.err
        return done.out.split()

    return modules


def test_loading_the_extension_imports_nothing_else(loaded: Callable[[str], list[str]]) -> None:
    assert loaded("") == [
        "cse_client",
        "cse_client.command_table",
        "cse_client.commands",
        "cse_client.cse",
    ]


@pytest.mark.parametrize("words", [["-h"], ["cluster", "-h"], ["cluster"], ["template"]])
def test_help_imports_no_command(loaded: Callable[[str], list[str]], words: list[str]) -> None:
    body = (
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    cse_client.cse.cse.main({words!r}, prog_name='vcd cse')"
    )
    assert [name for name in loaded(body) if name.startswith("cse_client.cli")] == []


def test_a_commands_help_imports_nothing_heavy(loaded: Callable[[str], list[str]]) -> None:
    body = (
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    cse_client.cse.cse.main(['cluster', 'create', '-h'], prog_name='vcd cse')"
    )
    modules = loaded(body)
    assert "cse_client.cli.commands.cluster.create" in modules
    assert {name.partition(".")[0] for name in modules} & HEAVY == set()
    assert [name for name in modules if name.startswith("cse_client.engines")] == []


#: How many commands the tables hold, counted without importing any of them.
TABLED = len(COMMANDS) + sum(len(table) for _help, table in GROUPS.values())


def test_the_table_says_what_the_commands_say(run: Callable[..., Result]) -> None:
    body = (
        "import click\n"
        "from cse_client.command_table import COMMANDS, GROUPS\n"
        "from cse_client.commands import cse\n"
        "context = click.Context(cse)\n"
        "tables = [(cse, COMMANDS)]\n"
        "for path, (_, table) in GROUPS.items():\n"
        "    group = cse\n"
        "    for step in path.split():\n"
        "        group = group.get_command(context, step)\n"
        "    tables.append((group, table))\n"
        "for group, table in tables:\n"
        "    for name, (module, line) in table.items():\n"
        "        command = group.get_command(context, name)\n"
        "        assert command.name == name, name\n"
        "        assert command.help.splitlines()[0] == line, (name, command.help)\n"
        "print('checked', sum(len(table) for _, table in tables))\n"
    )
    done = run(sys.executable, "-c", body)
    assert done.code == 0, done.err
    assert int(done.out.replace("checked ", "")) == TABLED


@pytest.mark.parametrize("words", [["cse"], ["cse", "cluster"], ["cse", "system"]])
def test_a_bare_group_prints_its_help(vcd: Callable[..., Result], words: list[str]) -> None:
    bare, asked = vcd(*words), vcd(*words, "-h")
    assert (bare.code, bare.err) == (0, "")
    assert bare.out == asked.out
    assert bare.out.startswith(f"Usage: vcd {' '.join(words)} [OPTIONS] COMMAND [ARGS]...\n")


def test_an_unknown_command(vcd: Callable[..., Result]) -> None:
    result = vcd("cse", "clutser")
    assert result.code == 2
    assert "No such command 'clutser'." in result.err


def test_vcd_knows_the_group(vcd: Callable[..., Result]) -> None:
    assert "  cse " in vcd("-h").out


def test_the_command_reference_is_up_to_date(
    run: Callable[..., Result],
) -> None:
    done = run(sys.executable, str(ROOT / "docs" / "cli.py"), "--check")
    assert (done.code, done.err) == (0, ""), "run `make docs`"


def test_the_version_is_read_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    import setuptools

    import cse_client

    seen: dict[str, object] = {}
    monkeypatch.setattr(setuptools, "setup", seen.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    assert seen["version"] == cse_client.__version__
    requirements = seen["install_requires"]
    assert isinstance(requirements, list)
    assert "setuptools>=78.1.1,<80.9" in requirements


@pytest.mark.parametrize("words", [[], ["cluster", "list", "-v", "x"], ["ovdc", "info", "--help"]])
def test_the_former_group_for_pks(vcd: Callable[..., Result], words: list[str]) -> None:
    result = vcd("cse", "pks", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Error: vcd cse pks is not supported: Enterprise PKS has reached")
    assert "pks" not in vcd("cse", "--help").out


@pytest.mark.parametrize("words", [("-o", "json"), ("-ojson",), ("-o", "yaml")])
def test_an_output_format_where_there_is_none(vcd: Callable[..., Result], words: list[str]) -> None:
    result = vcd("cse", "cluster", "stop", "demo", *words)
    assert (result.code, result.out) == (2, "")
    assert "Error: -o is the organization for this command" in result.err
    assert "To get JSON, begin with `vcd -j cse`." in result.err
    assert "not logged in" in vcd("cse", "cluster", "stop", "demo", "-y", "--org", "json").err
