"""Clusters that files declare: created, changed and exported by `cse`, on one simulator."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest
import yaml

from tests.support.cluster_files import Place
from tests.support.editor import Editor
from tests.support.people import person
from tests.support.programs import CSE
from tests.support.schemas import check
from tests.support.simulator import Cloud, Control
from tests.support.waiting import until

NAME = "declared"
LEAST = f"""\
apiVersion: cse-client/v1
kind: Cluster
metadata: {{name: {NAME}}}
spec:
  network: net1
  ntp: [ntp.example.com]
  pools:
  - name: default
    size: 1
"""


@pytest.fixture(scope="module")
def place(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if not cloud.others:
        pytest.skip("needs a simulator")
    home = tmp_path_factory.mktemp("declared")
    somebody = person(cloud, home)
    place = Place(home, somebody.environment)
    yield place
    place.run_cse("delete", NAME, "--yes")


def writes(control: Control) -> list[str]:
    """Return the requests that changed something."""
    return [one for one in control.requests() if not one.startswith("GET ")]


def test_the_file_of_a_creation_creates_it(place: Place, control: Control) -> None:
    before = control.possessions()
    words = ("create", NAME, "-n", "net1", "-N", "1", "--ntp", "ntp.example.com", "--dry-run")
    as_file = place.run_cse(*words, "-o", "yaml")
    assert as_file.code == 0, as_file.err
    document = yaml.safe_load(as_file.out)
    check("cluster create", document)
    assert document["metadata"] == {"name": NAME}
    assert document["spec"]["pools"] == [{"name": "default", "size": 1}]
    assert "_rev" in document["spec"]["template"]
    assert json.loads(place.run_cse(*words, "-o", "json").out) == document

    plan = place.planned(as_file.out)
    assert plan["changes"] == [
        {
            "action": "create",
            "object": f"cluster {NAME}",
            "current": "",
            "wanted": "1 control plane, 1 worker",
        }
    ]
    assert len(plan["steps"]) >= 4
    needed = {one["resource"]: one for one in plan["resources"]}
    assert needed["VMs"]["needed"] == needed["addresses in net1"]["needed"] == 2
    assert needed["addresses in net1"]["left"] > 2
    table = place.run_cse("apply", "demo.yaml", "--dry-run")
    assert "create    cluster declared" in table.out
    assert "addresses in net1" in table.out
    assert table.out.split("\n\n", 1)[1] == place.run_cse(*words).out
    assert control.possessions() == before

    done = place.apply(as_file.out)
    assert done.code == 0, done.err
    assert done.out.startswith(f"Cluster {NAME} is ready: 1 control plane and 1 worker")


def test_what_export_wrote_changes_nothing(place: Place, control: Control) -> None:
    text = place.exported(NAME)
    spec = yaml.safe_load(text)["spec"]
    assert (spec["network"], spec["ntp"]) == ("net1", ["ntp.example.com"])
    control.ask("DELETE", "journal")
    for given in ((["-f", "demo.yaml"], ""), (["demo.yaml"], ""), (["-f", "-"], text)):
        done = place.run_cse("apply", *given[0], stdin=given[1])
        name = "standard input" if given[1] else "the file 'demo.yaml'"
        assert done.out == f"Cluster {NAME} is as {name} describes it; nothing was changed.\n"
        assert (done.code, done.err) == (0, "")
    assert [one for one in writes(control) if "/sessions" not in one] == []


def test_a_killed_protect_is_finished(place: Place, control: Control) -> None:
    """Its last request but one was carried out: the cluster is protected, and still claimed."""
    rule = {"kind": "hang", "method": "POST", "path": "/metadata$", "at": 2, "act": True}
    rule = control.set("faults", **rule, seconds=60)
    process = place.start(CSE, "cluster", "protect", NAME)
    try:
        until(lambda: [one for one in control.get("faults") if one["acted"]])
    finally:
        process.kill()
        process.communicate(timeout=60)
        control.ask("DELETE", f"faults/{rule['id']}")
    text = LEAST.replace("pools:", "deletionProtection: true\n  pools:")
    change = {"action": "protect", "object": f"cluster {NAME}", "wanted": "on"}
    assert place.planned(text)["changes"] == [{**change, "current": "on (begun)"}]
    done = place.apply(text)
    assert (done.code, done.out) == (
        0,
        f"Cluster {NAME} is now as the file 'demo.yaml' describes it.\n",
    )
    assert place.planned(text)["changes"] == []
    place.run_cse("unprotect", NAME).checked()


def test_a_size_and_the_protection_are_changed(place: Place) -> None:
    text = LEAST.replace("size: 1", "size: 2\n  deletionProtection: true")
    assert place.planned(text)["changes"] == [
        {"action": "resize", "object": "pool default", "current": "1", "wanted": "2"},
        {"action": "protect", "object": f"cluster {NAME}", "current": "off", "wanted": "on"},
    ]
    shown = place.run_cse("apply", "-f", "demo.yaml", "--dry-run")
    assert shown.out.splitlines()[0].split() == ["Action", "Object", "Current", "Wanted"]
    done = place.apply(text)
    assert (done.code, done.out) == (
        0,
        f"Cluster {NAME} has 1 control plane and 2 workers.\n",
    )
    assert yaml.safe_load(place.exported(NAME))["spec"]["deletionProtection"] is True
    # what a file leaves out is left as it is
    assert place.planned(LEAST.replace("size: 1", "size: 2"))["changes"] == []


def test_removals_are_confirmed(place: Place) -> None:
    text = LEAST.replace("size: 1", "size: 1\n  deletionProtection: false")
    done = place.apply(text)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"Error: Applying the file 'demo.yaml' to {NAME}, which deletes 1 worker of pool default,"
        " must be confirmed, and there is no terminal; use --yes.\n"
        "Hint: cse cluster apply -f demo.yaml --yes\n"
    )
    assert place.planned(text)["changes"][0]["current"] == "2"
    # nobody is asked about what would be refused
    done = place.apply(LEAST.replace("size: 1", "size: 2\n    template: gone"))
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("Error: Template 'gone' was not found.\n")
    done = place.apply(text, "--yes")
    assert (done.code, done.out) == (0, f"Cluster {NAME} has 1 control plane and 1 worker.\n")
    assert "deletionProtection" not in place.exported(NAME)


def test_what_cannot_be_changed_is_refused_by_name(place: Place, control: Control) -> None:
    text = LEAST.replace("network: net1", "network: net2\n  podCidr: 172.30.0.0/16")
    text = text.replace("size: 1", "size: 400").replace("ntp.example.com", "other.example.com")
    control.ask("DELETE", "journal")
    done = place.apply(text)
    assert (done.code, done.out) == (4, "")
    assert done.err.splitlines()[:1] == [
        f"Error: The file 'demo.yaml' cannot be applied to cluster '{NAME}' for 4 reasons; nothing"
        " was changed."
    ]
    for said in (
        f"'spec.network' (line 5) is net2, and cluster '{NAME}' has net1; it cannot be changed.",
        f"'spec.podCidr' (line 6) is 172.30.0.0/16, and cluster '{NAME}' was created without it;",
        f"'spec.ntp' (line 7) is other.example.com, and cluster '{NAME}' has ntp.example.com;",
        # what the operations would refuse is in the same list
        "The network 'net1' has ",
        "Hint: Enlarge the pool, release addresses, or use fewer workers.",
    ):
        assert said in done.err
    assert [one for one in writes(control) if "/sessions" not in one] == []


def test_an_interrupted_change_is_resumed(place: Place, control: Control) -> None:
    place.file.write_text(LEAST.replace("size: 1", "size: 2"))
    begun = place.start(CSE, "cluster", "apply", "-f", "demo.yaml")
    until(lambda: len(control.get("state")["vapps"][NAME]["vms"]) == 3)
    begun.send_signal(signal.SIGINT)
    _out, err = begun.communicate(timeout=60)
    assert begun.returncode == 5, err
    assert err.endswith(b"Run the same command again to resume.\n")
    text = place.run_cse("export", NAME).checked()
    # what was begun is all that there is to do, unless it was done when the interruption came
    assert [one["current"] for one in place.planned(text)["changes"]] in (["2 (begun)"], [])
    place.file.write_text(LEAST.replace("size: 1", "size: 2"))
    done = place.run_cse("apply", "-f", "demo.yaml")
    assert (done.code, done.out) == (0, f"Cluster {NAME} has 1 control plane and 2 workers.\n")
    assert place.planned(place.file.read_text())["changes"] == []


def test_changes_by_hand_are_named_and_left(place: Place, cloud: Cloud, control: Control) -> None:
    vms = control.get("state")["vapps"][NAME]["vms"]
    Editor(cloud).delete_vm(NAME, max(name for name in vms if name.startswith("node-")))
    text = LEAST.replace("size: 1", "size: 2")
    done = place.apply(text.replace("size: 2", "size: 2\n  deletionProtection: true"))
    assert (done.code, done.out) == (
        0,
        f"Cluster {NAME} is now as the file 'demo.yaml' describes it.\n",
    )
    assert done.err == (
        f"Warning: Cluster '{NAME}' was changed by another command or by hand: it has 1 worker VM"
        f" where 2 were requested. To repair it: cse cluster repair {NAME}\n"
    )
    assert len(control.get("state")["vapps"][NAME]["vms"]) == 2
    exported = place.run_cse("export", NAME)
    assert yaml.safe_load(exported.out)["spec"]["pools"] == [{"name": "default", "size": 2}]
    done = place.apply(text.replace("size: 2", "size: 1\n  deletionProtection: false"), "--yes")
    assert done.code == 0, done.err
    assert place.run_cse("repair", NAME, "--yes").code == 0
    assert place.exported(NAME) == place.run_cse("export", NAME).out


def test_while_another_operation_runs(place: Place, control: Control) -> None:
    rule = control.set("faults", kind="hold", method="POST", path="/recomposeVApp$")
    other = place.start(CSE, "cluster", "resize", NAME, "-N", "2")
    try:
        until(lambda: '"kind":"grow"' in str(control.get("state")["vapps"][NAME]["metadata"]))
        for size in (2, 3):
            done = place.apply(LEAST.replace("size: 1", f"size: {size}"))
            assert (done.code, done.out) == (1, "")
            assert f"is changing cluster '{NAME}'" in done.err
    finally:
        control.ask("DELETE", f"faults/{rule['id']}")
        other.communicate(timeout=60)
    assert place.planned(LEAST.replace("size: 1", "size: 2"))["changes"] == []


def test_files_of_the_other_engine(place: Place) -> None:
    served = "apiVersion: cse.vmware.com/v2.1\nkind: native\nmetadata: {name: demo}\n"
    for more, created in (
        ("", "demo --network NETWORK"),
        (
            "spec: {settings: {ovdcNetwork: net 1}, topology: {workers: {count: 3}}}\n",
            "demo --network 'net 1' --nodes 3",
        ),
    ):
        for words in ((), ("--dry-run",)):
            done = place.apply(served + more, *words)
            assert (done.code, done.out) == (2, "")
            assert done.err == (
                "Error: The file 'demo.yaml' is for a CSE server 3, and the direct engine is in"
                " use.\n"
                f"Hint: `cse cluster create {created} --dry-run -o yaml` prints a file for the"
                " direct engine; `cse system info` shows why that is in use.\n"
            )
    done = place.apply(LEAST.replace("v1", "v2"))
    assert done.code == 2
    assert "the file is for a newer version.\nHint: Upgrade cse-client.\n" in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n\tb: 1\n", "line 2: it is indented with a tab; YAML accepts only spaces there."),
        ("a: &x 1\n", "line 1: anchors and aliases (&, *) are not supported."),
        ("kind: a\nkind: b\n", "line 2: the key 'kind' occurs twice."),
        (
            "a: b: c\n",
            "line 1: it is not YAML at column 5: mapping values are not allowed in this context.",
        ),
        ("a" * 10_000_000, "it is larger than 256 KiB."),
    ],
)
def test_what_is_not_read(place: Place, text: str, said: str) -> None:
    expected = f"Error: The file 'demo.yaml' does not describe a cluster: {said}\n"
    assert place.apply(text) == (2, "", expected)


def test_what_is_not_read_is_listed_with_everything_else(place: Place) -> None:
    text = LEAST.replace("network: net1", "network: &x net1\n  network: no\n  vip: *x")
    text = text.replace(NAME, "1e3")
    assert place.apply(text) == (
        *(2, ""),
        "Error: The file 'demo.yaml' has 5 problems; nothing was changed.\n"
        "  - 'metadata.name' (line 3) must be text, and YAML reads 1e3 as a number; put it in"
        ' quotes: name: "1e3".\n'
        "  - Line 5: anchors and aliases (&, *) are not supported.\n"
        "  - Line 6: the key 'network' occurs twice.\n"
        "  - 'spec.vip' (line 7) is not a key of this format; did you mean 'spec.virtualAddress'?\n"
        "  - Line 7: anchors and aliases (&, *) are not supported.\n",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The file 'demo.yaml' is empty."),
        ("\n# only this\n", "The file 'demo.yaml' is empty: it contains only comments."),
    ],
)
def test_what_is_empty(place: Place, text: str, said: str) -> None:
    example = "cse cluster create NAME --network NETWORK --dry-run -o yaml"
    for words in ((), ("--dry-run",)):
        done = place.apply(text, *words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"Error: {said}\nHint: `{example}` prints a file;")


def test_the_schema_and_what_does_not_go_together(place: Place) -> None:
    assert "cse-client/v1" in json.loads(place.run_cse("apply", "--schema").checked()).__str__()
    for words, said in (
        ([], "Missing argument 'FILE'."),
        (["a", "-f", "b"], "Specify the file once: as FILE, or with -f."),
        (["demo.yaml", "-o", "json"], "-o and --query require --dry-run."),
        (["demo.yaml", "-o", "there"], "'there' is not an output format (table, "),
        (["demo.yaml", "--dry-run", "--vdc", "vdc1"], ""),
        (["no.yaml"], "The file 'no.yaml' cannot be read: No such file or directory."),
        (["demo.yaml", "--dry-run", "--org", "other"], "is for organization 'acme', not for"),
    ):
        place.file.write_text(LEAST.replace("{name: ", "{org: acme, name: "))
        done = place.run_cse("apply", *words)
        assert said in done.err, words
        assert done.code == (2 if said else 0)


def test_a_file_that_a_new_cluster_cannot_be_made_of(place: Place, control: Control) -> None:
    text = LEAST.replace(NAME, "other").replace("  network: net1\n", "")
    done = place.apply(text)
    assert (done.code, done.out) == (2, "")
    assert (
        "'other' does not exist, and a new cluster requires a network; available in VDC 'vdc1': "
    ) in done.err
    assert done.err.endswith("Hint: Specify one of them with spec.network.\n")
    # the hints of `cluster create` name keys of the file
    done = place.apply(LEAST.replace(NAME, "other").replace("net1", "nope"))
    assert (done.code, done.out) == (3, "")
    assert "Hint: Specify one of them with 'spec.network' (line 5).\n" in done.err
    # everything that only VCD knows at once, by the keys and the pools of the file
    text = LEAST.replace(NAME, "other").replace("net1", "nope").replace("size: 1", "size: 1\n")
    text += "  - {name: gpu, size: 1, sizingPolicy: huge, storageProfile: gone, template: gone}\n"
    for words in ((), ("--dry-run",)):
        done = place.apply(text, *words)
        for said in (
            "Error: Cluster 'other' cannot be created for 4 reasons; nothing was changed.\n",
            "  - Pool 'gpu': Template 'gone' was not found.",
            "  - Pool 'gpu': VDC 'vdc1' has no storage profile 'gone'; available: ",
            "    Hint: Specify one of them with 'spec.pools[1].storageProfile' (line 11).",
            "'huge'",
            "VDC 'vdc1' has no network 'nope'",
        ):
            assert said in done.err
    with control.changed("networks/net1", {"egress": False}, {"egress": True}):
        text = LEAST.replace(NAME, "other")
        assert "no visible access to the Internet" in place.apply(text, "--dry-run").err
        done = place.apply(text, "--dry-run", "--strict")
        assert (done.code, done.out) == (4, "")
        assert done.err.endswith("Hint: Add a SNAT rule for it, or omit --strict.\n")
