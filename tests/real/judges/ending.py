"""Watches, and deletions, with which the story ends."""

from __future__ import annotations

from tests.real.judges.asking import Question
from tests.real.judges.bodies import config_map
from tests.real.judges.verbs import APPS, NS, TABLE, delete, get, post

__all__ = ["ENDING"]

ENDING: tuple[Question, ...] = (
    get(
        "watch from the beginning",
        f"{NS}/configmaps?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Done",
    ),
    get(
        "watch from a revision",
        f"{NS}/configmaps?watch=true&timeoutSeconds=1&resourceVersion=${{one}}&fieldSelector=metadata.name%3Done",
    ),
    get(
        "watch a table",
        f"{NS}/configmaps?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Done",
        accept=TABLE,
    ),
    get(
        "watch from a revision that is none",
        f"{NS}/configmaps?watch=true&timeoutSeconds=1&resourceVersion=abc",
    ),
    get(
        "watch from the future",
        f"{NS}/configmaps?watch=true&timeoutSeconds=1&resourceVersion=999999999",
    ),
    get(
        "watch with what is there first",
        f"{NS}/configmaps?watch=true&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&fieldSelector=metadata.name%3Done",
    ),
    get("watch the old way", "/api/v1/watch/namespaces/judges/configmaps/one?timeoutSeconds=1"),
    delete(
        "delete a stale revision",
        f"{NS}/configmaps/one",
        {"preconditions": {"resourceVersion": "${one}"}},
    ),
    delete("delete another's uid", f"{NS}/configmaps/one", {"preconditions": {"uid": "${node}"}}),
    delete("delete only to see", f"{NS}/configmaps/one", {"dryRun": ["All"]}),
    delete(
        "delete",
        f"{NS}/configmaps/one",
        {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "${uid}"}},
    ),
    delete("delete again", f"{NS}/configmaps/one"),
    delete("delete with an unknown policy", f"{NS}/configmaps/applied?propagationPolicy=Sideways"),
    delete("delete what matches", f"{NS}/configmaps?fieldSelector=metadata.name%3Dapplied"),
    delete(
        "delete a deployment and its pods first",
        f"{APPS}/deployments/web",
        {"propagationPolicy": "Foreground"},
    ),
    delete(
        "delete a deployment in the background",
        f"{APPS}/deployments/applied",
        {"propagationPolicy": "Background"},
    ),
    delete("delete a service", f"{NS}/services/web"),
    delete("delete a node", "/api/v1/nodes/judged-node"),
    delete("delete a namespace that is kept", "/api/v1/namespaces/kube-system"),
    delete("delete a namespace", NS),
    post("create in a namespace that ends", f"{NS}/configmaps", config_map("late")),
)
