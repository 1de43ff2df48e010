"""A workstation in the network of a cloud with real machines, and a look at their disks."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from cse_client.simulator.guest.real import Kit, inside_network
from tests.real.asking import Client, asking
from tests.support.programs import VCD, Result, Workstation, clean_environment, command_line
from tests.support.simulator import Cloud, Control, log_in

__all__ = ["CLUSTER", "Site", "eventually"]

#: The cluster that the tests of one release share; each puts its two workers back.
CLUSTER = "demo"

T = TypeVar("T")

_LOG = "var/log/cse-bootstrap.log"
#: Two cores that several clusters' worth of processes share are slow.
_SECONDS = 900.0


def _began(process: int) -> float:
    """Return when a process began, in clock ticks since boot; one that has ended is last."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return float("inf")
    # proc(5): field 22, and the second, in parentheses, may contain blanks
    return float(text.rpartition(")")[2].split()[19])


class _ControlInside(Control):
    """The simulator's control endpoint, asked in its own network."""

    def __init__(self, pid: int, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._pid = pid

    def ask(self, method: str, path: str, body: object = None) -> Any:
        return inside_network(
            self._pid, lambda: super(_ControlInside, self).ask(method, path, body)
        )


class Site:
    """Commands run here reach the cloud and its machines.

    Args:
        pid: the simulator's process; its network is entered.
        cloud: where to log in.
        home: a folder for this workstation, made if absent.
        disks: the folder below which the machines' disks lie.
        kit: the release that the machines run.
    """

    def __init__(self, pid: int, cloud: Cloud, home: Path, disks: Path, kit: Kit) -> None:
        self._pid = pid
        self._enter = ("nsenter", "--target", str(pid), "--net")
        self._cloud = cloud
        self._disks = disks
        self.kit = kit
        self.control = _ControlInside(pid, cloud)
        self.kubeconfig = home / "kubeconfig"
        home.mkdir(exist_ok=True)
        environment = {**clean_environment(home), **cloud.environment()}
        environment["NO_PROXY"] = environment["no_proxy"] = "*"
        self._workstation = Workstation(home, environment)

    def log_in(self) -> None:
        """Log in as the organization administrator."""
        log_in(self._cloud, self._workstation.home, prefix=self._enter)

    def run(self, *words: str, stdin: str = "") -> Result:
        """Run a program in the cloud's network."""
        return self._workstation.run(*self._enter, *words, stdin=stdin, timeout=_SECONDS)

    def call(self, action: Callable[[], T]) -> T:
        """Return what `action` returns in the cloud's network."""
        return inside_network(self._pid, action)

    def vcd(self, *words: str) -> Result:
        """Run `vcd`; `vcd cse` as the program `cse`, which starts in a third of the time."""
        return self.run(*command_line(VCD, *words))

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start `vcd`, and end it with the context."""
        process = self._workstation.start(*self._enter, *command_line(VCD, *words))
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def asking(self, cluster: str, app: str = "") -> AbstractContextManager[Client]:
        """Ask a cluster once a second whether it is ready, until the context ends; see `asking`."""
        return asking(self._pid, self.kubeconfig_of(cluster), app)

    def kubeconfig_of(self, cluster: str) -> Path:
        """Return where the kubeconfig of a cluster is kept."""
        return self.kubeconfig if cluster == CLUSTER else self.kubeconfig.with_name(cluster)

    def kubectl(self, *words: str, stdin: str = "", of: str = CLUSTER) -> Result:
        """Run the release's kubectl as a cluster's administrator."""
        program, config = str(self.kit.programs / "kubectl"), str(self.kubeconfig_of(of))
        return self.run(program, "--kubeconfig", config, *words, stdin=stdin)

    def items(self, *words: str) -> list[dict[str, Any]]:
        """Return what `kubectl get` lists."""
        found: list[dict[str, Any]] = json.loads(
            self.kubectl("get", *words, "-o", "json").checked()
        )["items"]
        return found

    def inside(self, machine: str, *words: str) -> Result:
        """Run a program in a machine, as root at its console would."""
        # not the smallest number: these begin again at 1 after /proc/sys/kernel/pid_max
        first = min(self.control.get(f"guests/{machine}")["processes"], key=_began)
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root")
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return self._workstation.run(
            *(
                "nsenter",
                "--target",
                str(first),
                *spaces,
                "env",
                "--chdir=/",
                "-i",
                path,
                "HOME=/root",
                *words,
            ),
            timeout=_SECONDS,
        )

    def node_names(self) -> set[str]:
        """Return the names of the nodes that Kubernetes knows."""
        return {node["metadata"]["name"] for node in self.items("nodes")}

    def ready_names(self) -> set[str]:
        """Return the names of the nodes that are Ready; of none while the API is silent."""
        listed = self.kubectl("get", "nodes", "--no-headers", "--request-timeout=5s")
        rows = [line.split() for line in listed.out.splitlines()]
        return {name for name, status, *_ in rows if status == "Ready"}

    def workers(self) -> list[str]:
        """Return the cluster's workers as VCD has them, the oldest first."""
        listed = json.loads(self.vcd("-j", "cse", "node", "list", CLUSTER).checked())
        return [row["Name"] for row in listed if row["Kind"] == "worker"]

    def resize(self, workers: int) -> None:
        """Scale the cluster."""
        self.vcd("cse", "cluster", "resize", CLUSTER, "--nodes", str(workers)).checked()

    def disks(self) -> dict[str, Path]:
        """Return the root of each machine's disk, by host name."""
        found = {}
        for root in self._disks.glob("vcd-simulator-*/guests/*/root"):
            # one that is just being made, or deleted, has no name
            with suppress(FileNotFoundError):
                found[(root / "etc/hostname").read_text(encoding="utf-8").strip()] = root
        return found

    def bootstrap_logs(self) -> dict[str, str]:
        """Return the log of each machine's bootstrap, by host name."""
        found = {}
        for name, root in self.disks().items():
            log = root / _LOG
            found[name] = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return found


def eventually(look: Callable[[], bool], what: str, seconds: float = 180) -> None:
    """Wait until `look` returns true; `what` names it in the failure."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(1)
