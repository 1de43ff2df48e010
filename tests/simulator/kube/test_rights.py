"""RBAC, the node authorizer and NodeRestriction, and kubelets' certificates."""

from __future__ import annotations

import base64
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cse_client.simulator.clock import Clock
from cse_client.simulator.kube import KubeAPI
from cse_client.simulator.kube.rbac import covered
from tests.support.running_kube import Authority, Running, heartbeat, make

RBAC = "/apis/rbac.authorization.k8s.io/v1"
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
NODES = ["system:nodes"]


@pytest.fixture
def api() -> KubeAPI:
    return KubeAPI(version="1.30.0", clock=Clock())


def may(
    api: KubeAPI,
    user: str,
    groups: list[str],
    verb: str,
    resource: str,
    namespace: str = "",
    *,
    group: str = "",
    name: str = "",
    sub: str = "",
) -> bool:
    attributes = {
        "verb": verb,
        "resource": resource,
        "namespace": namespace,
        "group": group,
        "name": name,
        "subresource": sub,
    }
    code, answer = api.request(
        "POST",
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {"spec": {"user": user, "groups": groups, "resourceAttributes": attributes}},
    )
    assert code == 201
    return bool(answer["status"]["allowed"])


def bind(
    api: KubeAPI, role: str, kind: str, who: str, namespace: str = "", name: str = "b"
) -> None:
    plural = f"namespaces/{namespace}/rolebindings" if namespace else "clusterrolebindings"
    body = {
        "metadata": {"name": name},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": kind, "name": who}],
    }
    code, answer = api.request("POST", f"{RBAC}/{plural}", body)
    assert code == 201, answer
    assert answer["roleRef"]["apiGroup"] == "rbac.authorization.k8s.io"


def test_the_built_in_roles_in_a_namespace(api: KubeAPI) -> None:
    for role in ("view", "edit", "admin"):
        bind(api, role, "Group", f"{role}s", "default", name=role)
    expected = {
        ("get", "pods", ""): (True, True, True),
        ("get", "secrets", ""): (False, True, True),
        ("create", "deployments", "apps"): (False, True, True),
        ("create", "rolebindings", "rbac.authorization.k8s.io"): (False, False, True),
        ("get", "nodes", ""): (False, False, False),
        ("delete", "namespaces", ""): (False, False, False),
    }
    for (verb, resource, group), wanted in expected.items():
        found = tuple(
            may(api, "x", [f"{role}s"], verb, resource, "default", group=group)
            for role in ("view", "edit", "admin")
        )
        assert found == wanted, (verb, resource)
        assert not may(api, "x", ["admins"], verb, resource, "kube-system", group=group)


def test_bindings_to_users_groups_and_accounts(api: KubeAPI) -> None:
    bind(api, "cluster-admin", "User", "root", name="u")
    assert may(api, "root", [], "delete", "nodes")
    assert not may(api, "Root", [], "delete", "nodes")
    body = {
        "metadata": {"name": "sa"},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}],
    }
    assert api.request("POST", f"{RBAC}/clusterrolebindings", body)[0] == 201
    assert may(api, "system:serviceaccount:default:robot", [], "list", "pods", "kube-system")
    assert not may(api, "system:serviceaccount:other:robot", [], "list", "pods", "kube-system")
    assert api.request("DELETE", f"{RBAC}/clusterrolebindings/u")[0] == 200
    assert not may(api, "root", [], "delete", "nodes")


def test_masters_need_no_binding(api: KubeAPI) -> None:
    assert api.request("DELETE", f"{RBAC}/clusterrolebindings/cluster-admin")[0] == 200
    assert may(api, "x", ["system:masters"], "delete", "nodes")


def test_names_and_subresources(api: KubeAPI) -> None:
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["a"]},
        {"apiGroups": [""], "resources": ["*/status"], "verbs": ["patch"]},
    ]
    role = {"metadata": {"name": "r"}, "rules": rules}
    assert api.request("POST", f"{RBAC}/clusterroles", role)[0] == 201
    bind(api, "r", "User", "u")
    assert may(api, "u", [], "get", "configmaps", "default", name="a")
    assert not may(api, "u", [], "get", "configmaps", "default", name="b")
    assert not may(api, "u", [], "list", "configmaps", "default")
    assert may(api, "u", [], "patch", "nodes", sub="status")
    assert not may(api, "u", [], "patch", "nodes")


def test_nobody_gives_more_than_they_have(api: KubeAPI) -> None:
    bind(api, "admin", "User", "lead", "default")
    place = f"{RBAC}/namespaces/default/rolebindings"
    body = {
        "metadata": {"name": "x"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "lead"}],
    }
    code, answer = api.request("POST", place, body, user="lead", groups=[])
    assert code == 403
    assert "RBAC permissions not currently held" in answer["message"]
    body["roleRef"]["name"] = "view"  # type: ignore[index]
    assert api.request("POST", place, body, user="lead", groups=[])[0] == 201


def test_coverage_of_rules() -> None:
    own = [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "*/log"]}]
    assert covered(own, [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "pods/log"]}])
    assert not covered(own, [{"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}])
    assert not covered(own, [{"verbs": ["get"], "nonResourceURLs": ["/metrics"]}])


def test_aggregated_roles_grow_with_those_they_select(api: KubeAPI) -> None:
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    rules = [{"apiGroups": ["example.com"], "resources": ["things"], "verbs": ["get"]}]
    role = {"metadata": {"name": "things", "labels": label}, "rules": rules}
    assert api.request("POST", f"{RBAC}/clusterroles", role)[0] == 201
    bind(api, "edit", "User", "u", "default")
    assert may(api, "u", [], "get", "things", "default", group="example.com")


# Kubelets


def node_body(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "status": {}}


def test_a_kubelet_makes_and_reports_its_own_node_only(api: KubeAPI) -> None:
    me: dict[str, Any] = {"user": "system:node:a", "groups": NODES}
    assert api.request("POST", "/api/v1/nodes", node_body("a"), **me)[0] == 201
    code, answer = api.request("POST", "/api/v1/nodes", node_body("b"), **me)
    assert code == 403
    assert "is not allowed to modify node" in answer["message"]
    assert api.request("POST", "/api/v1/nodes", node_body("b"))[0] == 201
    merge = {"content_type": "application/merge-patch+json"}
    status = {"status": {"phase": "x"}}
    assert api.request("PATCH", "/api/v1/nodes/a/status", status, **me, **merge)[0] == 200
    assert api.request("PATCH", "/api/v1/nodes/b/status", status, **me, **merge)[0] == 403
    bodies: tuple[dict[str, Any], ...] = (
        {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}},
        {"spec": {"taints": []}},
    )
    for body in bodies:
        assert api.request("PATCH", "/api/v1/nodes/a", body, **me, **merge)[0] == 403
    label = {"metadata": {"labels": {"topology.kubernetes.io/zone": "z", "mine": "y"}}}
    assert api.request("PATCH", "/api/v1/nodes/a", label, **me, **merge)[0] == 200
    assert api.request("DELETE", "/api/v1/nodes/a", **me)[0] == 403
    # A user of that name outside the group is no kubelet.
    stranger = api.request("GET", "/api/v1/nodes/a", user="system:node:a", groups=[])
    assert stranger[0] == 403


@pytest.mark.parametrize(("version", "seen"), [("1.31.0", 200), ("1.32.0", 403)])
def test_kubelets_see_other_nodes_until_1_31(version: str, seen: int) -> None:
    api = KubeAPI(version=version, clock=Clock())
    api.request("POST", "/api/v1/nodes", node_body("b"))
    me: dict[str, Any] = {"user": "system:node:a", "groups": NODES}
    assert api.request("GET", "/api/v1/nodes/b", **me)[0] == seen
    assert api.request("GET", "/api/v1/nodes", **me)[0] == seen
    own = "/api/v1/pods?fieldSelector=spec.nodeName%3Da"
    assert api.request("GET", own, **me)[0] == 200


def test_kubelets_read_what_their_pods_need(api: KubeAPI) -> None:
    me: dict[str, Any] = {"user": "system:node:a", "groups": NODES}
    for name in ("used", "unused"):
        place = "/api/v1/namespaces/default/secrets"
        assert api.request("POST", place, {"metadata": {"name": name}})[0] == 201
    volume = {"name": "v", "secret": {"secretName": "used"}}
    pod = {
        "metadata": {"name": "p"},
        "spec": {"nodeName": "a", "volumes": [volume], "containers": [{"name": "c", "image": "i"}]},
    }
    assert api.request("POST", "/api/v1/namespaces/default/pods", pod)[0] == 201
    for name, code in (("used", 200), ("unused", 403)):
        place = f"/api/v1/namespaces/default/secrets/{name}"
        assert api.request("GET", place, **me)[0] == code
    assert api.request("GET", "/api/v1/namespaces/default/secrets", **me)[0] == 403
    pod["metadata"] = {"name": "q"}
    assert api.request("POST", "/api/v1/namespaces/default/pods", pod, **me)[0] == 403
    pod["metadata"] = {"name": "q", "annotations": {"kubernetes.io/config.mirror": "x"}}
    assert api.request("POST", "/api/v1/namespaces/default/pods", pod, **me)[0] == 201


# Certificates


def csr(cn: str, organization: str = "system:nodes") -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, cn),
        ]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return {
        "metadata": {"generateName": "csr-"},
        "spec": {
            "request": base64.b64encode(pem).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "client auth"],
        },
    }


SELF = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"
NODE = "system:certificates.k8s.io:certificatesigningrequests:nodeclient"
BOOTSTRAPPERS = "system:bootstrappers:kubeadm:default-node-token"


def state(answer: dict[str, Any]) -> list[str]:
    found = [item["type"] for item in answer.get("status", {}).get("conditions", [])]
    return found + (["Issued"] if answer.get("status", {}).get("certificate") else [])


def ask(cluster: Running, body: dict[str, Any], user: str, *groups: str) -> dict[str, Any]:
    code, made = cluster.api.request("POST", CSRS, body, user=user, groups=groups)
    assert code == 201, made
    assert made["spec"]["username"] == user
    return cluster.get(f"{CSRS}/{made['metadata']['name']}")


def test_a_node_gets_a_certificate_for_itself_only(cluster: Running) -> None:
    bind(cluster.api, SELF, "Group", "system:nodes")
    mine = ask(cluster, csr("system:node:a"), "system:node:a", *NODES)
    assert state(mine) == ["Approved", "Issued"]
    assert mine["status"]["conditions"][0]["message"] == (
        "Auto approving self kubelet client certificate after SubjectAccessReview."
    )
    pem = base64.b64decode(mine["status"]["certificate"])
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.issuer == cluster.authority.certificate.subject
    certificate.verify_directly_issued_by(cluster.authority.certificate)
    assert ask(cluster, csr("system:node:b"), "system:node:a", *NODES).get("status", {}) == {}
    assert (
        state(ask(cluster, csr("system:node:a", "system:masters"), "system:node:a", *NODES)) == []
    )
    assert state(ask(cluster, csr("admin"), "system:node:a", *NODES)) == []


def test_a_bootstrapper_gets_any_node_once_bound(cluster: Running) -> None:
    bind(cluster.api, "system:node-bootstrapper", "Group", BOOTSTRAPPERS, name="one")
    assert state(ask(cluster, csr("system:node:x"), "boot", BOOTSTRAPPERS)) == []
    bind(cluster.api, NODE, "Group", BOOTSTRAPPERS, name="two")
    assert state(ask(cluster, csr("system:node:x"), "boot", BOOTSTRAPPERS)) == [
        "Approved",
        "Issued",
    ]
    refused = cluster.api.request("POST", CSRS, csr("system:node:x"), user="u", groups=["other"])
    assert refused[0] == 403


def test_certificates_end_with_the_ca(tmp_path: Path) -> None:
    cluster = make("1.33.1", tmp_path)
    cluster.authority = Authority(days=30)
    cluster.server = cluster.authority.issue("kube-apiserver", server=True)
    cluster.start()
    bind(cluster.api, SELF, "Group", "system:nodes")
    mine = ask(cluster, csr("system:node:a"), "system:node:a", *NODES)
    certificate = x509.load_pem_x509_certificate(base64.b64decode(mine["status"]["certificate"]))
    end = certificate.not_valid_after_utc
    assert end == cluster.authority.certificate.not_valid_after_utc
    assert (end - datetime.now(timezone.utc)).days < 31
    cluster.api.stop()


def test_requests_are_approved_by_hand_and_collected(cluster: Running) -> None:
    body = csr("someone", "people")
    body["spec"]["signerName"] = "kubernetes.io/kube-apiserver-client"
    made = cluster.post(CSRS, body)
    assert state(made) == []
    place = f"{CSRS}/{made['metadata']['name']}"
    made["status"] = {"conditions": [{"type": "Approved", "reason": "ByHand", "status": "True"}]}
    assert cluster.api.request("PUT", f"{place}/approval", made)[0] == 200
    assert state(cluster.get(place)) == ["Approved", "Issued"]
    cluster.clock.advance(3601)
    assert cluster.api.request("GET", place)[0] == 404


def test_nothing_is_signed_without_the_key(cluster: Running) -> None:
    cluster.api.stop()
    cluster.api.start(
        host="127.0.0.1",
        port=cluster.port,
        server_cert=cluster.server[0],
        server_key=cluster.server[1],
        client_ca=cluster.authority.pem,
        signing_key=None,
    )
    bind(cluster.api, SELF, "Group", "system:nodes")
    mine = ask(cluster, csr("system:node:a"), "system:node:a", *NODES)
    assert state(mine) == ["Approved"]
    cluster.api.stop()
    cluster.start()
    assert state(cluster.get(f"{CSRS}/{mine['metadata']['name']}")) == ["Approved", "Issued"]


def test_heartbeats_of_a_stranger_are_refused(cluster: Running) -> None:
    cluster.node("a")
    body = {"status": {"conditions": heartbeat(cluster.clock)}}
    code, _ = cluster.api.request(
        "PATCH",
        "/api/v1/nodes/a/status",
        body,
        user="system:node:b",
        groups=NODES,
        content_type="application/strategic-merge-patch+json",
    )
    assert code == 403
