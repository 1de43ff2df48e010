"""A VMware Cloud Director on loopback, to try and test against.

`python -m cse_client.simulator` runs it; `Simulator` is the same in-process. It stands alone: it
imports nothing else of `cse_client`, and nothing of the product imports it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cse_client.simulator.http import Request, Response

__all__ = ["Simulator"]

_TICK = 0.05


class Simulator:
    """One simulated VCD, listening on 127.0.0.1.

    Use it as a context manager, or call `start` and `stop`. `cloud` is the state (change it only
    while holding `cloud.lock`), `control` what `/simulator/` offers.

    Args:
        port: the port to listen on, 0 for any free one.
        time: how tasks pass: `instant`, `polls:N` or `seconds:SCALE`.
        release: the VCD release to be, from 10.1 to 10.6.
        guests: whether powered-on VMs really run.
        guest_speed: what sleeps inside guests are divided by.
        addresses: the first two numbers of all guests' addresses; unless given, the first range
            from 127.20 on that no other simulator with guests has.
        cse: the CSE server to add: `none`, a version, or `down`, one that does not run.
        folder: where guests and certificates live; a temporary folder unless given.
        real_dir: kits of Kubernetes releases (`guest.real.kits`), for guests that run the real one;
            the process must have a network of its own (`guest.real.enter_network`).

    Raises ValueError for an unknown `time`, `release` or `cse` and for a `real_dir` without kits,
    OSError for a machine that cannot run real guests; `start` raises OSError for a taken port.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        time: str = "instant",
        release: str = "10.3",
        guests: bool = True,
        guest_speed: float = 1.0,
        addresses: str | None = None,
        cse: str = "none",
        folder: Path | None = None,
        real_dir: Path | None = None,
    ) -> None:
        # Heavy imports belong to those who really start one.
        from cse_client.simulator.clock import Clock
        from cse_client.simulator.control import Control
        from cse_client.simulator.cse import VERSIONS, attach
        from cse_client.simulator.faults import Faults
        from cse_client.simulator.http import HttpServer
        from cse_client.simulator.loopback import DEFAULT_RANGE, REAL_RANGE, AddressRange
        from cse_client.simulator.states import Pace
        from cse_client.simulator.tls import server_context
        from cse_client.simulator.vcd.application import VcdApplication
        from cse_client.simulator.vcd.cloud import GuestOptions
        from cse_client.simulator.vcd.versions import RELEASES
        from cse_client.simulator.world import make_cloud, offer_real_machines

        if release not in RELEASES:
            raise ValueError(f"unknown VCD release {release!r} ({', '.join(RELEASES)})")
        if cse not in ("none", *VERSIONS):
            raise ValueError(f"unknown CSE server {cse!r} (none, {', '.join(VERSIONS)})")
        pace = Pace.parse(time)
        real = None
        if real_dir is not None:
            from cse_client.simulator.guest.real import RealPlatform

            real = RealPlatform(real_dir)
        # Without guests nobody listens on the addresses, and any number of simulators may share.
        self._range = AddressRange(addresses) if guests and real is None else None
        if self._range is not None:
            addresses = self._range.prefix
        elif addresses is None:
            addresses = DEFAULT_RANGE if real is None else REAL_RANGE
        self.own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="vcd-simulator-"))
        self.clock = Clock()
        options = GuestOptions(enabled=guests, speed=guest_speed, platform=real)
        self.cloud = make_cloud(
            self.folder,
            clock=self.clock,
            pace=pace,
            release=release,
            guests=options,
            addresses=addresses,
        )
        if real is not None:
            offer_real_machines(self.cloud, real.kits, real.plains)
        self.vcd = VcdApplication(self.cloud)
        self.cse_version = cse
        self.cse = attach(self.cloud, self.vcd, cse) if cse != "none" else None
        self.faults = Faults()
        self.control = Control(self.cloud, self.faults, self.cse)
        context, self.ca = server_context(self.folder)
        try:
            self._server = HttpServer(port, context, self._answer)
        except OSError:
            self._clean_up()
            raise
        self._stopped = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="vcd-clock", daemon=True)

    @property
    def host(self) -> str:
        """Host and port, as `vcd login` wants them."""
        return f"127.0.0.1:{self._server.port}"

    @property
    def org(self) -> str:
        """The organization's name."""
        return self.cloud.org.name

    def password(self, user: str = "admin") -> str:
        """Return a user's password."""
        return self.cloud.users[user].password

    def start(self) -> Simulator:
        """Listen and serve until `stop`."""
        self._server.start()
        self._ticker.start()
        return self

    def stop(self) -> None:
        """Close every connection, end every guest, remove the temporary folder."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._server.stop()
        if self._ticker.ident is not None:
            self._ticker.join()
        self.cloud.close()
        self._clean_up()

    def __enter__(self) -> Simulator:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def write_ready_file(self, path: Path) -> None:
        """Write what a client needs to log in, in one step, readable by the owner only."""
        values = {
            "host": self.host,
            "org": self.org,
            "user": "admin",
            "password": self.password(),
            "ca": str(self.ca),
        }
        draft = path.with_name(path.name + ".part")
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(values) + "\n")
        draft.replace(path)

    def _answer(self, request: Request) -> Response:
        if request.path.startswith("/simulator/"):
            return self.control(request)
        return self.faults.around(request, self.vcd, self.cloud)

    def _tick(self) -> None:
        while not self._stopped.wait(_TICK):
            self.cloud.tick()

    def _clean_up(self) -> None:
        if self._range is not None:
            self._range.release()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
