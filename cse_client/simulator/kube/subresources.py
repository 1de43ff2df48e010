"""What lies below an object's own path: scale, approval, eviction, binding, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cse_client.simulator.kube.budgets import disruptions_allowed
from cse_client.simulator.kube.deletion import DeleteOptions, Deletion
from cse_client.simulator.kube.errors import (
    bad_request,
    conflict,
    forbidden,
    invalid,
    method_not_allowed,
    not_found,
    not_implemented,
    too_many_requests,
    two_budgets,
)
from cse_client.simulator.kube.node_authorizer import restrict_node
from cse_client.simulator.kube.objects import Obj, clone, condition, dig
from cse_client.simulator.kube.patch import json_patch, merge_patch
from cse_client.simulator.kube.rbac import Attributes
from cse_client.simulator.kube.reading import Reader
from cse_client.simulator.kube.requests import Answer, Call, Target
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.selectors import selector_text
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.writing import Writer

__all__ = ["Subresources"]

_NO_KUBELET = frozenset({"log", "exec", "attach", "portforward", "proxy"})
_EVICTION_V1 = 22
_SKIPS, _KNOWS_UNREADY, _HAS_POLICY = 19, 20, 27


class Subresources:
    """The handlers of subresources; they run under the store's lock."""

    def __init__(
        self, cluster: Cluster, reader: Reader, writer: Writer, deletion: Deletion
    ) -> None:
        self._cluster = cluster
        self._reader = reader
        self._writer = writer
        self._deletion = deletion

    def handle(self, call: Call, target: Target, resource: Resource) -> Answer:
        """Answer a request for a subresource; raises ApiError."""
        name = target.subresource
        if name not in resource.subresources:
            raise not_found(resource.group, resource.plural, "")
        if name in _NO_KUBELET:
            old = self._reader.existing(target)
            forwarded = self._forwarded(call, target) if name == "portforward" else None
            if forwarded is not None:
                return forwarded
            self._no_containers(name, old)
        handlers: dict[str, Callable[[Call, Target, Resource], Answer]] = {
            "status": self._status,
            "scale": self._scale,
            "approval": self._approval,
            "eviction": self._eviction,
            "binding": self._binding,
            "finalize": self._finalize,
        }
        if name not in handlers:
            raise not_implemented(f"the subresource {resource.plural}/{name}")
        return handlers[name](call, target, resource)

    def _forwarded(self, call: Call, target: Target) -> Answer | None:
        """Return the port that a WebSocket is asked for, where something listens there."""
        port = "".join(call.query.get("ports", []))
        stream = self._cluster.ports.get((target.name, int(port) if port.isdigit() else 0))
        if stream is None or target.namespace != "kube-system":
            return None
        return Answer(101, {}, forward=(int(port), stream))

    @staticmethod
    def _no_containers(name: str, obj: Obj) -> None:
        node = dig(obj, "spec", "nodeName", default="")
        where = f" (pod {obj['metadata']['name']} on node {node!r})" if node else ""
        raise not_implemented(f"{name}: no containers run here{where}")

    def _status(self, call: Call, target: Target, resource: Resource) -> Answer:
        if target.verb == "get":
            return Answer(200, self._reader.existing(target))
        if target.verb == "update":
            return self._writer.update(call, target, resource)
        if target.verb == "patch":
            return self._writer.patch(call, target, resource)
        raise method_not_allowed()

    def _scale(self, call: Call, target: Target, resource: Resource) -> Answer:
        old = self._reader.existing(target)
        scale = self._scale_of(old)
        if target.verb == "get":
            return Answer(200, scale)
        body: Any = call.value()
        if target.verb == "patch":
            apply = json_patch if "json-patch" in call.content_type else merge_patch
            body = apply(scale, body)
        replicas = dig(body, "spec", "replicas", default=0)
        wanted = dig(body, "metadata", "resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise conflict(resource.group, resource.plural, target.name)
        if not isinstance(replicas, int) or replicas < 0:
            raise invalid(
                "autoscaling",
                "Scale",
                target.name,
                [
                    (
                        "spec.replicas",
                        f"Invalid value: {replicas}: must be greater than or equal to 0",
                    )
                ],
            )
        new = clone(old)
        new["spec"]["replicas"] = replicas
        plain = Target(**{**target.__dict__, "subresource": ""})
        return Answer(200, self._scale_of(self._writer.replace(call, plain, resource, old, new)))

    @staticmethod
    def _scale_of(obj: Obj) -> Obj:
        metadata = {
            name: obj["metadata"][name]
            for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
            if name in obj["metadata"]
        }
        replicas = dig(obj, "spec", "replicas", default=0)
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": metadata,
            "spec": {"replicas": replicas} if replicas else {},
            "status": {
                "replicas": dig(obj, "status", "replicas", default=0),
                "selector": selector_text(dig(obj, "spec", "selector")),
            },
        }

    def _approval(self, call: Call, target: Target, resource: Resource) -> Answer:
        old = self._reader.existing(target)
        if target.verb == "get":
            return Answer(200, old)
        body = call.value()
        signer = dig(old, "spec", "signerName", default="")
        domain = signer.split("/")[0]
        asked = [
            Attributes("approve", resource.group, "signers", "", "", name)
            for name in (signer, f"{domain}/*")
        ]
        if not any(self._cluster.allows(call.user, one) for one in asked):
            raise forbidden(
                resource.group,
                resource.plural,
                target.name,
                f'user not permitted to approve requests with signerName "{signer}"',
            )
        if target.verb == "patch":
            body = merge_patch(old, body)
        wanted = dig(body, "metadata", "resourceVersion")
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            raise conflict(resource.group, resource.plural, target.name)
        status = {
            **dig(old, "status", default={}),
            "conditions": self._stamped(dig(body, "status", "conditions", default=[])),
        }
        return Answer(200, self._cluster.put(resource.key, old, status=status))

    def _stamped(self, conditions: list[Obj]) -> list[Obj]:
        now = self._cluster.now()
        for one in conditions:
            if one.get("type") in ("Approved", "Denied"):
                one.setdefault("status", "True")
            one["lastUpdateTime"] = one.get("lastUpdateTime") or now
            one["lastTransitionTime"] = one.get("lastTransitionTime") or now
        return conditions

    def _eviction(self, call: Call, target: Target, resource: Resource) -> Answer:
        if target.verb != "create":
            raise method_not_allowed()
        pod = self._reader.existing(target)
        body = call.value() or {}
        if dig(body, "metadata", "name", default="") != target.name:
            raise bad_request("name in URL does not match name in Eviction object")
        restrict_node(call.user, target.attributes(), None, pod)
        wanted = body.get("apiVersion", "policy/v1")
        if wanted == "policy/v1" and self._cluster.minor < _EVICTION_V1:
            raise bad_request("no kind Eviction is registered for version policy/v1")
        budgets = [] if self._beyond_budgets(pod) else self._budgets(pod)
        if len(budgets) > 1:
            raise two_budgets()
        for budget in budgets:
            self._spend(budget, pod)
        options = body.get("deleteOptions") or {}
        self._deletion.delete(
            resource,
            pod,
            DeleteOptions(
                grace=options.get("gracePeriodSeconds"),
                uid=dig(options, "preconditions", "uid", default=""),
                dry_run=call.dry_run or bool(options.get("dryRun")),
            ),
        )
        return Answer(
            201,
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "code": 201,
            },
        )

    def _budgets(self, pod: Obj) -> list[Obj]:
        from cse_client.simulator.kube.selectors import matches_selector

        return [
            budget
            for budget in self._cluster.store.each(
                ("policy", "poddisruptionbudgets"), pod["metadata"]["namespace"]
            )
            if matches_selector(dig(budget, "spec", "selector"), pod["metadata"].get("labels"))
        ]

    def _beyond_budgets(self, pod: Obj) -> bool:
        """Whether a pod goes whatever budgets say (kubernetes/kubernetes#83906 and #91342)."""
        phase = dig(pod, "status", "phase")
        early = phase == "Pending" or bool(pod["metadata"].get("deletionTimestamp"))
        return phase in ("Succeeded", "Failed") or (early and self._cluster.minor >= _SKIPS)

    def _spend(self, budget: Obj, pod: Obj) -> None:
        """Raise ApiError 429 when the budget does not let this pod go.

        One that is not ready goes where enough others are (kubernetes/kubernetes#94381), or always
        where the budget says so (#113375).
        """
        allowed, healthy, needed = disruptions_allowed(self._cluster.store, budget)
        if dig(condition(pod, "Ready"), "status") != "True":
            policy = dig(budget, "spec", "unhealthyPodEvictionPolicy", default="")
            if policy == "AlwaysAllow" and self._cluster.minor >= _HAS_POLICY:
                return
            if healthy >= needed > 0 and self._cluster.minor >= _KNOWS_UNREADY:
                return
        if allowed <= 0:
            raise too_many_requests(
                "Cannot evict pod as it would violate the pod's disruption budget.",
                0,
                [
                    f"The disruption budget {budget['metadata']['name']} needs {needed} healthy "
                    f"pods and has {healthy} currently"
                ],
            )

    def _binding(self, call: Call, target: Target, resource: Resource) -> Answer:
        if target.verb != "create":
            raise method_not_allowed()
        pod = self._reader.existing(target)
        node = dig(call.value(), "target", "name", default="")
        if dig(pod, "spec", "nodeName"):
            raise conflict(
                "",
                "pods/binding",
                target.name,
                f'pod {target.name} is already assigned to node "{pod["spec"]["nodeName"]}"',
            )
        self._cluster.put(resource.key, pod, spec={**pod["spec"], "nodeName": node})
        return Answer(
            201,
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "code": 201,
            },
        )

    def _finalize(self, call: Call, target: Target, resource: Resource) -> Answer:
        if target.verb != "update":
            raise method_not_allowed()
        old = self._reader.existing(target)
        body = call.value()
        spec = {"finalizers": dig(body, "spec", "finalizers", default=[])}
        if not spec["finalizers"] and dig(old, "status", "phase") == "Terminating":
            self._deletion.remove(resource, old)
            return Answer(200, {**old, "spec": spec})
        return Answer(200, self._cluster.put(resource.key, old, spec=spec))
