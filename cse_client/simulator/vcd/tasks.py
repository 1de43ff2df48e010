"""Tasks: states, holders, time, failure.

States as VCD has them: queued, preRunning, running, success, error, canceled, aborted. The text
of `operation` changes its tense when a task ends, and a failed task stays in its owner's `Tasks`
[recorded: vcloud-rest, tasks_get_tasks_list and rename_vm].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from cse_client.simulator.clock import Clock
from cse_client.simulator.states import Pace
from cse_client.simulator.vcd.errors import VcdError, bad_request, busy
from cse_client.simulator.vcd.people import User

__all__ = ["DURATIONS", "Doom", "Owner", "Task", "TaskBoard"]

_KEPT = timedelta(days=90)
_MOST_TASKS = 5000

#: Seconds that operations take on a VCD of middling size: estimates, not measurements.
DURATIONS = {
    "vdcComposeVapp": 8.0,
    "vdcInstantiateVapp": 45.0,
    "vdcRecomposeVapp": 45.0,
    "vdcDeleteVapp": 12.0,
    "vappDeploy": 15.0,
    "vappUndeployPowerOff": 10.0,
    "vappUpdateVm": 6.0,
    "metadataUpdate": 1.5,
}
_USUAL_SECONDS = 4.0

#: VMs are copied side by side, as many at a time as one ESXi host makes linked clones (16 units, 1
#: for each: VMware's performance blog, "vCenter Limits for Tasks Running at the Same Time", 2021);
#: linked clones are what an org VDC makes by default (VCD 10.5 Tenant Guide, "Fast provisioning").
#: The template's host is the bottleneck, however many hosts run the copies. What a batch takes is
#: an estimate.
_COPIES_AT_ONCE = 16
_BATCH_SECONDS = 10.0


class Owner(Protocol):
    """What a task may belong to or hold: any entity with tasks."""

    id: str
    name: str
    kind: str
    tasks: list[Task]


@dataclass(frozen=True)
class Doom:
    """A failure that a task is bound for.

    `status` is error, canceled or aborted; `keep` is how many VMs a composition leaves behind
    (None: it rolls everything back).
    """

    status: str = "error"
    error: VcdError = field(
        default_factory=lambda: VcdError(
            500,
            "INTERNAL_SERVER_ERROR",
            "Unable to perform this action. Contact your cloud administrator.",
        )
    )
    keep: int | None = None


@dataclass
class Task:
    """One asynchronous operation.

    `effect` is carried out when the task ends well; `regret` when it does not. `holds` are the
    entities that refuse other changes meanwhile. An effect that knows how to fail halfway looks
    at `doom` itself and says so by `fails_itself`. A `foreign` task is an extension service's,
    which alone says what it does and when it ends.
    """

    operation_name: str
    doing: str
    done: str
    owner: Owner
    owner_name: str
    user: User
    started: datetime
    effect: Callable[[Task], None]
    regret: Callable[[], None] | None = None
    holds: Sequence[Owner] = ()
    doom: Doom | None = None
    fails_itself: bool = False
    cancelable: bool = True
    foreign: bool = False
    #: It does not end by itself: its client has to send something first.
    waits: bool = False
    namespace: str = "com.vmware.vcloud"
    id: str = field(default_factory=lambda: str(uuid4()))
    status: str = "queued"
    ended: datetime | None = None
    error: VcdError | None = None
    progress: int = 0
    cancel_requested: bool = False
    polls_left: int = 0
    due: float = 0.0
    begun: float = 0.0

    @property
    def running(self) -> bool:
        """Whether the task has not ended."""
        return self.ended is None

    @property
    def operation(self) -> str:
        """The text shown: present tense while running, past afterwards."""
        return self.doing if self.running else self.done

    @property
    def expires(self) -> datetime:
        """When VCD forgets the task."""
        return self.started + _KEPT


class TaskBoard:
    """All tasks, and when they end."""

    def __init__(self, clock: Clock, pace: Pace) -> None:
        self.pace = pace
        self.all: dict[str, Task] = {}
        self.running: list[Task] = []
        self._fresh: list[Task] = []
        #: Asked for each new task; returns how it fails, or None.
        self.judge: Callable[[str, str], Doom | None] = lambda _operation, _name: None
        self._clock = clock

    def refuse_if_busy(self, *entities: Owner) -> None:
        """Raise BUSY_ENTITY when one of the entities is held by a running task.

        A refusal counts as a look at the task, so that a client that backs off gets on.
        """
        for task in list(self.running):
            for held in task.holds:
                if any(held is entity for entity in entities):
                    self.look(task)
                    raise busy(held.kind, held.id, _constant(task.operation_name), task.id)

    def is_busy(self, entity: Owner) -> bool:
        """Return whether a running task holds the entity."""
        return any(held is entity for task in self.running for held in task.holds)

    def start(
        self,
        operation_name: str,
        texts: tuple[str, str],
        owner: Owner,
        user: User,
        effect: Callable[[Task], None],
        *,
        holds: Sequence[Owner] = (),
        owner_name: str | None = None,
        regret: Callable[[], None] | None = None,
        fails_itself: bool = False,
        amount: int = 1,
        lasts_as: str = "",
    ) -> Task:
        """Begin a task.

        `texts` are the operation's two tenses; `amount` is how many VMs it copies, of which its
        usual duration, or that of the operation `lasts_as`, covers the first batch. The entities
        in `holds`, and the owner with them, show the task until it ends.
        """
        now = self._clock.now()
        task = Task(
            operation_name=operation_name,
            doing=texts[0],
            done=texts[1],
            owner=owner,
            owner_name=owner.name if owner_name is None else owner_name,
            user=user,
            started=now,
            effect=effect,
            regret=regret,
            holds=tuple(holds),
            fails_itself=fails_itself,
            doom=self.judge(operation_name, owner.name),
        )
        task.begun = self._clock.monotonic()
        batches = -(-amount // _COPIES_AT_ONCE)
        seconds = DURATIONS.get(lasts_as or operation_name, _USUAL_SECONDS)
        seconds += (batches - 1) * _BATCH_SECONDS
        task.due = task.begun + seconds * self.pace.scale
        task.polls_left = self.pace.polls
        task.status = "running" if self.pace.instant else "queued"
        self.all[task.id] = task
        self.running.append(task)
        self._fresh.append(task)
        for entity in self._shown_on(task):
            entity.tasks.append(task)
        self._forget_oldest()
        return task

    def begin_waiting(
        self,
        operation_name: str,
        texts: tuple[str, str],
        owner: Owner,
        user: User,
        effect: Callable[[Task], None],
        regret: Callable[[], None],
        *,
        holds: Sequence[Owner] = (),
    ) -> Task:
        """Begin a task that waits for its client until `proceed`; see `start`."""
        task = self.start(operation_name, texts, owner, user, effect, holds=holds, regret=regret)
        self._fresh.remove(task)
        task.status, task.waits = "running", True
        task.progress = 1
        return task

    def proceed(self, task: Task) -> None:
        """Let a task go on that waited for its client: from now on it takes its time."""
        task.waits = False
        seconds = DURATIONS.get(task.operation_name, _USUAL_SECONDS)
        task.begun = self._clock.monotonic()
        task.due = task.begun + seconds * self.pace.scale
        self._fresh.append(task)

    def fail(self, task: Task, error: VcdError) -> None:
        """End a running task with an error."""
        if task.running:
            self._end(task, "error", error)

    def begin_foreign(
        self, namespace: str, operation_name: str, text: str, owner: Owner, user: User
    ) -> Task:
        """Enter the task of an extension service; `report` and `end_foreign` continue it.

        Such a service posts and updates tasks as an administrator, in the name of the user (VCD
        API: POST tasksList, PUT task).
        """
        now = self._clock.now()
        task = Task(
            operation_name=operation_name,
            doing=text,
            done=text,
            owner=owner,
            owner_name=owner.name,
            user=user,
            started=now,
            effect=lambda _task: None,
            cancelable=False,
            foreign=True,
            namespace=namespace,
            status="running",
        )
        task.doom = self.judge(operation_name, owner.name)
        self.all[task.id] = task
        self.running.append(task)
        self._forget_oldest()
        return task

    @staticmethod
    def report(task: Task, text: str) -> None:
        """Change what a foreign task says it is doing."""
        task.doing = task.done = text

    def end_foreign(self, task: Task, error: VcdError | None = None) -> None:
        """End a foreign task, well or with an error."""
        if task.running:
            self._end(task, "success" if error is None else "error", error)

    def look(self, task: Task) -> None:
        """Count a client's look at a task; in the polls mode the last look ends it."""
        if not task.running or not self.pace.polls or task.foreign or task.waits:
            return
        task.status = "running"
        task.polls_left -= 1
        task.progress = min(99, 100 - 100 * task.polls_left // self.pace.polls)
        if task.polls_left <= 0:
            self._finish(task)

    def settle(self) -> None:
        """End every task whose time has come by the clock."""
        if self.pace.instant or self.pace.polls:
            return
        for task in list(self.running):
            if not (task.foreign or task.waits):
                self._pass_time(task)

    def take_fresh(self) -> list[Task]:
        """Return the tasks begun since the last call: those of the request being answered."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def answered(self, fresh: Sequence[Task]) -> None:
        """End the tasks of a request that was answered, where tasks pass at once."""
        if self.pace.instant:
            for task in fresh:
                if task.running:
                    self._finish(task)

    def cancel(self, task: Task) -> None:
        """Cancel a running task; what it was going to do does not happen."""
        if not task.running:
            raise bad_request(f"The task {task.id} cannot be canceled: it is not running.")
        task.cancel_requested = True
        self._end(task, "canceled", None)

    def _pass_time(self, task: Task) -> None:
        now = self._clock.monotonic()
        if now >= task.due:
            self._finish(task)
            return
        part = (now - task.begun) / max(task.due - task.begun, 1e-6)
        task.progress = int(part * 99)
        task.status = "queued" if part < 0.05 else "running"  # noqa: PLR2004

    def _finish(self, task: Task) -> None:
        if task.doom is not None and not task.fails_itself:
            self._end(task, task.doom.status, task.doom.error)
            return
        try:
            task.effect(task)
        except VcdError as error:
            status = task.doom.status if task.doom is not None else "error"
            self._end(task, status, error)
            return
        self._end(task, "success", None)

    def _end(self, task: Task, status: str, error: VcdError | None) -> None:
        task.status = status
        task.error = error
        task.ended = self._clock.now()
        if task in self.running:
            self.running.remove(task)
        if status == "success":
            task.progress = 100
            for entity in self._shown_on(task):
                if task in entity.tasks:
                    entity.tasks.remove(task)
        elif task.regret is not None:
            task.regret()

    @staticmethod
    def _shown_on(task: Task) -> list[Owner]:
        shown: list[Owner] = [task.owner]
        shown.extend(held for held in task.holds if held is not task.owner)
        return shown

    def _forget_oldest(self) -> None:
        if len(self.all) <= _MOST_TASKS:
            return
        for identifier in list(self.all)[: _MOST_TASKS // 10]:
            if not self.all[identifier].running:
                del self.all[identifier]


def _constant(operation_name: str) -> str:
    """Return `vappUpdateVm` as VAPP_UPDATE_VM, as the texts of BUSY_ENTITY spell it."""
    return "".join(f"_{char}" if char.isupper() else char for char in operation_name).upper()
