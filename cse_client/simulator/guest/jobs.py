"""Processes that the simulator starts inside a guest through the guest's first process."""

from __future__ import annotations

import itertools
import shlex
import threading
from collections.abc import Mapping, Sequence

from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.exchange import CallAborted, Channel
from cse_client.simulator.guest.life import Life

__all__ = ["Job", "Jobs", "job_script"]


def job_script(
    words: Sequence[str],
    *,
    output: str,
    environment: Mapping[str, str] | None = None,
    folder: str = "/",
) -> str:
    """Return a bash script that becomes the given command, with its output appended to a file."""
    lines = [f"cd {shlex.quote(folder)} || exit 200", "unset OLDPWD"]
    lines += [f"export {key}={shlex.quote(value)}" for key, value in (environment or {}).items()]
    lines.append(f"exec </dev/null >>{shlex.quote(output)} 2>&1")
    lines.append("exec " + " ".join(shlex.quote(word) for word in words))
    return "\n".join(lines) + "\n"


class Job:
    """A process (group) in the guest."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid: int | None = None
        self.code: int | None = None
        self.begun = threading.Event()
        self.ended = threading.Event()


class Jobs:
    """The jobs of one guest between power-on and power-off."""

    def __init__(self, disk: Disk, life: Life) -> None:
        self._disk = disk
        self._life = life
        self._numbers = itertools.count(1)
        self._jobs: dict[str, Job] = {}
        self._channel: Channel | None = None
        self.ready = threading.Event()
        life.at_end(self._release)

    def _release(self) -> None:
        for job in list(self._jobs.values()):
            job.begun.set()
            job.ended.set()
        if self._channel is not None:
            self._channel.close()

    def serve(self, channel: Channel) -> None:
        """Talk with the guest's first process until it is gone."""
        self._channel = channel
        self.ready.set()
        while True:
            line = channel.line()
            if line is None:
                return
            verb, number, value = line.split()
            job = self._jobs.get(number)
            if job is None:
                continue
            if verb == "pid":
                job.pid = int(value)
                job.begun.set()
            elif verb == "exit":
                job.code = int(value)
                self._jobs.pop(number, None)
                job.ended.set()

    def _say(self, text: str) -> None:
        self._life.check()
        if self._channel is not None:
            try:
                self._channel.send(text + "\n")
            except CallAborted:
                self._life.check()

    def start(self, script: str) -> Job:
        """Run a bash script in the guest.

        Raises:
            PowerLoss: it is off.
        """
        job = Job(next(self._numbers))
        with self._life.guard():
            self._disk.write(f"/.guest/jobs/{job.number}", script, 0o600)
            self._jobs[str(job.number)] = job
        self._say(f"start {job.number}")
        return job

    def wait(self, job: Job, seconds: float | None = None) -> int | None:
        """Wait for a job, at most `seconds` real ones; returns its exit code, None if it runs."""
        ended = job.ended.wait(seconds)
        self._life.check()
        if ended:
            with self._life.guard():
                self._disk.remove(f"/.guest/jobs/{job.number}")
        return job.code if ended else None

    def signal(self, job: Job, name: str) -> None:
        """Send a signal to a job's process group."""
        job.begun.wait(5)
        if job.pid is not None and not job.ended.is_set():
            self._say(f"signal {name} {job.pid}")

    def stop(self, job: Job, grace: float = 2.0) -> None:
        """End a job: TERM, and KILL if it is still there `grace` real seconds later."""
        self.signal(job, "TERM")
        if not job.ended.wait(grace):
            self.signal(job, "KILL")
            job.ended.wait(5)
        self._life.check()

    def set_hostname(self, name: str) -> None:
        """Set the guest's host name."""
        self._say(f"hostname {name}")
