"""What is asked on a terminal instead of refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import CSE, Workstation, clean_environment
from tests.support.simulator import Cloud, Login
from tests.support.terminal import on_terminal

NAME = "asked"
FAILED, WRONG, NOT_FOUND, REFUSED, INTERRUPTED = 1, 2, 3, 4, 5
CREATE = [CSE, "cluster", "create", "asked", "--dry-run"]


def test_a_network_is_chosen_by_number_or_name(
    logged_in: Path, environment: dict[str, str], nothing_created: None
) -> None:
    shown = on_terminal(
        logged_in,
        CREATE,
        ("Network for the nodes: ", "nix"),
        ("Network for the nodes: ", "net3"),
        environment=environment,
    )
    assert "Networks of VDC vdc1:\n" in shown.out
    assert "  1  net1  routed, " in shown.out
    assert "net4" not in shown.out
    assert "'nix' is not in the list.\n" in shown.out
    assert "To skip this question: --network net3\n" in shown.out
    assert "'asked'" in shown.out or "asked" in shown.out.splitlines()[-1]
    assert shown.code == 0, shown.out


def test_no_question_while_something_else_is_wrong(
    logged_in: Path, environment: dict[str, str]
) -> None:
    shown = on_terminal(logged_in, [*CREATE, "--nodes", "-1"], environment=environment)
    assert shown.code == 2
    assert "Network for the nodes" not in shown.out


def test_ctrl_c_at_the_question(logged_in: Path, environment: dict[str, str]) -> None:
    shown = on_terminal(
        logged_in, CREATE, ("Network for the nodes: ", "\x03"), environment=environment
    )
    assert shown.code == 5
    assert "Traceback" not in shown.out
    assert re.search(r"\^C\n\S*Error:\S* Interrupted; nothing was changed\.\n", shown.out)


@pytest.fixture(scope="module")
def station(
    cloud: Cloud, login: Login, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workstation]:
    """Somebody with a protected cluster of two nodes."""
    if not cloud.others:
        pytest.skip("needs a simulator")
    home = tmp_path_factory.mktemp("asked")
    (home / ".vcd-cli").mkdir()
    login.put_into(home)
    station = Workstation(home, {**clean_environment(home), **cloud.environment()})
    station.cse("cluster", "create", NAME, "-n", "net1", "-N", "1", "--vip", "none").checked()
    station.cse("cluster", "protect", NAME).checked()
    (home / "other.backup").write_text("age-encryption.org/v1\n")
    yield station
    station.cse("cluster", "unprotect", NAME).checked()
    station.cse("cluster", "delete", NAME, "--yes").checked()


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("cluster", "delete", NAME), REFUSED, "is protected against deletion"),
        (("cluster", "delete", "nowhere"), NOT_FOUND, "'nowhere'"),
        (("cluster", "create", NAME), FAILED, "already exists"),
        (("cluster", "upgrade", NAME, "--roll-back"), REFUSED, "there is nothing to roll back"),
        (("cluster", "restore", NAME, "no.backup"), WRONG, "No such file"),
        (("cluster", "restore", NAME, "other.backup"), WRONG, "encrypted with a public key"),
        (("cluster", "backup", NAME, "-o", "other.backup"), FAILED, "other.backup"),
        (("cluster", "stop", "nowhere"), NOT_FOUND, "'nowhere'"),
        (("cluster", "renew", "nowhere"), NOT_FOUND, "'nowhere'"),
        (("pool", "delete", NAME, "default"), REFUSED, "is the only worker pool"),
        (("pool", "upgrade", NAME, "nope"), NOT_FOUND, "nope"),
        (("node", "delete", NAME, "node-none"), NOT_FOUND, "node-none"),
        (("template", "delete", "nope"), NOT_FOUND, "nope"),
        (("addon", "remove", NAME, "metallb"), NOT_FOUND, "was not installed"),
        (("system", "stop"), WRONG, "requires a CSE server"),
    ],
)
def test_what_will_be_refused_is_not_asked(
    station: Workstation, words: tuple[str, ...], code: int, text: str
) -> None:
    shown = on_terminal(station.home, [CSE, *words], environment=station.environment)
    assert (shown.code, "[y/N]" in shown.out, "assphrase f" in shown.out) == (code, False, False)
    assert text in shown.out


def test_an_unfinished_cluster_has_its_network(station: Workstation) -> None:
    station.cse("-n", "cluster", "create", "half", "-n", "net1", "-N", "0").checked()
    words = [CSE, "cluster", "create", "half", "-N", "0"]
    shown = on_terminal(station.home, words, environment=station.environment)
    station.cse("cluster", "delete", "half", "--yes").checked()
    assert (shown.code, "Network for the nodes" in shown.out) == (0, False), shown.out


def test_what_has_nothing_to_do_is_not_asked(station: Workstation) -> None:
    words = [CSE, "pool", "upgrade", NAME, "default"]
    shown = on_terminal(station.home, words, environment=station.environment)
    assert (shown.code, "[y/N]" in shown.out) == (0, False), shown.out
    assert shown.out.count("nothing was changed") == 1
    assert f"Pool default of cluster {NAME} is already upgraded.\n" in shown.out


@pytest.mark.parametrize(
    ("typed", "code", "end"),
    [
        ("n", FAILED, "[y/N]: n\nError: Nothing was deleted.\n"),
        ("\x03", INTERRUPTED, "[y/N]: ^C\nError: Interrupted; nothing was changed.\n"),
        ("\x04", INTERRUPTED, "[y/N]: \nError: Interrupted; nothing was changed.\n"),
    ],
)
def test_answers_that_change_nothing(station: Workstation, typed: str, code: int, end: str) -> None:
    worker = next(
        line.split()[0]
        for line in station.cse("node", "list", NAME).out.splitlines()
        if line.startswith("node-")
    )
    shown = on_terminal(
        station.home,
        [CSE, "node", "delete", NAME, worker],
        ("[y/N]: ", typed),
        environment={**station.environment, "NO_COLOR": "1"},
    )
    assert f"Delete {worker} and its VM? [y/N]: " in shown.out
    assert (shown.code, shown.out.endswith(end)) == (code, True), shown.out
