"""keepalived, as far as an API server's address needs it: VRRP among the guests of one simulator.

Of the routers with one address the highest priority holds it; of equals the one that has it. The
check script is not run: a guest whose API server runs is taken to pass it, unless the script asks
whether the Node is `unschedulable`, and it is. A script whose first line names no interpreter
always passes, as with keepalived 2.2.7, which cannot execute it. keepalived.conf(5).
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

from cse_client.simulator.guest.life import PowerLoss

if TYPE_CHECKING:
    from cse_client.simulator.guest.etcd import Etcd
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System
    from cse_client.simulator.kube import KubeAPI

__all__ = ["Keepalived", "keepalived"]

CONFIG = "/etc/keepalived/keepalived.conf"
_ROUND_SECONDS = 0.1
#: How long the answer to a check counts.
_CHECK_SECONDS = 0.2
_lock = threading.RLock()
_routers: list[Keepalived] = []


def keepalived(system: System, call: Call) -> int:
    """`keepalived --version`; the service runs it otherwise."""
    if call.words[:1] in (["-v"], ["--version"]):
        call.err("Keepalived v2.2.8 (04/04,2023)")
        return 0
    call.err("keepalived: runs as a service")
    return 1


class Keepalived:
    """keepalived as a systemd unit; `held` is the address that it holds, or ""."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.held = ""
        self.address = ""
        self._base = self._weight = 0
        self._is_run = self._asks_node = False
        self._checked = (0.0, False)
        self._serving: KubeAPI | None = None
        self._stop = threading.Event()

    # The unit

    def begin(self) -> None:
        """Start.

        Raises:
            OSError: with what keepalived logs before it exits.
        """
        text = self._system.disk.text(CONFIG)
        found = re.search(r"virtual_ipaddress\s*\{\s*([0-9.]+)", text)
        if found is None or not re.search(r"virtual_router_id\s+[0-9]+", text):
            raise OSError(f"({CONFIG}) no VRRP, and nothing else to do - exiting")
        self.address = found[1]
        self._base = _number("priority", text, 100)
        self._weight = _number("weight", text, 0)
        script = re.search(r'^\s*script\s+"?([^\s"]+)', text, re.M)
        check = self._system.disk.text(script[1]) if script is not None else ""
        self._is_run = check.startswith("#!")
        self._asks_node = "unschedulable" in check
        self._stop = threading.Event()
        with _lock:
            _routers.append(self)
            if not any(one.address == self.address for one in _routers if one is not self):
                # a real one takes it within two seconds, which are few where guests are hurried
                self._round()
        self._system.life.at_end(self._leave)
        threading.Thread(
            target=self._work, args=(self._stop,), name="keepalived", daemon=True
        ).start()

    def end(self) -> None:
        """Stop, and give the address up at once."""
        self._leave()

    def _leave(self) -> None:
        self._stop.set()
        with _lock:
            if self in _routers:
                _routers.remove(self)
            self._release()

    def _work(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(_ROUND_SECONDS):
                self._system.life.check()
                with _lock:
                    if not stop.is_set():
                        self._round()
        except PowerLoss:
            return

    # VRRP

    @property
    def _priority(self) -> int:
        etcd = self._system.guest.etcd
        passes = not self._is_run or (
            etcd is not None and etcd.running and not self._cordoned(etcd)
        )
        return self._base + (self._weight if passes else 0)

    def _cordoned(self, etcd: Etcd) -> bool:
        if not self._asks_node:
            return False
        now = time.monotonic()
        if now - self._checked[0] > _CHECK_SECONDS:
            _status, node = etcd.api.request("GET", f"/api/v1/nodes/{etcd.node}")
            self._checked = (now, bool(node.get("spec", {}).get("unschedulable")))
        return self._checked[1]

    def _round(self) -> None:
        rivals = [one for one in _routers if one.address == self.address]
        best = max(rivals, key=lambda one: (one._priority, one.held != ""))
        if best is not self:
            return
        for one in rivals:
            if one is not self:
                one._release()
        self.held = self.address
        self._serve()

    def _serve(self) -> None:
        """Have the guest's API server answer at the address for as long as it runs."""
        etcd = self._system.guest.etcd
        api = etcd.api if etcd is not None and etcd.running else None
        if api is not self._serving and self._serving is not None:
            self._serving.leave(self.address)
            self._serving = None
        if api is None or etcd is None or api.serves(self.address):
            return
        if self._system.faults.address_blocked:
            return
        try:
            api.serve_also(etcd.host, self.address)
        except (OSError, KeyError):  # taken, or stopped this very moment
            return
        self._serving = api

    def _release(self) -> None:
        self.held = ""
        if self._serving is not None:
            self._serving.leave(self.address)
            self._serving = None


def _number(name: str, text: str, default: int) -> int:
    found = re.search(rf"^\s*{name}\s+([0-9]+)", text, re.M)
    return int(found[1]) if found else default
