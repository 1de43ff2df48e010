"""The entities protocol without `vcd` around it: what goes wrong, and what is looked at first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cse_client.engines.server.entities.engine import EntityEngine
from cse_client.engines.server.legacy.engine import LegacyEngine
from cse_client.errors import (
    Conflict,
    CseError,
    NotFound,
    PreflightFailed,
    Refused,
    SessionInvalid,
    TaskFailed,
    TimedOut,
    VcdFault,
    WrongUsage,
)
from cse_client.model import ClusterRef, ClusterSpec, Event, EventKind, RunOptions, silent
from cse_client.model.hardware import NodeOptions
from cse_client.model.nodes import NodesSpec, RemovalSpec
from tests.server.entity_answers import (
    ENTITY_30,
    SYSTEM_30,
    SYSTEM_31,
    Generation,
    altered,
    defined,
    lookup,
    page,
    url,
)
from tests.server.served import TASK, Served, answer, failure, opened, task
from tests.support.scripted_vcd import Answer

CREATE = "POST /api/cse/3.0/clusters"
LOOK = f"GET /api/task/{TASK}"
SPEC = ClusterSpec(name="blue", network="net1", template="t", template_revision=3)
GROW = NodesSpec(cluster="blue", workers=4)
CUT_OFF = Answer(
    json.dumps({"message": "timed out", "majorErrorCode": 504, "minorErrorCode": "X"}),
    504,
    "application/json",
)
HTML = Answer("<html>proxy</html>", 200, "text/html")


@pytest.fixture
def first(served: Served) -> Generation:
    return Generation(served, "3.0")


@pytest.fixture
def second(served: Served) -> Generation:
    return Generation(served, "3.1")


@pytest.fixture
def engine(first: Generation) -> EntityEngine:
    found: EntityEngine = opened(first.served)
    first.served.vcd.requests.clear()
    return found


@pytest.fixture
def newer(second: Generation) -> EntityEngine:
    found: EntityEngine = opened(second.served)
    second.served.vcd.requests.clear()
    return found


# Which protocol


@pytest.mark.parametrize(
    ("system", "entity_type", "api"),
    [
        (SYSTEM_30, "1.0.0", "35.0"),
        (SYSTEM_31, "2.1.0", "36.0"),
        ({**SYSTEM_31, "version": "3.1.2"}, "2.0.0", "36.0"),
        ({**SYSTEM_31, "version": "3.1.3.0b1.dev2"}, "2.1.0", "36.0"),
        ({**SYSTEM_31, "cse_server_supported_api_versions": ["35.0"]}, "1.0.0", "35.0"),
        ({**SYSTEM_30, "cse_server_api_version": "34.0"}, "", "34.0"),
        (
            {
                **SYSTEM_31,
                "cse_server_running_in_legacy_mode": True,
                "cse_server_supported_api_versions": ["33.0", "34.0", "35.0"],
            },
            "",
            "34.0",
        ),
    ],
)
def test_the_server_decides(served: Served, system: Any, entity_type: str, api: str) -> None:
    served.get("/api/cse/system", system)
    engine = opened(served)
    assert isinstance(engine, EntityEngine if entity_type else LegacyEngine)
    assert getattr(engine, "entity_type", "") == entity_type
    served.get("/api/cse/templates", [])
    assert engine.templates() == []
    assert served.vcd.requests[-1].headers["Accept"] == f"application/json;version={api}"


# Lists


def test_no_page_is_asked_for_that_must_be_empty(engine: EntityEngine, first: Generation) -> None:
    path = "/cloudapi/1.0.0/entities/types/cse/nativeCluster/1.0.0"
    for number in (1, 2):
        rows = [defined(ENTITY_30, f"urn:{number}-{row}") for row in range(128)]
        one = url(
            path,
            filter="entity.metadata.org_name==acme",
            page=str(number),
            pageSize="128",
            sortAsc="name",
        )
        first.served.get(one, page(*rows, total=256, number=number))
    assert len({one.cluster_id for one in engine.clusters()}) == 256
    assert sum("nativeCluster" in one for one in first.served.asked()) == 2


def test_an_administrator_sees_every_organisation(first: Generation) -> None:
    engine = opened(first.served, org="System")
    path = "/cloudapi/1.0.0/entities/types/cse/nativeCluster/1.0.0"
    first.served.get(url(path, page="1", pageSize="128", sortAsc="name"), page())
    assert list(engine.clusters()) == []


def test_names_cannot_break_out_of_a_filter(engine: EntityEngine, first: Generation) -> None:
    address = lookup("1.0.0", name="a\\;name==\\(b\\,c\\)")
    first.served.get(address, page())
    with pytest.raises(NotFound, match="was not found in organization 'acme'"):
        engine.cluster(ClusterRef("a;name==(b,c)"))


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (HTML, VcdFault),
        (Answer("", 200, "application/json"), VcdFault),
        (Answer("oops", 500, "text/plain"), VcdFault),
        (Answer("", 401, ""), SessionInvalid),
        (answer({"minorErrorCode": "X", "message": "no right"}, 403), Refused),
        (answer([1]), VcdFault),
        (answer({"values": None}), VcdFault),
        (answer(page({"id": "x"})), VcdFault),
    ],
)
def test_bad_answers_of_vcd(
    engine: EntityEngine, first: Generation, bad: Answer, kind: type[CseError]
) -> None:
    first.served.set(first.find, bad)
    with pytest.raises(kind) as caught:
        engine.cluster(ClusterRef("blue"))
    assert caught.value.message
    assert "no CSE server" not in caught.value.message


# Following


@pytest.mark.parametrize("said", [CUT_OFF, Answer("", 202, "application/json")])
def test_a_creation_without_an_answer_is_followed_and_not_repeated(
    engine: EntityEngine, first: Generation, said: Answer
) -> None:
    place = "entity.metadata.org_name==acme;entity.metadata.ovdc_name==vdc1"
    states = [
        page(),
        page(defined(altered(ENTITY_30, "CREATE:IN_PROGRESS"))),
        page(defined(altered(ENTITY_30, "CREATE:SUCCEEDED"))),
    ]
    first.served.set(f"GET {lookup('1.0.0', place=place)}", *(answer(one) for one in states))
    first.served.set(CREATE, said)
    first.served.tasks(("running", "Creating nodes"), ("success", "Done"))
    events: list[Event] = []
    cluster = engine.create(SPEC, RunOptions(), events.append)
    assert cluster.summary.cluster_id == first.id
    assert first.served.asked().count(CREATE) == 1
    assert [event.kind for event in events] == [
        *[EventKind.WARNING, EventKind.RUNNING, EventKind.RUNNING, EventKind.DONE]
    ]


BUSY = page(defined(altered(ENTITY_30, "CREATE:IN_PROGRESS")))


@pytest.mark.parametrize(
    ("states", "hidden", "said"),
    [
        ([page(defined(altered(ENTITY_30, "CREATE:FAILED")))], False, "no address is left"),
        ([page(defined(altered(ENTITY_30, "CREATE:FAILED")))], True, "phase is CREATE:FAILED"),
        ([BUSY], False, "cluster 'blue' failed: no address is left"),
        # rolled back, and the task cannot be seen
        ([BUSY, page()], True, "the cluster no longer exists"),
    ],
)
def test_a_creation_that_vcd_cut_off_and_that_failed(
    engine: EntityEngine, first: Generation, states: Any, hidden: bool, said: str
) -> None:
    place = "entity.metadata.org_name==acme;entity.metadata.ovdc_name==vdc1"
    first.served.set(f"GET {lookup('1.0.0', place=place)}", *(answer(one) for one in states))
    first.served.set(CREATE, CUT_OFF)
    first.served.tasks(("running", "Creating nodes"), ("error", "", "no address is left"))
    if hidden:
        first.served.set(LOOK, Answer("", 403, ""))
    with pytest.raises(TaskFailed) as caught:
        engine.create(SPEC, RunOptions(), silent)
    assert said in caught.value.message


TASKS = (
    '<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="0"></QueryResultRecords>'
)


def test_a_change_of_which_nothing_is_seen_is_given_up(
    engine: EntityEngine, first: Generation
) -> None:
    """After five minutes, not after the hour of --timeout."""
    place = "entity.metadata.org_name==acme;entity.metadata.ovdc_name==vdc1"
    first.served.set(f"GET {lookup('1.0.0', place=place)}", answer(page()))
    first.served.set("GET /api/query?type=task*", TASKS)
    first.served.set(CREATE, CUT_OFF)
    with pytest.raises(TimedOut, match="after 5 minutes it has had no effect") as caught:
        engine.create(SPEC, RunOptions(timeout=3600.0), silent)
    assert "run the same command again" in caught.value.hint


def test_a_task_that_fails(engine: EntityEngine, first: Generation) -> None:
    first.accept(CREATE)
    reason = "Error: node creation failure; " + "script output, " * 80 + "the end"
    first.served.tasks(("running", "Creating nodes"), ("error", "", reason))
    with pytest.raises(TaskFailed) as caught:
        engine.create(SPEC, RunOptions(), silent)
    assert caught.value.message == f"The creation of cluster 'blue' failed: {reason}."


def test_a_task_that_never_ends(engine: EntityEngine, first: Generation) -> None:
    first.accept(CREATE)
    first.served.tasks(("running", "Creating nodes"))
    with pytest.raises(TimedOut):
        engine.create(SPEC, RunOptions(timeout=120.0), silent)


def test_a_success_that_is_none(engine: EntityEngine, first: Generation) -> None:
    call = f"PUT {first.url()}"
    first.accept(call)
    first.becomes(altered(ENTITY_30, "UPDATE:FAILED"))
    with pytest.raises(TaskFailed, match=r"resizing of cluster 'blue' failed.*UPDATE:FAILED"):
        engine.resize(GROW, RunOptions(), silent)


def test_an_entity_that_lags_behind_its_task(engine: EntityEngine, first: Generation) -> None:
    call = f"PUT {first.url()}"
    first.accept(call)
    first.becomes(altered(ENTITY_30, "UPDATE:IN_PROGRESS"))
    events: list[Event] = []
    engine.resize(GROW, RunOptions(), events.append)
    assert events[-1].text.endswith("has ended, but the cluster's entity does not show it yet.")


def test_a_hidden_task_is_followed_by_its_effect(engine: EntityEngine, first: Generation) -> None:
    call = f"PUT {first.url()}"
    first.accept(call)
    first.served.set(LOOK, Answer("", 403, ""))
    first.becomes(
        altered(ENTITY_30, "UPDATE:IN_PROGRESS"),
        altered(ENTITY_30, "UPDATE:SUCCEEDED", workers=4),
    )
    cluster = engine.resize(GROW, RunOptions(), silent)
    assert len([node for node in cluster.nodes if node.kind == "worker"]) == 4
    assert first.served.asked().count(call) == 1


def test_an_earlier_failure_is_not_this_one(engine: EntityEngine, first: Generation) -> None:
    failed = {**ENTITY_30, "status": {**ENTITY_30["status"], "phase": "UPDATE:FAILED"}}
    first.named(failed)
    first.served.set(f"PUT {first.url()}", CUT_OFF)
    first.becomes(failed, altered(ENTITY_30, "UPDATE:SUCCEEDED", workers=4))
    assert engine.resize(GROW, RunOptions(), silent).nodes


def test_a_server_that_is_busy_is_asked_again(engine: EntityEngine, first: Generation) -> None:
    call = f"PUT {first.url()}"
    accepted = defined(altered(ENTITY_30, "UPDATE:IN_PROGRESS"))
    busy = answer({"CSE Server Busy": "CSE Server is busy, try later"}, 429)
    first.served.set(call, busy, answer(accepted, 202))
    first.served.tasks(("success", "Done"))
    first.becomes(altered(ENTITY_30, "UPDATE:SUCCEEDED", workers=4))
    engine.resize(GROW, RunOptions(), silent)
    assert first.served.asked().count(call) == 2


# What is looked at first


def test_a_cluster_that_is_at_work_is_left_alone(engine: EntityEngine, first: Generation) -> None:
    first.named(altered(ENTITY_30, "UPDATE:IN_PROGRESS"))
    with pytest.raises(Conflict) as caught:
        engine.resize(GROW, RunOptions(), silent)
    assert caught.value.hint == f"vcd task wait {TASK}"
    assert first.served.asked() == [first.find]


def test_a_size_that_is_there_already_asks_for_nothing(
    engine: EntityEngine, first: Generation
) -> None:
    engine.resize(replace(GROW, workers=2), RunOptions(), silent)
    assert first.served.asked() == [first.find]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": "net2"}, "not supported: --network"),
        ({"remove": ("node-c3d4",)}, "not supported: --nodes-to-remove"),
        ({"cpus": 2, "ssh_key": "k"}, "not supported: --ssh-key, --cpu"),
    ],
)
def test_what_new_nodes_cannot_be_told(engine: EntityEngine, change: Any, said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        engine.resize(replace(GROW, **change), RunOptions(), silent)


def test_limits(engine: EntityEngine, first: Generation) -> None:
    with pytest.raises(WrongUsage, match="101 nodes are too many"):
        engine.resize(replace(GROW, workers=101), RunOptions(), silent)
    assert first.served.asked() == [first.find]


def test_limits_of_3_1(newer: EntityEngine, second: Generation) -> None:
    with pytest.raises(WrongUsage, match="201 nodes are too many"):
        newer.resize(replace(GROW, workers=201), RunOptions(), silent)
    assert second.served.asked() == [second.find]


def test_nodes_that_cannot_be_removed(engine: EntityEngine) -> None:
    with pytest.raises(NotFound, match="has no node 'node-zzzz'"):
        engine.remove_nodes(RemovalSpec("blue", ("node-zzzz",)), RunOptions(), silent)
    with pytest.raises(Refused, match="mstr-a1b2 is the control plane"):
        engine.remove_nodes(RemovalSpec("blue", ("mstr-a1b2",)), RunOptions(), silent)


def test_a_taken_name_is_seen_before_3_1_accepts(newer: EntityEngine, second: Generation) -> None:
    place = "entity.metadata.orgName==acme;entity.metadata.virtualDataCenterName==vdc1"
    second.served.get(lookup("2.1.0", place=place), page(defined(second.entity)))
    with pytest.raises(Conflict, match="Cluster 'blue' already exists"):
        newer.create(SPEC, RunOptions(), silent)


def test_sizes_go_into_entities_of_3_1(newer: EntityEngine, second: Generation) -> None:
    place = "entity.metadata.orgName==acme;entity.metadata.virtualDataCenterName==vdc1"
    second.served.get(lookup("2.1.0", place=place), page())
    second.accept(CREATE)
    spec = replace(SPEC, cpus=4, memory_mb=8192)
    newer.create(spec, RunOptions(wait=False, rollback=False), silent)
    body = second.served.body(CREATE)["spec"]
    sizes = {"cpu": 4, "memory": 8192}
    assert body["topology"]["controlPlane"] == {"count": 1, **sizes}
    assert body["topology"]["workers"] == {"count": 2, **sizes}
    assert body["topology"]["nfs"] == {"count": 0}
    assert body["settings"]["rollbackOnFailure"] is False


def test_each_group_has_its_own_sizes_in_3_1(newer: EntityEngine, second: Generation) -> None:
    place = "entity.metadata.orgName==acme;entity.metadata.virtualDataCenterName==vdc1"
    second.served.get(lookup("2.1.0", place=place), page())
    second.accept(CREATE)
    chosen = NodeOptions(sizing_policy="big", control_plane_sizing_policy="huge")
    newer.create(replace(SPEC, node_options=chosen), RunOptions(wait=False), silent)
    groups = second.served.body(CREATE)["spec"]["topology"]
    assert groups["controlPlane"] == {"count": 1, "sizingClass": "huge"}
    assert groups["workers"] == {"count": 2, "sizingClass": "big"}


def test_sizes_that_entities_of_3_0_cannot_say(engine: EntityEngine) -> None:
    spec = replace(SPEC, node_options=NodeOptions(control_plane_cpus=4))
    with pytest.raises(WrongUsage, match="--control-plane-cpu is not supported"):
        engine.create(spec, RunOptions(), silent)


def test_entities_have_either_sizes_or_a_policy(newer: EntityEngine, second: Generation) -> None:
    place = "entity.metadata.orgName==acme;entity.metadata.virtualDataCenterName==vdc1"
    second.served.get(lookup("2.1.0", place=place), page())
    spec = replace(SPEC, cpus=4, node_options=NodeOptions(sizing_policy="big"))
    with pytest.raises(WrongUsage, match="either --sizing-policy or --cpu, not both"):
        newer.create(spec, RunOptions(), silent)


def test_an_upgrade_that_is_not_in_the_plan(newer: EntityEngine, second: Generation) -> None:
    second.served.get(second.url("/upgrade-plan"), [{"name": "t", "revision": 4}])
    with pytest.raises(WrongUsage, match="cannot be upgraded to t 3; its upgrade plan has: t 4"):
        newer.upgrade(ClusterRef("blue"), "t", "3", RunOptions(), silent)
    with pytest.raises(WrongUsage, match="'three' is not a number"):
        newer.upgrade(ClusterRef("blue"), "t", "three", RunOptions(), silent)


def rows(*names: tuple[str, str, str]) -> list[dict[str, str]]:
    return [{"name": one, "revision": two, "is_default": three} for one, two, three in names]


@pytest.mark.parametrize(
    ("offered", "template", "chosen"),
    [
        (rows(("a", "1", "No"), ("b", "2", "Yes"), ("b", "10", "No")), "", ("b", 2)),
        (rows(("a", "1", "No"), ("b", "2", "Yes"), ("b", "10", "No")), "b", ("b", 10)),
        (rows(("a", "9", "No"), ("a", "10", "No")), "", ("a", 10)),
        (rows(("a", "1", "No"), ("b", "2", "No")), "", None),
        (rows(("a", "1", "No")), "c", None),
        (rows(("a", "1", "No"), ("a", "2", "No")), ("a", 1), ("a", 1)),
        (rows(("a", "1", "No"), ("a", "2", "No")), ("a", 3), None),
        (rows(("a", "1", "No")), ("c", 1), None),
    ],
)
def test_which_template(
    engine: EntityEngine,
    first: Generation,
    offered: Any,
    template: str | tuple[str, int],
    chosen: tuple[str, int] | None,
) -> None:
    first.served.get("/api/cse/templates", offered)
    first.accept(CREATE)
    name, revision = (template, None) if isinstance(template, str) else template
    spec = replace(SPEC, template=name, template_revision=revision)

    def create() -> None:
        engine.create(spec, RunOptions(wait=False), silent)

    if chosen is None:
        with pytest.raises((WrongUsage, NotFound), match=r"available: (a|1, 2)"):
            create()
        assert CREATE not in first.served.asked()
        return
    create()
    name, revision = chosen
    said = first.served.body(CREATE)["spec"]["k8_distribution"]
    assert said == {"template_name": name, "template_revision": revision}


def test_what_only_the_direct_engine_can(engine: EntityEngine) -> None:
    with pytest.raises(WrongUsage, match="--seal is not supported with a CSE server"):
        engine.create(replace(SPEC, seal=True), RunOptions(), silent)


def test_files(engine: EntityEngine, first: Generation) -> None:
    whole: dict[str, Any] = {
        "metadata": {"cluster_name": "blue"},
        "spec": {
            "settings": {"network": "net1"},
            "workers": {"count": -1},
            "control_plane": {"count": 3},
        },
        "sepc": {},
    }
    with pytest.raises(PreflightFailed) as caught:
        engine.apply(whole, RunOptions(), silent)
    assert [problem.message for problem in caught.value.problems] == [
        "'spec.workers.count' must be a number of nodes, 0 or more, without quotes.",
        "'sepc' is not a key that a CSE server reads; did you mean 'spec'?",
        "A native cluster has exactly one control plane node.",
    ]
    with pytest.raises(WrongUsage, match="is for organization 'other', not for 'acme'"):
        engine.apply(
            {
                "metadata": {"cluster_name": "blue", "org_name": "other"},
                "spec": {"settings": {"network": "net1"}},
            },
            RunOptions(),
            silent,
            org="acme",
        )
    assert first.served.asked() == []


@pytest.mark.parametrize("release", ["3.0", "3.1"])
def test_a_file_that_is_fulfilled_changes_nothing(served: Served, release: str) -> None:
    generation = Generation(served, release)
    found = opened(served)
    document = json.loads(json.dumps(generation.entity))
    if release == "3.1":
        there = generation.entity["status"]["cloudProperties"]["distribution"]
        document["spec"]["distribution"] = there
        document["spec"]["topology"]["workers"]["count"] = 2
        document["spec"]["settings"]["network"]["expose"] = None
    served.set(generation.read, answer(defined(generation.entity)))
    cluster = found.apply(document, RunOptions(), silent, identity=generation.id)
    assert cluster.summary.name == "blue"
    assert not [one for one in served.asked() if one.startswith(("PUT", "POST"))]
    document["spec"]["settings"]["ssh_key" if generation.first else "sshKey"] = "x"
    generation.accept(f"PUT {generation.url()}")
    found.apply(document, RunOptions(wait=False), silent, identity=generation.id)
    assert f"PUT {generation.url()}" in served.asked()


def test_a_file_does_not_upgrade_with_3_0(engine: EntityEngine, first: Generation) -> None:
    document = json.loads(json.dumps(ENTITY_30))
    document["spec"]["k8_distribution"]["template_revision"] = 3
    with pytest.raises(WrongUsage) as caught:
        engine.apply(document, RunOptions(), silent, identity=first.id)
    assert caught.value.hint.startswith("vcd cse cluster upgrade blue ubuntu")
    assert first.served.asked() == [first.read]


# Sharing


def test_nobodys_access_is_lowered(newer: EntityEngine, second: Generation) -> None:
    served = second.served
    records = (
        '<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="1">'
        '<UserRecord name="ann" href="{base}/api/admin/user/11"/></QueryResultRecords>'
    )
    served.set("GET /api/query?type=user*", records)
    entry = {
        "accessLevelId": "urn:vcloud:accessLevel:FullControl",
        "memberId": "urn:vcloud:user:11",
        "username": "ann",
    }
    served.get(second.url("/acl?page=1&pageSize=25"), page(entry))
    with pytest.raises(Refused) as caught:
        newer.share(ClusterRef("blue"), ["ann"], "ReadOnly")
    assert caught.value.hint.endswith("vcd cse cluster unshare ann --name blue")
    with pytest.raises(NotFound, match="has no user 'joe'"):
        newer.share(ClusterRef("blue"), ["ann", "joe"], "ReadOnly")
    with pytest.raises(NotFound, match="is not shared with 'joe'"):
        newer.unshare(ClusterRef("blue"), ["joe"])
    assert not [one for one in served.asked() if one.startswith("PUT")]


# The provider

ADMINISTRATOR = (
    '<Session xmlns="http://www.vmware.com/vcloud/v1.5" org="System" user="administrator"/>'
)
VDCS = (
    '<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="1">'
    '<AdminVdcRecord name="vdc1" orgName="acme" href="{base}/api/vdc/77"/></QueryResultRecords>'
)
OVDC = "/api/cse/3.0/ovdc/77"


def administrator(generation: Generation) -> EntityEngine:
    generation.served.set("GET /api/session", ADMINISTRATOR)
    generation.served.set("GET /api/query*", VDCS)
    found: EntityEngine = opened(generation.served, org="System", vdc="", vdc_href="")
    return found


def test_org_vdcs(served: Served) -> None:
    row = {"ovdc_name": "vdc1", "ovdc_id": "77", "k8s_runtime": ["native"]}
    for release in ("3.0", "3.1"):
        generation = Generation(served, release)
        engine = administrator(generation)
        served.get("/api/cse/3.0/ovdcs", [row])
        served.get("/api/cse/3.0/orgvdcs?page=1&pageSize=25", page(row))
        assert [(one.name, one.id, one.runtimes) for one in engine.ovdcs()] == [
            ("vdc1", "77", ("native",))
        ]
        served.get(OVDC, {**row, "k8s_runtime": ["TKG+"]})
        assert engine.ovdc("vdc1", org="acme").runtimes == ("TKG+",)
        served.set(f"PUT {OVDC}", answer({"task_href": f"{served.base}/api/task/{TASK}"}, 202))
        served.set(LOOK, task(served.base, "success"))
        served.vcd.requests.clear()
        engine.enable_ovdc("vdc1", RunOptions(), silent, org="acme")
        org = {} if generation.first else {"org_name": "acme"}
        assert served.body(f"PUT {OVDC}") == {
            "k8s_runtime": ["TKG+", "native"],
            "ovdc_id": "77",
            "ovdc_name": "vdc1",
            "remove_cp_from_vms_on_disable": False,
            **org,
        }
        assert served.asked()[-3:] == [f"GET {OVDC}", f"PUT {OVDC}", LOOK]
        served.get(OVDC, row)
        served.vcd.requests.clear()
        assert engine.enable_ovdc("vdc1", RunOptions(), silent, org="acme") == ""
        assert served.asked()[-1] == f"GET {OVDC}"
        engine.disable_ovdc("vdc1", RunOptions(), silent, org="acme", force=True)
        body = served.body(f"PUT {OVDC}")
        assert (body["k8s_runtime"], body["remove_cp_from_vms_on_disable"]) == ([], True)


def test_what_came_with_3_1(second: Generation, first: Generation) -> None:
    with pytest.raises(WrongUsage, match="does not support `system config`, which came"):
        administrator(first).server_config()
    second = Generation(second.served, "3.1")
    engine = administrator(second)
    second.served.get("/api/cse/system/config", {"vcd": {"password": "REDACTED"}})
    assert engine.server_config() == {"vcd": {"password": "REDACTED"}}
    call = "POST /api/cse/templates/action/reload"
    second.served.set(call, answer({"task_href": f"https://elsewhere.example/api/task/{TASK}"}))
    second.served.set(LOOK, task(second.served.base, "success"))
    assert engine.reload_templates(RunOptions(), silent).endswith(TASK)
    assert second.served.asked()[-2:] == [call, LOOK]
    second.served.set(
        "GET /api/session",
        '<Session xmlns="http://www.vmware.com/vcloud/v1.5" org="acme" user="bob"/>',
    )
    with pytest.raises(Refused, match="Only a system administrator may see"):
        opened(second.served).server_config()


def test_what_the_provider_cannot(first: Generation) -> None:
    engine = administrator(first)
    with pytest.raises(WrongUsage, match="only native clusters, not TKG"):
        engine.enable_ovdc("vdc1", RunOptions(), silent, runtimes=("TKG+",))
    with pytest.raises(WrongUsage, match="does not manage the compute policies"):
        engine.compute_policies("vdc1", "acme")
    first.served.set(
        "GET /api/session",
        '<Session xmlns="http://www.vmware.com/vcloud/v1.5" org="acme" user="bob"/>',
    )
    tenant = opened(first.served)
    with pytest.raises(Refused, match="Only a system administrator"):
        tenant.enable_ovdc("vdc1", RunOptions(), silent)


def test_the_server_is_controlled(first: Generation) -> None:
    engine = administrator(first)
    first.served.set("PUT /api/cse/system", answer({"message": "CSE is disabled."}))
    assert engine.control("disable") == "CSE is disabled."
    first.served.set("PUT /api/cse/system", failure("not allowed", 401))
    with pytest.raises(Refused):
        engine.control("stop")
