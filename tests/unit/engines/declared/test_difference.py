"""What a file changes of a cluster, in all the states in which a cluster may be recorded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cse_client.cli.cluster_files import file_yaml
from cse_client.engines.declared.applying import Application, Plan, installed_addons
from cse_client.engines.declared.difference import (
    addon_changes,
    differences,
    refusals,
    uncompared,
)
from cse_client.engines.declared.reading import DeclaredFile, read_declared
from cse_client.engines.declared.schema import schema
from cse_client.engines.declared.writing import document_of
from cse_client.engines.direct.declared import declared_of
from cse_client.engines.direct.holders import PROTECTING
from cse_client.engines.direct.lock import owner_of
from cse_client.engines.direct.operation import (
    GROW,
    GROW_HEADS,
    REPLACE,
    SHRINK,
    SHRINK_HEADS,
    UPDATE,
    UPGRADE,
    Operation,
)
from cse_client.engines.direct.pools import pool_documents, pool_mark
from cse_client.errors import (
    ClusterUnreachable,
    CseError,
    NotFound,
    PreflightFailed,
    Refused,
    VcdFault,
)
from cse_client.model import RunOptions, Template, Vm, silent
from cse_client.model.addons import AddonInfo
from cse_client.model.declared import Declared, WantedAddon
from cse_client.model.pools import Pool, PoolSpec, Taint
from cse_client.yamldocs import read_yaml
from tests.support.direct import existing, vapp
from tests.support.ssh_keys import public_key

OWNER = "0123456789ab"
RECORD: dict[str, Any] = {
    "workers": 2,
    "network": "net1",
    "template": "ubuntu",
    "revision": 2,
    "catalog": "cse",
    "template_id": "vappTemplate-1",
    "cpus": 2,
    "memory_mb": 4096,
    "disk_mb": 41000,
    "storage_profile": "gold",
    "sizing_policy": "medium",
    "control_plane_cpus": 4,
    "endpoint": "k8s.example.com",
    "vip": "10.0.0.250",
    "pod_cidr": "172.30.0.0/16",
    "https_proxy": "http://proxy.example.com:3128",
    "no_proxy": "localhost,127.0.0.1,.internal,10.0.0.0/8",
    "registry_mirrors": "docker.io=https://mirror.example.com",
    "ntp": "ntp.example.com 10.0.0.3",
    "dns": "10.0.0.2",
}
PROXY = {"https": "http://proxy.example.com:3128"}
TEMPLATES = [
    Template("ubuntu", 3, "cse", "ubuntu_rev3", "https://vcd/api/vAppTemplate/vappTemplate-2")
]


def metadata(*, spec: object = RECORD, **more: str) -> dict[str, str]:
    """Return the metadata of a cluster made as `spec` says."""
    values = {
        "cse.cluster.id": "0d0c7a35-0000-4000-8000-00000000000b",
        "cse.template.name": "ubuntu",
        "cse.template.revision": "2",
        "cse.client.phase": "ready",
        "cse.client.ssh_key": public_key(),
        "cse.client.spec": spec if isinstance(spec, str) else json.dumps(spec),
    }
    values.update({key.replace("__", "."): value for key, value in more.items()})
    return {key: value for key, value in values.items() if value}


def operation(kind: str, **values: Any) -> dict[str, str]:
    """Return the metadata of an operation that has begun."""
    begun = Operation.begin(kind, **{"workers": 2, "before": 2, **values})
    text = json.dumps({"turn": 7, **begun.document()})
    return {f"cse__client__operation__{OWNER}": f"1:{text}"}


def claim(doing: str, *, ours: bool = True) -> dict[str, str]:
    """Return the metadata that a command which was killed has left."""
    owner = owner_of(existing(vapp()).session) if ours else OWNER
    entry = {
        "who": "ann@acme",
        "host": "here",
        "doing": doing,
        "since": "2026-01-01T00:00:00+00:00",
        "until": "2999-01-01T00:00:00+00:00",
        "turn": 9,
    }
    return {f"cse__client__lock__{owner}": json.dumps(entry)}


NODES = ("mstr-1", "node-1", "node-2")
GPU = Pool(
    "gpu",
    1,
    template="ubuntu",
    template_revision=3,
    template_id="vappTemplate-2",
    cpus=8,
    disk_mb=50_000,
    storage_profile="silver",
    labels={"example.com/kind": "gpu"},
    taints=(Taint("gpu", "NoSchedule", "true"),),
)
POOLS = (Pool("default", 1), GPU)
WITH_POOLS = {**RECORD, "pools": pool_documents(POOLS)}


def worker(name: str, pool: str = "default") -> Vm:
    return Vm(name, f"https://vcd/{name}", "POWERED_ON", description=pool_mark(pool))


PAIR = ("mstr-1", worker("node-1"), worker("node-2", "gpu"))


def with_pools(kind: str, pools: Sequence[Pool] = POOLS, **values: Any) -> dict[str, str]:
    """Return the metadata of a cluster with two pools that is to get others."""
    begun = operation(kind, pools=tuple(pools), pool="gpu", **values)
    return metadata(spec=WITH_POOLS, **begun)


#: Metadata and VMs of clusters; the second of a name is a cluster of CSE.
STATES: dict[str, tuple[dict[str, str], Sequence[str | Vm]]] = {
    "everything": (metadata(), NODES),
    "of CSE": (
        {key: value for key, value in metadata().items() if "client" not in key},
        NODES,
    ),
    "without a template": ({"cse.cluster.id": "x"}, NODES),
    "resized": (metadata(cse__client__done__0123456789ab='1:{"turn":3,"workers":5}'), NODES),
    "with three heads": (
        metadata(cse__client__done__0123456789ab='1:{"turn":3,"heads":3}'),
        ("mstr-1", "mstr-2", "mstr-3"),
    ),
    "growing": (metadata(**operation(GROW, workers=4)), NODES),
    "shrinking": (metadata(**operation(SHRINK, workers=1, nodes=("node-2",))), NODES),
    "with heads to come": (metadata(**operation(GROW_HEADS, heads=3, before=1)), NODES),
    "with heads to go": (
        metadata(**operation(SHRINK_HEADS, heads=1, before=3, nodes=("mstr-2",))),
        NODES,
    ),
    "being upgraded": (
        metadata(
            **operation(
                UPGRADE, heads=1, template="vappTemplate-2", release="1.37.2",
                before_release="1.36.3", nodes=("mstr-1",),
            )
        ),
        NODES,
    ),
    "upgraded": (
        metadata(spec={**RECORD, "revision": 3, "template_id": "x"}, cse__template__revision="3"),
        NODES,
    ),
    "with pools": (metadata(spec=WITH_POOLS), PAIR),
    "with a pool to come": (
        metadata(**operation(GROW, workers=3, pool="gpu", pools=(Pool("default", 2), GPU))),
        NODES,
    ),
    "with a pool to go": (with_pools(SHRINK, POOLS[:1], workers=1, nodes=("node-2",)), PAIR),
    "with a growing pool": (with_pools(GROW, [POOLS[0], replace(GPU, size=4)], workers=5), PAIR),
    "with new labels": (with_pools(UPDATE, [POOLS[0], replace(GPU, labels={"a": "b"})]), PAIR),
    "with a pool to replace": (
        with_pools(REPLACE, nodes=("node-2",), template="vappTemplate-2"),
        PAIR,
    ),
    "with a labeled default pool": (
        metadata(spec={**RECORD, "pools": pool_documents([Pool("default", 2, labels={"a": "1"})])}),
        NODES,
    ),
    "with damaged pools": (metadata(spec={**RECORD, "pools": [{"name": "A B"}]}), NODES),
    "protected": (metadata(cse__client__protected="true"), NODES),
    "protected, and killed": (metadata(cse__client__protected="true", **claim(PROTECTING)), NODES),
    "protected by others": (
        metadata(cse__client__protected="true", **claim(PROTECTING, ours=False)),
        NODES,
    ),
    "being renewed": (metadata(**claim("renewing its certificates")), NODES),
    "without its nodes": (metadata(), ("mstr-1",)),
    "with strange texts": (
        metadata(
            spec={**RECORD, "network": "no", "storage_profile": "1e3", "template": "y: [\t"},
            cse__template__name="y: [\t",
        ),
        NODES,
    ),
    "damaged": (metadata(spec="{", cse__client__ssh_key="rsa"), NODES),
    "damaged in parts": (
        metadata(spec={**RECORD, "cpus": "many", "memory_mb": -1, "dns": "x", "vip": 5}),
        NODES,
    ),
}  # fmt: skip


def found(state: str) -> Declared:
    values, vms = STATES[state]
    return declared_of(existing(vapp(*vms), values), lambda: TEMPLATES)


def read(text: str) -> DeclaredFile:
    return read_declared(read_yaml(text), "the file 'demo.yaml'")


@pytest.mark.parametrize("state", STATES)
def test_what_was_exported_changes_nothing(state: str) -> None:
    there = found(state)
    document = document_of(there)
    assert list(Draft202012Validator(schema()).iter_errors(document)) == []
    text = file_yaml(document)
    assert yaml.safe_load(text) == document
    file = read(text)
    assert refusals(file, there) == []
    # what has begun goes on, and nothing else is done
    changes = [one.change for one in differences(file, there)]
    assert all("(begun)" in one.current for one in changes)
    assert len(changes) == len(there.unfinished), there.unfinished
    assert uncompared(file, there) == []


@pytest.mark.parametrize("state", STATES)
def test_what_a_file_omits_is_left_as_it_is(state: str) -> None:
    there = found(state)
    file = read("apiVersion: cse-client/v1\nkind: Cluster\nmetadata: {name: demo}\n")
    assert refusals(file, there) == []
    assert differences(file, there) == []
    assert uncompared(file, there) == []


def test_what_is_known_of_a_damaged_record() -> None:
    there = found("damaged in parts")
    assert there.unknown == {"cpus", "memory_mb", "settings.dns", "vip"}
    file = read(file_yaml(document_of(there)) + "  dns: [10.0.0.9]\n")
    assert uncompared(file, there) == ["spec.dns"]
    assert uncompared(changed("damaged in parts", virtualAddress="none"), there) == [
        "spec.virtualAddress"
    ]
    assert refusals(file, there) == []
    assert found("without its nodes").problems == ("it has 0 worker VMs where 2 were requested",)
    assert found("growing").problems == ()


def changed(state: str, **spec: Any) -> DeclaredFile:
    """Return the file of a state with other values in `spec`."""
    document = document_of(found(state))
    document["spec"].update(spec)
    return read(file_yaml(document))


@pytest.mark.parametrize(
    ("state", "spec", "expected"),
    [
        (
            "everything",
            {"pools": [{"name": "default", "size": 5}], "deletionProtection": True},
            [
                ("resize", "pool default", "2", "5", ""),
                ("protect", "cluster demo", "off", "on", ""),
            ],
        ),
        (
            "everything",
            {"pools": [{"name": "default", "size": 0}], "controlPlane": {"count": 3}},
            [
                ("resize", "control planes", "1", "3", ""),
                ("resize", "pool default", "2", "0", "deletes 2 workers of pool default"),
            ],
        ),
        (
            "with three heads",
            {"controlPlane": {"count": 1}},
            [("resize", "control planes", "3", "1", "deletes 2 control planes")],
        ),
        (
            "everything",
            {"template": "cse/ubuntu_rev3"},
            [
                (
                    "upgrade",
                    "cluster demo",
                    "cse/ubuntu_rev2",
                    "cse/ubuntu_rev3",
                    "upgrades all nodes to template cse/ubuntu_rev3",
                )
            ],
        ),
        (
            "with pools",
            {
                "pools": [
                    {"name": "new", "size": 3, "cpus": 2},
                    {"name": "default", "size": 0, "storageProfile": "gold"},
                    {
                        "name": "gpu",
                        "size": 2,
                        "template": "cse/ubuntu_rev2",
                        "labels": {},
                        "storageProfile": "silver",
                    },
                ]
            },
            [
                ("create", "pool new", "", "3 workers", ""),
                ("resize", "pool gpu", "1", "2", ""),
                (
                    "update",
                    "pool gpu",
                    "labels example.com/kind=gpu; taints gpu=true:NoSchedule",
                    "taints gpu=true:NoSchedule",
                    "",
                ),
                (
                    "upgrade",
                    "pool gpu",
                    "ubuntu_rev3",
                    "cse/ubuntu_rev2",
                    "replaces 1 worker of pool gpu",
                ),
                ("resize", "pool default", "1", "0", "deletes 1 worker of pool default"),
            ],
        ),
        (
            "with pools",
            {"pools": [{"name": "default", "size": 1, "template": "ubuntu"}]},
            [("delete", "pool gpu", "1 worker", "", "deletes pool gpu with 1 worker")],
        ),
        ("everything", {"template": "ubuntu"}, []),
        ("everything", {"template": "ubuntu_rev2"}, []),
        ("everything", {"template": "vappTemplate-1"}, []),
        ("being upgraded", {"template": "cse/ubuntu_rev2"}, [
            (
                "upgrade",
                "cluster demo",
                "cse/ubuntu_rev3",
                "cse/ubuntu_rev2",
                "upgrades all nodes to template cse/ubuntu_rev2",
            )
        ]),
        ("everything", {"virtualAddress": "auto"}, []),
        ("everything", {"acceptEulas": True}, []),
        ("everything", {"proxy": {**PROXY, "noProxy": [".internal"]}}, []),
        ("everything", {"sshKey": public_key(comment="somebody else")}, []),
        ("growing", {"pools": [{"name": "default", "size": 3}]}, [
            ("resize", "pool default", "4", "3", "deletes 1 worker of pool default")
        ]),
        # the file says so, and the command that did it was killed before its end
        ("protected, and killed", {"deletionProtection": False}, [
            ("unprotect", "cluster demo", "on", "off", "")
        ]),
        ("protected by others", {"deletionProtection": True}, []),
        ("being renewed", {"deletionProtection": False}, []),
        (
            "protected",
            {"deletionProtection": False},
            [("unprotect", "cluster demo", "on", "off", "")],
        ),
    ],
)  # fmt: skip
def test_changes(state: str, spec: dict[str, Any], expected: list[tuple[str, ...]]) -> None:
    there, file = found(state), changed(state, **spec)
    assert refusals(file, there) == []
    changes = [one.change for one in differences(file, there)]
    shown = [
        (one.action, one.object, one.current, one.wanted, one.removes)
        for one in changes
        if "(begun)" not in one.current
    ]
    assert shown == expected


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"network": "net2"}, "is net2, and cluster 'demo' has net1; it cannot be changed."),
        ({"nodes": {"cpus": 8}}, "is 8, and cluster 'demo' has 2; it cannot be changed."),
        ({"nodes": {"disk": "50G"}}, "is 50G, and cluster 'demo' has 41000M; it cannot be"),
        ({"virtualAddress": "none"}, "is none, and cluster 'demo' has 10.0.0.250; it cannot"),
        ({"serviceCidr": "172.29.0.0/16"}, "cluster 'demo' was created without it; it cannot"),
        ({"ntp": ["ntp.example.com"]}, "has ntp.example.com 10.0.0.3; it cannot be changed."),
        ({"sshKey": public_key("ssh-rsa")}, "is SHA256:"),
        (
            {"pools": [{"name": "default", "size": 2, "cpus": 8}]},
            "(line 26) is 8, and pool 'default' has 2; it cannot be changed.",
        ),
        ({"proxy": {"https": "http://other:1"}}, "has http://proxy.example.com:3128; it cannot"),
    ],
)
def test_what_cannot_be_changed(spec: dict[str, Any], said: str) -> None:
    there, file = found("everything"), changed("everything", **spec)
    (error,) = refusals(file, there)
    assert said in error.message
    assert error.message.startswith("'spec.")
    assert "(line " in error.message
    assert differences(file, there) == []


INSTALLED = AddonInfo(
    "metallb", "0.15.2", "0.14.9", "ready", "10.0.0.200-10.0.0.203", ""
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "there", "expected"),
    [
        (WantedAddon("metallb"), INSTALLED, []),
        (WantedAddon("metallb", "0.14.9", "10.0.0.200-10.0.0.203"), INSTALLED, []),
        (WantedAddon("metallb", addresses="10.0.0.200-10.0.0.201,10.0.0.202"), INSTALLED, None),
        (WantedAddon("metallb", addresses="auto:4"), INSTALLED, []),
        (WantedAddon("metallb", addresses="auto:5"), INSTALLED, ["auto:5"]),
        (WantedAddon("metallb", "0.15.2"), INSTALLED, ["0.15.2"]),
        (WantedAddon("contour"), INSTALLED, ["installed"]),
        (WantedAddon("metallb"), AddonInfo("metallb", "1", "1", "incomplete"), ["installed"]),
        (WantedAddon("metallb"), AddonInfo("metallb", "1", state="not ours"), ["installed"]),
    ],
)
def test_addons(wanted: WantedAddon, there: AddonInfo, expected: list[str] | None) -> None:
    changes = [one.change.wanted for one in addon_changes([wanted], [there])]
    assert changes == ([wanted.addresses] if expected is None else expected)


def test_installed_addons_stay() -> None:
    foreign = AddonInfo("contour", "1", state="not ours")
    exported = installed_addons([INSTALLED, foreign])
    assert exported == (WantedAddon("metallb", "0.14.9", "10.0.0.200-10.0.0.203"),)
    assert list(addon_changes(exported, [INSTALLED, foreign])) == []
    # Contour gets its address from MetalLB, whatever the order of the file is
    both = [WantedAddon("contour"), WantedAddon("metallb", addresses="auto:2")]
    assert [one.change.object for one in addon_changes(both, [])] == [
        "add-on metallb",
        "add-on contour",
    ]


_JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=8), st.just([])
)


@given(st.dictionaries(st.sampled_from(sorted(RECORD)), _JUNK), st.text(max_size=12))
def test_whatever_is_recorded_comes_back(junk: dict[str, Any], name: str) -> None:
    """Metadata is a claim of whoever may edit it, and a file of it changes nothing."""
    values = metadata(spec={**RECORD, **junk}, cse__template__name=name)
    there = declared_of(existing(vapp(*NODES), values), lambda: TEMPLATES)
    file = read(file_yaml(document_of(there)))
    assert refusals(file, there) == []
    assert differences(file, there) == []


def test_the_add_ons_are_not_asked_for_while_an_upgrade_is_unfinished() -> None:
    """Its control plane may be off."""
    there = found("being upgraded")
    document = document_of(there)
    document["spec"]["addons"] = [{"name": "metallb", "addresses": "10.0.0.100-10.0.0.120"}]
    engine = cast(Any, SimpleNamespace(declared=lambda _ref: there))
    application = Application(engine, _unreachable, read(file_yaml(document)))
    plan = application.plan(silent)
    assert [change.action for change in plan.changes] == ["upgrade"]
    assert any("once the upgrade has ended" in warning for warning in plan.warnings)


def _unreachable(_progress: object) -> NoReturn:
    raise AssertionError


class _Refusing:
    """An engine that refuses every change: for a reason of its own, and for a common one."""

    def __init__(self, there: Declared) -> None:
        self.declared = lambda _ref: there

    def plan_pool(self, change: str, spec: PoolSpec, *_more: object) -> NoReturn:
        own = NotFound(f"The template of {spec.pool.name} was not found ({change}).")
        raise PreflightFailed("Both.", [own, Refused("The quota is exhausted.")])

    def plan_resize(self, *_more: object) -> NoReturn:
        raise Refused("The quota is exhausted.")


def test_all_that_would_be_refused_is_in_one_list() -> None:
    there = found("with pools")
    document = document_of(there)
    default, gpu = document["spec"]["pools"]
    default["size"], gpu["labels"] = 5, {}
    document["spec"]["pools"].append({"name": "new", "size": 1})
    document["spec"]["network"] = "net2"
    document["spec"]["addons"] = [{"name": "metallb"}]

    def broken(_progress: object) -> NoReturn:
        raise ClusterUnreachable("The API does not answer.")

    application = Application(cast(Any, _Refusing(there)), broken, read(file_yaml(document)))
    for thorough in (False, True):
        plan = application.plan(silent, thorough=thorough)
        assert [(one.message.partition(" (line")[0], one.pool) for one in plan.problems] == [
            ("'spec.network'", ""),
            ("The API does not answer.", ""),
            ("The template of new was not found (create).", "new"),
            ("The quota is exhausted.", "new"),
            ("The template of gpu was not found (update).", "gpu"),
        ]


class _Noting:
    """An engine that notes what is called, and the pool and template that it is called with."""

    def __init__(self, there: Declared) -> None:
        self.there = there
        self.called: list[tuple[str, str, str]] = []

    def __getattr__(self, name: str) -> Any:
        if name == "declared":
            return lambda _ref: self.there

        def note(spec: Any, *_more: object, **_options: object) -> SimpleNamespace:
            pool = getattr(spec, "pool", "")
            pool, template = (pool.name, pool.template) if isinstance(pool, Pool) else (pool, "")
            self.called.append((name, pool, template or getattr(spec, "template", "")))
            return SimpleNamespace(cluster=None)

        return note


def test_each_change_is_made_by_its_own_operation() -> None:
    there = found("with pools")
    engine = _Noting(there)
    document = document_of(there)["spec"]
    default, gpu = document["pools"]
    default["size"] = 4
    gpu.update(template="cse/ubuntu_rev2", labels={})
    pools = [default, gpu, {"name": "new", "size": 1}]
    file = changed("with pools", pools=pools, deletionProtection=True, controlPlane={"count": 3})
    application = Application(cast(Any, engine), _unreachable, file)
    differences_ = tuple(differences(file, there))
    shown: list[str] = []
    application.carry_out(
        Plan(False, differences_), RunOptions(), lambda event: shown.append(event.text)
    )
    assert shown == [
        "Change 1 of 6: resize control planes",
        "Change 2 of 6: create pool new",
        "Change 3 of 6: resize pool default",
        "Change 4 of 6: update pool gpu",
        "Change 5 of 6: upgrade pool gpu",
        "Change 6 of 6: protect cluster demo",
    ]
    assert engine.called == [
        ("resize", "", ""),
        ("create_pool", "new", ""),
        ("resize_pool", "default", ""),
        ("update_pool", "gpu", "cse/ubuntu"),
        ("upgrade_pool", "gpu", "cse/ubuntu"),
        ("protect", "", ""),
    ]
    upgraded = changed("with pools", template="cse/ubuntu_rev3")
    engine.called.clear()
    application = Application(cast(Any, engine), _unreachable, upgraded)
    application.carry_out(Plan(False, tuple(differences(upgraded, there))), RunOptions(), silent)
    assert engine.called == [("upgrade_to", "", "cse/ubuntu")]


class _Crowded:
    """An engine in whose VDC each change fits, and not all of them."""

    def __init__(self, there: Declared) -> None:
        self.declared = lambda _ref: there
        self.plan_pool = self.plan_resize = lambda *_more: ()
        self.asked: list[tuple[dict[str, int], int]] = []

    def room_problems(self, _ref: object, pools: Sequence[Pool], heads: int) -> list[CseError]:
        self.asked.append(({pool.name: pool.size for pool in pools}, heads))
        return [Refused("There is no room for all.")]


@pytest.mark.parametrize(
    ("sizes", "heads", "asked"),
    [
        ({"default": 5, "gpu": 1, "new": 2}, 3, ({"default": 5, "new": 2}, 2)),
        ({"default": 5, "gpu": 4}, 1, ({"default": 5, "gpu": 4}, 0)),
        # one that grows was checked alone, and what leaves needs no room
        ({"default": 5, "gpu": 0}, 1, None),
        ({"default": 5}, 1, None),
    ],
)
def test_changes_must_fit_together(
    sizes: dict[str, int], heads: int, asked: tuple[dict[str, int], int] | None
) -> None:
    there = found("with pools")
    engine = _Crowded(there)
    pools = [{"name": name, "size": size} for name, size in sizes.items()]
    file = changed("with pools", pools=pools, controlPlane={"count": heads})
    plan = Application(cast(Any, engine), _unreachable, file).plan(silent)
    assert engine.asked == ([] if asked is None else [asked])
    assert [one.message for one in plan.problems] == ["There is no room for all."][: bool(asked)]


def test_nothing_is_listed_where_vcd_does_not_answer() -> None:
    there = found("with pools")
    engine = _Refusing(there)
    engine.plan_resize = _fault  # type: ignore[method-assign]
    file = changed("with pools", pools=[{"name": "default", "size": 2}], network="net2")
    with pytest.raises(VcdFault):
        Application(cast(Any, engine), _unreachable, file).plan(silent)


def _fault(*_more: object) -> NoReturn:
    raise VcdFault("VCD does not answer.")
