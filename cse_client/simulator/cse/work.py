"""Work that goes on after the answer: a thread, and the VCD task that reports it.

The task is made and carried on by the server's administrator, in the organization and the name of
the caller: `serviceNamespace` vcloud.cse, `operationName` "cluster operation", owner the
organization; on an error the operation's text is blanked (container-service-extension
2.6.1:container_service_extension/vcdbroker.py, `_update_task`).
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.errors import VcdError
from cse_client.simulator.vcd.people import User
from cse_client.simulator.vcd.tasks import Owner, Task

__all__ = ["Work"]


class Work:
    """One piece of work with its task. `stuck` work does everything and never ends its task.

    The task belongs to the organization unless another `owner` is named.
    """

    def __init__(
        self,
        cloud: Cloud,
        user: User,
        text: str,
        *,
        stuck: bool = False,
        owner: Owner | None = None,
        operation: str = "cluster operation",
    ) -> None:
        self._cloud = cloud
        self._stuck = stuck
        with cloud.lock:
            self.task: Task = cloud.tasks.begin_foreign(
                "vcloud.cse", operation, text, owner or cloud.org, user
            )

    def report(self, text: str) -> None:
        """Report what is being done."""
        with self._cloud.lock:
            self._cloud.tasks.report(self.task, text)

    def begin(
        self, steps: Callable[[], str], after: Callable[[str | None], None] | None = None
    ) -> None:
        """Take the steps in a thread. They return the last text, or raise: that ends the task.

        `after` is called when the task has ended, with the text of the error if there was one.
        """

        def run() -> None:
            error = self._run(steps)
            if after is not None:
                after(error.message if error is not None else None)

        threading.Thread(target=run, name="cse-work", daemon=True).start()

    def _run(self, steps: Callable[[], str]) -> VcdError | None:
        error = None
        text = ""
        doom = self.task.doom
        try:
            if doom is not None:
                raise doom.error  # a rule of a test wants this task to fail
            text = steps()
        except VcdError as problem:
            error = problem
        except Exception as problem:  # noqa: BLE001  (whatever it is, the server puts its text there)
            if not problem.args:
                traceback.print_exc(file=sys.stderr)
            error = VcdError(500, "INTERNAL_SERVER_ERROR", str(problem))
        if not self._stuck:
            with self._cloud.lock:
                self._cloud.tasks.report(self.task, text)
                self._cloud.tasks.end_foreign(self.task, error)
        return error
