"""Bindings as grants, against an API whose answers the tests choose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cse_client.errors import Conflict, NotFound, Refused
from cse_client.kube.api import ClusterAPI
from cse_client.kube.grants import LABELS, GrantBook, binding_name
from cse_client.model.grants import Grant, Subject
from tests.support.kube_stub import Answer, StubAPI, Text, status

ALICE = Subject("User", "alice")
GRANT = Grant(ALICE, "view", "shop")
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
INSIDE = f"{_RBAC}/namespaces/shop/rolebindings"


@pytest.fixture
def book(api: StubAPI) -> Iterator[GrantBook]:
    with ClusterAPI(api.kubeconfig(), 5.0, environ={}) as cluster:
        yield GrantBook(cluster)


def binding(
    *people: tuple[str, str],
    name: str = "by-hand",
    namespace: str = "",
    role: str = "view",
    labels: dict[str, str] | None = None,
) -> dict[str, object]:
    where = {"namespace": namespace} if namespace else {}
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name, "labels": labels or {}, **where},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": kind, "name": who} for kind, who in people],
    }


def listed(kind: str, *items: dict[str, object]) -> Answer:
    return 200, {"kind": kind, "apiVersion": "v1", "metadata": {}, "items": list(items)}


def test_what_others_made_or_changed_is_not_ours(api: StubAPI, book: GrantBook) -> None:
    api.answers[f"{_RBAC}/clusterrolebindings"] = listed(
        "ClusterRoleBindingList",
        binding(("Group", "system:masters"), name="cluster-admin", role="cluster-admin"),
        binding(("ServiceAccount", "robot")),
        {**binding(), "subjects": None},
    )
    api.answers[f"{_RBAC}/rolebindings"] = listed(
        "RoleBindingList",
        binding(("User", "alice"), name="one", namespace="shop", labels=LABELS),
        binding(("User", "alice"), ("User", "bob"), name="two", namespace="shop", labels=LABELS),
        binding(("User", "alice"), name="three", namespace="shop", labels={"a": "b"}),
    )
    found = [(one.subject.name, one.binding, one.namespace, one.ours) for one in book.all()]
    assert found == [
        ("system:masters", "cluster-admin", "", False),
        ("alice", "one", "shop", True),
        ("alice", "two", "shop", False),
        ("bob", "two", "shop", False),
        ("alice", "three", "shop", False),
    ]


def test_a_new_grant_is_one_labelled_binding(api: StubAPI, book: GrantBook) -> None:
    sent: list[dict[str, object]] = []

    def take(method: str, _query: dict[str, list[str]], body: bytes) -> Answer:
        assert method == "POST"
        sent.append(json.loads(body))
        return 201, sent[-1]

    api.answers[INSIDE] = take
    assert book.add(GRANT)
    (made,) = sent
    assert made["metadata"] == {
        "name": binding_name(GRANT),
        "namespace": "shop",
        "labels": LABELS,
    }
    assert made["subjects"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}
    ]


@pytest.mark.parametrize(
    ("people", "labels", "role"),
    [
        ([("User", "alice"), ("User", "bob")], LABELS, "view"),
        ([("User", "bob")], LABELS, "view"),
        ([("User", "alice")], {}, "view"),
        ([("User", "alice")], LABELS, "admin"),
        ([], LABELS, "view"),
    ],
)
def test_a_binding_that_was_changed_is_no_grant(
    api: StubAPI,
    book: GrantBook,
    people: list[tuple[str, str]],
    labels: dict[str, str],
    role: str,
) -> None:
    name = binding_name(GRANT)
    api.answers[INSIDE] = (409, status(409, "AlreadyExists"))
    theirs = binding(*people, name=name, namespace="shop", labels=labels, role=role)
    api.answers[f"{INSIDE}/{name}"] = (200, theirs)
    with pytest.raises(Conflict, match=f"The binding {name} exists with other content"):
        book.add(GRANT)


def test_what_is_granted_already(api: StubAPI, book: GrantBook) -> None:
    name = binding_name(GRANT)
    api.answers[INSIDE] = (409, status(409, "AlreadyExists"))
    same = binding(("User", "alice"), name=name, namespace="shop", labels=LABELS)
    api.answers[f"{INSIDE}/{name}"] = (200, same)
    assert not book.add(GRANT)


@pytest.mark.parametrize(("phase", "there"), [("Active", True), ("Terminating", False)])
def test_a_namespace_on_its_way_out_is_none(
    api: StubAPI, book: GrantBook, phase: str, there: bool
) -> None:
    api.answers["/api/v1/namespaces/shop"] = (
        200,
        {"kind": "Namespace", "metadata": {"name": "shop"}, "status": {"phase": phase}},
    )
    assert book.has_namespace("shop") is there
    assert not book.has_namespace("nope")


def test_without_rights_it_says_so(api: StubAPI, book: GrantBook) -> None:
    api.answers[INSIDE] = (403, status(403, "Because"))
    with pytest.raises(Refused, match="does not let you grant view to user 'alice': Because"):
        book.add(GRANT)


ENDING = {
    **status(403, "Forbidden"),
    "message": "unable to create new content in namespace shop because it is being terminated",
}


@pytest.mark.parametrize(
    "answer",
    [
        (404, {**status(404, "NotFound"), "message": 'namespaces "shop" not found'}),
        (404, Text("404 page not found\n")),
        (403, ENDING),
        (403, {**status(403, "No"), "details": {"causes": [{"reason": "NamespaceTerminating"}]}}),
    ],
)
def test_a_namespace_that_went_away_meanwhile(
    api: StubAPI, book: GrantBook, answer: Answer
) -> None:
    api.answers[INSIDE] = answer
    with pytest.raises(NotFound) as caught:
        book.add(GRANT)
    assert caught.value.message == (
        "Cannot grant view to user 'alice': namespace 'shop' was deleted meanwhile."
    )
    assert caught.value.hint == "kubectl create namespace shop"


def test_a_grant_that_is_gone_already_is_taken(api: StubAPI, book: GrantBook) -> None:
    api.answers[f"{INSIDE}/b"] = (404, Text("404 page not found\n"))
    book.remove(replace(GRANT, binding="b"))
