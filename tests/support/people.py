"""People who work with a cluster, and a door to it from outside."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.support.programs import Result, Workstation, clean_environment
from tests.support.simulator import Cloud, Control, log_in


class Person(Workstation):
    """Somebody with a home and a session of VCD."""

    def cluster(self, *words: str, env: Mapping[str, str] | None = None) -> Result:
        """Run `cse cluster`."""
        return self.cse("cluster", *words, env=env)

    @property
    def config(self) -> Path:
        return self.home / ".kube" / "config"

    def saved(self) -> dict[str, list[str]]:
        """Return the names of the entries in this person's kubeconfig."""
        content = yaml.safe_load(self.config.read_text())
        return {key: [e["name"] for e in content[key]] for key in ("clusters", "contexts", "users")}


def person(cloud: Cloud, home: Path, user: str = "") -> Person:
    log_in(cloud, home, user=user, password=cloud.others[user] if user else "")
    return Person(home, {**clean_environment(home), **cloud.environment()})


def offer_template(
    who: Workstation, control: Control, item: str, release: str, *, like: str, keepalived: bool
) -> None:
    """Offer a copy of a template with another Kubernetes release, and register it."""
    image = {"keepalived": keepalived, "kubernetes": release}
    control.set(f"templates/{item}", like=like, image=image)
    register = ("template", "register", "cse", item, "--kubernetes-version", release)
    who.cse(*register, *(["--keepalived"] if keepalived else [])).checked()


class Door(threading.Thread):
    """A port on 127.0.0.1 that leads to port 6443 of an address, as NAT on an edge would."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.address = ""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                outside, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(outside,), daemon=True).start()

    def _serve(self, outside: socket.socket) -> None:
        with (
            outside,
            contextlib.suppress(OSError),
            socket.create_connection((self.address, 6443), 5) as inside,
        ):
            back = threading.Thread(target=self._copy, args=(inside, outside), daemon=True)
            back.start()
            self._copy(outside, inside)
            back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
