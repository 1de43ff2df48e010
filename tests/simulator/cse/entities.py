"""Entities to send, and a caller that speaks JSON to the simulated CSE server 3.x."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cse_client.simulator import Simulator
from tests.simulator.client import Answer, Tenant
from tests.support.waiting import until

TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5"
REVISION = 2


def spec_1(name: str = "one", workers: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a request of RDE 1.0.0; `changes` are parts of its spec."""
    return {
        "api_version": "",
        "kind": "native",
        "metadata": {"cluster_name": name, "org_name": "acme", "ovdc_name": "vdc1"},
        "spec": {
            "settings": {"network": "net1", "ssh_key": None, "rollback_on_failure": True},
            "workers": {"count": workers, "sizing_class": None, "storage_profile": None},
            "k8_distribution": {"template_name": TEMPLATE, "template_revision": REVISION},
            **changes,
        },
    }


def spec_2(name: str = "one", workers: int = 1, nfs: int = 0, **settings: Any) -> dict[str, Any]:
    """Return a request of RDE 2.1.0."""
    return {
        "apiVersion": "cse.vmware.com/v2.1",
        "kind": "native",
        "metadata": {
            "name": name,
            "orgName": "acme",
            "virtualDataCenterName": "vdc1",
            "site": "vcd.example",
        },
        "spec": {
            "settings": {"ovdcNetwork": "net1", **settings},
            "topology": {
                "controlPlane": {"count": 1},
                "workers": {"count": workers},
                "nfs": {"count": nfs},
            },
            "distribution": {"templateName": TEMPLATE, "templateRevision": REVISION},
        },
    }


@dataclass
class Caller:
    """A user of the server. `version` is what Accept asks for."""

    tenant: Tenant
    version: str

    @classmethod
    def of(cls, simulator: Simulator, version: str, user: str = "admin") -> Caller:
        return cls(Tenant(simulator, user).login(), version)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.tenant.close()

    def ask(self, method: str, path: str, body: Any = None, version: str = "") -> Answer:
        self.tenant.version = version or self.version
        text = json.dumps(body) if body is not None else ""
        return self.tenant.send(method, path, text, "application/json", "application/json")

    def cse(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.ask(method, f"/api/cse/3.0/{path}", body)
        assert answer.status == status, answer
        return answer.json if answer.body else None

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        answer = self.ask(method, f"/api/cse/3.0/{path}", body)
        return answer.status, answer.json["message"]["error description"]

    def wait(self, entity: dict[str, Any]) -> tuple[str, str]:
        """Follow the task that an answer names; return how it ended, and what it says."""
        status = entity["entity"]["status"]
        return self.follow(status.get("task_href") or status["taskHref"])

    def follow(self, href: str) -> tuple[str, str]:
        def ended() -> tuple[str, str] | None:
            task = self.tenant.get(href)
            if task.get("status") == "running":
                return None
            error = task.find("{*}Error")
            text = task.get("operation") if error is None else error.get("message")
            return task.get("status") or "", text or ""

        return until(ended, "the task does not end", 30)

    def settled(self, identifier: str) -> dict[str, Any]:
        """Return an entity once its phase is not that of something going on."""

        def idle() -> dict[str, Any]:
            found: dict[str, Any] = self.ask("GET", f"/cloudapi/1.0.0/entities/{identifier}").json
            return {} if found["entity"]["status"]["phase"].endswith("IN_PROGRESS") else found

        return until(idle, "the entity stays busy")


def newer_template(caller: Caller) -> tuple[str, int]:
    """Add a template with a newer Kubernetes; return its name and revision."""
    name = "ubuntu-16.04_k8-1.19_weave-2.6.5"
    values = {"like": f"{TEMPLATE}_rev{REVISION}", "image": {"kubernetes": "1.19.3"}}
    caller.tenant.control("POST", f"templates/{name}_rev1", values)
    return name, 1
