"""The verbs that write: create, update, patch, delete, deletecollection.

Every method runs under the store's lock, held by the dispatcher. Semantics:
kubernetes.io/docs/reference/using-api/api-concepts and
kubernetes:staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import replace
from typing import Any

from cse_client.simulator.kube import patch as patches
from cse_client.simulator.kube.apply import apply, note_update
from cse_client.simulator.kube.defaults import complete_node_status, fill_in
from cse_client.simulator.kube.deletion import DeleteOptions, Deletion
from cse_client.simulator.kube.errors import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    unsupported_media_type,
)
from cse_client.simulator.kube.node_authorizer import restrict_node
from cse_client.simulator.kube.objects import Obj, clone, dig
from cse_client.simulator.kube.reading import Reader
from cse_client.simulator.kube.requests import Answer, Call, Target
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.typed import check_typed
from cse_client.simulator.kube.validation import check, check_escalation, check_immutable

__all__ = ["Writer"]

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
# Groups whose objects count changes of their spec.
_NO_GENERATION = frozenset(
    {
        "",
        "rbac.authorization.k8s.io",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "storage.k8s.io",
        "events.k8s.io",
        "discovery.k8s.io",
    }
)
_KEEPS_STATUS = frozenset({("", "nodes"), ("", "pods"), ("", "namespaces"), ("", "services")})


class Writer:
    """Writes to a cluster's store for requests."""

    def __init__(self, cluster: Cluster, reader: Reader, deletion: Deletion) -> None:
        self._cluster = cluster
        self._store = cluster.store
        self._reader = reader
        self._deletion = deletion

    def create(self, call: Call, target: Target, resource: Resource) -> Answer:
        """POST to a collection."""
        obj = self._body(call, target, resource)
        metadata = obj["metadata"]
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            suffix = "".join(secrets.choice(_LETTERS) for _ in range(5))
            metadata["name"] = metadata["generateName"] + suffix
        name = str(metadata.get("name") or "")
        self._check_namespace(target, resource, name)
        if self._store.get(resource.key, metadata.get("namespace", ""), name):
            raise already_exists(resource.group, resource.plural, name)
        return Answer(201, self._store_new(call, target, resource, obj))

    def _store_new(self, call: Call, target: Target, resource: Resource, obj: Obj) -> Obj:
        metadata = obj["metadata"]
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(name, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = self._cluster.now()
        if resource.group not in _NO_GENERATION and "spec" in obj:
            metadata["generation"] = 1
        has_status = "status" in resource.subresources
        if has_status and resource.key not in _KEEPS_STATUS:
            obj.pop("status", None)
        self._admit(call, target, resource, obj, None)
        obj = self._managed(call, obj, None)
        return obj if call.dry_run else self._store.put(resource.key, obj)

    def update(self, call: Call, target: Target, resource: Resource) -> Answer:
        """PUT of an object or of its status."""
        obj = self._body(call, target, resource)
        old = self._reader.existing(target)
        if obj["metadata"].get("name", target.name) != target.name:
            raise bad_request(
                f"the name of the object ({obj['metadata'].get('name')}) does not match the name "
                f"on the URL ({target.name})"
            )
        return Answer(200, self.replace(call, target, resource, old, obj))

    def replace(
        self,
        call: Call,
        target: Target,
        resource: Resource,
        old: Obj,
        new: Obj,
        *,
        applied: bool = False,
    ) -> Obj:
        """Store what an update or patch made of `old`.

        Raises:
            ApiError: 409 when it is stale.
        """
        metadata = new.setdefault("metadata", {})
        for name in ("resourceVersion", "uid"):
            if metadata.get(name) and metadata[name] != old["metadata"].get(name):
                why = (
                    ""
                    if name == "resourceVersion"
                    else (
                        f"Precondition failed: UID in precondition: {metadata[name]}, "
                        f"UID in object meta: {old['metadata']['uid']}"
                    )
                )
                raise conflict(resource.group, resource.plural, target.name, why)
        new = self._settled(target, resource, old, new)
        self._admit(call, target, resource, new, old)
        check_immutable(resource, new, old)
        if applied:
            plain = _same_fields(new, old) and not _always_written(resource, new)
        else:
            plain = _bare(new) == _bare(old)
            new = old if plain else self._managed(call, new, old)
        if plain or call.dry_run:
            return old if plain else new
        stored = self._store.put(resource.key, new)
        self._deletion.finish(resource, stored)
        return stored

    def _settled(self, target: Target, resource: Resource, old: Obj, new: Obj) -> Obj:
        """Return `new` with everything that this request may not change as it was."""
        metadata = {
            **new["metadata"],
            **{
                name: old["metadata"][name]
                for name in (
                    "name",
                    "namespace",
                    "uid",
                    "creationTimestamp",
                    "generation",
                    "deletionTimestamp",
                    "deletionGracePeriodSeconds",
                    "resourceVersion",
                )
                if name in old["metadata"]
            },
        }
        if "deletionTimestamp" not in old["metadata"]:
            metadata.pop("deletionTimestamp", None)
        new = {**new, "kind": old["kind"], "apiVersion": old["apiVersion"], "metadata": metadata}
        if target.subresource == "status":
            new = {**old, "metadata": metadata, "status": new.get("status", {})}
        elif "status" in resource.subresources:
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        changed = new.get("spec") != old.get("spec")
        if "generation" in metadata and changed:
            metadata["generation"] += 1
        return new

    def patch(self, call: Call, target: Target, resource: Resource) -> Answer:
        """PATCH in any of the four formats."""
        kind = call.content_type.split(";", 1)[0].strip()
        body = call.value()
        namespace = target.namespace if resource.namespaced else ""
        old = self._store.get(resource.key, namespace, target.name)
        if kind == "application/apply-patch+yaml":
            return self._apply(call, target, resource, old, body)
        if old is None:
            raise not_found(resource.group, resource.plural, target.name)
        api_version = resource.api_version(target.version)
        base = {**old, "apiVersion": api_version}
        if kind == "application/json-patch+json":
            new = patches.json_patch(base, body)
        elif not isinstance(body, dict):
            raise bad_request("a merge patch is an object")
        elif kind == "application/merge-patch+json":
            new = patches.merge_patch(base, body)
        elif kind == "application/strategic-merge-patch+json" and not resource.custom:
            new = patches.strategic_merge(base, body)
        else:
            raise unsupported_media_type(kind)
        if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
            raise bad_request("the patched object has no metadata")
        if new["metadata"].get("name") != target.name:
            raise bad_request("the name of the object cannot be changed by a patch")
        return Answer(200, self.replace(call, target, resource, old, clone(new)))

    def _apply(
        self, call: Call, target: Target, resource: Resource, old: Obj | None, body: Any
    ) -> Answer:
        manager = call.option("fieldManager")
        if not manager:
            raise invalid(
                "",
                "PatchOptions",
                "",
                [
                    ("fieldManager", "Required value: is required for apply patch"),
                ],
            )
        wanted = self._object(body, target, resource)
        if wanted["metadata"].get("name") not in (None, target.name):
            raise bad_request("the name of the object does not match the name on the URL")
        wanted["metadata"]["name"] = target.name
        version = self._cluster.table.preferred(resource)
        wanted["apiVersion"] = resource.api_version(version)
        check_typed(resource.key, wanted, self._cluster.minor, self._schema(resource, version))
        new = apply(
            old,
            wanted,
            manager,
            self._cluster.now(),
            force=call.flag("force") if "force" in call.query else False,
            sub=target.subresource,
        )
        if old is not None:
            return Answer(200, self.replace(call, target, resource, old, new, applied=True))
        if target.subresource:
            raise not_found(resource.group, resource.plural, target.name)
        self._check_namespace(target, resource, target.name)
        self._check_creation(call, target)
        managed = new["metadata"].get("managedFields")
        stored = self._store_new(call, target, resource, new)
        stored["metadata"]["managedFields"] = managed
        return Answer(201, stored)

    def _schema(self, resource: Resource, version: str) -> Obj | None:
        """Return the structural schema of a custom resource."""
        if not resource.custom:
            return None
        name = f"{resource.plural}.{resource.group}"
        crd = self._store.get(("apiextensions.k8s.io", "customresourcedefinitions"), "", name)
        for one in dig(crd, "spec", "versions", default=[]):
            if one.get("name") == version:
                found = dig(one, "schema", "openAPIV3Schema")
                return found if isinstance(found, dict) else None
        return None

    def _check_creation(self, call: Call, target: Target) -> None:
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

    def delete(self, call: Call, target: Target, resource: Resource) -> Answer:
        """DELETE of one object."""
        options = DeleteOptions.of(call)
        old = self._reader.existing(target)
        restrict_node(call.user, target.attributes(), None, old)
        return Answer(200, self._deletion.delete(resource, old, options))

    def delete_collection(self, call: Call, target: Target, resource: Resource) -> list[Obj]:
        """DELETE of everything that the selectors take; returns what it was."""
        options = DeleteOptions.of(call)
        items, _ = self._reader.listing(call, target)
        for obj in items:
            if self._store.get(
                resource.key, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
            ):
                self._deletion.delete(resource, obj, options)
        return items

    # What all writes share

    def _body(self, call: Call, target: Target, resource: Resource) -> Obj:
        return self._object(call.value(), target, resource)

    def _object(self, body: Any, target: Target, resource: Resource) -> Obj:
        """Return a copy of a request's object after checking that it belongs here."""
        if not isinstance(body, dict):
            raise bad_request("the request needs an object")
        obj: Obj = clone(body)
        api_version = resource.api_version(target.version)
        if obj.get("apiVersion", api_version) != api_version:
            raise bad_request(
                f"the API version in the data ({obj['apiVersion']}) does not match the expected "
                f"API version ({api_version})"
            )
        if obj.get("kind", resource.kind) != resource.kind:
            raise bad_request(
                f"{obj['kind']} in version {target.version!r} cannot be handled as a "
                f"{resource.kind}: no kind {obj['kind']!r} is registered for it"
            )
        preferred = self._cluster.table.preferred(resource)
        obj["kind"], obj["apiVersion"] = resource.kind, resource.api_version(preferred)
        metadata = obj.get("metadata")
        obj["metadata"] = metadata = metadata if isinstance(metadata, dict) else {}
        if not resource.namespaced:
            metadata.pop("namespace", None)
        elif metadata.get("namespace") not in (None, "", target.namespace):
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        else:
            metadata["namespace"] = target.namespace
        if not isinstance(obj.get("spec", {}), dict) and not resource.custom:
            raise bad_request("json: spec is no object")
        if obj.get("spec") is None and resource.plural in _WITH_SPEC:
            obj["spec"] = {}
        return obj

    def _check_namespace(self, target: Target, resource: Resource, name: str) -> None:
        if not resource.namespaced:
            return
        if not target.namespace:
            raise ApiError(
                405,
                "MethodNotAllowed",
                "an empty namespace may not be set when a resource name is provided",
            )
        found = self._store.get(("", "namespaces"), "", target.namespace)
        if found is None:
            raise not_found("", "namespaces", target.namespace)
        if dig(found, "status", "phase") == "Terminating":
            raise forbidden(
                resource.group,
                resource.plural,
                name,
                f"unable to create new content in namespace {target.namespace} because it is "
                "being terminated",
            )

    def _admit(
        self, call: Call, target: Target, resource: Resource, obj: Obj, old: Obj | None
    ) -> None:
        if target.subresource != "status":
            fill_in(self._cluster, resource.key, obj, old, call.user)
            check(resource, obj)
            check_escalation(self._cluster, call.user, resource, obj)
        elif resource.key == ("", "nodes"):
            obj["status"] = dict(obj.get("status") or {})
            complete_node_status(obj["status"])
        restrict_node(call.user, target.attributes(), obj, old)

    def _managed(self, call: Call, obj: Obj, old: Obj | None) -> Obj:
        """Return the object with its field managers noted.

        Kubelets and the parts of this cluster do not apply, so their writes are not tracked:
        a heartbeat should cost nothing.
        """
        if not call.headers or call.user.node:
            return obj
        manager = call.option("fieldManager") or call.headers.get("user-agent", "").split("/")[0]
        target = "status" if call.path.endswith("/status") else ""
        return note_update(old, obj, manager or "unknown", self._cluster.now(), sub=target)


_WITH_SPEC = frozenset(
    {
        "pods",
        "services",
        "namespaces",
        "nodes",
        "deployments",
        "daemonsets",
        "replicasets",
        "statefulsets",
        "jobs",
        "certificatesigningrequests",
        "customresourcedefinitions",
    }
)


def _bare(obj: Obj) -> Obj:
    metadata = {
        name: value
        for name, value in obj["metadata"].items()
        if name not in ("managedFields", "resourceVersion", "generation")
    }
    return {**obj, "metadata": metadata}


def _always_written(resource: Resource, obj: Obj) -> bool:
    """Whether an apply makes a new revision although nothing changes.

    Seen on 1.36 and 1.20: of a Namespace in which the applier owns nothing but its name, and of
    PodSecurityPolicies.
    """
    bare = resource.key == ("", "namespaces") and any(
        entry["fieldsV1"].keys() <= {"f:spec"}
        for entry in obj["metadata"].get("managedFields") or ()
    )
    return bare or resource.key == ("policy", "podsecuritypolicies")


def _same_fields(new: Obj, old: Obj) -> bool:
    """Whether an apply changed neither the object nor who owns what."""

    def owners(obj: Obj) -> list[Any]:
        return [
            {key: value for key, value in entry.items() if key != "time"}
            for entry in obj["metadata"].get("managedFields") or ()
        ]

    return _bare(new) == _bare(old) and owners(new) == owners(old)
