"""The way of a request through the API server: authentication, authorization, handling, answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cse_client.simulator.kube.authn import ANONYMOUS, authenticate, impersonated
from cse_client.simulator.kube.controllers import Controllers
from cse_client.simulator.kube.deletion import Deletion
from cse_client.simulator.kube.discovery import discover
from cse_client.simulator.kube.errors import (
    ApiError,
    bad_request,
    forbidden,
    method_not_allowed,
    not_acceptable,
    not_found,
    page_not_found,
    unauthorized,
)
from cse_client.simulator.kube.objects import Obj
from cse_client.simulator.kube.rbac import User
from cse_client.simulator.kube.reading import Reader
from cse_client.simulator.kube.requests import Answer, Call, Target, parse_target
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.reviews import review
from cse_client.simulator.kube.state import Cluster
from cse_client.simulator.kube.subresources import Subresources
from cse_client.simulator.kube.tables import table
from cse_client.simulator.kube.watch import watch
from cse_client.simulator.kube.writing import Writer

__all__ = ["Api"]

_AS = re.compile(r"as=(Table|PartialObjectMetadataList|PartialObjectMetadata)\b")
_VERSION = re.compile(r"v=(v1beta1|v1)\b")
_NO_SNIFF = {"X-Content-Type-Options": "nosniff"}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_FORMATS = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_STREAMS = ("application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")
_REVIEWS = ("authorization.k8s.io", "authentication.k8s.io")


class Api:
    """Answers requests on one cluster's state, whoever brings them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._deletion = Deletion(cluster)
        self._reader = Reader(cluster)
        self._writer = Writer(cluster, self._reader, self._deletion)
        self._subresources = Subresources(cluster, self._reader, self._writer, self._deletion)
        self.controllers = Controllers(cluster, self._deletion)
        cluster.tick = self.controllers.tick

    def now(self) -> datetime:
        """Return the time by the cluster's clock."""
        return self._cluster.clock.now()

    def identify(self, certificate: Mapping[str, Any] | None, headers: Mapping[str, str]) -> User:
        """Return who brings a request over the network.

        Raises:
            ApiError: 401 or 403.
        """
        user = authenticate(self._cluster, certificate, headers)
        return impersonated(self._cluster, user, headers)

    def answer(self, call: Call) -> Answer:
        """Answer one request; errors become answers too."""
        try:
            self.controllers.tick()
            target = parse_target(call)
            self._authorize(call, target)
            if target.group is None:
                return discover(self._cluster, call)
            answer = self._resource(call, target)
        except ApiError as error:
            answer = Answer.refusal(error)
        if call.warnings:
            # RFC 7234: a code, an agent that wants no name, a quoted text.
            answer.headers["Warning"] = ", ".join(
                f"299 - {json.dumps(text)}" for text in call.warnings
            )
        return answer

    def _authorize(self, call: Call, target: Target) -> None:
        if self._cluster.allows(call.user, target.attributes()):
            return
        if target.group is None:
            raise ApiError(
                403,
                "Forbidden",
                f'forbidden: User "{call.user.name}" cannot {target.verb} path "{target.path}"',
                {},
                headers=_NO_SNIFF,
            )
        resource = target.plural + (f"/{target.subresource}" if target.subresource else "")
        where = (
            f'in the namespace "{target.namespace}"'
            if (target.namespace and target.plural != "namespaces")
            else "at the cluster scope"
        )
        if call.user == ANONYMOUS and not self._cluster.anonymous:
            raise unauthorized()
        refusal = forbidden(
            target.group,
            target.plural,
            target.name,
            f'User "{call.user.name}" cannot {target.verb} resource "{resource}" in API group '
            f'"{target.group}" {where}',
        )
        refusal.headers.update(_NO_SNIFF)
        raise refusal

    def _resource(self, call: Call, target: Target) -> Answer:
        cluster = self._cluster
        resource = cluster.table.serving(target.group or "", target.version, target.plural)
        if resource is None:
            if cluster.table.is_built_in(target.group or ""):
                raise not_found(target.group or "", target.plural, "")
            raise page_not_found()
        if call.method not in _METHODS:
            raise method_not_allowed()
        ends = cluster.table.ends(resource, target.version)
        if ends:
            asked = (resource.group, target.version, resource.plural, target.subresource or "")
            cluster.deprecated.add((*asked, ends))
        if resource.group in _REVIEWS and resource.verbs == ("create",):
            if target.verb != "create":
                raise method_not_allowed()
            return review(cluster, call, target)
        if target.verb == "watch":
            return self._watch(call, target, resource)
        with cluster.store.lock:
            answer = self._handle(call, target, resource)
            if target.verb not in ("get", "list"):
                self.controllers.settle()
        return answer

    def _handle(self, call: Call, target: Target, resource: Resource) -> Answer:
        if target.subresource:
            answer = self._subresources.handle(call, target, resource)
            answer.value = self._versioned(resource, target, answer.value)
            return answer
        verb = target.verb
        if verb not in resource.verbs:
            raise method_not_allowed()
        _wanted(call)
        if verb == "list":
            items, metadata = self._reader.listing(call, target)
            return Answer(value=self._list(call, target, resource, items, metadata))
        if verb == "deletecollection":
            items = self._writer.delete_collection(call, target, resource)
            metadata = {"resourceVersion": str(self._cluster.store.revision)}
            return Answer(value=self._list(call, target, resource, items, metadata))
        if verb == "get":
            answer = Answer(200, self._reader.existing(target))
        else:
            named = verb in ("update", "patch", "delete")
            if named != bool(target.name):
                raise method_not_allowed()
            handler = {
                "create": self._writer.create,
                "update": self._writer.update,
                "patch": self._writer.patch,
                "delete": self._writer.delete,
            }[verb]
            answer = handler(call, target, resource)
        answer.value = self._versioned(resource, target, answer.value)
        form, version = _wanted(call)
        if form == "Table" and answer.value.get("kind") == resource.kind:
            metadata = {"resourceVersion": answer.value["metadata"]["resourceVersion"]}
            answer.value = self._table(call, target, resource, [answer.value], metadata, version)
        elif form == "PartialObjectMetadata" and answer.value.get("kind") == resource.kind:
            answer.value = _partial(answer.value, version)
        return answer

    def _list(
        self, call: Call, target: Target, resource: Resource, items: list[Obj], metadata: Obj
    ) -> Obj:
        form, version = _wanted(call)
        shown = [self._versioned(resource, target, item) for item in items]
        if form == "Table":
            return self._table(call, target, resource, shown, metadata, version)
        if form == "PartialObjectMetadataList":
            return {
                "kind": form,
                "apiVersion": f"meta.k8s.io/{version}",
                "metadata": metadata,
                "items": [_partial(item, version) for item in shown] or None,
            }
        if resource.custom:
            metadata = {"continue": "", **metadata}
        else:
            # The list has said what they are; custom resources are stored and listed as they are.
            shown = [
                {key: value for key, value in item.items() if key not in ("kind", "apiVersion")}
                for item in shown
            ]
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version(target.version),
            "metadata": metadata,
            "items": shown,
        }

    def _table(
        self,
        call: Call,
        target: Target,
        resource: Resource,
        items: list[Obj],
        metadata: Obj,
        version: str,
    ) -> Obj:
        include = call.option("includeObject", "Metadata")
        if include not in ("Metadata", "Object", "None"):
            raise bad_request(f'unrecognized includeObject value: "{include}"')
        return table(
            resource,
            target.version,
            items,
            self._cluster.clock.now(),
            metadata=metadata,
            include=include,
            group_version=version,
        )

    @staticmethod
    def _versioned(resource: Resource, target: Target, obj: Obj) -> Obj:
        """Return an object under the API version that it was asked for in."""
        wanted = resource.api_version(target.version)
        if obj.get("kind") != resource.kind or obj.get("apiVersion") == wanted:
            return obj
        return {**obj, "apiVersion": wanted}

    def _watch(self, call: Call, target: Target, resource: Resource) -> Answer:
        if target.subresource:
            raise method_not_allowed()
        form, version = _wanted(call)
        match = self._reader.selection(call, target)
        if target.name and not call.option("fieldSelector"):
            match = _named(target.name)

        def show(obj: Obj) -> Obj:
            obj = self._versioned(resource, target, obj)
            if form == "Table":
                metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
                return self._table(call, target, resource, [obj], metadata, version)
            return _partial(obj, version) if form == "PartialObjectMetadata" else obj

        def mark(obj: Obj) -> Obj:
            if form == "Table":
                return self._table(call, target, resource, [], obj["metadata"], version)
            return {
                "kind": resource.kind,
                "apiVersion": resource.api_version(target.version),
                **obj,
            }

        return Answer(stream=watch(self._cluster, call, target, match, show, mark))


def _named(name: str) -> Any:
    return lambda obj: obj["metadata"]["name"] == name


def _wanted(call: Call) -> tuple[str, str]:
    """Return in which form, and meta.k8s.io version, the client wants to see objects.

    YAML and protobuf are answered in JSON, which is what those who ask for them read as well.

    Raises:
        ApiError: 406, it wants another format.
    """
    accept = call.headers.get("accept", "") or "*/*"
    kinds = []
    for part in accept.split(","):
        kind = part.split(";", 1)[0].strip()
        if kind not in (*_FORMATS, "*/*", "application/*"):
            continue
        kinds.append(kind)
        found, version = _AS.search(part), _VERSION.search(part)
        if found and (version or ";v=" not in part):
            return found[1], version[1] if version else "v1"
        if "as=" not in part:
            return "", "v1"
    if kinds:
        refusal = not_acceptable(
            f"only the following media types are accepted: {', '.join(_FORMATS)}"
        )
        refusal.details = None
        raise refusal
    listed = ", ".join((*_FORMATS, *_STREAMS))
    raise not_acceptable(f"406: Not Acceptable\n\nAvailable representations: {listed}")


def _partial(obj: Obj, version: str) -> Obj:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": obj["metadata"],
    }
