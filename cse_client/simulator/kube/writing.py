"""The verbs that write: create, update, patch, delete, deletecollection.

Every method runs under the store's lock, held by the dispatcher. Semantics:
kubernetes.io/docs/reference/using-api/api-concepts and
kubernetes:staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go.
"""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from cse_client.simulator.kube import patch as patches
from cse_client.simulator.kube.admission import Admission
from cse_client.simulator.kube.apply import apply
from cse_client.simulator.kube.bodies import read_object
from cse_client.simulator.kube.deletion import DeleteOptions, Deletion
from cse_client.simulator.kube.errors import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    invalid_option,
    not_found,
    unsupported_media_type,
)
from cse_client.simulator.kube.node_authorizer import restrict_node
from cse_client.simulator.kube.objects import Obj, clone, dig, key_of
from cse_client.simulator.kube.ownership import (
    always_written,
    changes_nothing,
    left_out,
    not_written,
    noted,
    same_fields,
)
from cse_client.simulator.kube.reading import Reader
from cse_client.simulator.kube.requests import Answer, Call, Target
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.typed import check_typed

__all__ = ["Writer"]

_APPLY = "application/apply-patch+yaml"
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    _APPLY,
)
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
# Where etcd holds a resource's objects under another name.
_STORED = {"nodes": "minions", "services": "services/specs"}
_FIRST_STATUS: dict[tuple[str, str], Obj] = {
    ("policy", "poddisruptionbudgets"): dict.fromkeys(
        ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"), 0
    )
}
# Seen on 1.36; the first release that counts changes of pods may be an earlier one.
_POD_GENERATION = 36
_KEEPS_STATUS = frozenset({("", "nodes"), ("", "pods"), ("", "namespaces"), ("", "services")})


class Writer:
    """Writes to a cluster's store for requests."""

    def __init__(self, cluster: Cluster, reader: Reader, deletion: Deletion) -> None:
        self._cluster = cluster
        self._store = cluster.store
        self._reader = reader
        self._deletion = deletion
        self._admission = Admission(cluster)

    def create(self, call: Call, target: Target, resource: Resource) -> Answer:
        """POST to a collection."""
        obj = self._admission.read(call, call.value(), target, resource)
        metadata = obj["metadata"]
        if metadata.get("resourceVersion"):
            # An error of the store, which the API server does not translate.
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            suffix = "".join(secrets.choice(_LETTERS) for _ in range(5))
            metadata["name"] = metadata["generateName"] + suffix
        name = str(metadata.get("name") or "")
        self._admission.check_namespace(target, resource, name)
        if self._store.get(resource.key, metadata.get("namespace", ""), name):
            raise already_exists(resource.group, resource.plural, name)
        return Answer(201, self._store_new(call, target, resource, obj))

    def _store_new(self, call: Call, target: Target, resource: Resource, obj: Obj) -> Obj:
        metadata = obj["metadata"]
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(name, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = self._cluster.now()
        counted = resource.group not in _NO_GENERATION or (
            resource.plural == "pods" and self._cluster.minor >= _POD_GENERATION
        )
        if counted and "spec" in obj:
            metadata["generation"] = 1
        has_status = "status" in resource.subresources
        if has_status and resource.key not in _KEEPS_STATUS:
            obj.pop("status", None)
            if not resource.custom:
                obj["status"] = dict(_FIRST_STATUS.get(resource.key, {}))
        asked = frozenset(dig(obj, "spec", default={}))
        self._admission.admit(call, target, resource, obj, None)
        obj = noted(call, resource, obj, None, self._cluster.now(), left_out(resource, asked))
        return obj if call.dry_run else self._store.put(resource.key, obj)

    def update(self, call: Call, target: Target, resource: Resource) -> Answer:
        """PUT of an object or of its status."""
        obj = self._admission.read(call, call.value(), target, resource)
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
        applied: str = "",
    ) -> Obj:
        """Store what an update or patch made of `old`; `applied`: by an apply of that manager.

        Raises:
            ApiError: 409 when it is stale.
        """
        metadata = new.setdefault("metadata", {})
        _check_same(resource, metadata, old)
        new = self._settled(target, resource, old, new)
        self._admission.admit(call, target, resource, new, old)
        if applied:
            plain = same_fields(new, old) and not always_written(resource, new, applied)
        else:
            plain = changes_nothing(new, old)
            new = old if plain else noted(call, resource, new, old, self._cluster.now())
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
            status = {"status": new["status"]} if "status" in new else {}
            rest = {name: value for name, value in old.items() if name != "status"}
            new = {**rest, "metadata": metadata, **status}
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
        if kind not in _PATCHES:
            raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        body = call.value()
        if "force" in call.query and kind != _APPLY:
            text = "Forbidden: may not be specified for non-apply patch"
            raise invalid_option("PatchOptions", "force", text)
        namespace = target.namespace if resource.namespaced else ""
        old = self._store.get(resource.key, namespace, target.name)
        if kind == _APPLY:
            return self._apply(call, target, resource, old, body)
        if old is None:
            raise not_found(resource.group, resource.plural, target.name)
        api_version = resource.api_version(target.version)
        base = {**old, "apiVersion": api_version}
        if kind == "application/json-patch+json":
            new = patches.json_patch(base, body)
        elif not isinstance(body, dict):
            raise bad_request(
                "error decoding patch: json: cannot unmarshal array into Go value of type "
                "map[string]interface {}"
            )
        elif kind == "application/merge-patch+json":
            new = patches.merge_patch(base, body)
        elif kind == "application/strategic-merge-patch+json" and not resource.custom:
            new = patches.strategic_merge(base, body)
        else:
            raise _unknown_patch(kind)
        if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
            raise bad_request("the patched object has no metadata")
        if new["metadata"].get("name") != target.name:
            raise bad_request("the name of the object cannot be changed by a patch")
        new = clone(new)
        self._admission.prune(call, target, resource, new)
        return Answer(200, self.replace(call, target, resource, old, new))

    def _apply(
        self, call: Call, target: Target, resource: Resource, old: Obj | None, body: Any
    ) -> Answer:
        manager = call.option("fieldManager")
        if not manager:
            text = "Required value: is required for apply patch"
            raise invalid_option("PatchOptions", "fieldManager", text)
        if not isinstance(body, dict) or not body.get("apiVersion") or not body.get("kind"):
            raise bad_request("invalid object type: /, Kind=")
        version = self._cluster.table.preferred(resource)
        wanted = read_object(body, target, resource, version)
        name = wanted["metadata"].get("name", "")
        if name not in ("", target.name):
            raise bad_request(
                f"the name of the object ({name}) does not match the name on the URL "
                f"({target.name})"
            )
        wanted["metadata"]["name"] = target.name
        sent = {**wanted, "metadata": {"namespace": dig(body, "metadata", "namespace")}}
        sent["metadata"]["name"] = target.name
        schema = self._admission.schema(resource, version)
        check_typed(resource.key, sent, self._cluster.minor, schema)
        new = apply(
            old,
            wanted,
            manager,
            self._cluster.now(),
            force=call.flag("force") if "force" in call.query else False,
            sub=target.subresource,
            unowned=not_written(resource, target.subresource),
        )
        if old is not None:
            return Answer(200, self.replace(call, target, resource, old, new, applied=manager))
        if target.subresource:
            raise not_found(resource.group, resource.plural, target.name)
        self._admission.check_namespace(target, resource, target.name)
        self._admission.check_creation(call, target)
        managed = new["metadata"].get("managedFields")
        stored = self._store_new(call, target, resource, new)
        stored["metadata"].pop("managedFields", None)
        if managed:
            stored["metadata"]["managedFields"] = managed
        return Answer(201, stored)

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


def _check_same(resource: Resource, metadata: Obj, old: Obj) -> None:
    """Raise ApiError 409 when an update is meant for another object, or another state of it."""
    current = old["metadata"]
    wanted = metadata.get("resourceVersion")
    if wanted and wanted != current["resourceVersion"]:
        raise conflict(resource.group, resource.plural, current["name"])
    uid = metadata.get("uid")
    if uid and uid != current["uid"]:
        place = "/".join(key_of(old)).strip("/")
        raise conflict(
            resource.group,
            resource.plural,
            current["name"],
            "StorageError: invalid object, Code: 4, Key: "
            f"/registry/{_STORED.get(resource.plural, resource.plural)}/{place}, "
            f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: "
            f"{uid}, UID in object meta: {current['uid']}",
        )


def _unknown_patch(kind: str) -> ApiError:
    return unsupported_media_type(*(one for one in _PATCHES if one != kind))
