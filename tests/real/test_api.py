"""What a real API server answers, as the client's own code understands it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cse_client.clock import SYSTEM_CLOCK
from cse_client.errors import ClusterUnreachable, Conflict
from cse_client.kube.addons.apply import LABELS, Record, Watch, apply_all, crds_of, remove_all
from cse_client.kube.addons.objects import Object, Objects, Ref
from cse_client.kube.answers import SchemaMismatch, WebhookDown
from cse_client.kube.api import ClusterAPI
from tests.real.site import CLUSTER, Site, eventually

T = TypeVar("T")
Work = Callable[[Callable[[Objects], T]], T]

GROUP = "real.example.com"
#: How often a kind is used at once after its CRD; discovery lags in some of such tries.
TRIES = 16


def crd(number: int) -> Object:
    kind, plural = f"Thing{number}", f"thing{number}s"
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{number}.{GROUP}"},
        "spec": {
            "group": f"{number}.{GROUP}",
            "scope": "Cluster",
            "names": names,
            "versions": [served],
        },
    }


def thing(number: int) -> Object:
    return {
        "apiVersion": f"{number}.{GROUP}/v1",
        "kind": f"Thing{number}",
        "metadata": {"name": "one"},
    }


def config(**data: Any) -> Object:
    metadata = {"name": "real-api", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.fixture
def asked(site: Site, cluster: dict[str, Any]) -> Callable[..., Any]:
    """Calls what it is given with an `Objects` of the cluster, in its network."""

    def ask(
        work: Callable[[Objects], Any], kubeconfig: Path = site.kubeconfig, timeout: float = 10.0
    ) -> Any:
        text = kubeconfig.read_text(encoding="utf-8")

        def inside() -> Any:
            with ClusterAPI(text, timeout, environ={}) as api:
                return work(Objects(api))

        return site.call(inside)

    return ask


def watch() -> Watch:
    return Watch(120, SYSTEM_CLOCK)


def test_a_group_that_is_not_served_has_no_objects(asked: Work[Any]) -> None:
    """It is answered with 404 and a text that is not JSON."""
    pool = Ref("metallb.io/v1beta1", "IPAddressPool", "metallb-system", "cse-client")

    def look(objects: Objects) -> None:
        assert objects.list(pool.api_version, pool.kind) == []
        assert objects.get(pool) is None
        assert objects.delete(pool) is False
        assert not objects.serves(pool.api_version, pool.kind)
        assert crds_of(objects, "metallb.io") == []

    asked(look)


def test_new_kinds_are_used_at_once(asked: Work[Any]) -> None:
    """Discovery of a group lags behind its CRD's condition Established."""

    def use(objects: Objects) -> None:
        for number in range(TRIES):
            record = Record(f"real-{number}", "1", "0")
            kind, one = crd(number), thing(number)
            try:
                changed = apply_all(objects, record, [kind], [one], force=False, watch=watch())
                assert changed
                again = apply_all(objects, record, [kind], [one], force=False, watch=watch())
                assert not again
            finally:
                refs = (Ref.of(kind), Ref.of(one))
                left = Record(record.addon, "1", "0", objects=refs)
                remove_all(objects, left, [], purge=True, watch=watch())
            assert objects.get(Ref.of(one)) is None

    asked(use)


def test_applying_the_same_again_is_not_a_change(asked: Work[Any]) -> None:
    """An API server writes a Namespace in which we own nothing again at each apply."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "real-same"}}
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "one", "namespace": "real-same", "labels": dict(LABELS)},
    }
    record = Record("real-same", "1", "0")

    def use(objects: Objects) -> list[bool]:
        manifest = [namespace, account]
        try:
            return [
                apply_all(objects, record, manifest, [], force=False, watch=watch())
                for _ in range(3)
            ]
        finally:
            refs = tuple(map(Ref.of, manifest))
            remove_all(
                objects, Record("real-same", "1", "0", objects=refs), [], purge=True, watch=watch()
            )

    assert asked(use) == [True, False, False]


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        ("Deployment", {"selector": {}, "template": {}, "colour": "red"}, "colour"),
        ("Deployment", {"replicas": "many"}, "replicas"),
        ("DaemonSet", {"template": {"spec": {"containers": {"name": "a"}}}}, "containers"),
    ],
    ids=["unknown field", "a word for a number", "a mapping for a list"],
)
def test_an_object_that_does_not_fit_its_schema_is_named(
    asked: Work[Any], kind: str, spec: Object, field: str
) -> None:
    """It is answered with 500, although nothing is down and repeating is useless."""
    metadata = {"name": "odd", "namespace": "default"}
    obj = {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}
    with pytest.raises(SchemaMismatch) as caught:
        asked(lambda objects: objects.apply(obj))
    assert f"Cannot apply {kind} default/odd" in caught.value.message
    assert field in caught.value.message


def test_fields_of_another_client_are_a_conflict(site: Site, asked: Work[Any]) -> None:
    theirs = json.dumps(config(color="theirs"))
    apply = ("apply", "--server-side", "--field-manager", "somebody", "-f", "-")
    site.kubectl(*apply, stdin=theirs).checked()
    try:
        with pytest.raises(Conflict) as caught:
            asked(lambda objects: objects.apply(config(color="ours")))
        assert '"somebody"' in caught.value.message
        assert ".data.color" in caught.value.message
        assert asked(lambda objects: objects.apply(config(color="theirs", shape="ours")))
        forced = asked(lambda objects: objects.apply(config(color="ours"), force=True))
        assert forced["data"] == {"color": "ours"}
    finally:
        site.kubectl("delete", "configmap", "real-api")


WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: real-silent}
webhooks:
- name: silent.real.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  timeoutSeconds: 10
  failurePolicy: Fail
  clientConfig: {url: "https://203.0.113.1/"}
  matchConditions: [{name: one, expression: 'object.metadata.name == "real-api"'}]
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}
"""


@contextmanager
def applied(site: Site, text: str) -> Iterator[None]:
    """Have objects in the cluster for a while."""
    site.kubectl("apply", "-f", "-", stdin=text).checked()
    try:
        yield
    finally:
        site.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=text).checked()


@pytest.fixture
def silent_webhook(site: Site, cluster: dict[str, Any]) -> Iterator[None]:
    """A webhook that never answers has to allow the ConfigMap."""
    site.run("ip", "route", "replace", "blackhole", "203.0.113.1").checked()
    with applied(site, WEBHOOK):
        yield
    site.kubectl("delete", "configmap", "real-api", "--ignore-not-found").checked()


def test_a_webhook_that_is_not_up_yet_is_waited_for(
    site: Site, asked: Work[Any], silent_webhook: None
) -> None:
    """The API server waits for it as long as the client's time-out for reads is."""
    with pytest.raises(WebhookDown, match="failed calling webhook"):
        asked(lambda objects: objects.apply(config(color="ours")))
    up = ("delete", "validatingwebhookconfiguration", "real-silent")
    later = threading.Timer(5, lambda: site.kubectl(*up).checked())
    later.start()
    try:
        asked(
            lambda objects: watch().patiently(
                lambda: objects.apply(config(color="ours")), "It was not applied"
            )
        )
    finally:
        later.join()


OVERLOAD = """
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: real-full}
spec:
  type: Limited
  limited:
    nominalConcurrencyShares: 0
    lendablePercent: 0
    borrowingLimitPercent: 0
    limitResponse: {type: Reject}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: real-full}
spec:
  matchingPrecedence: 50
  priorityLevelConfiguration: {name: real-full}
  rules:
  - subjects: [{kind: Group, group: {name: crowd}}]
    resourceRules:
    - {verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"]}
"""


def test_an_overloaded_api_server_is_asked_again(
    site: Site, asked: Callable[..., Any], silent_webhook: None, tmp_path: Path
) -> None:
    """It answers 429 with a text, and a Retry-After of one second.

    A level without seats lets one request in at a time; the webhook keeps that one for a while.
    """
    file = tmp_path / "kubeconfig"
    issued = ("--user", "bob", "--group", "crowd", "-o", str(file))
    site.vcd("cse", "cluster", "config", CLUSTER, *issued).checked()
    role = ("--group", "crowd", "--role", "edit", "--namespace", "default")
    site.vcd("cse", "cluster", "grant", CLUSTER, *role).checked()

    def look(objects: Objects) -> Object | None:
        return objects.get(Ref("v1", "ConfigMap", "default", "kube-root-ca.crt"))

    def held() -> None:
        site.kubectl("create", "configmap", "real-api", "--kubeconfig", str(file))

    def refused() -> bool:
        try:
            asked(look, file, 0.5)
        except ClusterUnreachable as error:
            assert error.reason == "not ready"
            return True
        return False

    assert asked(look, file)
    with applied(site, OVERLOAD):
        thread = threading.Thread(target=held)
        thread.start()
        try:
            eventually(refused, "requests of the crowd are refused", 9)
            assert asked(look, file)
        finally:
            thread.join()


def test_a_grant_in_a_namespace_that_does_not_exist(site: Site, cluster: dict[str, Any]) -> None:
    role = ("--group", "devs", "--role", "edit", "--namespace", "gone")
    refused = site.vcd("cse", "cluster", "grant", CLUSTER, *role)
    assert (refused.code, refused.out) == (3, "")
    assert 'namespaces "gone" not found' in refused.err or "'gone'" in refused.err
