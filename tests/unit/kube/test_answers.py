"""What other than a good answer comes from where an API server should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cse_client.errors import ClusterUnreachable, Conflict, CseError, Refused
from cse_client.kube.addons.apply import Watch, crds_of
from cse_client.kube.addons.objects import Objects, Ref, completed
from cse_client.kube.answers import SchemaMismatch, WebhookDown
from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import drain, find_stuck_pods
from cse_client.kube.grants import GrantBook
from tests.support.clock import FakeClock
from tests.support.kube_stub import Answer, StubAPI, Text, status
from tests.support.running_kube import make

PAGE = Text("404 page not found\n", {"X-Content-Type-Options": "nosniff"})
BUSY = "Too many requests, please try again later.\n"
DISCOVERY = {
    "kind": "APIResourceList",
    "resources": [{"name": "things", "kind": "Thing", "namespaced": True}],
}
THING = Ref("example.com/v1", "Thing", "shop", "one")
GROUP = "/apis/example.com/v1"
ONE = f"{GROUP}/namespaces/shop/things/one"


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def cluster(api: StubAPI, slept: list[float]) -> Iterator[ClusterAPI]:
    with ClusterAPI(
        api.kubeconfig(), environ={}, clock=FakeClock(on_sleep=slept.append)
    ) as connection:
        yield connection


@pytest.mark.parametrize("answer", [PAGE, status(404, "NotFound"), Text("<html>404</html>")])
def test_a_group_that_nobody_serves_is_not_there(
    api: StubAPI, cluster: ClusterAPI, answer: object
) -> None:
    api.answers[GROUP] = 404, answer
    objects = Objects(cluster)
    assert objects.get(THING) is None
    assert objects.list("example.com/v1", "Thing") == []
    assert objects.delete(THING) is False
    assert objects.serves("example.com/v1", "Thing") is False
    # and what was served a moment ago
    api.answers[GROUP] = 200, DISCOVERY
    assert objects.serves("example.com/v1", "Thing")
    for path in (ONE, f"{GROUP}/things"):
        api.answers[path] = 404, answer
    assert objects.get(THING) is None
    assert objects.list("example.com/v1", "Thing") == []
    assert objects.delete(THING) is False


@pytest.mark.parametrize(
    ("code", "answer", "reason"),
    [
        (401, Text("Unauthorized\n"), "unauthorized"),
        (403, Text("Forbidden"), "forbidden"),
        (404, PAGE, "failed"),
        (429, Text(BUSY), "not ready"),
        (500, Text("boom"), "not ready"),
        (502, Text("<html><body>Bad Gateway</body></html>"), "not ready"),
        (503, Text(""), "not ready"),
        (503, b"\xff\xfe", "not ready"),
        (500, b"[1]", "not ready"),
    ],
)
def test_the_status_counts_whatever_the_body_is(
    api: StubAPI, cluster: ClusterAPI, code: int, answer: object, reason: str
) -> None:
    for path in ("/api/v1/nodes", "/version", "/api/v1/namespaces/kube-system/secrets/x"):
        api.answers[path] = code, answer
    asked: list[Callable[[], object]] = [cluster.nodes, cluster.version, cluster.now, cluster.minor]
    if code != 404:
        asked.append(lambda: cluster.read_secret("kube-system", "x"))
    for ask in asked:
        with pytest.raises(ClusterUnreachable) as caught:
            ask()
        assert caught.value.reason == reason


def test_an_overloaded_api_is_asked_again_when_it_says_so(
    api: StubAPI, cluster: ClusterAPI, slept: list[float]
) -> None:
    left = [2, 0, 1]

    def busy(*_: object) -> Answer:
        if left:
            return 429, Text(BUSY, {"Retry-After": str(left.pop(0))})
        return 200, {"gitVersion": "v1.36.2"}

    api.answers["/version"] = busy
    assert cluster.version() == "v1.36.2"
    assert slept == [2.0, 0.1, 1.0]


@pytest.mark.parametrize("asked", ["1", "9" * 5000, "soon", "-1", "²"])
def test_an_overloaded_api_is_not_waited_for_without_end(
    api: StubAPI, cluster: ClusterAPI, slept: list[float], asked: str
) -> None:
    value = asked.encode("utf-8").decode("latin-1")
    api.answers["/version"] = 429, Text(BUSY, {"Retry-After": value})
    with pytest.raises(ClusterUnreachable, match="it is too busy"):
        cluster.version()
    assert sum(slept) <= 30


TYPED = "failed to create typed patch object (shop/one; example.com/v1, Kind=Thing): "


@pytest.mark.parametrize(
    ("code", "answer", "kind"),
    [
        (500, {"message": f"{TYPED}.spec.sise: field not declared in schema"}, SchemaMismatch),
        (500, {"message": f"{TYPED}.webhooks: field not declared in schema"}, SchemaMismatch),
        (
            500,
            {"message": 'Internal error occurred: failed calling webhook "x": Post "https://y"'},
            WebhookDown,
        ),
        (500, {"message": "conversion webhook for example.com/v1 failed: Post"}, WebhookDown),
        (500, {"message": "etcdserver: no leader for the webhook's lease"}, ClusterUnreachable),
        (503, Text("upstream connect error"), ClusterUnreachable),
        (429, Text(BUSY), ClusterUnreachable),
        (403, status(403, "Because"), Refused),
        (403, Text("no"), Refused),
        (422, status(422, "Invalid"), CseError),
    ],
)
def test_what_a_refused_apply_means(
    api: StubAPI, cluster: ClusterAPI, code: int, answer: object, kind: type[CseError]
) -> None:
    api.answers[GROUP] = 200, DISCOVERY
    api.answers[ONE] = code, answer
    thing = {"apiVersion": "example.com/v1", "kind": "Thing"}
    thing["metadata"] = {"name": "one", "namespace": "shop"}  # type: ignore[assignment]
    with pytest.raises(CseError) as caught:
        Objects(cluster).apply(thing)
    assert type(caught.value) is kind
    assert caught.value.message.startswith(
        "The cluster does not let you apply" if code == 403 else "Cannot apply Thing shop/one: "
    )


def test_a_schema_error_is_not_repeated_and_an_overload_is() -> None:
    seen: list[float] = []
    watch = Watch(60, FakeClock(on_sleep=seen.append))

    def fails(error: CseError) -> Callable[[], None]:
        def work() -> None:
            if len(seen) < 3:
                raise error

        return work

    with pytest.raises(SchemaMismatch):
        watch.patiently(fails(SchemaMismatch("x")), "it was not applied")
    assert seen == []
    watch.patiently(fails(ClusterUnreachable("x", reason="not ready")), "it was not applied")
    assert len(seen) == 3
    with pytest.raises(ClusterUnreachable):
        seen.clear()
        watch.patiently(fails(ClusterUnreachable("x", reason="no route")), "it was not applied")


def test_a_change_waits_longer_than_any_webhook_and_not_beyond_the_deadline(
    api: StubAPI, cluster: ClusterAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float | None] = []
    ask = cluster.ask

    def noting(*words: Any, **more: Any) -> Any:
        asked.append(more.get("timeout"))
        return ask(*words, **more)

    monkeypatch.setattr(cluster, "ask", noting)
    api.answers[GROUP] = 200, DISCOVERY
    api.answers[ONE] = 200, {"metadata": {"name": "one"}}
    body = {"apiVersion": "example.com/v1", "kind": "Thing"}
    body["metadata"] = {"name": "one", "namespace": "shop"}  # type: ignore[assignment]
    Objects(cluster).apply(body)
    Objects(cluster, lambda: 12.0).apply(body)
    assert asked[1] is not None
    assert asked[1] > 2 * 30
    assert asked[3] == 12.0


# Malformed objects

POD = {"metadata": {"name": "p", "namespace": "d", "uid": "u"}, "spec": {"nodeName": "n"}}
NODE = {"metadata": {"name": "n"}}
PDB = {"metadata": {"name": "b", "namespace": "d"}, "spec": {}}
BINDING = {
    "metadata": {"name": "b", "namespace": "d"},
    "roleRef": {"name": "view"},
    "subjects": [{"kind": "User", "name": "a"}],
}
CRD = {"metadata": {"name": "c"}, "spec": {"group": "g"}}
JUNK: list[Any] = [None, 7, True, "x", [], {}, [None], [7], ["x"], [[]], {"a": 1}, {"name": 5}]


def spoilt(obj: Any) -> Iterator[Any]:
    """Every version of an object in which one part is something else."""
    yield from JUNK
    if isinstance(obj, dict):
        for name, value in obj.items():
            yield {k: v for k, v in obj.items() if k != name}
            for bad in spoilt(value):
                yield {**obj, name: bad}
        for name in ("labels", "annotations", "status", "ownerReferences", "conditions"):
            for junk in JUNK:
                yield {**obj, name: junk}
    if isinstance(obj, list):
        for bad in spoilt(obj[0]):
            yield [bad]


class Canned(ClusterAPI):
    """Answers everything with one list, without a network: thousands of them in a second."""

    def __init__(self, item: Any) -> None:
        self.server = "https://x"
        self._item = item

    def minor(self) -> tuple[int, int]:
        return 1, 33

    def ask(self, method: str, path: str, *_: Any, **__: Any) -> tuple[int, dict[str, Any]]:
        if path.count("/") <= 3 and not path.startswith("/api/v1/"):
            named = {"name": "customresourcedefinitions", "kind": "CustomResourceDefinition"}
            return 200, {"resources": [named]}
        if path.endswith("/nodes/n"):
            return 200, self._item if isinstance(self._item, dict) else {}
        return 200, {"items": [self._item]}


class Never:
    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += 1
        return self._now

    def sleep(self, _seconds: float) -> None:
        pass


@pytest.mark.parametrize(
    ("good", "use"),
    [
        (NODE, lambda api: api.nodes()),
        (POD, lambda api: find_stuck_pods(api, ["n"])),
        (
            POD,
            lambda api: drain(
                api, "n", force=True, deadline=9, clock=Never(), progress=lambda _: None
            ),
        ),
        (BINDING, lambda api: GrantBook(api).all()),
        (CRD, lambda api: crds_of(Objects(api), "g")),
        ({"metadata": {"name": "c"}, "data": {"a": "b"}}, lambda api: api.bootstrap_reports()),
    ],
    ids=["nodes", "look", "drain", "grants", "crds", "reports"],
)
def test_a_malformed_object_is_one_sentence(good: Any, use: Callable[[ClusterAPI], object]) -> None:
    seen = set()
    for item in spoilt(good):
        try:
            use(Canned(item))
        except CseError as error:
            assert "\n" not in error.message
            seen.add(error.message.partition("(")[2])
    assert any("malformed" in text for text in seen)


@pytest.mark.parametrize(
    "answer",
    [b"null", b"7", b'"x"', b"[]", b"", b"{", b"[" * 100_000, b"\xff", Text("<html>ok</html>")],
)
def test_a_good_answer_that_is_not_an_object(
    api: StubAPI, cluster: ClusterAPI, answer: object
) -> None:
    for path in ("/api/v1/nodes", "/version", GROUP):
        api.answers[path] = 200, answer
    for ask in (cluster.nodes, cluster.version, cluster.now):
        with pytest.raises(ClusterUnreachable) as caught:
            ask()
        assert caught.value.reason == "failed"
    with pytest.raises(ClusterUnreachable):
        Objects(cluster).get(THING)


@pytest.mark.parametrize("version", [None, 7, "", "x", "v1", "v1.x", "v99999.1"])
def test_a_version_that_is_none(api: StubAPI, cluster: ClusterAPI, version: object) -> None:
    api.answers["/version"] = 200, {"gitVersion": version}
    for ask in (cluster.version, cluster.minor):
        with pytest.raises(ClusterUnreachable, match="no version"):
            ask()


def test_a_list_that_never_ends(api: StubAPI, cluster: ClusterAPI) -> None:
    page = {"items": [], "metadata": {"continue": "again"}}
    api.answers["/api/v1/nodes"] = 200, page
    with pytest.raises(ClusterUnreachable, match="list of Node objects names as its next page one"):
        cluster.nodes()


# Completing what is applied


def containers(*ports: dict[str, Any]) -> dict[str, Any]:
    return {"containers": [{"name": "c", "ports": list(ports)}], "initContainers": [{"name": "i"}]}


@pytest.mark.parametrize(
    ("kind", "spec", "wanted"),
    [
        ("Service", {"ports": [{"port": 1}]}, {"ports": [{"protocol": "TCP", "port": 1}]}),
        (
            "Service",
            {"ports": [{"port": 1, "protocol": "UDP"}]},
            {"ports": [{"protocol": "UDP", "port": 1}]},
        ),
        (
            "Pod",
            containers({"containerPort": 1}),
            containers({"protocol": "TCP", "containerPort": 1}),
        ),
        *(
            (
                kind,
                {"template": {"spec": containers({"containerPort": 1})}},
                {"template": {"spec": containers({"protocol": "TCP", "containerPort": 1})}},
            )
            for kind in ("Deployment", "DaemonSet", "StatefulSet", "Job")
        ),
        (
            "CronJob",
            {"jobTemplate": {"spec": {"template": {"spec": containers({"containerPort": 1})}}}},
            {
                "jobTemplate": {
                    "spec": {
                        "template": {"spec": containers({"protocol": "TCP", "containerPort": 1})}
                    }
                }
            },
        ),
        ("Deployment", {"template": None}, {"template": None}),
        ("Service", {"ports": None}, {"ports": None}),
        ("Service", {"ports": ["x"]}, {"ports": ["x"]}),
        ("Thing", {"ports": [{"port": 1}]}, {"ports": [{"port": 1}]}),
    ],
)
def test_ports_get_the_protocol_that_old_servers_want(kind: str, spec: Any, wanted: Any) -> None:
    obj = {"kind": kind, "metadata": {"name": "x"}, "spec": spec}
    before = repr(obj)
    assert completed(obj)["spec"] == wanted
    assert repr(obj) == before


def test_an_applys_conflicts_are_one_sentence(tmp_path: Path) -> None:
    """The API server lists several fields of one manager on lines of their own."""
    running = make("1.36.3", tmp_path)
    running.start()
    kubeconfig = running.kubeconfig().read_text(encoding="utf-8")
    path = "/api/v1/namespaces/default/configmaps/one"
    one = {"apiVersion": "v1", "kind": "ConfigMap"}
    metadata = {"name": "one", "namespace": "default"}
    try:
        with ClusterAPI(kubeconfig, environ={}) as api:
            theirs = {**one, "metadata": metadata, "data": {"a": "1", "b": "1"}}
            query = {"fieldManager": "helm"}
            kind = "application/apply-patch+yaml"
            assert api.ask("PATCH", path, theirs, query=query, content_type=kind)[0] == 201
            with pytest.raises(Conflict) as raised:
                Objects(api).apply({**theirs, "data": {"a": "2", "b": "2"}})
    finally:
        running.api.stop()
    assert raised.value.message == (
        "ConfigMap default/one was set by another client: Apply failed with 2 conflicts: "
        'conflicts with "helm": .data.a, .data.b.'
    )
