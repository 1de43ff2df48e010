"""Guests that run the product's bootstrap scripts, and the cluster that they form."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from cse_client.errors import ClusterUnreachable
from cse_client.guest.pki import ADMIN_GROUP, ClusterPKI, issue_client, mint_pki
from cse_client.guest.render import Bootstrap, control_plane_script, worker_script
from cse_client.kube.api import ClusterAPI
from cse_client.kube.kubeconfig.document import render_kubeconfig
from cse_client.model import NodeReport, TemplateFacts
from cse_client.reports import parse_guestinfo
from cse_client.simulator.clock import Clock
from cse_client.simulator.guest import (
    Customization,
    Guest,
    GuestSettings,
    Image,
    Nic,
)
from tests.support.ssh_keys import public_key

CSE = Image(name="ubuntu-16.04_k8-1.18_weave-2.6.5_rev2")
CURRENT = Image(
    name="ubuntu-24.04_k8-1.33_antrea-2.3.1_rev1",
    os="ubuntu-24.04",
    os_version_id="24.04",
    kubernetes="1.33.1",
    runtime="containerd",
    cni="antrea",
    cni_version="2.3.1",
    cni_manifest="/root/antrea-2.3.1.yml",
    customization_engine="cloud-init",
)
IMAGES = {"cse": CSE, "current": CURRENT}
#: Waits in the guests pass this much quicker.
SPEED = 100.0

_addresses = itertools.count(10)


@dataclass
class Told:
    """What a guest told the cloud; the simulator calls these from its threads."""

    guestinfo: dict[str, str] = field(default_factory=dict)
    phases: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    customization: list[str] = field(default_factory=list)
    offs: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def tools_running(self, running: bool) -> None:
        """Not of interest here."""

    def powered_off(self) -> None:
        """The guest went off by itself, or lost its power; all of it is gone by now."""
        with self.changed:
            self.offs += 1
            self.changed.notify_all()

    def customization_status(self, status: str) -> None:
        with self.changed:
            self.customization.append(status)
            self.changed.notify_all()

    def guestinfo_changed(self, key: str, value: str) -> None:
        with self.changed:
            self.guestinfo[key] = value
            if key == "guestinfo.cse.phase":
                self.phases.append(value)
            if key == "guestinfo.cse.status":
                self.statuses.append(value)
            self.changed.notify_all()


@dataclass
class Node:
    """A guest with its script, and what is known of it from outside."""

    name: str
    guest: Guest
    nic: Nic
    told: Told
    script: str = ""

    def start(self, *, script: str = "", nic: Nic | None = None) -> None:
        """Power on for the first time, as VCD does: the customization is applied."""
        self.script = script or self.script
        self._on(nic or self.nic, needed=True)

    def boot(self) -> None:
        """Power on again: nothing is customized."""
        self._on(self.nic, needed=False)

    def _on(self, nic: Nic, *, needed: bool) -> None:
        work = Customization(self.name, self.script, "secret-root-password", needed)
        environment = (
            f'<Environment><Property key="vCloud_ip_0" value="{nic.address}"/></Environment>'
        )
        self.guest.power_on(customization=work, nics=[nic], ovf_environment=environment)

    def report(self) -> NodeReport | None:
        return parse_guestinfo(self.name, self.told.guestinfo)

    def wait(self, what: str, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, f"{self.name}: no {what}\n{self.evidence()}"
            with self.told.changed:
                self.told.changed.wait(0.05)

    def wait_status(self, status: str, seconds: float = 40.0) -> NodeReport:
        def there() -> bool:
            report = self.report()
            if status == "ready":
                assert report is None or report.status != "failed", self.evidence()
            return report is not None and report.status == status

        self.wait(status, there, seconds)
        report = self.report()
        assert report is not None
        return report

    def wait_phase(self, phase: str) -> None:
        self.wait(f"phase {phase}", lambda: phase in self.told.phases)

    def file(self, path: str) -> bytes | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            return self.guest.read_file(path)
        return None

    def log(self) -> str:
        return (self.file("/var/log/cse-bootstrap.log") or b"").decode(errors="replace")

    def evidence(self) -> str:
        return f"{self.told.guestinfo}\n{self.told.customization}\n{self.log()[-6000:]}"


@dataclass
class Cluster:
    """Guests with one PKI on loopback addresses of their own."""

    folder: Path
    image: Image
    settings: GuestSettings
    pki: ClusterPKI = field(default_factory=lambda: mint_pki("demo"))
    clock: Clock = field(default_factory=Clock)
    nodes: list[Node] = field(default_factory=list)

    @property
    def facts(self) -> TemplateFacts:
        return TemplateFacts(
            os=self.image.os,
            kubernetes=self.image.kubernetes,
            cni=self.image.cni,
            cni_version=self.image.cni_version,
        )

    def bootstrap(self, name: str, **more: object) -> Bootstrap:
        made = Bootstrap("cluster-1", "demo", name, facts=self.facts, ssh_key=public_key())
        return replace(made, **more)  # type: ignore[arg-type]

    def node(self, name: str, *, egress: bool = True, image: Image | None = None) -> Node:
        number = next(_addresses)
        # Each process has a range of its own, so that runs beside this one cannot be met.
        address = f"127.{100 + os.getpid() % 100}.{number // 250}.{number % 250 + 1}"
        told = Told()
        guest = Guest(
            directory=self.folder / name,
            image=image or self.image,
            hooks=told,
            clock=self.clock,
            settings=self.settings,
        )
        gateway = address.rpartition(".")[0] + ".254"
        nic = Nic(address, 24, gateway, (gateway,), egress)
        made = Node(name, guest, nic, told)
        self.nodes.append(made)
        return made

    def control_plane(
        self, *, egress: bool = True, image: Image | None = None, **more: object
    ) -> Node:
        made = self.node("mstr-ab12", egress=egress, image=image)
        made.script = control_plane_script(
            self.bootstrap(made.name, **more), self.pki, now=self.clock.now()
        )
        return made

    def worker(
        self, name: str = "node-cd34", *, at: str = "", egress: bool = True, **more: object
    ) -> Node:
        made = self.node(name, egress=egress)
        made.script = worker_script(
            self.bootstrap(name, **more),
            self.pki,
            endpoint=at or self.nodes[0].nic.address,
            now=self.clock.now(),
        )
        return made

    def kubeconfig(self, groups: tuple[str, ...] = (ADMIN_GROUP,)) -> str:
        issued = issue_client(
            self.pki, common_name="me", organizations=groups, lifetime=timedelta(hours=1)
        )
        return render_kubeconfig(
            cluster="demo",
            context="demo@org-vdc",
            user="me",
            server=f"https://{self.nodes[0].nic.address}:6443",
            ca=self.pki.ca_cert,
            cert=issued.cert,
            key=issued.key,
        )

    def api(self) -> ClusterAPI:
        return ClusterAPI(self.kubeconfig(), 5.0, environ={})

    def ready(self) -> Mapping[str, bool | None]:
        """Return which nodes are Ready; nobody's while the API is not up."""
        with suppress(ClusterUnreachable), self.api() as api:
            return {node.name: node.ready for node in api.nodes()}
        return {}

    def wait_ready(self, *names: str) -> None:
        wanted = dict.fromkeys(names, True)
        self.nodes[0].wait(f"Ready of {names}", lambda: self.ready() == wanted)
