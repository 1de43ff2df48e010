"""`vcd` in front of a VCD whose every answer is written down here, as CSE 2.6.1 gives them.

The bodies are those of container-service-extension 2.6.1 (request_processor.py, vcdbroker.py,
request_handlers/), as recorded in front of the genuine server.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from cse_client.engines.choice import open_engine
from cse_client.engines.server.detect import detect
from cse_client.guest.pki import ADMIN_GROUP, issue_client, mint_pki
from cse_client.kube.kubeconfig.document import render_kubeconfig
from cse_client.vcd.client import VcdClient
from tests.support.clock import FakeClock
from tests.support.scripted_vcd import Answer, ScriptedVcd

TASK = "5f8d0d55-0000-4000-8000-000000000001"


def made_kubeconfig() -> str:
    """Return a kubeconfig that is good for nothing but being handed out."""
    pki = mint_pki("blue")
    admin = issue_client(
        pki, common_name="x", organizations=[ADMIN_GROUP], lifetime=timedelta(hours=1)
    )
    return render_kubeconfig(
        cluster="kubernetes",
        context="secret-user@kubernetes",
        user="secret-user",
        server="https://127.0.0.1:9",
        ca=pki.ca_cert,
        cert=admin.cert,
        key=admin.key,
    )


KUBECONFIG = made_kubeconfig()
TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5"

SYSTEM = {
    "product": "CSE",
    "description": "Container Service Extension for VMware vCloud Director",
    "version": "2.6.1",
}
CLUSTER = {
    "name": "blue",
    "vapp_id": "1c0b0e0e-0000-4000-8000-00000000000a",
    "vapp_href": "https://elsewhere.example/api/vApp/vapp-1",
    "vdc_name": "vdc1",
    "vdc_href": "https://elsewhere.example/api/vdc/1",
    "vdc_id": "1",
    "leader_endpoint": "10.0.0.10",
    "master_nodes": [{"name": "mstr-a1b2", "ipAddress": "10.0.0.10"}],
    "nodes": [
        {"name": "node-c3d4", "ipAddress": "10.0.0.11"},
        {"name": "node-e5f6", "ipAddress": "10.0.0.12"},
    ],
    "nfs_nodes": [],
    "number_of_vms": "3",
    "template_name": TEMPLATE,
    "template_revision": "2",
    "cse_version": "2.6.1",
    "cluster_id": "0d0c7a35-0000-4000-8000-00000000000b",
    "status": "POWERED_ON",
    "os": "ubuntu-16.04",
    "docker_version": "18.09.7",
    "kubernetes": "upstream",
    "kubernetes_version": "1.20",
    "cni": "weave",
    "cni_version": "2.6.5",
    "k8s_provider": "native",
}
ROW = {
    "name": "blue",
    "vdc": "vdc1",
    "status": "POWERED_ON",
    "org_name": "acme",
    "k8s_type": "upstream",
    "k8s_version": "1.20",
    "k8s_provider": "native",
}
TEMPLATES = [
    {
        "name": TEMPLATE,
        "revision": "2",
        "is_default": "Yes",
        "catalog": "cse",
        "catalog_item": f"{TEMPLATE}_rev2",
        "description": "Ubuntu 16.04, Docker-ce 19.03.5, Kubernetes 1.18.6, weave 2.6.5",
    },
]


def answer(value: Any, status: int = 200) -> Answer:
    """Return a JSON answer."""
    return Answer(json.dumps(value), status, "application/json")


def failure(text: str, status: int = 500, code: int = -1) -> Answer:
    """Return an error as the server gives it."""
    return answer({"message": {"minor error code": code, "error description": text}}, status)


def task(base: str, status: str, operation: str = "", error: str = "") -> str:
    """Return a VCD task as the server's administrator session makes it."""
    detail = f'<Error message="{error}" majorErrorCode="500" minorErrorCode=""/>' if error else ""
    return (
        '<Task xmlns="http://www.vmware.com/vcloud/v1.5" operationName="cluster operation"'
        f' operation="{operation}" status="{status}" href="{base}/api/task/{TASK}">{detail}</Task>'
    )


class Served:
    """A VCD with a CSE server, and what was asked of it."""

    def __init__(self, vcd: ScriptedVcd) -> None:
        self.vcd = vcd
        self.base = vcd.base
        self.get("/api/cse/system", SYSTEM)
        self.get("/api/cse/cluster/blue*", CLUSTER)
        self.set(
            "GET /api/query?type=orgVdcStorageProfile*",
            '<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="1">'
            '<OrgVdcStorageProfileRecord name="gold" isEnabled="true"/></QueryResultRecords>',
        )
        self.set(
            "GET /api/vdc/1",
            '<Vdc xmlns="http://www.vmware.com/vcloud/v1.5" name="vdc1"><Link rel="add"'
            ' type="application/vnd.vmware.vcloud.composeVAppParams+xml" href="{base}/x"/>'
            "<AvailableNetworks>"
            '<Network name="net1" href="{base}/api/network/1"/></AvailableNetworks></Vdc>',
        )

    def get(self, path: str, value: Any) -> None:
        """Set what a read answers."""
        self.set(f"GET {path}", answer(value))

    def set(self, call: str, *answers: Answer | str) -> None:
        self.vcd.answer(call, *answers)

    def accept(self, call: str, **value: Any) -> None:
        """Have a change accepted, with a task that says how far it is and then succeeds."""
        # the server knows VCD by another name than the client
        href = f"https://elsewhere.example/api/task/{TASK}"
        self.set(call, answer({**value, "task_href": href}, 202))
        self.tasks(("running", "Creating cluster vApp blue"), ("success", "Done"))

    def tasks(self, *states: tuple[str, ...]) -> None:
        """Set what the task says, look by look."""
        self.set(f"GET /api/task/{TASK}", *(task(self.base, *one) for one in states))

    def asked(self) -> list[str]:
        """Return the requests, `METHOD path`."""
        return self.vcd.asked()

    def asked_but_for_profiles(self) -> list[str]:
        """Return the requests, but for the question for storage profiles, which names a host."""
        profiles = "GET /api/query?type=orgVdcStorageProfile"
        return [one for one in self.asked() if not one.startswith(profiles)]

    def body(self, call: str) -> Any:
        """Return the JSON body of the only request of this call."""
        (found,) = [one for one in self.vcd.requests if f"{one.method} {one.path}" == call]
        return json.loads(found.body)


def write_profile(home: Path, base: str, **changes: Any) -> None:
    """Store a session as `vcd login` does."""
    profile = {
        "name": "default",
        "host": base,
        "org": "acme",
        "org_in_use": "acme",
        "user": "bob",
        "api_version": "36.0",
        "token": "very-secret-token",
        "is_jwt_token": True,
        "verify": True,
        "vdc_in_use": "vdc1",
        "vdc_href": f"{base}/api/vdc/1",
        **changes,
    }
    data = {"active": "default", "extensions": ["cse_client.cse"], "profiles": [profile]}
    (home / ".vcd-cli" / "profiles.yaml").write_text(yaml.safe_dump(data))


def opened(served: Served, **session: Any) -> Any:
    """Open the engine for this server."""
    found = served.vcd.session(**session)
    vcd = VcdClient.attach(found, clock=FakeClock())
    return open_engine(vcd, found, detect(vcd, found), "")
