"""A client that speaks the protocol of CSE 2.6.1 over a socket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.simulator.client import Answer, Tenant
from tests.support.waiting import until

TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5"
DEMO = {
    "cluster_name": "demo",
    "org_name": "acme",
    "ovdc_name": "vdc1",
    "network_name": "net1",
    "num_workers": 1,
}


@dataclass
class Client:
    """A client of the CSE server, in the name of a user of VCD."""

    tenant: Tenant

    def ask(self, method: str, path: str, body: Any = None, accept: str = "") -> Answer:
        """Send a request below /api/cse."""
        return self.tenant.send(
            method,
            f"/api/cse{path}",
            "" if body is None else json.dumps(body),
            "" if body is None else "application/json",
            accept or "application/json",
        )

    def read(self, path: str) -> Any:
        """Return what a read answers."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.json

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, int, str]:
        """Return status, minor code and text of a refused request."""
        answer = self.ask(method, path, body)
        assert answer.status >= 400, answer
        message = answer.json["message"]
        assert set(message) == {"minor error code", "error description"}
        return answer.status, message["minor error code"], message["error description"]

    def task(self, answer: Answer) -> Any:
        """Return the task that an answer began, once it has ended."""
        assert answer.status in (200, 202), answer
        href = answer.json["task_href"]

        def ended() -> tuple[Any, ...]:
            # an lxml element without children is false, a tuple of one is not
            task = self.tenant.get(href)
            return () if task.get("status") == "running" else (task,)

        return until(ended, f"the task {href} does not end")[0]

    def done(self, answer: Answer) -> str:
        """Return the last text of a task that must succeed."""
        task = self.task(answer)
        assert task.get("status") == "success", self.error(task)
        return str(task.get("operation"))

    def failed(self, answer: Answer) -> str:
        """Return the message of a task that must fail."""
        task = self.task(answer)
        assert task.get("status") == "error", task.get("status")
        assert not task.get("operation")
        return self.error(task)

    @staticmethod
    def error(task: Any) -> str:
        return str(task.find("{*}Error").get("message"))

    def create(self, **changes: Any) -> Answer:
        """Ask for a cluster."""
        return self.ask("POST", "/clusters", {**DEMO, **changes})
