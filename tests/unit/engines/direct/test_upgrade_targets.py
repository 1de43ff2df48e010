"""Which templates a cluster can be upgraded to, and what an upgrade records."""

from __future__ import annotations

import json

import pytest

from cse_client.engines.direct.metadata import initial_metadata, recorded_spec
from cse_client.engines.direct.upgrade_record import (
    Pace,
    new_template,
    pace_entry,
    recorded_pace,
)
from cse_client.engines.direct.upgrade_targets import (
    choose_target,
    release_of,
    skew_problems,
    targets,
)
from cse_client.errors import NotFound
from cse_client.kube.requested import Deprecated, parse_metrics
from cse_client.model import ClusterSpec, Template, TemplateFacts, footprint
from cse_client.model.upgrades import UpgradeSpec


def template(release: str, revision: int = 1, name: str = "", **facts: object) -> Template:
    name = name or f"t-{release}"
    return Template(
        name=name,
        revision=revision,
        catalog="cse",
        item=f"{name}_rev{revision}",
        href=f"https://vcd.example/api/vAppTemplate/vappTemplate-{name}-{revision}",
        facts=TemplateFacts(kubernetes=release, **facts),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("before", "after", "kubelets", "why"),
    [
        ("1.36.3", "1.36.4", [], ""),
        ("1.36.3", "1.37.2", ["v1.36.3", "v1.34.0"], ""),
        ("1.36.3+vmware.1", "1.37.2", [], ""),
        ("1.36.3", "1.36.3", [], ""),
        ("1.36.3", "1.36.2", [], "cannot be downgraded"),
        ("1.36.3", "1.35.9", [], "cannot be downgraded"),
        ("1.36.3", "1.33", [], "cannot be downgraded"),
        ("1.36.3", "1.38.0", [], "cannot skip a minor release"),
        ("1.36.3", "1.39", [], "cannot skip a minor release"),
        ("1.36.3", "2.0.0", [], "cannot skip a minor release"),
        ("1.36.3", "1.37", [], "exact Kubernetes version"),
        ("1.36.3", "", [], "exact Kubernetes version"),
        ("1.36.3", "1.37.2", ["v1.33.9"], "kubelets of v1.33.9, which are too old"),
        ("1.26.1", "1.27.2", ["v1.24.9"], "kubelets of v1.24.9, which are too old"),
        ("1.27.1", "1.28.2", ["v1.25.9"], ""),
        ("1.36.3", "1.37.2", ["nonsense"], ""),
    ],
)
def test_the_rules_of_version_skew(before: str, after: str, kubelets: list[str], why: str) -> None:
    found = [one.message for one in skew_problems(template(after), before, kubelets)]
    assert len(found) == bool(why), found
    assert all(why in text for text in found)


def test_the_best_template_comes_first() -> None:
    offered = [
        template("1.36.2"),
        template("1.37.2", name="plain"),
        template("1.37.2", name="other", keepalived=True, cni="calico"),
        template("1.37.2", name="best", keepalived=True, cni="antrea"),
        template("1.37.2", 2, name="best", keepalived=True, cni="antrea"),
        template("1.38.0"),
        template("1.36.3", 2, name="own"),
        template("1.36.3", 2, name="foreign"),
    ]
    metadata = {
        footprint.TEMPLATE_NAME: "own",
        footprint.TEMPLATE_REVISION: "1",
        "cse.cni": "Antrea",
    }
    found = targets(offered, "1.36.3", metadata, keepalived=True)
    assert [one.item for one in found] == [
        "best_rev2",
        "best_rev1",
        "other_rev1",
        "plain_rev1",
        "own_rev2",
    ]
    spec = UpgradeSpec("demo")
    best = choose_target(offered, spec, "1.36.3", metadata, keepalived=True)
    assert best is not None
    assert best.item == "best_rev2"


@pytest.mark.parametrize(
    ("releases", "upgrade"),
    [
        (["1.36.3", "1.35.1"], None),
        (["1.36.3", "1.36"], None),
        # it would skip a release, or is not known exactly, or there is none
        (["1.36.3", "1.38.0"], NotFound),
        (["1.37"], NotFound),
        ([""], NotFound),
        ([], NotFound),
    ],
)
def test_there_is_nothing_to_do_only_where_no_template_is_newer(
    releases: list[str], upgrade: type[NotFound] | None
) -> None:
    offered = [template(one) for one in releases]
    if upgrade is None:
        assert choose_target(offered, UpgradeSpec("demo"), "1.36.3", {}) is None
        return
    with pytest.raises(upgrade, match="No upgrades are available"):
        choose_target(offered, UpgradeSpec("demo"), "1.36.3", {})


def test_published_templates_have_exact_releases() -> None:
    old = template("1.18", 2, name="ubuntu-16.04_k8-1.18_weave-2.6.5")
    assert release_of(old) == "1.18.6"


@pytest.mark.parametrize("longer", [0, 900, 1800])
def test_the_record_names_the_new_template_and_keeps_the_rest(longer: int) -> None:
    spec = ClusterSpec("demo", network="net1", workers=3, endpoint="api.example", vip="10.0.0.9")
    first = template("1.36.3", name="x" * 200)
    metadata = initial_metadata(spec, first, "id")
    # whatever was recorded besides makes the record long
    text = "".join(metadata.pop(key) for key in sorted(metadata) if key.startswith(footprint.SPEC))
    raw = {**json.loads(text), "more": "y" * longer}
    text = json.dumps(raw)
    for number, start in enumerate(range(0, len(text), 900)):
        key = f"{footprint.SPEC}.{number}" if number else footprint.SPEC
        metadata[key] = text[start : start + 900]
    for second in (template("1.37.2", 4), template("1.37.3", 5, name="z" * 220)):
        metadata.update(new_template(metadata, second))
        assert all(len(value) <= 900 for value in metadata.values())
        found = recorded_spec(metadata)
        assert (found.template, found.revision) == (second.name, second.revision)
        assert found.template_id == second.id
        assert (found.workers, found.vip, found.damaged) == (3, "10.0.0.9", ())
        assert metadata[footprint.KUBERNETES_VERSION] == second.facts.kubernetes


def test_what_has_no_record_gets_none() -> None:
    assert footprint.SPEC not in new_template({}, template("1.37.2"))


def test_how_long_it_took() -> None:
    metadata = pace_entry({}, [60.0, 80.0], [])
    assert recorded_pace(metadata) == Pace(70, 0)
    metadata = pace_entry(metadata, [], [0.2])
    assert recorded_pace(metadata) == Pace(70, 1)
    for text in (
        "",
        "x",
        "[]",
        '{"head": "1"}',
        '{"head": true}',
        '{"head": 1e99}',
        '{"head": -1}',
    ):
        assert recorded_pace({footprint.PACE: text}) == Pace()


def test_deprecated_apis_in_the_metrics() -> None:
    text = "\n".join(
        [
            "# TYPE apiserver_requested_deprecated_apis gauge",
            'apiserver_requested_deprecated_apis{group="policy",removed_release="1.25",'
            'resource="podsecuritypolicies",subresource="",version="v1beta1"} 1',
            'apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",'
            'subresource="",version="v1"} 1',
            'apiserver_requested_deprecated_apis{group="x",removed_release="1.99",resource="y",'
            'subresource="",version="v1"} 0',
            "apiserver_request_total{} 7",
        ]
    )
    assert parse_metrics(text) == [
        Deprecated("policy/v1beta1 podsecuritypolicies", "1.25"),
        Deprecated("v1 endpoints", ""),
    ]
    assert parse_metrics("apiserver_requested_deprecated_apis{" * 3) == []
