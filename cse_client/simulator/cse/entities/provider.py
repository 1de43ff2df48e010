"""System, templates and org VDCs of a CSE server 3.x.

Source: container-service-extension 3.0.5:container_service_extension/service.py,
request_handlers/{system,template}_handler.py, def_/ovdc_service.py; the same places below server/,
rde/ and common/ in 3.1.4. That any tenant may enable, disable and stop the server is theirs: the
check names the method of the client without calling it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from cse_client.simulator.cse.entities.changes import task_href
from cse_client.simulator.cse.errors import Refusal, failed
from cse_client.simulator.cse.legacy import Caller
from cse_client.simulator.cse.payload import Payload
from cse_client.simulator.cse.provider import Release, ServerState
from cse_client.simulator.cse.templates import known_templates
from cse_client.simulator.cse.work import Work
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Vdc

__all__ = ["EntityProvider"]

_BAD_REQUEST = 400
#: Where the simulator notes an org VDC's runtimes; the genuine server gives it placement policies
#: named `cse----native` and so on, which the simulated VCD lacks.
_RUNTIMES = ("SYSTEM", "simulated_placement_policies")
_KNOWN = ("native", "TKG+", "TKGm")


class EntityProvider:
    """Handlers of system, template and ovdc requests."""

    def __init__(self, cloud: Cloud, state: ServerState, kind: Release) -> None:
        self.cloud = cloud
        self.state = state
        self.kind = kind

    def system_info(self, caller: Caller) -> object:
        """GET /system."""
        said: dict[str, object] = {
            "product": "CSE",
            "description": "Container Service Extension for VMware vCloud Director",
            **self.kind.capabilities(),
        }
        if caller.user.is_provider:
            said |= {
                "python": platform.python_version(),
                "all_consumer_threads": 10,
                "all_threads": 14,
                "requests_in_progress": 1,
                "config_file": "/opt/vmware/cse/config.yaml",
                "status": self.state.now,
            }
        return said

    def system_update(self, body: Mapping[str, Any]) -> object:
        """PUT /system: by whomever."""
        payload = Payload(body)
        payload.require("server_action")
        return {"message": self.state.change(str(payload["server_action"]))}

    def system_config(self) -> object:
        """GET /system/config (3.1): the configuration without its secrets."""
        return {
            "vcd": {"host": "vcd.example", "username": "administrator", "password": "REDACTED"},
            "mqtt": {"verify_ssl": True, "token": "REDACTED", "token_id": "REDACTED"},
            "vcs": [{"name": "vc1", "username": "cse", "password": "REDACTED"}],
            "service": {
                "processors": 15,
                "enforce_authorization": False,
                "legacy_mode": self.kind.legacy_mode,
                "default_api_version": self.kind.api,
                "supported_api_versions": list(self.kind.served),
                "rde_version_in_use": "2.1.0",
            },
            "broker": {"catalog": next((one.catalog for one in known_templates(self.cloud)), "")},
        }

    def template_list(self) -> object:
        """GET /templates: 3.1 has no default template."""
        known = known_templates(self.cloud)
        rows = [
            {
                "catalog": one.catalog,
                "catalog_item": one.catalog_item,
                "cni": one.cni,
                "cni_version": one.cni_version,
                "deprecated": "False",
                "description": one.description.replace("\\n", ", "),
                "docker_version": one.docker_version,
                "is_default": "Yes" if one is known[0] and not self.kind.served else "No",
                "kind": "native",
                "kubernetes": one.kubernetes,
                "kubernetes_version": one.kubernetes_version,
                "name": one.name,
                "os": one.os,
                "revision": str(one.revision),
            }
            for one in known
        ]
        return sorted(rows, key=lambda one: (one["name"], one["revision"]), reverse=True)

    def template_reload(self, caller: Caller) -> object:
        """POST /templates/action/reload (3.1): a task; nothing changes here."""
        work = Work(
            self.cloud,
            caller.user,
            "Reloading native templates.",
            stuck=caller.stuck,
            operation="template operation",
        )
        work.begin(lambda: "Finished reloading all templates.")
        return {"task_href": task_href(caller.vcd, work)}

    # Org VDCs

    def ovdc_list(self) -> list[dict[str, Any]]:
        """GET /ovdcs, and what GET /orgvdcs has pages of."""
        with self.cloud.lock:
            return [_ovdc(vdc) for vdc in self.cloud.vdcs.values()]

    def ovdc_info(self, identifier: str) -> object:
        """GET /ovdc/{id}."""
        with self.cloud.lock:
            return _ovdc(self._vdc(identifier))

    def ovdc_update(self, caller: Caller, identifier: str, body: Mapping[str, Any]) -> object:
        """PUT /ovdc/{id}: the whole new list of runtimes; by the server's administrator."""
        known = {"k8s_runtime", "ovdc_name", "ovdc_id", "remove_cp_from_vms_on_disable"}
        if self.kind.served:
            known.add("org_name")
        for key in body:
            if key not in known:
                text = f"__init__() got an unexpected keyword argument '{key}'"
                raise Refusal(_BAD_REQUEST, text)
        wanted = body.get("k8s_runtime")
        if not isinstance(wanted, list):
            text = "__init__() missing 1 required positional argument: 'k8s_runtime'"
            raise Refusal(_BAD_REQUEST, text)
        vdc = self._vdc(identifier)
        for one in wanted:
            if one not in _KNOWN:
                raise Refusal(_BAD_REQUEST, f"'{one}'")
            if one != "native":
                raise failed(
                    f"{one} is not enabled on CSE server. Please enable {one} in the server and"
                    " try again."
                )
        text = "Updating OVDC placement policies"
        work = Work(
            self.cloud,
            caller.user,
            text,
            stuck=caller.stuck,
            owner=vdc,
            operation="OVDC Update",
        )

        def steps() -> str:
            with self.cloud.lock:
                vdc.metadata[_RUNTIMES] = ("MetadataStringValue", ",".join(wanted))
            return "Operation success"

        work.begin(steps)
        return {"task_href": task_href(caller.vcd, work)}

    def _vdc(self, identifier: str) -> Vdc:
        vdc = self.cloud.vdcs.get(identifier)
        if vdc is None:
            raise failed(f"VDC '{identifier}' not found")
        return vdc


def _ovdc(vdc: Vdc) -> dict[str, Any]:
    listed = vdc.metadata.get(_RUNTIMES, ("", ""))[1]
    return {
        "k8s_runtime": [one for one in listed.split(",") if one],
        "ovdc_name": vdc.name,
        "ovdc_id": vdc.id,
    }
