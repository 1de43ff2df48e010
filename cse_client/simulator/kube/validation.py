"""What an API server refuses to store, as far as clients and administrators run into it.

Rules and wording: kubernetes:pkg/apis/core/validation/validation.go,
staging/src/k8s.io/apimachinery/pkg/util/validation, pkg/apis/rbac/validation and
pkg/registry/rbac/escalation_check.go. Whole schemas are not checked.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

from cse_client.simulator.kube.errors import forbidden, invalid
from cse_client.simulator.kube.objects import Obj, dig
from cse_client.simulator.kube.rbac import GROUP, MASTERS, Attributes, User, covered
from cse_client.simulator.kube.resources import Resource
from cse_client.simulator.kube.selectors import VALUE_RULE, matches_selector
from cse_client.simulator.kube.state import Cluster

__all__ = ["check", "check_escalation"]

Causes = list[tuple[str, str]]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"^{_LABEL}(\.{_LABEL})*$")
_DNS_LABEL = re.compile(rf"^{_LABEL}$")
_SERVICE = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
# The rules as messages have them: kubernetes:staging/src/k8s.io/apimachinery/pkg/util/validation.
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
    "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SERVICE_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_KEY_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_DATA_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_NO_DOTS = "must not contain dots"
# Seen on 1.36, where names of Services may begin with a digit.
_RELAXED_SERVICES = 36
# Seen on 1.37: RBAC's rules are declared in its types, and their messages are general ones.
_DECLARATIVE = 37
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


def check(resource: Resource, obj: Obj, minor: int, old: Obj | None = None) -> None:
    """Raise ApiError 422 with everything that is wrong with an object, or with its change."""
    causes: Causes = []
    _metadata(resource, obj, minor, causes)
    found = _BY_KIND.get(resource.key)
    if found:
        found(obj, causes)
    if resource.group == GROUP and minor >= _DECLARATIVE:
        causes = [(field, text.partition(": verbs must")[0]) for field, text in causes]
    if old is not None:
        causes += _changed(resource, obj, old, minor)
    if causes:
        raise invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), causes)


def _changed(resource: Resource, new: Obj, old: Obj, minor: int) -> Causes:
    """Return where an update touches what stays as it was created."""
    causes: Causes = []
    for path in _IMMUTABLE.get(resource.key, ()):
        if dig(new, *path) != dig(old, *path):
            if resource.plural == "pods":
                return [("spec", _OF_PODS)]
            causes.append((".".join(path), _immutable(path, dig(new, *path[:2]), minor)))
    if old.get("immutable") and (
        new.get("data") != old.get("data") or new.get("binaryData") != old.get("binaryData")
    ):
        causes.append(("data", "Forbidden: field is immutable when `immutable` is set"))
    return causes


_OF_PODS = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


def _immutable(path: tuple[str, ...], value: Any, minor: int) -> str:
    if path == ("roleRef",):
        # written as Go's own type, which has no names for JSON
        shown = {f"{name[0].upper()}{name[1:]}": text for name, text in sorted(value.items())}
        shown = {name.replace("ApiGroup", "APIGroup"): text for name, text in shown.items()}
        why = "field is immutable" if minor >= _DECLARATIVE else "cannot change roleRef"
        return f"Invalid value: {_shown(shown)}: {why}"
    return f"Invalid value: {_shown(value)}: field is immutable"


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _metadata(resource: Resource, obj: Obj, minor: int, causes: Causes) -> None:
    metadata = obj["metadata"]
    name = metadata.get("name")
    if not name:
        causes.append(("metadata.name", "Required value: name or generateName is required"))
    elif not _name_fits(resource, name, minor):
        rule = _name_rule(resource, name, minor)
        causes.append(("metadata.name", f'Invalid value: "{name}": {rule}'))
    labels = metadata.get("labels")
    for key, value in (labels if isinstance(labels, dict) else {}).items():
        if not _KEY.match(key):
            causes.append(("metadata.labels", f'Invalid value: "{key}": {_KEY_RULE}'))
        if not _VALUE.match(value):
            causes.append(("metadata.labels", f'Invalid value: "{value}": {VALUE_RULE}'))


def _name_fits(resource: Resource, name: str, minor: int) -> bool:
    if resource.group == GROUP:
        return name not in (".", "..") and "/" not in name and "%" not in name
    if resource.key == ("", "services"):
        rule = _SERVICE if minor < _RELAXED_SERVICES else _DNS_LABEL
        return len(name) <= _LONGEST_LABEL and bool(rule.match(name))
    if resource.key == ("", "namespaces"):
        return len(name) <= _LONGEST_LABEL and bool(_DNS_LABEL.match(name))
    return len(name) <= _LONGEST_NAME and bool(_SUBDOMAIN.match(name))


def _name_rule(resource: Resource, name: str, minor: int) -> str:
    if resource.key not in (("", "services"), ("", "namespaces")):
        return _SUBDOMAIN_RULE
    if "." in name and minor >= _RELAXED_SERVICES:
        return _NO_DOTS
    old = resource.plural == "services" and minor < _RELAXED_SERVICES
    return _SERVICE_RULE if old else _LABEL_RULE


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
    labels = dig(spec, "template", "metadata", "labels")
    if not selector or not matches_selector(selector, labels):
        causes.append(
            (
                "spec.template.metadata.labels",
                f"Invalid value: {_shown(labels)}: `selector` does not match template `labels`",
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
        for key in obj.get(field) or {}:
            if not _DATA_KEY.match(key):
                causes.append((f"{field}[{key}]", f'Invalid value: "{key}": {_DATA_KEY_RULE}'))


def _role(obj: Obj, causes: Causes) -> None:
    for index, rule in enumerate(obj.get("rules") or ()):
        place = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.append(
                (f"{place}.verbs", "Required value: verbs must contain at least one value")
            )
        if not rule.get("nonResourceURLs"):
            for name, what in (("apiGroups", "api group"), ("resources", "resource")):
                if not rule.get(name):
                    text = f"Required value: resource rules must supply at least one {what}"
                    causes.append((f"{place}.{name}", text))


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
    ("", "secrets"): _data,
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
