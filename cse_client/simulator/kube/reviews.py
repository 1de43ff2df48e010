"""Questions about rights: the reviews of authorization.k8s.io and authentication.k8s.io."""

from __future__ import annotations

from cse_client.simulator.kube.authn import authenticate
from cse_client.simulator.kube.errors import ApiError, bad_request, invalid
from cse_client.simulator.kube.objects import Obj, dig
from cse_client.simulator.kube.rbac import Attributes, User
from cse_client.simulator.kube.requests import Answer, Call, Target
from cse_client.simulator.kube.state import Cluster

__all__ = ["review"]

_LEAVES_OUT = 36
# Since 1.37 the rule belongs to the spec as a whole.
_DECLARED = 37


def _asked(cluster: Cluster, spec: Obj) -> Attributes:
    resource: Obj = spec.get("resourceAttributes") or {}
    path: Obj = spec.get("nonResourceAttributes") or {}
    if bool(resource) == bool(path):
        shown = "null" if not resource else "resourceAttributes"
        raise invalid(
            "authorization.k8s.io",
            "",
            "",
            [
                (
                    "spec" if cluster.minor >= _DECLARED else "spec.resourceAttributes",
                    f"Invalid value: {shown}: exactly one of nonResourceAttributes or "
                    "resourceAttributes must be specified",
                )
            ],
        )
    if path:
        return Attributes(path.get("verb", ""), path=path.get("path", ""))
    return Attributes(
        resource.get("verb", ""),
        resource.get("group", ""),
        resource.get("resource", ""),
        resource.get("subresource", ""),
        resource.get("namespace", ""),
        resource.get("name", ""),
    )


def review(cluster: Cluster, call: Call, target: Target) -> Answer:
    """Answer a POST to one of the review resources; nothing is stored."""
    body = call.value()
    if not isinstance(body, dict):
        raise bad_request("the request needs an object")
    spec: Obj = body.get("spec") or {}
    user = call.user
    if target.plural in ("subjectaccessreviews", "localsubjectaccessreviews"):
        if not spec.get("user") and not spec.get("groups"):
            raise bad_request("at least one of user or group must be specified")
        user = User(spec.get("user", ""), tuple(spec.get("groups") or spec.get("group") or ()))
    status: Obj
    # Written by Go: what is not set is null, and since about 1.36 is not there.
    metadata: Obj = {"creationTimestamp": None} if cluster.minor < _LEAVES_OUT else {}
    shown: Obj | None = spec
    if target.plural.endswith("accessreviews"):
        allowed = cluster.allows(user, _asked(cluster, spec))
        status = {"allowed": allowed}
    elif target.plural == "selfsubjectrulesreviews":
        status = _rules(cluster, user, spec.get("namespace", ""))
        shown = {}
    elif target.plural == "selfsubjectreviews":
        status = {"userInfo": _user_info(user)}
        metadata, shown = {"creationTimestamp": cluster.now()}, None
    else:
        status = _token(cluster, str(dig(spec, "token", default="")))
    group = target.group or ""
    kind = cluster.resource(*target.key).kind
    return Answer(
        201,
        {
            "kind": kind,
            "apiVersion": f"{group}/{target.version}",
            "metadata": metadata,
            **({"spec": shown} if shown is not None else {}),
            "status": status,
        },
    )


def _user_info(user: User) -> Obj:
    return {"username": user.name, "groups": list(user.groups)}


def _rules(cluster: Cluster, user: User, namespace: str) -> Obj:
    if not namespace:
        raise bad_request("no namespace on request")
    resources, paths = [], []
    for rule in cluster.rbac.rules_for(user, namespace):
        if rule.get("nonResourceURLs"):
            paths.append({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]})
        else:
            resources.append(
                {
                    name: rule[name]
                    for name in ("verbs", "apiGroups", "resources", "resourceNames")
                    if rule.get(name)
                }
            )
    return {
        "resourceRules": resources,
        "nonResourceRules": paths,
        "incomplete": bool(user.node),
    }


def _token(cluster: Cluster, token: str) -> Obj:
    try:
        user = authenticate(cluster, None, {"authorization": f"Bearer {token}"})
    except ApiError:
        return {"authenticated": False, "user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": _user_info(user)}
