"""Which way an upgrade in place goes, whatever it finds: on, back, or neither."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, cast

import pytest

from cse_client.engines.direct.in_place_record import (
    BEGUN,
    FINAL,
    UpgradeRecord,
    no_record,
    read_record,
)
from cse_client.engines.direct.operations import upgrade_backup
from cse_client.engines.direct.operations.in_place import control_plane
from cse_client.engines.direct.operations.in_place.forward import InPlaceTarget
from cse_client.engines.direct.operations.in_place.upgrade import InPlaceUpgrade
from cse_client.errors import ClusterUnreachable, Conflict, CseError, Refused, TaskFailed, TimedOut
from cse_client.guest import later
from cse_client.model import RunOptions, Vm, silent
from cse_client.model.cloud import SnapshotState
from cse_client.model.templates import DEFAULT_SOURCE
from cse_client.vcd.tasks import Task
from tests.support import direct
from tests.support.clock import FakeClock

HEAD = "mstr-ab12"
OLD, NEW = "1.36.3", "1.37.2"
SOURCE = "https://pkgs.k8s.io/core:/stable:"
ON, OFF = "POWERED_ON", "POWERED_OFF"
RECORD = UpgradeRecord(HEAD, OLD, NEW, SOURCE, "upgrade-1f2e3d4c")
DONE = Task("https://vcd.example/api/task/1", "success")


def script_of(task: str) -> str:
    return f"#!/bin/bash\n# cse-client task {task}\nTASK\n# cse-client task end\nexit 0\n"


PLAIN = "#!/bin/bash\nexit 0\n"


@dataclass
class FakeVcd:
    """A VCD with one VM. `disk` is what runs; a forced start with a task upgrades it."""

    clock: FakeClock
    metadata: dict[str, str]
    script: str = PLAIN
    on: bool = True
    disk: str = OLD
    snapshot: str = ""
    reports: dict[str, str] = field(default_factory=dict)
    #: What a task does on the node: its report, and the version that runs then.
    ends: tuple[str, str] = ("ready", NEW)
    fails: dict[str, CseError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def does(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise self.fails[name]

    def vm(self, href: str) -> Vm:
        return Vm(HEAD, href, ON if self.on else OFF, deployed=self.on, guestinfo=self.reports)

    def customization_script(self, _href: str) -> str:
        return self.script

    def write_customization_script(self, _href: str, script: str) -> Task:
        self.does("write script")
        self.script = script
        return DONE

    @property
    def snapshots(self) -> FakeSnapshots:
        return FakeSnapshots(self)

    def undeploy(self, _href: str, _action: str = "") -> Task:
        self.does("stop")
        self.on = False
        return DONE

    def deploy(self, _href: str, force: bool = False) -> Task:
        self.does("start")
        self.on = True
        task = self.script.partition("# cse-client task ")[2].partition("\n")[0]
        if force and task:
            status, self.disk = self.ends
            self.reports = {
                "guestinfo.cse.task-id": f"{task} {HEAD}",
                "guestinfo.cse.task-status": status,
                "guestinfo.cse.task-phase": "apply",
            }
        return DONE

    def write_metadata(self, _href: str, values: dict[str, str]) -> Task:
        record = read_record(values)
        self.does(f"record {record.phase if record is not None else 'nothing'}")
        self.metadata.update(values)
        return DONE


@dataclass
class FakeSnapshots:
    """The snapshot of that VM."""

    vcd: FakeVcd

    def state(self, _href: str) -> SnapshotState:
        created = datetime(2026, 1, 1, tzinfo=timezone.utc) if self.vcd.snapshot else None
        return SnapshotState(allowed=True, created=created)

    def create(self, _href: str, _name: str) -> Task:
        self.vcd.does("create snapshot")
        assert not self.vcd.on
        self.vcd.snapshot = self.vcd.disk
        return DONE

    def revert(self, _href: str) -> Task:
        self.vcd.does("revert")
        self.vcd.disk = self.vcd.snapshot
        return DONE

    def remove(self, _href: str) -> Task:
        self.vcd.does("remove snapshot")
        self.vcd.snapshot = ""
        return DONE


class World:
    """A cluster whose API serves what the VM's disk has, unless it is `unreachable`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.unreachable = False
        self.clock = FakeClock()
        self.vcd = FakeVcd(self.clock, dict(no_record()))
        # with scripts that are shorter than real ones
        monkeypatch.setattr(later, "with_upgrade", lambda _script, one: script_of(one.task))
        monkeypatch.setattr(control_plane, "unhealthy", self._unhealthy)
        monkeypatch.setattr(control_plane, "open_api", self._open_api)
        monkeypatch.setattr(upgrade_backup, "save", lambda _cluster, **_options: None)
        monkeypatch.setattr(upgrade_backup, "discard", lambda _cluster: None)
        monkeypatch.setattr(upgrade_backup, "restoring", lambda _cluster: "")

    def begun(self, record: UpgradeRecord, **found: object) -> None:
        self.vcd.metadata.update(record.metadata())
        for name, value in found.items():
            setattr(self.vcd, name, value)

    def upgrade(self, target: InPlaceTarget | None = None) -> InPlaceUpgrade:
        cluster = direct.existing(direct.vapp(HEAD), self.vcd.metadata)
        return InPlaceUpgrade(
            replace(cluster, vcd=cast(Any, self.vcd)),
            cast(Any, None),
            target or InPlaceTarget(NEW, SOURCE),
            RunOptions(timeout=7200),
            clock=self.clock,
            progress=silent,
        )

    def record(self) -> UpgradeRecord | None:
        return read_record(self.vcd.metadata)

    def _unhealthy(self, *args: Any, **_options: object) -> str:
        version = args[3]
        if self.unreachable or not self.vcd.on:
            return "no route"
        return "" if self.vcd.disk == version else f"the API server is of version {self.vcd.disk}"

    @contextmanager
    def _open_api(self, *_args: object, **_options: object) -> Iterator[Any]:
        if self.unreachable:
            raise ClusterUnreachable("No route.", reason="no route")
        yield FakeAPI(self.vcd)


@dataclass
class FakeAPI:
    """The API of the cluster."""

    vcd: FakeVcd

    def version(self) -> str:
        return f"v{self.vcd.disk}"

    def task_report(self, _node: str, _task: str) -> None:
        return None

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def failing(what: str) -> Callable[[World], None]:
    def set_up(world: World) -> None:
        world.vcd.fails[what] = TaskFailed("VCD failed.")

    return set_up


def failure(world: World) -> str:
    with pytest.raises(CseError) as failed:
        world.upgrade().run()
    return failed.value.message


@pytest.mark.parametrize("what", ["record final", "write script", "remove snapshot"])
def test_what_is_proven_is_never_reverted(world: World, what: str) -> None:
    world.begun(RECORD, script=script_of(RECORD.task), on=False, snapshot=OLD)
    failing(what)(world)
    with pytest.raises(TaskFailed) as failed:
        world.upgrade().run()
    assert failed.value.notes == [f"Kubernetes {NEW} serves."]
    assert (world.vcd.disk, world.vcd.on, "revert" in world.vcd.calls) == (NEW, True, False)
    assert world.record() == replace(RECORD, phase=BEGUN if what == "record final" else FINAL)
    world.vcd.fails.clear()
    world.upgrade().run()
    assert (world.vcd.disk, world.vcd.snapshot, world.record()) == (NEW, "", None)


def test_a_snapshot_from_before_a_start_is_replaced(world: World) -> None:
    world.begun(RECORD, snapshot="stale", ends=("failed", "broken"))
    assert "was rolled back" in failure(world)
    assert (world.vcd.disk, world.vcd.snapshot, world.record()) == (OLD, "", None)


@pytest.mark.parametrize("what", ["stop", "create snapshot"])
def test_a_snapshot_from_before_a_start_is_not_reverted_to(world: World, what: str) -> None:
    world.begun(RECORD, snapshot="stale")
    failing(what)(world)
    assert "was rolled back" in failure(world)
    assert (world.vcd.disk, world.vcd.on, world.record()) == (OLD, True, None)


@pytest.mark.parametrize("what", ["", "create snapshot"])
def test_a_vm_that_was_started_without_its_task_gets_it(world: World, what: str) -> None:
    world.begun(RECORD, script=script_of(RECORD.task), on=True, snapshot="stale")
    if not what:
        world.upgrade().run()
        assert (world.vcd.disk, world.vcd.snapshot, world.record()) == (NEW, "", None)
        return
    failing(what)(world)
    assert "was rolled back" in failure(world)
    assert (world.vcd.disk, world.vcd.on, world.record()) == (OLD, True, None)


def test_a_node_that_is_ready_and_out_of_reach_is_not_reverted(world: World) -> None:
    world.begun(RECORD, script=script_of(RECORD.task), on=False, snapshot=OLD)
    world.unreachable = True
    with pytest.raises(TimedOut, match="cannot be reached from here") as late:
        world.upgrade().run()
    assert "Run the same command again to resume." in late.value.hint
    assert (world.vcd.disk, world.record()) == (NEW, RECORD)
    world.unreachable = False
    world.upgrade().run()
    assert world.record() is None


MIRROR = "https://mirror.example.com/k8s"
WITHOUT = replace(RECORD, snapshot=False)
BY_DEFAULT = InPlaceTarget(NEW, "", rollback=False)
BY_MIRROR = InPlaceTarget(NEW, MIRROR, rollback=False)


def failed_task(world: World, record: UpgradeRecord) -> None:
    reports = {
        "guestinfo.cse.task-id": f"{record.task} {HEAD}",
        "guestinfo.cse.task-status": "failed",
        "guestinfo.cse.task-phase": "source",
    }
    world.begun(record, script=script_of(record.task), reports=reports)


@pytest.mark.parametrize("target", [BY_DEFAULT, BY_MIRROR])
def test_without_a_snapshot_a_failed_task_is_followed_by_another(
    world: World, target: InPlaceTarget
) -> None:
    failed_task(world, WITHOUT)
    world.vcd.ends = ("failed", OLD)
    upgrade = world.upgrade(target)
    upgrade.check()
    with pytest.raises(CseError, match="failed in phase 'apply'"):
        upgrade.run()
    record = world.record()
    assert record is not None
    assert record == replace(
        WITHOUT, task=record.task, source=target.package_source or DEFAULT_SOURCE
    )
    assert record.task != WITHOUT.task
    assert world.vcd.script == script_of(record.task)
    world.vcd.ends = ("ready", NEW)
    world.upgrade(target).run()
    assert (world.vcd.disk, world.record()) == (NEW, None)


def test_a_node_that_serves_is_upgraded_whatever_it_reported(world: World) -> None:
    failed_task(world, WITHOUT)
    world.vcd.disk = NEW
    world.upgrade(BY_DEFAULT).run()
    assert (world.vcd.on, world.record(), "start" in world.vcd.calls) == (True, None, False)


@pytest.mark.parametrize(
    ("record", "target", "error", "hint"),
    [
        (RECORD, InPlaceTarget(NEW, ""), "", ""),
        (RECORD, InPlaceTarget(NEW, SOURCE), "", ""),
        (RECORD, InPlaceTarget(NEW, MIRROR), "is not finished", "with the same options"),
        (WITHOUT, BY_MIRROR, "is not finished", "with the same options"),
        (replace(RECORD, source=MIRROR), InPlaceTarget(NEW, MIRROR), "", ""),
        (
            replace(RECORD, source=MIRROR),
            InPlaceTarget(NEW, ""),
            f"with the packages of {MIRROR} is not finished",
            f"cse cluster upgrade demo --package-source {MIRROR}",
        ),
        (
            replace(RECORD, source="http://x/\x1b[1m'; reboot"),
            InPlaceTarget(NEW, ""),
            "is not finished",
            "cse cluster upgrade demo --package-source 'http",
        ),
        (
            replace(RECORD, source=MIRROR, phase=FINAL),
            InPlaceTarget(NEW, ""),
            f"with the packages of {MIRROR} is not finished",
            f"cse cluster upgrade demo --package-source {MIRROR}",
        ),
        (replace(RECORD, version="1.37.9"), InPlaceTarget(NEW, ""), "1.37.9", "--roll-back"),
        (
            replace(RECORD, version="1.37.9", phase=FINAL),
            InPlaceTarget(NEW, ""),
            "1.37.9",
            "--roll-back",
        ),
    ],
)
def test_what_is_recorded_chooses_nothing(
    world: World, record: UpgradeRecord, target: InPlaceTarget, error: str, hint: str
) -> None:
    world.begun(record)
    for ask in (world.upgrade(target).check, world.upgrade(target).steps):
        if not error:
            ask()
            continue
        with pytest.raises(Conflict, match=error) as refused:
            ask()
        assert hint in refused.value.hint
        assert refused.value.hint.isprintable()


def test_of_what_is_final_the_packages_do_not_matter(world: World) -> None:
    world.begun(replace(RECORD, source=MIRROR, phase=FINAL), disk=NEW)
    world.upgrade(InPlaceTarget(NEW, "")).check()


def test_a_record_that_only_says_final_does_not_end_an_upgrade(world: World) -> None:
    world.begun(replace(RECORD, phase=FINAL))
    assert not world.upgrade().is_past_return()
    world.upgrade().run()
    assert (world.vcd.disk, world.record(), "create snapshot" in world.vcd.calls) == (
        *(NEW, None),
        True,
    )


def test_what_is_recorded_as_final_is_not_begun_again_out_of_reach(world: World) -> None:
    final = replace(RECORD, phase=FINAL)
    world.begun(final, disk=NEW, snapshot=OLD)
    world.unreachable = True
    with pytest.raises(TimedOut, match="recorded as done, but its API cannot be reached"):
        world.upgrade().run()
    assert (world.vcd.calls, world.record()) == ([], final)
    world.unreachable = False
    world.upgrade().run()
    assert (world.vcd.calls, world.record()) == (["remove snapshot", "record nothing"], None)


def test_what_is_recorded_as_final_and_is_off_is_upgraded_again(world: World) -> None:
    world.begun(replace(RECORD, phase=FINAL), disk=NEW, on=False)
    world.upgrade().run()
    assert (world.vcd.on, world.vcd.disk, world.record()) == (True, NEW, None)


def test_a_snapshot_that_goes_with_the_record_is_named(world: World) -> None:
    world.begun(RECORD, snapshot=OLD)
    named = "and remove its snapshot of 2026-01-01 00:00 UTC and the record of the upgrade."
    assert world.upgrade().plan_roll_back() == [f"Check that {HEAD} serves, {named}"]
    world.begun(RECORD, snapshot="")
    left = f"Check that {HEAD} serves, and remove the record of the upgrade."
    assert world.upgrade().plan_roll_back() == [left]


@pytest.mark.parametrize("phase", [BEGUN, FINAL])
def test_what_does_not_serve_yet_can_be_rolled_back(world: World, phase: str) -> None:
    script = script_of(RECORD.task)
    world.begun(replace(RECORD, phase=phase), script=script, snapshot=OLD, disk="broken", on=False)
    assert world.upgrade().plan_roll_back()[0].startswith(f"Revert {HEAD} to its snapshot")
    world.upgrade().roll_back()
    assert (world.vcd.disk, world.vcd.snapshot, world.record()) == (OLD, "", None)


def test_what_serves_for_good_is_not_rolled_back(world: World) -> None:
    world.begun(replace(RECORD, phase=FINAL), script=script_of(RECORD.task), disk=NEW, snapshot=OLD)
    for way in (world.upgrade().plan_roll_back, world.upgrade().roll_back):
        with pytest.raises(Refused, match="it has succeeded"):
            way()
    assert world.vcd.calls == []


def test_a_way_back_without_a_snapshot_is_refused(world: World) -> None:
    world.begun(RECORD, script=script_of(RECORD.task), disk="broken")
    for way in (world.upgrade().plan_roll_back, world.upgrade().roll_back):
        with pytest.raises(Refused, match="no snapshot to go back to"):
            way()


def test_a_record_of_another_version_before_is_not_waited_for(world: World) -> None:
    world.begun(replace(RECORD, before="1.30.1"))
    began = world.clock.monotonic()
    world.upgrade().roll_back()
    assert (world.record(), world.clock.monotonic() - began < 10) == (None, True)


def test_an_upgrade_that_is_over_does_not_stop_the_next(world: World) -> None:
    world.begun(replace(RECORD, phase=FINAL), disk=NEW)
    after = "1.37.5"
    world.vcd.ends = ("ready", after)
    upgrade = world.upgrade(InPlaceTarget(after, SOURCE))
    upgrade.check()
    upgrade.run()
    assert (world.vcd.disk, world.record()) == (after, None)


@pytest.mark.parametrize(
    ("phase", "found", "done", "left"),
    [
        ("", {"disk": OLD}, "", "Save a backup"),
        ("", {"disk": NEW}, f"The control plane {HEAD} has Kubernetes {NEW}.", ""),
        (BEGUN, {}, "Save a backup", f"Shut down {HEAD}"),
        (BEGUN, {"script": script_of(RECORD.task)}, "Save a backup", f"Upgrade {HEAD} to"),
        (FINAL, {"disk": NEW}, f"The control plane {HEAD} has", "Remove what was kept"),
        (FINAL, {"disk": OLD}, "Save a backup", f"Shut down {HEAD}"),
        ("back", {"script": script_of(RECORD.task), "snapshot": OLD}, "", f"Revert {HEAD}"),
    ],
)
def test_what_is_done_and_what_is_left(
    world: World, phase: str, found: dict[str, object], done: str, left: str
) -> None:
    if phase:
        world.begun(replace(RECORD, phase=phase), **found)
    else:
        world.vcd.disk = str(found["disk"])
    shown = world.upgrade().progress()
    firsts = [next(iter(sentences), "") for sentences in shown]
    assert [one.startswith(text) for one, text in zip(firsts, (done, left))] == [True, True], shown
    assert [bool(one) for one in firsts] == [bool(done), bool(left)]


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("# cse-client control-plane script, format 1\n", "longer than the 16384 bytes"),
        ("", "is not this client's"),
    ],
)
def test_a_script_that_cannot_have_the_task_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, header: str, why: str
) -> None:
    monkeypatch.setattr(later, "with_upgrade", lambda *_: None)
    world.vcd.script = f"#!/bin/bash\n{header}exit 0\n"
    with pytest.raises(Refused, match=why):
        world.upgrade().check()
