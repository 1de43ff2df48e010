"""What an API server refuses to store, as far as clients and administrators run into it.

Rules and wording: kubernetes:pkg/apis/core/validation/validation.go,
staging/src/k8s.io/apimachinery/pkg/util/validation, pkg/apis/rbac/validation and
pkg/registry/rbac/escalation_check.go. Whole schemas are not checked.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from cse_client.simulator.kube.errors import bad_request, forbidden, invalid
from cse_client.simulator.kube.objects import Obj, dig
from cse_client.simulator.kube.rbac import GROUP, MASTERS, Attributes, User, covered
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.selectors import matches_selector
from cse_client.simulator.kube.state import Cluster

__all__ = ["check", "check_escalation", "check_immutable"]

Causes = list[tuple[str, str]]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"^{_LABEL}(\.{_LABEL})*$")
_DNS_LABEL = re.compile(rf"^{_LABEL}$")
_SERVICE = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
_DATA_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
_KEY = re.compile(r"^(([-a-z0-9.]+)/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
_VALUE = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
_RBAC_KINDS = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")


_IMMUTABLE: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("apps", "deployments"): (("spec", "selector"),),
    ("apps", "daemonsets"): (("spec", "selector"),),
    ("apps", "replicasets"): (("spec", "selector"),),
    ("apps", "statefulsets"): (("spec", "selector"), ("spec", "serviceName")),
    ("batch", "jobs"): (("spec", "selector"), ("spec", "template"), ("spec", "completions")),
    ("", "secrets"): (("type",),),
    ("", "pods"): (("spec", "nodeName"), ("spec", "restartPolicy"), ("spec", "hostNetwork")),
    (GROUP, "rolebindings"): (("roleRef",),),
    (GROUP, "clusterrolebindings"): (("roleRef",),),
    ("storage.k8s.io", "storageclasses"): (("provisioner",), ("parameters",)),
}


def check(resource: Resource, obj: Obj) -> None:
    """Raise ApiError 422 with everything that is wrong with an object."""
    causes: Causes = []
    _metadata(resource, obj, causes)
    found = _BY_KIND.get(resource.key)
    if found:
        found(obj, causes)
    if causes:
        raise invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), causes)


def check_immutable(resource: Resource, new: Obj, old: Obj) -> None:
    """Raise ApiError 422 when an update touches what stays as it was created."""
    causes: Causes = []
    for path in _IMMUTABLE.get(resource.key, ()):
        if dig(new, *path) != dig(old, *path):
            causes.append((".".join(path), "Invalid value: field is immutable"))
    if old.get("immutable") and (
        new.get("data") != old.get("data") or new.get("binaryData") != old.get("binaryData")
    ):
        causes.append(("data", "Forbidden: field is immutable when `immutable` is set"))
    if causes:
        raise invalid(resource.group, resource.kind, old["metadata"]["name"], causes)


def _metadata(resource: Resource, obj: Obj, causes: Causes) -> None:
    metadata = obj["metadata"]
    name = metadata.get("name")
    if not name:
        causes.append(("metadata.name", "Required value: name or generateName is required"))
    elif not isinstance(name, str) or not _name_fits(resource, name):
        causes.append(("metadata.name", f'Invalid value: "{name}": {_name_rule(resource)}'))
    labels = metadata.get("labels")
    for key, value in (labels if isinstance(labels, dict) else {}).items():
        if not _KEY.match(key):
            causes.append(("metadata.labels", f'Invalid value: "{key}": name part must be valid'))
        if not isinstance(value, str) or not _VALUE.match(value):
            causes.append(("metadata.labels", f'Invalid value: "{value}": not a valid label value'))
    for key, value in (metadata.get("annotations") or {}).items():
        if not isinstance(value, str):
            raise bad_request(
                f"json: cannot unmarshal {type(value).__name__} into Go struct field "
                f"ObjectMeta.metadata.annotations[{key}] of type string"
            )


def _name_fits(resource: Resource, name: str) -> bool:
    if resource.group == GROUP:
        return name not in (".", "..") and "/" not in name and "%" not in name
    if resource.key == ("", "services"):
        return len(name) <= _LONGEST_LABEL and bool(_SERVICE.match(name))
    if resource.key == ("", "namespaces"):
        return len(name) <= _LONGEST_LABEL and bool(_DNS_LABEL.match(name))
    return len(name) <= _LONGEST_NAME and bool(_SUBDOMAIN.match(name))


def _name_rule(resource: Resource) -> str:
    if resource.key == ("", "services"):
        return (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start "
            "with an alphabetic character, and end with an alphanumeric character"
        )
    what = "label" if resource.key == ("", "namespaces") else "subdomain"
    dots = "" if what == "label" else ", '-' or '.'"
    return (
        f"a lowercase RFC 1123 {what} must consist of lower case alphanumeric characters"
        f"{dots or ' or -'}, and must start and end with an alphanumeric character"
    )


def _containers(spec: Any, path: str, causes: Causes) -> None:
    containers = dig(spec, "containers", default=[])
    if not containers:
        causes.append((f"{path}.containers", "Required value"))
    for index, container in enumerate(containers):
        for name in ("name", "image"):
            if not container.get(name):
                causes.append((f"{path}.containers[{index}].{name}", "Required value"))


def _pod(obj: Obj, causes: Causes) -> None:
    _containers(obj.get("spec"), "spec", causes)


def _workload(obj: Obj, causes: Causes) -> None:
    spec = obj.get("spec") or {}
    selector = spec.get("selector")
    if not selector:
        causes.append(("spec.selector", "Required value"))
    labels = dig(spec, "template", "metadata", "labels", default={})
    if selector and not matches_selector(selector, labels):
        causes.append(
            (
                "spec.template.metadata.labels",
                f"Invalid value: {labels}: `selector` does not match template `labels`",
            )
        )
    _containers(dig(spec, "template", "spec"), "spec.template.spec", causes)
    replicas = spec.get("replicas", 1)
    if isinstance(replicas, int) and replicas < 0:
        causes.append(
            ("spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0")
        )


def _job(obj: Obj, causes: Causes) -> None:
    _containers(dig(obj, "spec", "template", "spec"), "spec.template.spec", causes)


def _service(obj: Obj, causes: Causes) -> None:
    spec = obj.get("spec") or {}
    if spec.get("type") not in ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"):
        causes.append(("spec.type", f'Unsupported value: "{spec.get("type")}"'))
    headless = spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName"
    if not spec.get("ports") and not headless:
        causes.append(("spec.ports", "Required value"))


def _data(obj: Obj, causes: Causes) -> None:
    for field in ("data", "binaryData"):
        for key, value in (obj.get(field) or {}).items():
            if not _DATA_KEY.match(key):
                causes.append((f"{field}[{key}]", f'Invalid value: "{key}": a valid config key'))
            if not isinstance(value, str):
                raise bad_request(
                    f"json: cannot unmarshal {type(value).__name__} into Go struct field "
                    f"{field} of type string"
                )


def _secret(obj: Obj, causes: Causes) -> None:
    _data(obj, causes)
    for key, value in (obj.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise bad_request(f"illegal base64 data in data[{key}]") from None


def _role(obj: Obj, causes: Causes) -> None:
    for index, rule in enumerate(obj.get("rules") or ()):
        place = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.append((f"{place}.verbs", "Required value: verbs must contain at least one"))
        if not rule.get("nonResourceURLs"):
            for name in ("apiGroups", "resources"):
                if not rule.get(name):
                    causes.append((f"{place}.{name}", "Required value: resource rules need it"))


def _binding(obj: Obj, causes: Causes) -> None:
    reference = obj.get("roleRef") or {}
    if reference.get("kind") not in ("Role", "ClusterRole"):
        causes.append(("roleRef.kind", f'Unsupported value: "{reference.get("kind", "")}"'))
    if not reference.get("name"):
        causes.append(("roleRef.name", "Required value"))
    for index, subject in enumerate(obj.get("subjects") or ()):
        if subject.get("kind") not in ("User", "Group", "ServiceAccount"):
            causes.append((f"subjects[{index}].kind", "Unsupported value"))
        if not subject.get("name"):
            causes.append((f"subjects[{index}].name", "Required value"))


def _csr(obj: Obj, causes: Causes) -> None:
    from cryptography import x509

    try:
        request = x509.load_pem_x509_csr(base64.b64decode(dig(obj, "spec", "request", default="")))
        valid = request.is_signature_valid
    except (ValueError, TypeError, binascii.Error):
        valid = False
    if not valid:
        causes.append(("spec.request", "Invalid value: PEM block type must be CERTIFICATE REQUEST"))


def _custom_definition(obj: Obj, causes: Causes) -> None:
    spec = obj.get("spec") or {}
    plural, group = dig(spec, "names", "plural", default=""), spec.get("group", "")
    if obj["metadata"].get("name") != f"{plural}.{group}":
        causes.append(("metadata.name", 'Invalid value: must be spec.names.plural+"."+spec.group'))
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        causes.append(("spec.scope", "Required value"))
    if not dig(spec, "names", "kind"):
        causes.append(("spec.names.kind", "Required value"))
    stored = [item for item in spec.get("versions") or () if item.get("storage")]
    if len(stored) != 1:
        causes.append(("spec.versions", "Invalid value: must have exactly one storage version"))


_BY_KIND: dict[tuple[str, str], Callable[[Obj, Causes], None]] = {
    ("", "pods"): _pod,
    ("", "services"): _service,
    ("", "configmaps"): _data,
    ("", "secrets"): _secret,
    ("apps", "deployments"): _workload,
    ("apps", "daemonsets"): _workload,
    ("apps", "replicasets"): _workload,
    ("apps", "statefulsets"): _workload,
    ("batch", "jobs"): _job,
    (GROUP, "roles"): _role,
    (GROUP, "clusterroles"): _role,
    (GROUP, "rolebindings"): _binding,
    (GROUP, "clusterrolebindings"): _binding,
    ("certificates.k8s.io", "certificatesigningrequests"): _csr,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _custom_definition,
}


def check_escalation(cluster: Cluster, user: User, resource: Resource, obj: Obj) -> None:
    """Raise ApiError 403 when somebody writes a role or binding beyond their own rights."""
    if resource.group != GROUP or resource.plural not in _RBAC_KINDS or MASTERS in user.groups:
        return
    namespace, name = obj["metadata"].get("namespace") or "", obj["metadata"].get("name", "")
    if resource.plural in ("roles", "clusterroles"):
        wanted = list(obj.get("rules") or ())
        asked = Attributes("escalate", GROUP, resource.plural, "", namespace, name)
        if obj.get("aggregationRule") and not cluster.rbac.allows(user, Attributes("*", "*", "*")):
            raise forbidden(GROUP, resource.plural, name, "must have cluster-admin privileges")
    else:
        reference = obj.get("roleRef") or {}
        plural = "roles" if reference.get("kind") == "Role" else "clusterroles"
        found = cluster.rbac.role_rules(reference, namespace)
        asked = Attributes("bind", GROUP, plural, "", namespace, reference.get("name", ""))
        if found is None and not cluster.rbac.allows(user, asked):
            raise forbidden(
                GROUP,
                resource.plural,
                name,
                f'{plural[:-1]}.{GROUP} "{reference.get("name", "")}" not found',
            )
        wanted = found or []
    if covered(list(cluster.rbac.rules_for(user, namespace)), wanted):
        return
    if not cluster.rbac.allows(user, asked):
        raise forbidden(
            GROUP,
            resource.plural,
            name,
            f'user "{user.name}" (groups={list(user.groups)}) is attempting to grant RBAC '
            "permissions not currently held",
        )
