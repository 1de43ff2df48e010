"""What VCD and CSE servers 3.0.5 and 3.1.4 answer about clusters that are entities.

Bodies: container-service-extension 3.0.5, container_service_extension/def_/models.py and
request_handlers/v35/; 3.1.4, rde/models/rde_2_1_0.py and
server/request_handlers/cluster_handler.py.
"""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import urlencode

from tests.server.served import TASK, Served, answer
from tests.support.scripted_vcd import Answer

UUID = "5d1c2f3a-1111-4222-8333-0123456789ab"
ID_30 = f"urn:vcloud:entity:cse:nativeCluster:1.0.0:{UUID}"
ID_31 = f"urn:vcloud:entity:cse:nativeCluster:2.1.0:{UUID}"
#: The server knows VCD by another name than the client.
HREF = f"https://elsewhere.example/api/task/{TASK}"
TEMPLATE = "ubuntu-16.04_k8-1.20_weave-2.6.5"

SYSTEM_30 = {
    "product": "CSE",
    "description": "Container Service Extension for VMware vCloud Director",
    "version": "3.0.5",
    "cse_server_api_version": "35.0",
}
SYSTEM_31 = {
    "product": "CSE",
    "description": "Container Service Extension for VMware vCloud Director",
    "version": "3.1.4",
    "cse_server_api_version": "36.0",
    "cse_server_supported_api_versions": ["35.0", "36.0"],
    "cse_server_running_in_legacy_mode": False,
}
ENTITY_30: dict[str, Any] = {
    "api_version": "",
    "kind": "native",
    "metadata": {"cluster_name": "blue", "org_name": "acme", "ovdc_name": "vdc1"},
    "spec": {
        "control_plane": {"count": 1, "sizing_class": None, "storage_profile": "gold"},
        "workers": {"count": 2, "sizing_class": None, "storage_profile": "gold"},
        "nfs": {"count": 1, "sizing_class": None, "storage_profile": None},
        "settings": {"network": "net1", "ssh_key": None, "rollback_on_failure": True},
        "k8_distribution": {"template_name": TEMPLATE, "template_revision": 2},
        "expose": False,
    },
    "status": {
        "phase": "CREATE:SUCCEEDED",
        "cni": "weave 2.6.5",
        "kubernetes": "upstream 1.20",
        "docker_version": "19.03.12",
        "os": "ubuntu-16.04",
        "task_href": "https://elsewhere.example/api/task/old",
        "nodes": {
            "control_plane": {"name": "mstr-a1b2", "ip": "10.0.0.10", "sizing_class": None},
            "workers": [
                {"name": "node-c3d4", "ip": "10.0.0.11", "sizing_class": None},
                {"name": "node-e5f6", "ip": "10.0.0.12", "sizing_class": None},
            ],
            "nfs": [{"name": "nfsd-a1b2", "ip": "10.0.0.14", "exports": "['/home', '/data']"}],
        },
    },
}
ENTITY_31: dict[str, Any] = {
    "apiVersion": "cse.vmware.com/v2.1",
    "kind": "native",
    "metadata": {
        "name": "blue",
        "orgName": "acme",
        "virtualDataCenterName": "vdc1",
        "site": "vcd.example",
    },
    "spec": {
        "topology": {
            "controlPlane": {"count": 1, "cpu": 2, "memory": 2048},
            "workers": {"count": 5, "cpu": 2, "memory": 2048},
            "nfs": {"count": 0},
        },
        "distribution": {"templateName": "wished", "templateRevision": 9},
        "settings": {
            "ovdcNetwork": "net1",
            "sshKey": None,
            "rollbackOnFailure": True,
            "network": {"expose": True},
        },
    },
    "status": {
        "phase": "CREATE:SUCCEEDED",
        "cni": "weave 2.6.5",
        "kubernetes": "upstream 1.20",
        "dockerVersion": "19.03.12",
        "os": "ubuntu-16.04",
        "taskHref": "https://elsewhere.example/api/task/old",
        "uid": ID_31,
        "cloudProperties": {
            "orgName": "acme",
            "virtualDataCenterName": "vdc1",
            "ovdcNetworkName": "net1",
            "distribution": {"templateName": TEMPLATE, "templateRevision": 2},
            "exposed": False,
        },
        "private": {"kubeConfig": "very: secret-kubeconfig"},
        "nodes": {
            "controlPlane": {"name": "mstr-a1b2", "ip": "10.0.0.10", "cpu": 2, "memory": 2048},
            "workers": [
                {"name": "node-c3d4", "ip": "10.0.0.11", "cpu": 2, "memory": 2048},
                {"name": "node-e5f6", "ip": "10.0.0.12", "cpu": 2, "memory": 2048},
            ],
            "nfs": [],
        },
    },
}


def defined(entity: dict[str, Any], identity: str = "", **changes: Any) -> dict[str, Any]:
    """Return an entity with what VCD says around it."""
    camel = "apiVersion" in entity
    version = "2.1.0" if camel else "1.0.0"
    return {
        "id": identity or (ID_31 if camel else ID_30),
        "entityType": f"urn:vcloud:type:cse:nativeCluster:{version}",
        "name": entity["metadata"]["name" if camel else "cluster_name"],
        "externalId": None,
        "state": "RESOLVED",
        "owner": {"name": "bob", "id": "urn:vcloud:user:1"},
        "org": {"name": "acme", "id": "urn:vcloud:org:1"},
        "entity": entity,
        **changes,
    }


def without_nulls(value: Any) -> Any:
    """Return a document without what is null, which VCD's schema of entities refuses."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return value


def altered(entity: dict[str, Any], phase: str = "", workers: int | None = None) -> dict[str, Any]:
    """Return an entity after a change: another phase, other workers, and this change's task."""
    other = copy.deepcopy(entity)
    status = other["status"]
    status["taskHref" if "apiVersion" in entity else "task_href"] = HREF
    status["phase"] = phase or status["phase"]
    if workers is not None:
        status["nodes"]["workers"] = [
            {"name": f"node-{number:04}", "ip": f"10.0.1.{number}"} for number in range(workers)
        ]
    return other


def page(*values: Any, total: int | None = None, number: int = 1) -> dict[str, Any]:
    """Return one page of a list, as VCD and a server 3.1 give it."""
    return {
        "resultTotal": len(values) if total is None else total,
        "pageCount": 1,
        "page": number,
        "pageSize": 128,
        "values": list(values),
    }


def url(path: str, **query: str) -> str:
    """Return a path with its query as it is sent."""
    return f"{path}?{urlencode(query)}"


def lookup(version: str, name: str = "blue", place: str = "") -> str:
    """Return the address at which a cluster is looked for by its name."""
    key = "org_name" if version == "1.0.0" else "orgName"
    conditions = f"name=={name};{place or f'entity.metadata.{key}==acme'}"
    path = f"/cloudapi/1.0.0/entities/types/cse/nativeCluster/{version}"
    return url(path, filter=conditions, page="1", pageSize="128", sortAsc="name")


def by_id(identity: str) -> str:
    """Return the address of an entity."""
    return f"/cloudapi/1.0.0/entities/{identity}"


def cluster_path(identity: str, rest: str = "") -> str:
    """Return the server's address of a cluster."""
    return f"/api/cse/3.0/cluster/{identity}{rest}"


LIST_30 = url(
    "/cloudapi/1.0.0/entities/types/cse/nativeCluster/1.0.0",
    filter="entity.metadata.org_name==acme",
    page="1",
    pageSize="128",
    sortAsc="name",
)
_TYPES = ",".join(
    f"entityType==urn:vcloud:type:cse:nativeCluster:{one}" for one in ("1.0.0", "2.0.0", "2.1.0")
)
LIST_31 = url(
    "/cloudapi/1.0.0/entities/interfaces/vmware/k8s/1.0.0",
    filter=f"entity.metadata.orgName==acme;({_TYPES})",
    page="1",
    pageSize="128",
    sortAsc="name",
)


class Generation:
    """One kind of server in front of a scripted VCD, with the cluster `blue`."""

    def __init__(self, served: Served, release: str) -> None:
        self.served = served
        self.first = release == "3.0"
        self.id = ID_30 if self.first else ID_31
        self.version = "1.0.0" if self.first else "2.1.0"
        self.entity = ENTITY_30 if self.first else ENTITY_31
        self.api = "35.0" if self.first else "36.0"
        self.find = f"GET {lookup(self.version)}"
        self.read = f"GET {by_id(self.id)}"
        served.get("/api/cse/system", SYSTEM_30 if self.first else SYSTEM_31)
        templates = [{"name": "t", "revision": one, "is_default": "No"} for one in ("2", "3")]
        served.get("/api/cse/templates", templates)
        served.set(self.find, answer(page(defined(self.entity))))
        served.set(self.read, answer(defined(self.entity)))

    def url(self, rest: str = "") -> str:
        """Return the server's address of the cluster."""
        return cluster_path(self.id, rest)

    def accept(self, call: str, entity: dict[str, Any] | None = None) -> None:
        """Have a change accepted with 202 and the whole entity, and its task succeed."""
        body = defined(altered(entity or self.entity, "UPDATE:IN_PROGRESS"), self.id)
        self.served.set(call, answer(body, 202))
        self.served.tasks(("running", "Creating cluster vApp blue"), ("success", "Done"))

    def becomes(self, *entities: dict[str, Any]) -> None:
        """Set what the entity is, look by look."""
        self.served.set(self.read, *(answer(defined(one, self.id)) for one in entities))

    def gone(self) -> None:
        """Have VCD know the entity no more."""
        self.served.set(self.read, missing())

    def named(self, *entities: dict[str, Any]) -> None:
        """Set what a search by name finds, look by look; `{}` is nothing."""
        pages = [page(defined(one, self.id)) if one else page() for one in entities]
        self.served.set(self.find, *(answer(one) for one in pages))


def missing() -> Answer:
    """Return VCD's answer about an entity that is not there."""
    said = {"minorErrorCode": "RDE_ENTITY_NOT_FOUND", "message": "[ 1 ] Entity not found."}
    return Answer(json.dumps(said), 404, "application/json")
