"""What the provider does through the server: org VDCs, their compute policies, the server itself.

Source: container-service-extension 2.6.1:container_service_extension/ovdc_utils.py,
compute_policy_manager.py, service.py, request_handlers/ovdc_handler.py.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from cse_client.simulator.cse.errors import Refusal, failed
from cse_client.simulator.cse.legacy import Caller
from cse_client.simulator.cse.payload import Payload
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import ComputePolicy, Vdc

__all__ = ["Provider", "Release", "ServerState"]

_BAD_REQUEST, _UNAUTHORIZED = 400, 401
_SYSTEM_DEFAULT = "System Default"
_PROVIDER_KEY = ("SYSTEM", "k8s_provider")


@dataclass(frozen=True)
class Release:
    """A release of the server: version, API version, those it serves besides (from 3.1 on)."""

    version: str
    api: str = ""
    served: tuple[str, ...] = ()
    legacy_mode: bool = False

    def capabilities(self) -> dict[str, object]:
        """Return what `GET /system` says of it; 2.6.1 says no more than its version."""
        said: dict[str, object] = {"version": self.version}
        if self.api:
            said["cse_server_api_version"] = self.api
        if self.served:
            said["cse_server_supported_api_versions"] = list(self.served)
            said["cse_server_running_in_legacy_mode"] = self.legacy_mode
        return said


class ServerState:
    """Running, Disabled or Shutting down; what each action makes of it."""

    RUNNING, DISABLED, STOPPING = "Running", "Disabled", "Shutting down"

    def __init__(self) -> None:
        self.now = self.RUNNING

    def change(self, action: str) -> str:
        """Carry an action out and return the server's sentence; raises Refusal."""
        refused = {
            (self.RUNNING, "enable"): "CSE is already enabled and running.",
            (
                self.RUNNING,
                "stop",
            ): "Cannot stop CSE while it is enabled. Disable the service first",
            (self.DISABLED, "disable"): "CSE is already disabled.",
            (self.STOPPING, "enable"): "Cannot enable CSE while it is beingstopped.",
            (self.STOPPING, "disable"): "Cannot disable CSE while it is being stopped.",
        }
        done = {
            (self.RUNNING, "disable"): (self.DISABLED, "CSE has been disabled."),
            (self.DISABLED, "enable"): (self.RUNNING, "CSE has been enabled and is running."),
            (self.DISABLED, "stop"): (self.STOPPING, "CSE graceful shutdown started."),
            (self.STOPPING, "stop"): (self.STOPPING, "CSE graceful shutdown is in progress."),
        }
        if (self.now, action) in refused:
            raise Refusal(_BAD_REQUEST, refused[(self.now, action)])
        if (self.now, action) not in done:
            raise failed("local variable 'message' referenced before assignment")
        self.now, sentence = done[(self.now, action)]
        return sentence


class Provider:
    """Handlers of ovdc and system requests."""

    def __init__(self, cloud: Cloud, state: ServerState, release: Release) -> None:
        self.cloud = cloud
        self.state = state
        self.release = release

    def system_info(self, caller: Caller, payload: Payload) -> object:
        """GET /system: administrators see more."""
        del payload
        said: dict[str, object] = {
            "product": "CSE",
            "description": "Container Service Extension for VMware vCloud Director",
            **self.release.capabilities(),
        }
        if caller.user.is_provider:
            said |= {
                "python": platform.python_version(),
                ("all_consumer_threads" if self.release.api else "consumer_threads"): 5,
                "all_threads": 6,
                # It counts threads of a kind that it has not, so that there never is one.
                "requests_in_progress": 0,
                "config_file": "/opt/vmware/cse/config.yaml",
                "status": self.state.now,
            }
        return said

    def system_update(self, caller: Caller, payload: Payload) -> object:
        """PUT /system."""
        payload.require("server_action")
        if not caller.user.is_provider:
            raise Refusal(_UNAUTHORIZED, "Unauthorized to update CSE")
        return {"message": self.state.change(str(payload["server_action"]))}

    def ovdc_list(self, caller: Caller, payload: Payload) -> object:
        """GET /ovdcs."""
        plans = str(payload.get("list_pks_plans", "")).lower() == "true"
        if plans and not caller.user.is_provider:
            raise Refusal(
                _UNAUTHORIZED, "Operation Denied. Plans available only for System Administrator."
            )
        with self.cloud.lock:
            return [
                {
                    "name": vdc.name,
                    "org": self.cloud.org.name,
                    "k8s provider": _provider(vdc),
                    **({"pks api server": "", "available pks plans": ""} if plans else {}),
                }
                for vdc in self.cloud.vdcs.values()
            ]

    def ovdc_info(self, caller: Caller, payload: Payload) -> object:
        """GET /ovdc/{id}: no rights are asked for."""
        del caller
        with self.cloud.lock:
            return {"k8s_provider": _provider(self._vdc(payload))}

    def ovdc_update(self, caller: Caller, payload: Payload) -> object:
        """PUT /ovdc/{id}: by the server's own administrator; an ordinary task of VCD."""
        payload.require("org_name", "ovdc_name", "k8s_provider", "ovdc_id")
        provider = str(payload["k8s_provider"])
        if provider == "ent-pks":
            raise failed("CSE is not configured to work with PKS.")
        vdc = self._vdc(payload)
        texts = (f"Updating metadata for Vdc {vdc.name}", f"Updated metadata for Vdc {vdc.name}")
        with self.cloud.lock:
            task = self.cloud.tasks.start(
                "metadataUpdate",
                texts,
                vdc,
                caller.user,
                lambda _task: vdc.metadata.update(
                    {_PROVIDER_KEY: ("MetadataStringValue", provider)}
                ),
            )
            self.cloud.tasks.answered(self.cloud.tasks.take_fresh())
        return {"task_href": f"{caller.vcd.api}/task/{task.id}"}

    def policy_list(self, caller: Caller, payload: Payload) -> object:
        """GET /ovdc/{id}/compute-policies."""
        payload.require("ovdc_id")
        _demand_provider(caller)
        with self.cloud.lock:
            return [_reference(caller, policy) for policy in self._vdc(payload).policies]

    def policy_update(self, caller: Caller, payload: Payload) -> object:
        """PUT /ovdc/{id}/compute-policies: `add` at once, `remove` by a task."""
        payload.require("ovdc_id", "action", "compute_policy_name")
        _demand_provider(caller)
        name = str(payload["compute_policy_name"])
        policy = self._policy(name, str(payload["ovdc_id"]))
        if policy is None:
            raise Refusal(_BAD_REQUEST, f"Compute policy '{name}' not found.")
        urn = f"urn:vcloud:vdcComputePolicy:{policy.id}"
        if payload["action"] not in ("add", "remove"):
            raise Refusal(_BAD_REQUEST, "Unsupported compute policy action")
        vdc = self._vdc(payload)
        if payload["action"] == "add":
            with self.cloud.lock:
                if all(one.name != name for one in vdc.policies):
                    vdc.policies.append(policy)
            return {"message": f"Added compute policy '{name}' ({urn}) to ovdc ({vdc.id})"}
        return self._remove(caller, vdc, policy)

    def _policy(self, name: str, vdc_id: str) -> ComputePolicy | None:
        """Return the policy of a name; "System Default" only if the VDC itself has it."""
        with self.cloud.lock:
            vdcs = sorted(self.cloud.vdcs.values(), key=lambda one: one.id != vdc_id)
            known = [one for vdc in vdcs for one in vdc.policies] + list(self.spare_policies)
            if name == _SYSTEM_DEFAULT:
                known = [one for vdc in vdcs if vdc.id == vdc_id for one in vdc.policies]
        return next((one for one in known if one.name == name), None)

    #: Policies of the provider that no VDC has yet.
    spare_policies: tuple[ComputePolicy, ...] = (
        ComputePolicy("8core-16gb", cpus=8, memory_mb=16384),
    )

    def _remove(self, caller: Caller, vdc: Vdc, policy: ComputePolicy) -> object:
        texts = (f"Updating Vdc {vdc.name}", f"Updated Vdc {vdc.name}")

        def effect(_task: object) -> None:
            if policy in vdc.policies:
                vdc.policies.remove(policy)
                self.spare_policies = (*self.spare_policies, policy)

        with self.cloud.lock:
            task = self.cloud.tasks.start("vdcUpdateVdc", texts, vdc, caller.user, effect)
            self.cloud.tasks.answered(self.cloud.tasks.take_fresh())
        return {"task_href": f"{caller.vcd.api}/task/{task.id}"}

    def _vdc(self, payload: Payload) -> Vdc:
        payload.require("ovdc_id")
        with self.cloud.lock:
            vdc = self.cloud.vdcs.get(str(payload["ovdc_id"]))
        if vdc is None:
            raise failed(
                "Status code: 403/ACCESS_TO_RESOURCE_IS_FORBIDDEN, [ "
                f"{payload['ovdc_id']} ] Either you need some or all of the following rights "
                "[Base] to perform operations [VIEW_VDC] for "
                f"{payload['ovdc_id']} or the target entity is invalid."
            )
        return vdc


def _demand_provider(caller: Caller) -> None:
    """Refuse tenants, as compute_policy_manager.py does: a ValueError there."""
    if not caller.user.is_provider:
        raise failed("Only Sys admin clients should be used to initialize ComputePolicyManager.")


def _provider(vdc: Vdc) -> str:
    return vdc.metadata.get(_PROVIDER_KEY, ("", "none"))[1]


def _reference(caller: Caller, policy: ComputePolicy) -> dict[str, str]:
    urn = f"urn:vcloud:vdcComputePolicy:{policy.id}"
    base = caller.vcd.api[: -len("/api")]
    return {
        "name": policy.name,
        "href": f"{base}/cloudapi/1.0.0/vdcComputePolicies/{urn}",
        "id": urn,
    }
