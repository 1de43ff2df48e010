"""Kill or interrupt the client during backup, restore and renewal; the same command finishes it."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from tests.support.output import lasting
from tests.sweeps.kills import FULL, Kill, Tried, differences
from tests.sweeps.stage import NAME, Stage, places

CONFIG_MAP = "kept"
PHASES = (
    "Remove the old control plane",
    "Create the control plane VM",
    "Send etcd's snapshot",
    "is Ready",
    "Wait until all nodes are Ready",
)


@pytest.fixture(scope="module")
def saved(stage: Stage) -> Iterator[Stage]:
    """A cluster with an object, and a backup of both."""
    from pyrage import x25519

    ours = x25519.Identity.generate()
    (stage.home / "key").write_text(str(ours))
    (stage.home / "public").write_text(str(ours.to_public()))
    stage.reach(1)
    assert stage.run(("cluster", "config", NAME, "--save")).code == 0
    made = kubectl(stage, "create", "configmap", CONFIG_MAP)
    assert made.returncode == 0, made.stderr
    ended = stage.run(backup(stage, "saved"))
    assert ended.code == 0, ended.err
    yield stage
    stage.reach(None)


def some(requests: int) -> list[int]:
    """Return the requests after which the client is killed: all, or one of them."""
    found = list(places(requests))
    return found if FULL else found[-1:]


def kubectl(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**stage.environment, "HOME": str(stage.home)}
    return subprocess.run(
        ["kubectl", *words], env=environment, capture_output=True, text=True, check=False
    )


def backup(stage: Stage, file: str) -> tuple[str, ...]:
    to = ("--recipient", (stage.home / "public").read_text())
    return ("cluster", "backup", NAME, "-o", file, *to)


RESTORE = ("cluster", "restore", NAME, "saved", "--identity", "key", "--yes")
RENEW = ("cluster", "renew", NAME, "--yes")


def is_whole(stage: Stage) -> bool:
    """Return whether the object of the backup is there, and nothing of a restore is going on."""
    vapp = stage.control.get("state")["vapps"][NAME]
    assert "cse-client task" not in str(lasting(vapp["metadata"]))
    found = kubectl(stage, "get", "configmap", CONFIG_MAP)
    assert found.returncode == 0, found.stderr
    return bool(vapp["metadata"].get("GENERAL:cse.client.restore", "-") == "-")


@pytest.mark.timeout(5400 if FULL else 400)
@pytest.mark.parametrize("words", [RESTORE, RENEW], ids=["restore", "renew"])
def test_every_crash_converges(
    saved: Stage, words: Sequence[str], record_property: Callable[[str, object], None]
) -> None:
    ended, kills = saved.kills(words)
    assert ended.code == 0, ended.err
    wanted = saved.world()

    def attempt(kill: Kill) -> bool:
        crashed = saved.killed_at(words, kill)
        if crashed.killed:
            again = saved.run(words)
            assert again.code == 0, again.err
        assert not differences(saved.world(), wanted)
        assert is_whole(saved)
        return crashed.killed

    tried = Tried(f"cluster {words[1]}", kills)
    tried.each(attempt, lambda: None)
    tried.judge(record_property)


@pytest.mark.timeout(3600 if FULL else 300)
def test_a_killed_backup_leaves_no_file(
    saved: Stage, record_property: Callable[[str, object], None]
) -> None:
    before = saved.world()
    ended, requests = saved.counted(backup(saved, "first"))
    assert ended.code == 0, ended.err
    for number in some(requests):
        file = saved.home / f"killed-{number}"
        crashed = saved.killed_after(backup(saved, file.name), number)
        if crashed.killed:
            assert not file.exists()
            again = saved.run(backup(saved, file.name))
            assert again.code == 0, (number, again.err)
        assert file.stat().st_mode & 0o777 == 0o600
    assert saved.world() == before
    record_property("sweep", ("cluster backup", "killed", requests, 0, 0))


@pytest.mark.skipif(not FULL, reason="part of `make sweep`")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("phase", PHASES)
def test_an_interrupted_restore_is_resumed(saved: Stage, phase: str) -> None:
    said = []
    with saved.start(RESTORE) as process:
        killer = threading.Timer(240, process.kill)
        killer.start()
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line.decode())
            if phase in said[-1]:
                process.send_signal(signal.SIGINT)
                break
        said.append(process.stderr.read().decode())
        code = process.wait()
        killer.cancel()
    text = "".join(said)
    assert code == 5, text
    assert f"Interrupted; cluster '{NAME}' is not restored yet." in text
    assert "Hint: Run the same command again to resume." in text
    again = saved.run(RESTORE)
    assert again.code == 0, again.err
    assert is_whole(saved)
