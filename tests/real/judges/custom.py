"""A kind that is defined on the way."""

from __future__ import annotations

from tests.real.judges.asking import Question
from tests.real.judges.bodies import crd, thing
from tests.real.judges.verbs import (
    CRDS,
    TABLE,
    THINGS,
    apply,
    delete,
    get,
    merge,
    post,
    strategic,
)

__all__ = ["CUSTOM"]

CUSTOM: tuple[Question, ...] = (
    get("a custom group before it exists", "/apis/example.com"),
    get("a custom resource before it exists", THINGS),
    apply("apply a CRD", f"{CRDS}/things.example.com?fieldManager=one", crd()),
    get("discovery of a new group", "/apis/example.com/v1", patient=True),
    get("a new group", "/apis/example.com", patient=True),
    get("an empty list of custom resources", THINGS, patient=True),
    get("get a CRD", f"{CRDS}/things.example.com"),
    get("the CRDs' table", f"{CRDS}/things.example.com", accept=TABLE),
    post("create a custom resource", THINGS, thing("one", size=1)),
    post("create one of the wrong type", THINGS, thing("two", size="large")),
    post("create one without what is required", THINGS, thing("two")),
    post(
        "create one with an unknown field",
        f"{THINGS}?fieldValidation=Strict",
        thing("two", size=1, weight=2),
    ),
    post(
        "prune an unknown field", f"{THINGS}?fieldValidation=Ignore", thing("two", size=1, weight=2)
    ),
    apply(
        "apply one with an unknown field",
        f"{THINGS}/two?fieldManager=one",
        thing("two", size=1, weight=2),
    ),
    apply("apply a custom resource", f"{THINGS}/three?fieldManager=one", thing("three", size=3)),
    merge("patch a custom resource", f"{THINGS}/one", {"spec": {"color": "red"}}),
    strategic("patch one strategically", f"{THINGS}/one", {"spec": {"color": "red"}}),
    merge("patch its state", f"{THINGS}/one/status", {"status": {"x": 1}}),
    get("custom resources as a table", THINGS, accept=TABLE),
    delete("delete a custom resource", f"{THINGS}/one"),
    delete("delete all of them", THINGS),
)
