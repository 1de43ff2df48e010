"""Deployments, rights, and pods that disruption budgets protect."""

from __future__ import annotations

from tests.real.judges.asking import Question
from tests.real.judges.bodies import (
    EVICTION,
    RUNNING,
    SERVICE,
    UNREADY,
    deployment,
    obj,
    pod,
    review,
)
from tests.real.judges.verbs import (
    APPS,
    BUDGETS,
    NS,
    PARTIAL_LIST,
    RBAC,
    SELF_REVIEW,
    TABLE,
    apply,
    delete,
    evict,
    get,
    merge,
    post,
    strategic,
)

__all__ = ["WORKLOADS"]

WORKLOADS: tuple[Question, ...] = (
    post("create a deployment", f"{APPS}/deployments", deployment("web")),
    get("scale", f"{APPS}/deployments/web/scale"),
    merge("scale by a patch", f"{APPS}/deployments/web/scale", {"spec": {"replicas": 0}}),
    merge("scale below nothing", f"{APPS}/deployments/web/scale", {"spec": {"replicas": -1}}),
    strategic(
        "a container by a strategic patch",
        f"{APPS}/deployments/web?fieldManager=setter",
        {
            "spec": {
                "template": {
                    "spec": {"containers": [{"name": "main", "image": "example.com/main:2"}]}
                }
            }
        },
    ),
    apply(
        "apply a deployment", f"{APPS}/deployments/applied?fieldManager=one", deployment("applied")
    ),
    merge(
        "change a selector",
        f"{APPS}/deployments/web",
        {"spec": {"selector": {"matchLabels": {"app": "other"}}}},
    ),
    post("create a service", f"{NS}/services", SERVICE),
    get("the services' table", f"{NS}/services", accept=TABLE),
    post(
        "create a role",
        f"{RBAC}/namespaces/judges/roles",
        obj(
            "rbac.authorization.k8s.io/v1",
            "Role",
            "reader",
            rules=[{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]}],
        ),
    ),
    post(
        "bind it",
        f"{RBAC}/namespaces/judges/rolebindings",
        obj(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "reader",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            subjects=[{"kind": "User", "name": "bob"}],
        ),
    ),
    merge(
        "bind another role by the same name",
        f"{RBAC}/namespaces/judges/rolebindings/reader",
        {"roleRef": {"name": "other"}},
    ),
    get("the bindings' table", f"{RBAC}/namespaces/judges/rolebindings", accept=TABLE),
    post(
        "may the admin", SELF_REVIEW, review(resourceAttributes={"verb": "get", "resource": "pods"})
    ),
    post(
        "may alice",
        SELF_REVIEW,
        review(resourceAttributes={"verb": "get", "resource": "pods"}),
        who="alice",
    ),
    post(
        "may alice read a path",
        SELF_REVIEW,
        review(nonResourceAttributes={"verb": "get", "path": "/version"}),
        who="alice",
    ),
    post("a review of nothing", SELF_REVIEW, review()),
    post(
        "who alice is",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        who="alice",
    ),
    post(
        "alice's rules",
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": "judges"},
        },
        who="alice",
    ),
    post("create a pod", f"{NS}/pods", pod("first")),
    post("create a second pod", f"{NS}/pods", pod("second")),
    post("create a third pod", f"{NS}/pods", pod("third")),
    get("the pods' table", f"{NS}/pods", accept=TABLE),
    strategic("a pod runs", f"{NS}/pods/first/status", RUNNING),
    strategic("a second pod runs", f"{NS}/pods/second/status", RUNNING),
    get("pods by their node", "/api/v1/pods?fieldSelector=spec.nodeName%3Djudged-node&limit=1"),
    get(
        "pods by their phase",
        f"{NS}/pods?fieldSelector=status.phase!%3DRunning",
        accept=PARTIAL_LIST,
    ),
    merge("change a pod's node", f"{NS}/pods/first", {"spec": {"nodeName": "other"}}),
    strategic(
        "change a pod's image",
        f"{NS}/pods/first",
        {"spec": {"containers": [{"name": "main", "image": "example.com/main:2"}]}},
    ),
    post(
        "evict a pod that is absent",
        f"{NS}/pods/absent/eviction",
        obj("policy/v1", "Eviction", "absent"),
    ),
    post("evict under another name", f"{NS}/pods/second/eviction", EVICTION),
    post("evict only to see", f"{NS}/pods/first/eviction?dryRun=All", EVICTION),
    post(
        "a budget",
        BUDGETS,
        obj(
            "policy/v1",
            "PodDisruptionBudget",
            "web",
            spec={"minAvailable": 3, "selector": {"matchLabels": {"app": "web"}}},
        ),
    ),
    merge(
        "the budget's state",
        f"{BUDGETS}/web/status",
        {
            "status": {
                "observedGeneration": 1,
                "disruptionsAllowed": 0,
                "currentHealthy": 2,
                "desiredHealthy": 3,
                "expectedPods": 3,
            }
        },
    ),
    get("the budgets' table", BUDGETS, accept=TABLE),
    post("evict within a budget", f"{NS}/pods/first/eviction", EVICTION),
    post(
        "evict a pending pod within a budget",
        f"{NS}/pods/third/eviction",
        obj("policy/v1", "Eviction", "third", deleteOptions={"gracePeriodSeconds": 0}),
    ),
    post("create an unready pod", f"{NS}/pods", pod("unready")),
    strategic("it does not get ready", f"{NS}/pods/unready/status", UNREADY),
    evict("evict an unready pod while others are missing", "unready"),
    merge("a smaller budget", f"{BUDGETS}/web", {"spec": {"minAvailable": 2}}),
    merge(
        "its state",
        f"{BUDGETS}/web/status",
        {"status": {"observedGeneration": 2, "desiredHealthy": 2}},
    ),
    evict("evict an unready pod", "unready"),
    evict("evict a ready pod", "first"),
    post("create another unready pod", f"{NS}/pods", pod("another")),
    strategic("it does not get ready either", f"{NS}/pods/another/status", UNREADY),
    merge(
        "a budget that lets unready pods go",
        f"{BUDGETS}/web",
        {"spec": {"minAvailable": 3, "unhealthyPodEvictionPolicy": "AlwaysAllow"}},
    ),
    merge(
        "that budget's state",
        f"{BUDGETS}/web/status",
        {"status": {"observedGeneration": 3, "desiredHealthy": 3}},
    ),
    evict("evict an unready pod that may go", "another"),
    post(
        "a second budget",
        BUDGETS,
        obj(
            "policy/v1",
            "PodDisruptionBudget",
            "both",
            spec={"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        ),
    ),
    post("evict within two budgets", f"{NS}/pods/first/eviction", EVICTION),
    post("create a pending pod", f"{NS}/pods", pod("pending")),
    evict("evict a pending pod within two budgets", "pending"),
    delete("delete a budget", f"{BUDGETS}/both"),
    delete("delete all budgets", BUDGETS),
    post(
        "evict",
        f"{NS}/pods/first/eviction",
        {**EVICTION, "deleteOptions": {"gracePeriodSeconds": 0}},
    ),
    post("evict what is evicted", f"{NS}/pods/first/eviction", EVICTION),
    post(
        "bind a pod that is bound",
        f"{NS}/pods/second/binding",
        obj("v1", "Binding", "second", target={"kind": "Node", "name": "other"}),
    ),
    delete(
        "delete a pod of another uid", f"{NS}/pods/second", {"preconditions": {"uid": "${node}"}}
    ),
    delete("delete a pod only to see", f"{NS}/pods/second?dryRun=All"),
    delete("delete a pod at once", f"{NS}/pods/second", {"gracePeriodSeconds": 0}),
    delete("delete a pod that is gone", f"{NS}/pods/second"),
)
