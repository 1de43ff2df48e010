"""What stands between a request that may write and the store: what it says, and whether it fits.

Fields that a kind does not have, defaults, schemas, rules, and the namespace that it goes to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cse_client.simulator.kube.bodies import read_object, without_unknown
from cse_client.simulator.kube.custom_schema import fill_in_defaults, violations
from cse_client.simulator.kube.defaults import add_nulls, complete_node_status, fill_in
from cse_client.simulator.kube.errors import forbidden, invalid, method_not_allowed, not_found
from cse_client.simulator.kube.node_authorizer import restrict_node
from cse_client.simulator.kube.objects import Obj, dig
from cse_client.simulator.kube.requests import Call, Target
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.validation import check, check_escalation

__all__ = ["Admission"]

_CRDS = ("apiextensions.k8s.io", "customresourcedefinitions")


class Admission:
    """Reads, completes and checks what is about to be stored; every method may raise ApiError."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def read(self, call: Call, body: Any, target: Target, resource: Resource) -> Obj:
        """Return a request's object, without the fields that its kind does not have."""
        obj = read_object(body, target, resource, self._cluster.table.preferred(resource))
        self.prune(call, target, resource, obj)
        return obj

    def prune(self, call: Call, target: Target, resource: Resource, obj: Obj) -> None:
        """Drop the fields that a kind does not have."""
        schema = self.schema(resource, target.version)
        without_unknown(call, target, resource, obj, schema, self._cluster.minor)

    def schema(self, resource: Resource, version: str) -> Obj | None:
        """Return the structural schema of a custom resource."""
        if not resource.custom:
            return None
        name = f"{resource.plural}.{resource.group}"
        crd = self._cluster.store.get(_CRDS, "", name)
        for one in dig(crd, "spec", "versions", default=[]):
            if one.get("name") == version:
                found = dig(one, "schema", "openAPIV3Schema")
                return found if isinstance(found, dict) else None
        return None

    def check_namespace(self, target: Target, resource: Resource, name: str) -> None:
        """Raise ApiError 404 or 403 where nothing can be created in a namespace."""
        if not resource.namespaced:
            return
        if not target.namespace:
            raise method_not_allowed()
        found = self._cluster.store.get(("", "namespaces"), "", target.namespace)
        if found is None:
            raise not_found("", "namespaces", target.namespace)
        if dig(found, "status", "phase") == "Terminating":
            refusal = forbidden(
                resource.group,
                resource.plural,
                name,
                f"unable to create new content in namespace {target.namespace} because it is "
                "being terminated",
            )
            (refusal.details or {})["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {target.namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise refusal

    def check_creation(self, call: Call, target: Target) -> None:
        """Raise ApiError 403 when an apply would create what its user may only patch.

        The API server asks its authorizers once more, with the verb create and the object's name,
        so that a rule with resourceNames counts, as it never does for a POST
        (kubernetes:staging/src/k8s.io/apiserver/pkg/endpoints/handlers/create.go,
        withAuthorization).
        """
        asked = replace(target, verb="create").attributes()
        if not self._cluster.allows(call.user, asked):
            where = f' in the namespace "{target.namespace}"' if target.namespace else ""
            raise forbidden(
                target.group or "",
                target.plural,
                target.name,
                f'User "{call.user.name}" cannot create resource "{target.plural}" in API group '
                f'"{target.group}"{where or " at the cluster scope"}',
            )

    def admit(
        self, call: Call, target: Target, resource: Resource, obj: Obj, old: Obj | None
    ) -> None:
        """Complete and check an object that is about to replace `old`, in place."""
        schema = self.schema(resource, self._cluster.table.preferred(resource))
        if schema is not None:
            fill_in_defaults(obj, schema)
            wrong = violations(obj, schema)
            if wrong:
                name = obj["metadata"].get("name", "")
                raise invalid(resource.group, resource.kind, name, wrong)
        if target.subresource != "status":
            fill_in(self._cluster, resource.key, obj, old, call.user)
            check(resource, obj, self._cluster.minor, old)
            check_escalation(self._cluster, call.user, resource, obj)
        elif resource.key in (("", "nodes"), ("", "pods")):
            obj["status"] = dict(obj.get("status") or {})
            if resource.plural == "nodes":
                complete_node_status(obj["status"])
            else:
                add_nulls(obj["status"], "lastProbeTime", "lastTransitionTime")
        restrict_node(call.user, target.attributes(), obj, old)
