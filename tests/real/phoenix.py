"""A cluster with objects in it, whose backup brings both back."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

from pyrage import x25519

from tests.real.asking import OVERLOAD
from tests.real.site import Site
from tests.support.programs import Result

__all__ = ["OBJECTS", "Phoenix"]

OBJECTS = 300
#: How long a restore may take, in creations.
LONGEST = 1.5


class Phoenix:
    """A cluster with objects in it, and a backup of both."""

    def __init__(self, site: Site, folder: Path, name: str) -> None:
        self.site = site
        self.name = name
        #: Seconds that its creation took, and its last restore.
        self.created = 0.0
        self.restored = 0.0
        #: The highest load average after them.
        self._load = 0.0
        self.file = folder / "phoenix.backup"
        identity = x25519.Identity.generate()
        self.recipient = str(identity.to_public())
        self.identity = folder / "identity"
        self.identity.write_text(str(identity))
        self._kubeconfig = folder / "kubeconfig"

    def cluster(self, *words: str) -> Result:
        return self.site.vcd("-j", "cse", "cluster", *words)

    def kubectl(self, *words: str, stdin: str = "") -> Result:
        return self.site.kubectl("--kubeconfig", str(self._kubeconfig), *words, stdin=stdin)

    def create(self, *words: str) -> None:
        began = time.monotonic()
        template = self.site.kit.template
        self.cluster("create", self.name, "-n", "net1", "-t", template, *words).checked()
        self.created = time.monotonic() - began
        self._load = max(self._load, os.getloadavg()[0])
        self.save_config()

    def save_config(self) -> None:
        self._kubeconfig.touch(0o600)
        self._kubeconfig.write_text(self.site.vcd("cse", "cluster", "config", self.name).checked())

    def strange_pods(self, node: str) -> list[str]:
        """Return the pods that are bound to another node than this one."""
        path = "jsonpath={range .items[*]}{.spec.nodeName}/{.metadata.name}{'\\n'}{end}"
        listed = self.kubectl("get", "pods", "-A", "-o", path).checked().split()
        return [pod for pod in listed if not pod.startswith((f"{node}/", "/"))]

    def pods_run(self) -> bool:
        """Return whether all pods of the system run."""
        listed = self.kubectl("get", "pods", "-n", "kube-system", "--no-headers").out
        return bool(listed) and all(" Running " in line for line in listed.splitlines())

    def back_up(self) -> dict[str, Any]:
        words = ("-o", str(self.file), "--recipient", self.recipient)
        return dict(json.loads(self.cluster("backup", self.name, *words).checked()))

    def restore(self, *words: str) -> dict[str, Any]:
        """Restore this cluster, or with --new another one; returns it as it is shown."""
        began = time.monotonic()
        key = ("--identity", str(self.identity), "--yes")
        restored = self.cluster("restore", *(words or (self.name,)), str(self.file), *key)
        self.restored = time.monotonic() - began
        self._load = max(self._load, os.getloadavg()[0])
        logs = self.site.bootstrap_logs()
        assert restored.code == 0, f"{restored.err}\n" + "\n".join(logs.values())
        return dict(json.loads(restored.out))

    def durations(self) -> str:
        """Return what the last restore took beside the creation."""
        ratio = self.restored / self.created
        return f"{self.restored:.1f} s, {ratio:.2f} times the {self.created:.1f} s of the creation"

    def is_in_time(self) -> bool:
        """Return whether the last restore took no longer than it may; an overloaded machine may."""
        return self.restored <= LONGEST * self.created or self._load > OVERLOAD

    def fill(self) -> None:
        """Make objects of 4 kB in a namespace of their own."""
        items = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"c{number}", "namespace": "filled"},
                "data": {"noise": base64.b64encode(os.urandom(3000)).decode()},
            }
            for number in range(OBJECTS)
        ]
        self.kubectl("create", "namespace", "filled").checked()
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        self.kubectl("create", "-f", "-", stdin=json.dumps(listed)).checked()

    def objects(self) -> set[str]:
        listed = self.kubectl("get", "cm", "-n", "filled", "-o", "name").checked()
        return {line for line in listed.split() if line.startswith("configmap/c")}

    def head(self) -> dict[str, Any]:
        (row,) = self.heads()
        return row

    def heads(self) -> list[dict[str, Any]]:
        rows = json.loads(self.site.vcd("-j", "cse", "node", "list", self.name).checked())
        return [dict(one) for one in rows if one["Name"].startswith("mstr-")]
