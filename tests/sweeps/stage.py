"""A cloud with one cluster, operations on it, and what the world must look like afterwards."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.output import lasting
from tests.support.programs import VCD, Result, Workstation, clean_environment, command_line
from tests.support.simulator import Control, log_in, start_simulator, stop_simulator
from tests.sweeps.kills import FULL, TIME, Kill, Kills

NAME = "swept"
NEIGHBOUR = "neighbour"
DEFAULT = "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2"
OTHER = "ubuntu-16.04_k8-1.18_plain-1_rev1"
_PLACES = 2
_PATIENCE = 60
#: Seconds between two looks at a rule; the client waits meanwhile.
_LOOK = 0.04
_SECONDS = 900


@dataclass(frozen=True)
class Operation:
    """A command, how many workers there are before and after it, and what its repetition may say.

    `before` of None: there is no cluster. `words` gets the names of the workers. `repeated` are
    the exit codes that a second run may end with; 3 is "it is gone already".
    """

    name: str
    before: int | None
    after: int | None
    words: Callable[[Sequence[str]], tuple[str, ...]]
    repeated: tuple[int, ...] = (0,)


OPERATIONS = (
    Operation(
        "cluster create",
        None,
        1,
        lambda _workers: ("cluster", "create", NAME, "-n", "net1", "-N", "1"),
        # killed after the last request but before its own end, it had nothing more to do
        (0, 1),
    ),
    Operation(
        "cluster resize up",
        1,
        3,
        lambda _workers: ("cluster", "resize", NAME, "--nodes", "3"),
    ),
    Operation(
        "cluster resize down",
        3,
        1,
        lambda _workers: ("cluster", "resize", NAME, "--nodes", "1"),
    ),
    Operation(
        "node delete",
        2,
        1,
        lambda workers: ("node", "delete", NAME, workers[0], "--yes"),
    ),
    Operation(
        "cluster delete",
        1,
        None,
        lambda _workers: ("cluster", "delete", NAME, "--yes"),
        (0, 3),
    ),
)


@dataclass(frozen=True)
class Undisturbed:
    """What an operation does when nothing goes wrong: its requests, and the world it leaves."""

    requests: int
    world: object


def places(requests: int) -> Iterable[int]:
    """Return at which of so many requests something happens: at all, or at a few in between."""
    if FULL:
        return range(1, requests + 1)
    return [requests * turn // (_PLACES + 1) or 1 for turn in range(1, _PLACES + 1)]


@dataclass(frozen=True)
class Ended:
    """How a command ended; `killed` when it was made to."""

    code: int
    err: str
    killed: bool = False


class Stage:
    """One simulator for one test process."""

    def __init__(self, folder: Path) -> None:
        self.process, self.cloud = start_simulator(folder, "--guest-speed", "50", "--time", TIME)
        self.home = folder / "home"
        self.elsewhere = folder / "elsewhere"
        self.third = folder / "third"
        self.control = Control(self.cloud)
        self._undisturbed: dict[str, Undisturbed] = {}
        self.environment = {**clean_environment(self.home), **self.cloud.environment()}
        self.log_in()
        # somebody else's cluster and vApp, which nothing may touch
        self.control.set("vapps", prefix=NEIGHBOUR, count=1)

    def log_in(self) -> None:
        """Begin a new session for each of the administrators."""
        for home in (self.home, self.elsewhere, self.third):
            log_in(self.cloud, home)

    def close(self) -> None:
        """End the simulator."""
        stop_simulator(self.process)

    def start(self, words: Sequence[str], home: Path | None = None) -> subprocess.Popen[bytes]:
        """Start `cse ...`."""
        home = home or self.home
        return subprocess.Popen(
            command_line(VCD, "cse", *words),
            cwd=home,
            env={**self.environment, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, words: Sequence[str], home: Path | None = None) -> Ended:
        """Run `cse ...` to its end."""
        done = self.asked(words, home)
        return Ended(done.code, done.err)

    def asked(
        self, words: Sequence[str], home: Path | None = None, options: Sequence[str] = ()
    ) -> Result:
        """Run `cse ...` to its end and return its stdout as well; `options` precede the command."""
        home = home or self.home
        somebody = Workstation(home, {**self.environment, "HOME": str(home)})
        return somebody.run(VCD, *options, "cse", *words, timeout=_SECONDS)

    def counted(self, words: Sequence[str]) -> tuple[Ended, int]:
        """Run and count the requests."""
        self.control.ask("DELETE", "journal")
        ended = self.run(words)
        return ended, int(self.control.get("journal")["total"])

    def kills(self, words: Sequence[str]) -> tuple[Ended, Kills]:
        """Run, and find the moments at which the client can be killed."""
        self.control.ask("DELETE", "journal")
        ended = self.run(words)
        return ended, Kills.of(self.control.get("journal"))

    def undisturbed(self, operation: Operation) -> Undisturbed:
        """Return what the operation does when nothing goes wrong; tried once."""
        if operation.name not in self._undisturbed:
            ended, requests = self.counted(self.prepare(operation))
            assert ended.code == 0, ended.err
            self._undisturbed[operation.name] = Undisturbed(requests, self.world())
        return self._undisturbed[operation.name]

    def killed_after(self, words: Sequence[str], number: int) -> Ended:
        """Run, and kill the client right after VCD has carried out its request `number`."""
        rule = {"kind": "hang", "at": number, "seconds": _PATIENCE, "act": True}
        return self._killed(words, rule, lambda state: bool(state["acted"]))

    def killed_at(self, words: Sequence[str], kill: Kill) -> Ended:
        """Run, and kill the client at a moment, if that comes."""
        return self._killed(words, kill.rule(), kill.came)

    def _killed(
        self,
        words: Sequence[str],
        rule: Mapping[str, object],
        came: Callable[[Mapping[str, Any]], bool],
    ) -> Ended:
        self.control.set("faults", **rule)
        process = self.start(words)
        while process.poll() is None:
            if any(came(state) for state in self.control.get("faults")):
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(_LOOK)
        _out, err = process.communicate()
        self.control.ask("DELETE", "faults")
        killed = process.returncode == -signal.SIGKILL
        return Ended(process.returncode, err.decode(), killed)

    def deleted_meanwhile(self, words: Sequence[str], number: int) -> tuple[Ended, bool]:
        """Run, and delete the cluster from elsewhere while request `number` is held back.

        Says also whether there was anything to delete.
        """
        rule = str(self.control.set("faults", kind="hold", at=number)["id"])
        process = self.start(words)
        deleted = False
        if self.wait_for_hold(rule, process):
            delete = ("cluster", "delete", NAME, "--yes", "--break-lock")
            deleted = self.run(delete, self.elsewhere).code == 0
        self.let_go(rule)
        _out, err = process.communicate()
        return Ended(process.returncode, err.decode()), deleted

    def hold(self, number: int) -> str:
        """Hold back the `number`-th change from now on, on its way to VCD; return the rule's id."""
        rule = self.control.set(
            "faults", kind="hold", at=number, method="POST|PUT|DELETE", path="^/api/(?!session)"
        )
        return str(rule["id"])

    def wait_for_hold(self, rule: str, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the held change has come; False where the command ended before."""
        while True:
            # the state of the process first: what it sent before its end has come by then
            ended = process.poll() is not None
            if any(one["id"] == rule and one["hit"] for one in self.control.get("faults")):
                return True
            if ended:
                return False
            time.sleep(_LOOK)

    def let_go(self, rule: str) -> None:
        """Let a held change reach VCD."""
        self.control.ask("DELETE", f"faults/{rule}")

    def spoiled(self, words: Sequence[str], rule: Mapping[str, object]) -> tuple[Ended, bool]:
        """Run under a rule of faults; say also whether it struck."""
        self.control.set("faults", **rule)
        ended = self.run(words)
        struck = any(one["hit"] for one in self.control.get("faults"))
        self.control.ask("DELETE", "faults")
        if rule["kind"] == "expire_session":
            self.log_in()
        return ended, struck

    def prepare(self, operation: Operation) -> tuple[str, ...]:
        """Bring the world to where the operation begins; return its command."""
        self.reach(operation.before)
        workers = self.workers() if operation.before else []
        return operation.words(workers)

    def reach(self, count: int | None) -> None:
        """Make the cluster, or its number of workers, what is wanted."""
        there = NAME in self.control.get("state")["vapps"]
        if count is None:
            words: tuple[str, ...] = ("cluster", "delete", NAME, "--yes")
            if not there:
                return
        elif not there:
            words = ("cluster", "create", NAME, "-n", "net1", "-N", str(count))
        elif len(self.workers()) != count:
            words = ("cluster", "resize", NAME, "--nodes", str(count))
        else:
            return
        ended = self.run(words)
        assert ended.code == 0, ended.err

    def offer_other(self) -> None:
        """Offer `OTHER`, a template of the same Kubernetes as the default one; once."""
        if any(OTHER in one["items"] for one in self.control.get("state")["catalogs"].values()):
            return
        self.control.set(f"templates/{OTHER}", like=DEFAULT)
        register = ("template", "register", "cse", OTHER, "--kubernetes-version", "1.18.6")
        registered = self.run(register)
        assert registered.code == 0, registered.err

    def workers(self) -> list[str]:
        """Return the names of the workers' VMs."""
        vms = self.control.get("state")["vapps"][NAME]["vms"]
        return sorted(name for name in vms if name.startswith("node-"))

    def world(self) -> Any:
        """Return the whole cloud without what chance decides: names, ids, addresses and times."""
        state = self.control.get("state")
        vapps = {name: _plain(name, vapp) for name, vapp in state["vapps"].items()}
        networks = {name: network["free"] for name, network in state["networks"].items()}
        return {
            "vapps": vapps,
            "free addresses": networks,
            "running tasks": state["tasks"]["running"],
            "nodes": self._nodes() if NAME in vapps else [],
        }

    def nodes(self) -> list[dict[str, str]]:
        """Return the rows of `node list`."""
        rows: list[dict[str, str]] = json.loads(self._listed().checked())
        return rows

    def _nodes(self) -> list[tuple[str, str, str]]:
        listed = self._listed()
        if listed.code:
            return [("", "", listed.err)]
        rows = json.loads(listed.out)
        return sorted((row["Kind"], row["VM"], row["Kubernetes"]) for row in rows)

    def _listed(self) -> Result:
        return self.asked(("node", "list", NAME), options=("-j",))


def _plain(name: str, vapp: Mapping[str, Any]) -> Any:
    if name != NAME:
        return vapp
    metadata = lasting(vapp["metadata"])
    # what was asked for at first; the size has changed since
    metadata.pop("GENERAL:cse.client.spec", None)
    # how long it took
    metadata.pop("GENERAL:cse.client.pace", None)
    for key in ("cse.cluster.id", "cse.master.ip"):
        metadata[f"GENERAL:{key}"] = bool(metadata.get(f"GENERAL:{key}"))
    vms = sorted(
        (
            vm_name[:5],
            vm["status"],
            vm["deployed"],
            vm["cpus"],
            vm["memory_mb"],
            vm["network"],
            bool(vm["address"]),
            vm["customization"],
        )
        for vm_name, vm in vapp["vms"].items()
    )
    return {
        **{key: vapp[key] for key in ("status", "deployed", "networks", "owner", "vdc")},
        "leases": (vapp["deployment_lease"], vapp["storage_lease"]),
        "metadata": metadata,
        "vms": vms,
    }


def one_sentence(err: str) -> bool:
    """Return whether a failure was told in one error of the house's style, without a traceback."""
    errors = re.findall(r"^Error: .+", err, re.M)
    return len(errors) == 1 and "Traceback" not in err and "bug in cse-client" not in err
