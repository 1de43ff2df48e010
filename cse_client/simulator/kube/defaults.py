"""What an API server fills in when an object is written, by kind.

Values: kubernetes:pkg/apis/core/v1/defaults.go, pkg/apis/apps/v1/defaults.go and the admission
plugins that are on by default (DefaultTolerationSeconds, ServiceAccount, TaintNodesByCondition).
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from cse_client.simulator.kube.objects import Obj, dig
from cse_client.simulator.kube.rbac import User
from cse_client.simulator.kube.state import Cluster

__all__ = ["add_nulls", "complete_node_status", "fill_in"]

_NODE_PORTS = range(30000, 32768)
_NODE_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)
_DEFAULT_SECONDS = 300
_DUAL_STACK = 20
_PREEMPTS = 19
_STRATEGY = {"rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}, "type": "RollingUpdate"}


def fill_in(cluster: Cluster, key: tuple[str, str], obj: Obj, old: Obj | None, user: User) -> None:
    """Complete an object that is about to be stored, in place."""
    found = _BY_KIND.get(key)
    if found:
        found(cluster, obj, old, user)


def _pod_spec(spec: Obj) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        image = str(container.get("image", ""))
        latest = image.endswith(":latest") or ":" not in image.rsplit("/", 1)[-1]
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        for port in container.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _pod(cluster: Cluster, obj: Obj, old: Obj | None, _user: User) -> None:
    spec = obj["spec"]
    if old is not None:
        return
    _pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("priority", _priority(cluster, spec))
    if cluster.minor >= _PREEMPTS:
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = list(spec.get("tolerations") or ())
    for name in ("not-ready", "unreachable"):
        key = f"node.kubernetes.io/{name}"
        if not any(item.get("key") in (key, None) for item in tolerations):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _DEFAULT_SECONDS,
                }
            )
    spec["tolerations"] = tolerations
    obj["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _priority(cluster: Cluster, spec: Obj) -> int:
    found = cluster.store.get(
        ("scheduling.k8s.io", "priorityclasses"), "", spec.get("priorityClassName", "")
    )
    return int(dig(found, "value", default=0))


def _quality(spec: Obj) -> str:
    asked = [dig(container, "resources", default={}) for container in spec.get("containers") or ()]
    if not any(item.get("requests") or item.get("limits") for item in asked):
        return "BestEffort"
    whole = all(
        set(item.get("limits") or ()) >= {"cpu", "memory"}
        and item.get("requests", item["limits"]) == item["limits"]
        for item in asked
    )
    return "Guaranteed" if whole else "Burstable"


def _template(obj: Obj) -> None:
    template = obj["spec"].setdefault("template", {})
    template.setdefault("metadata", {})
    _pod_spec(template.setdefault("spec", {}))


def _deployment(_cluster: Cluster, obj: Obj, _old: Obj | None, _user: User) -> None:
    spec = obj["spec"]
    _template(obj)
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {})
        for name, value in _STRATEGY["rollingUpdate"].items():  # type: ignore[attr-defined]
            strategy["rollingUpdate"].setdefault(name, value)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)


def _daemon_set(_cluster: Cluster, obj: Obj, _old: Obj | None, _user: User) -> None:
    _template(obj)
    obj["spec"].setdefault(
        "updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    )
    obj["spec"].setdefault("revisionHistoryLimit", 10)


def _replicated(_cluster: Cluster, obj: Obj, _old: Obj | None, _user: User) -> None:
    _template(obj)
    obj["spec"].setdefault("replicas", 1)


def _job(_cluster: Cluster, obj: Obj, _old: Obj | None, _user: User) -> None:
    spec = obj["spec"]
    _template(obj)
    spec.setdefault("completions", 1)
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    if "selector" not in spec:
        labels = {"controller-uid": obj["metadata"]["uid"], "job-name": obj["metadata"]["name"]}
        spec["selector"] = {"matchLabels": {"controller-uid": obj["metadata"]["uid"]}}
        metadata = spec["template"]["metadata"]
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}


def _service(cluster: Cluster, obj: Obj, old: Obj | None, _user: User) -> None:
    spec = obj["spec"]
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if old is None:
        obj["status"] = {"loadBalancer": {}}
    before = dig(old, "spec", default={})
    if kind != "ExternalName":
        if not spec.get("clusterIP"):
            spec["clusterIP"] = before.get("clusterIP") or _cluster_ip(cluster)
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        if cluster.minor >= _DUAL_STACK:
            spec.setdefault("ipFamilies", ["IPv4"])
            spec.setdefault("ipFamilyPolicy", "SingleStack")
        spec.setdefault("internalTrafficPolicy", "Cluster")
    external = kind in ("NodePort", "LoadBalancer")
    if external:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    known = {port.get("port"): port.get("nodePort") for port in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
        if external and not port.get("nodePort"):
            port["nodePort"] = known.get(port.get("port")) or _node_port(cluster, spec)
        elif not external:
            port.pop("nodePort", None)


def _cluster_ip(cluster: Cluster) -> str:
    used = {dig(service, "spec", "clusterIP") for service in cluster.store.each(("", "services"))}
    hosts = cluster.services.hosts()
    # .1 is the API server's, .10 the DNS service's by kubeadm's convention.
    for _ in range(10):
        next(hosts)
    return next(str(host) for host in hosts if str(host) not in used)


def _node_port(cluster: Cluster, spec: Obj) -> int:
    used = {
        port.get("nodePort")
        for holder in [*(item["spec"] for item in cluster.store.each(("", "services"))), spec]
        for port in holder.get("ports") or ()
    }
    return next(port for port in _NODE_PORTS if port not in used)


def _namespace(_cluster: Cluster, obj: Obj, old: Obj | None, _user: User) -> None:
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    if old is None:
        obj["status"] = {"phase": "Active"}
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]


def _secret(_cluster: Cluster, obj: Obj, _old: Obj | None, _user: User) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        obj.setdefault("data", {}).update(
            {name: base64.b64encode(str(text).encode()).decode() for name, text in plain.items()}
        )


def _node(_cluster: Cluster, obj: Obj, old: Obj | None, _user: User) -> None:
    obj.setdefault("spec", {})
    complete_node_status(obj.setdefault("status", {}))
    if old is None:
        # The lifecycle controller takes it away when the kubelet reports Ready.
        taints = list(obj["spec"].get("taints") or ())
        key = "node.kubernetes.io/not-ready"
        if not any(taint.get("key") == key for taint in taints):
            taints.append({"key": key, "effect": "NoSchedule"})
        obj["spec"]["taints"] = taints


def complete_node_status(status: Obj) -> None:
    """Add what a NodeStatus always carries; clients with typed models insist on it."""
    if status.get("capacity"):
        status.setdefault("allocatable", dict(status["capacity"]))
    status["nodeInfo"] = {**dict.fromkeys(_NODE_INFO, ""), **(status.get("nodeInfo") or {})}
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    add_nulls(status, "lastHeartbeatTime", "lastTransitionTime")


def add_nulls(status: Obj, *names: str) -> None:
    """Add the times that a condition always has in Go's types, null where they are not set."""
    if status.get("conditions"):
        status["conditions"] = [
            {**dict.fromkeys(names), **condition} for condition in status["conditions"]
        ]


def _csr(_cluster: Cluster, obj: Obj, old: Obj | None, user: User) -> None:
    spec = obj["spec"]
    if old is not None:
        obj["spec"] = old["spec"]
        return
    spec.setdefault("signerName", "kubernetes.io/kube-apiserver-client-kubelet")
    spec["username"] = user.name
    spec["groups"] = list(user.groups)
    if user.uid:
        spec["uid"] = user.uid
    spec.setdefault("usages", ["digital signature", "key encipherment"])
    obj["status"] = {}


def _binding(_cluster: Cluster, obj: Obj, _old: Obj | None, _user: User) -> None:
    obj.get("roleRef", {}).setdefault("apiGroup", "rbac.authorization.k8s.io")
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _ingress(_cluster: Cluster, obj: Obj, old: Obj | None, _user: User) -> None:
    if old is None:
        obj["status"] = {"loadBalancer": {}}


def _custom_definition(_cluster: Cluster, obj: Obj, old: Obj | None, _user: User) -> None:
    spec = obj["spec"]
    # The v1beta1 form, with one version or one schema for all of them, is stored as v1.
    if "versions" not in spec and spec.get("version"):
        spec["versions"] = [{"name": spec["version"], "served": True, "storage": True}]
    shared = {
        name: spec.pop(old_name)
        for old_name, name in (
            ("validation", "schema"),
            ("subresources", "subresources"),
            ("additionalPrinterColumns", "additionalPrinterColumns"),
        )
        if old_name in spec
    }
    for column in shared.get("additionalPrinterColumns") or ():
        if "JSONPath" in column:
            column["jsonPath"] = column.pop("JSONPath")
    spec.pop("version", None)
    for version in spec.get("versions") or ():
        for name, value in shared.items():
            version.setdefault(name, value)
    names = spec.get("names") or {}
    if names.get("kind"):
        names.setdefault("singular", str(names["kind"]).lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    if old is None:
        stored = [one["name"] for one in spec.get("versions") or () if one.get("storage")]
        obj["status"] = {
            "conditions": None,
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": stored,
        }


_BY_KIND: dict[tuple[str, str], Callable[[Cluster, Obj, Obj | None, User], None]] = {
    ("", "pods"): _pod,
    ("", "services"): _service,
    ("", "namespaces"): _namespace,
    ("", "secrets"): _secret,
    ("", "nodes"): _node,
    ("apps", "deployments"): _deployment,
    ("apps", "daemonsets"): _daemon_set,
    ("apps", "replicasets"): _replicated,
    ("apps", "statefulsets"): _replicated,
    ("batch", "jobs"): _job,
    ("certificates.k8s.io", "certificatesigningrequests"): _csr,
    ("rbac.authorization.k8s.io", "rolebindings"): _binding,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): _binding,
    ("networking.k8s.io", "ingresses"): _ingress,
    ("apiextensions.k8s.io", "customresourcedefinitions"): _custom_definition,
}
