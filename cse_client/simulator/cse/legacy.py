"""The protocol of CSE 2.6.1: clusters by name, found by their vApps' metadata.

Source: container-service-extension 2.6.1:container_service_extension/request_processor.py (paths),
vcdbroker.py (checks in their order, texts), request_handlers/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import uuid4

from cse_client.simulator.cse import upgrades
from cse_client.simulator.cse.calls import VcdCalls, VcdRefused
from cse_client.simulator.cse.clusters import (
    CONTROL_PLANE,
    NFS,
    WORKER,
    Place,
    address_of,
    cluster_document,
    clusters,
    metadata_of,
    row,
    the_cluster,
    the_vdc,
    vm_status,
    vms_of,
)
from cse_client.simulator.cse.errors import failed
from cse_client.simulator.cse.lifecycle import Lifecycle, NodesNotMade, NodesWanted, StepFailed
from cse_client.simulator.cse.payload import Payload
from cse_client.simulator.cse.templates import (
    KnownTemplate,
    cluster_tags,
    known_templates,
    template_of,
)
from cse_client.simulator.cse.work import Work
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Vdc
from cse_client.simulator.vcd.people import User
from cse_client.simulator.vcd.vapps import VApp

__all__ = ["VERSION", "Caller", "LegacyProtocol"]

VERSION = "2.6.1"
_NAME = re.compile(r"(?!-)[A-Z\d-]{1,63}(?<!-)$", re.IGNORECASE)
_LONGEST_NAME = 25
_NODE_TYPES = {CONTROL_PLANE: "master", WORKER: "worker", NFS: "nfs"}


@dataclass(frozen=True)
class Caller:
    """Who asks: the user, and VCD seen with his token. `stuck`: tasks begun for him never end."""

    user: User
    vcd: VcdCalls
    stuck: bool = False


class LegacyProtocol:
    """Handlers of cluster, node and template requests; each returns status and body."""

    def __init__(self, cloud: Cloud, version: str = VERSION) -> None:
        self.cloud = cloud
        self.version = version
        self.lifecycle = Lifecycle(cloud)

    # Reading

    def cluster_list(self, caller: Caller, payload: Payload) -> object:
        """GET /clusters."""
        found = clusters(self.cloud, caller.user, _place(payload))
        with self.cloud.lock:
            return [row(self.cloud, vapp) for vapp in found]

    def cluster_info(self, caller: Caller, payload: Payload) -> object:
        """GET /cluster/{name}."""
        vapp = self._find(caller, payload)
        with self.cloud.lock:
            return cluster_document(self.cloud, vapp, caller.vcd.api)

    def cluster_config(self, caller: Caller, payload: Payload) -> object:
        """GET /cluster/{name}/config."""
        try:
            return {"message": self.lifecycle.kubeconfig(self._find(caller, payload))}
        except StepFailed as error:
            raise failed(str(error)) from error

    def upgrade_plan(self, caller: Caller, payload: Payload) -> object:
        """GET /cluster/{name}/upgrade-plan."""
        vapp = self._find(caller, payload)
        return [one.document() for one in upgrades.targets(self.cloud, metadata_of(vapp))]

    def node_info(self, caller: Caller, payload: Payload) -> object:
        """GET /node/{name}."""
        vapp = self._find(caller, payload)
        payload.require("cluster_name", "node_name")
        name = payload["node_name"]
        vm = vapp.vm_named(name)
        if vm is None:
            raise failed(f"Node '{name}' not found in cluster '{vapp.name}'")
        document: dict[str, object] = {
            "name": vm.name,
            "numberOfCpus": str(vm.cpus),
            "memoryMB": str(vm.memory_mb),
            "status": vm_status(vm),
            "ipAddress": address_of(vm),
        }
        kind = next((kind for kind in _NODE_TYPES if vm.name.startswith(kind)), None)
        if kind is not None:
            document["node_type"] = _NODE_TYPES[kind]
        if kind == NFS:
            document["exports"] = self.lifecycle.exports(vm)
        return document

    def template_list(self, caller: Caller, payload: Payload) -> object:
        """GET /templates."""
        del caller, payload
        known = known_templates(self.cloud)
        rows = [
            {
                "name": one.name,
                "revision": str(one.revision),
                "is_default": "Yes" if one is known[0] else "No",
                "catalog": one.catalog,
                "catalog_item": one.catalog_item,
                "description": one.description.replace("\\n", ", "),
            }
            for one in known
        ]
        return sorted(rows, key=lambda one: (one["name"], one["revision"]), reverse=True)

    # Changing

    def cluster_create(self, caller: Caller, payload: Payload) -> object:
        """POST /clusters: checked in the server's order, then composed in the background."""
        payload.require("cluster_name")
        name = str(payload["cluster_name"])
        found = clusters(self.cloud, caller.user, _place(payload), name)
        if len(found) > 1:
            raise failed(f"Found multiple clusters named '{name}'.")
        if found:
            raise failed(f"Cluster {name} already exists.")
        for key in ("org_name", "ovdc_name"):
            if key not in payload:
                # A bare KeyError there, whose text is the member of an enumeration.
                raise failed(f"<RequestKey.{key.upper()}: '{key}'>")
        vdc = the_vdc(self.cloud, str(payload["org_name"]), str(payload["ovdc_name"]))
        if not _valid_name(name):
            raise failed(f"Invalid cluster name '{name}'")
        template = self._template(payload)
        payload.require("cluster_name", "org_name", "ovdc_name", "network_name")
        count = payload.number("num_workers", 2)
        if count < 0:
            raise failed(f"Worker node count must be >= 0 (received {count}).")
        cluster_id = str(uuid4())
        work = self._work(
            caller,
            f"Creating cluster vApp '{name}' ({cluster_id}) from template '{template.name}' "
            f"(revision {template.revision})",
        )
        work.begin(lambda: self._create(caller, payload, vdc, template, cluster_id, work))
        return {"name": name, "cluster_id": cluster_id, "task_href": _href(caller, work)}

    def cluster_resize(self, caller: Caller, payload: Payload) -> object:
        """PUT /cluster/{name}: up only, with the given or the default template."""
        vapp = self._find(caller, payload)
        payload.require("cluster_name", "num_workers", "network_name")
        count = payload.number("num_workers", 1)
        if count < 1:
            raise failed(f"Worker node count must be > 0 (received {count}).")
        present = len(vms_of(vapp, WORKER))
        if present > count:
            raise failed(
                "Automatic scale down is not supported for vCD powered Kubernetes clusters. Use "
                "'vcd cse delete node' command."
            )
        if present == count:
            name = payload["cluster_name"]
            raise failed(f"Cluster '{name}' already has {present} worker nodes.")
        return self.node_create(caller, Payload({**payload, "num_workers": count - present}))

    def cluster_delete(self, caller: Caller, payload: Payload) -> object:
        """DELETE /cluster/{name}."""
        vapp = self._find(caller, payload)
        cluster_id = metadata_of(vapp)["cluster_id"]
        work = self._work(caller, f"Deleting cluster '{vapp.name}' ({cluster_id})")

        def steps() -> str:
            work.report(f"Deleting cluster '{vapp.name}'")
            self.lifecycle.remove_vapp(caller.vcd, vapp)
            return f"Deleted cluster '{vapp.name}'"

        work.begin(steps)
        return {"cluster_name": vapp.name, "task_href": _href(caller, work)}

    def cluster_upgrade(self, caller: Caller, payload: Payload) -> object:
        """POST /cluster/{name}/action/upgrade."""
        vapp = self._find(caller, payload)
        payload.require("cluster_name", "template_name", "template_revision")
        name, revision = payload["template_name"], str(payload["template_revision"])
        facts = metadata_of(vapp)
        for target in upgrades.targets(self.cloud, facts):
            if (target.name, str(target.revision)) == (name, revision):
                break
        else:
            raise failed(
                f"Specified template/revision ({name} revision {revision}) is not a valid upgrade "
                f"target for cluster '{vapp.name}'."
            )
        work = self._work(caller, upgrades.text(vapp.name, facts, target))
        work.begin(
            lambda: upgrades.carry_out(self.lifecycle, caller.vcd, vapp, target, work.report)
        )
        return {"cluster_name": vapp.name, "task_href": _href(caller, work)}

    def node_create(self, caller: Caller, payload: Payload) -> object:
        """POST /nodes."""
        vapp = self._find(caller, payload)
        template = self._template(payload)
        payload.require("cluster_name", "network_name")
        count = payload.number("num_workers", 1)
        if count < 1:
            raise failed(f"Worker node count must be > 0 (received {count}).")
        cluster_id = metadata_of(vapp)["cluster_id"]
        work = self._work(
            caller,
            f"Creating {count} node(s) from template '{template.name}' (revision "
            f"{template.revision}) and adding to cluster '{vapp.name}' ({cluster_id})",
        )
        kind = NFS if payload.get("enable_nfs") else WORKER
        wanted = _wanted(payload, kind, count, template)
        rollback = payload.get("rollback", True)
        work.begin(lambda: self._add(caller, vapp, cluster_id, wanted, rollback, work))
        return {"cluster_name": vapp.name, "task_href": _href(caller, work)}

    def node_delete(self, caller: Caller, payload: Payload) -> object:
        """DELETE /nodes: unknown names are found out by the task."""
        vapp = self._find(caller, payload)
        payload.require("cluster_name", "node_names")
        names = list(payload["node_names"])
        if not names:
            return {"body": {}}
        for name in names:
            if name.startswith(CONTROL_PLANE):
                raise failed(f"Can't delete a master node: '{name}'.")
        cluster_id = metadata_of(vapp)["cluster_id"]
        count = len(names)
        work = self._work(
            caller, f"Deleting {count} node(s) from cluster '{vapp.name}'({cluster_id})"
        )

        def steps() -> str:
            work.report(f"Draining {count} node(s) from cluster '{vapp.name}': {names}")
            self.lifecycle.drain(vapp, names)
            work.report(f"Deleting {count} node(s) from cluster '{vapp.name}': {names}")
            self.lifecycle.remove_nodes(caller.vcd, vapp, names)
            return f"Deleted {count} node(s) to cluster '{vapp.name}'"

        work.begin(steps)
        return {"cluster_name": vapp.name, "task_href": _href(caller, work)}

    # Steps

    def _create(
        self,
        caller: Caller,
        payload: Payload,
        vdc: Vdc,
        template: KnownTemplate,
        cluster_id: str,
        work: Work,
    ) -> str:
        name, tag = payload["cluster_name"], f"'{payload['cluster_name']}' ({cluster_id})"
        count = payload.get("num_workers", 2)
        try:
            work.report(f"Creating cluster vApp {name} ({cluster_id})")
            vapp = self.lifecycle.compose(caller.vcd, vdc, name, payload["network_name"])
        except VcdRefused as error:
            raise StepFailed(f"Error while creating vApp: {error}") from error
        self.lifecycle.tag(caller.vcd, vapp, cluster_tags(template, cluster_id, self.version))
        try:
            work.report(f"Creating master node for cluster {tag}")
            self._nodes(caller, vapp, _wanted(payload, CONTROL_PLANE, 1, template), "adding master")
            work.report(f"Initializing cluster {tag}")
            address = self.lifecycle.initialize(vapp, template)
            self.lifecycle.tag(caller.vcd, vapp, {"cse.master.ip": address})
            work.report(f"Creating {count} node(s) for cluster {tag}")
            workers = _wanted(payload, WORKER, count, template)
            self._nodes(caller, vapp, workers, "creating worker")
            work.report(f"Adding {count} node(s) to cluster {tag}")
            self.lifecycle.join(vapp, template)
            if payload.get("enable_nfs"):
                work.report(f"Creating NFS node for cluster {tag}")
                self._nodes(caller, vapp, _wanted(payload, NFS, 1, template), "creating NFS")
        except StepFailed:
            if payload.get("rollback", True):
                work.report(f"Error creating cluster '{name}'. Deleting cluster (rollback=True)")
                self.lifecycle.remove_vapp(caller.vcd, vapp)
            raise
        return f"Created cluster {tag}"

    def _nodes(self, caller: Caller, vapp: VApp, wanted: NodesWanted, doing: str) -> None:
        try:
            self.lifecycle.add_nodes(caller.vcd, vapp, wanted)
        except NodesNotMade as error:
            # An exception of two arguments there, whose text is that of a pair.
            raise StepFailed(str((f"Error {doing} node:", str(error)))) from error

    def _add(
        self,
        caller: Caller,
        vapp: VApp,
        cluster_id: str,
        wanted: NodesWanted,
        rollback: bool,
        work: Work,
    ) -> str:
        try:
            names = self.lifecycle.add_nodes(caller.vcd, vapp, wanted)
        except NodesNotMade as error:
            if rollback:
                there = [name for name in error.names if vapp.vm_named(name) is not None]
                work.report(
                    f"Error adding nodes to cluster '{vapp.name}' ({cluster_id}). Deleting nodes: "
                    f"{list(error.names)} (rollback=True)"
                )
                if there:
                    self.lifecycle.remove_nodes(caller.vcd, vapp, there)
            raise
        if wanted.kind == NFS:
            return f"Created {wanted.count} node(s) for cluster '{vapp.name}' ({cluster_id})"
        work.report(f"Adding {wanted.count} node(s) to cluster {vapp.name}({cluster_id})")
        # What fails from here on leaves the VMs, rollback or not.
        self.lifecycle.join(vapp, wanted.template, names)
        return f"Added {wanted.count} node(s) to cluster {vapp.name}({cluster_id})"

    # Private

    def _find(self, caller: Caller, payload: Payload) -> VApp:
        payload.require("cluster_name")
        return the_cluster(self.cloud, caller.user, _place(payload), str(payload["cluster_name"]))

    def _template(self, payload: Payload) -> KnownTemplate:
        name, revision = payload.get("template_name"), payload.get("template_revision")
        return template_of(self.cloud, name, revision)

    def _work(self, caller: Caller, text: str) -> Work:
        return Work(self.cloud, caller.user, text, stuck=caller.stuck)


def _place(payload: Payload) -> Place:
    return Place(payload.text("org_name"), payload.text("ovdc_name"))


def _href(caller: Caller, work: Work) -> str:
    return f"{caller.vcd.api}/task/{work.task.id}"


def _wanted(payload: Payload, kind: str, count: int, template: KnownTemplate) -> NodesWanted:
    return NodesWanted(
        kind=kind,
        count=count,
        template=template,
        network=str(payload["network_name"]),
        cpu=payload.get("num_cpu"),
        memory=payload.get("mb_memory"),
        storage_profile=payload.text("storage_profile_name"),
        ssh_key=payload.text("ssh_key"),
    )


def _valid_name(name: str) -> bool:
    if len(name) > _LONGEST_NAME:
        return False
    if not name:
        raise failed("string index out of range")
    return all(_NAME.match(part) for part in name.removesuffix(".").split("."))
