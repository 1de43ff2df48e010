"""Node templates: showing, checking, deleting, and what a build refuses before it begins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import Result
from tests.support.simulator import Cloud, Control, log_in

Run = Callable[..., Result]

GUIDE = "ubuntu-16.04_k8-1.18_weave-2.6.5"
ITEM = f"cse/{GUIDE}_rev2"
CHECK = " • Check the request\n ✗ Check the request\n"


def test_a_template_is_shown(cse: Run) -> None:
    shown = json.loads(cse("template", "info", ITEM, options=("-j",)).checked())
    assert shown["Kubernetes"] == "1.18"
    assert shown["Support ends"] == "2021-06-18"
    assert shown["Origin"] == "CSE"
    assert shown["Disk MB"] > 0
    absent = cse("template", "info", "nope")
    assert (absent.code, absent.out) == (3, "")
    assert "Template 'nope' was not found." in absent.err


def test_a_template_is_checked_without_a_vm(cse: Run, nothing_created: None) -> None:
    rows = json.loads(cse("template", "check", GUIDE, options=("-j",)).checked())
    found = {row["Check"]: row for row in rows}
    assert found["Network adapters"]["Result"] == "ok"
    assert found["Kubernetes"]["Result"] == "warning"
    assert "out of support since 2021-06-18" in found["Kubernetes"]["Finding"]


def test_a_template_is_checked_from_inside(cse: Run, nothing_created: None) -> None:
    done = cse("template", "check", GUIDE, "--boot", "-n", "net1", options=("-j",))
    found = {row["Check"]: row for row in json.loads(done.checked())}
    assert found["Operating system"]["Finding"] == "ubuntu-16.04"
    assert found["kubeadm"]["Finding"] == "1.18.6"
    assert found["Container runtime"]["Finding"] == "docker"
    assert found["CNI manifest"] == {
        "Result": "ok",
        "Check": "CNI manifest",
        "Finding": "/root/weave_v2-6-5.yml",
        "Cure": "",
    }


def test_a_template_that_cannot_become_nodes_has_an_exit_code(
    cse: Run, control: Control, nothing_created: None
) -> None:
    path = f"templates/{GUIDE}_rev2"
    with control.changed(path, {"has_nic": False}, {"has_nic": True}):
        done = cse("template", "check", GUIDE)
        assert done.code == 1
        assert "error     Network adapters     none" in done.out
        booted = cse("template", "check", GUIDE, "--boot", "-n", "net1")
        assert booted.code == 4
        assert "has no network adapter" in booted.err


def build(cse: Run, *words: str, name: str = "made") -> Result:
    return cse(
        *("template", "build", name, "--from", ITEM, "-n", "net1", "--kubernetes", "1.37"), *words
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--kubernetes", "1.23"], "Kubernetes 1.23 is too old: templates are built with 1.24"),
        (["--kubernetes", "latest"], "'latest' is not a version of Kubernetes."),
        (["--from", "ubuntu"], "'ubuntu' is not a valid value of --from: specify CATALOG/ITEM."),
        (["--cni", "nope"], "'nope' is neither a known CNI plugin nor a file."),
        (["--package-source", "ftp://x"], "'ftp://x' is not a valid value of --package-source"),
        (["--package-source", f"https://x/{'y' * 247}"], "has 257 characters; 256 are possible."),
        (["--no-proxy", "x"], "--no-proxy requires --http-proxy or --https-proxy."),
    ],
)
def test_wrong_words_are_refused_without_a_request(
    cse: Run, control: Control, words: list[str], text: str
) -> None:
    done = build(cse, *words)
    assert (done.code, done.out) == (2, "")
    assert text in done.err
    assert control.requests() == []


def test_a_file_that_is_no_manifest_is_refused(cse: Run, home: Path) -> None:
    (home / "x.yaml").write_text("a: b\n")
    done = build(cse, "--cni", "x.yaml")
    assert done.code == 2 and "The file 'x.yaml' is not a Kubernetes manifest." in done.err


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (
            ["--from", "cse/nope"],
            3,
            "Error: Catalog 'cse' has no template 'nope' that you can see.\n",
        ),
        (
            ["--catalog", "nope"],
            3,
            "Error: There is no catalog 'nope' that you can see; available: ",
        ),
        (
            ["-n", "net4"],
            4,
            "Error: The network 'net4' is isolated: machines on it cannot reach the Internet.\n",
        ),
        (
            ["-s", "nope"],
            3,
            "Error: VDC 'vdc1' has no storage profile 'nope'; available: ",
        ),
    ],
)
def test_a_build_is_refused_before_it_begins(
    cse: Run, nothing_created: None, words: list[str], code: int, err: str
) -> None:
    done = build(cse, "--catalog", "cse", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(CHECK + err), done.err


def test_a_taken_name_is_refused(cse: Run, nothing_created: None) -> None:
    done = build(cse, "--catalog", "cse", name=f"{GUIDE}_rev2")
    assert done.code == 1
    assert f"Catalog 'cse' already has a template '{GUIDE}_rev2'." in done.err
    assert f"cse template delete cse/{GUIDE}_rev2" in done.err


def test_a_used_up_quota_is_refused(cse: Run, control: Control, nothing_created: None) -> None:
    with control.changed("vdcs/vdc1", {"vm_quota": 1}, {"vm_quota": 0}):
        control.set("vapps", prefix="fill", count=1)
        try:
            done = build(cse, "--catalog", "cse")
        finally:
            cse("cluster", "delete", "fill-00001", "--yes")
    assert done.code == 4
    assert "VDC 'vdc1' has room for 0 more VMs, and 1 is required." in done.err


def test_a_catalog_without_the_right_to_add_is_refused(
    cloud: Cloud, home: Path, vcd: Run, nothing_created: None
) -> None:
    log_in(cloud, home, user="viewer", password=cloud.others.get("viewer", ""))
    done = vcd(
        *("cse", "template", "build", "made", "--from", ITEM, "-n", "net1"),
        *("--kubernetes", "1.37", "--catalog", "cse"),
    )
    assert done.code == 4, done.err
    assert "You may not add templates to catalog 'cse'." in done.err
    assert "Catalog: Add vApp from My Cloud" in done.err


def test_the_plan_is_shown_and_nothing_is_made(cse: Run, nothing_created: None) -> None:
    done = build(cse, "--catalog", "cse", "--dry-run")
    lines = done.checked().splitlines()
    assert lines[0].startswith("1. Create vApp 'cse-template-made' in VDC 'vdc1' with one VM")
    assert lines[-1] == "7. Delete vApp 'cse-template-made'."
    assert len(lines) == 7


def test_a_build_cannot_be_left_alone(vcd: Run, logged_in: Path) -> None:
    done = vcd(
        *("-n", "cse", "template", "build", "made", "--from", ITEM, "-n", "net1"),
        *("--kubernetes", "1.37"),
    )
    assert done.code == 2
    assert "cannot run in the background" in done.err


def test_deletion_wants_to_be_confirmed_and_names_what_there_is_not(cse: Run) -> None:
    asked = cse("template", "delete", ITEM)
    assert asked.code == 2
    assert f"Deleting {ITEM} must be confirmed, and there is no terminal; use --yes." in asked.err
    absent = cse("template", "delete", "cse/nope", "--yes")
    assert absent.code == 3, absent.err


PLAIN = "images/ubuntu-24.04-server"


def make(cse: Run, name: str, *words: str) -> Result:
    return cse(
        *("template", "build", name, "--from", PLAIN, "-n", "net1", "--kubernetes", "1.37"), *words
    )


def catalog_items(control: Control) -> dict[str, object]:
    items: dict[str, object] = control.get("state")["catalogs"]["images"]["items"]
    return items


def test_a_small_disk_is_refused(cse: Run, nothing_created: None) -> None:
    done = make(cse, "small", "--disk-size", "2G")
    assert done.code == 2
    assert "--disk-size 2048 MB is smaller than the disk of the template" in done.err


def test_from_a_plain_ubuntu_to_a_cluster(cse: Run, control: Control) -> None:
    """The template has nothing of the VM that it was made of, and its nodes report themselves."""
    before = control.get("state")
    done = make(cse, "k8s-1.37", "--disk-size", "20G")
    assert done.code == 0, done.err
    assert done.out.startswith("Template images/k8s-1.37 is built: Kubernetes 1.37.2, flannel")
    assert "Warning: VCD will delete the template when its lease ends on " in done.err
    after = control.get("state")
    assert after["vapps"] == before["vapps"]
    made = catalog_items(control)["k8s-1.37"]
    assert isinstance(made, dict)
    assert (made["script_bytes"], made["password"], made["properties"]) == (0, False, {})
    assert made["customize_on_instantiate"] is True

    rows = json.loads(cse("template", "list", options=("-j",)).checked())
    (row,) = [row for row in rows if row["Name"] == "k8s-1.37"]
    assert (row["Origin"], row["Kubernetes"], row["Support Ends"]) == (
        "built",
        "1.37.2",
        "2027-10-28",
    )
    assert row["Description"] == "Kubernetes 1.37.2, ubuntu-24.04, flannel 0.27.4"

    check = cse(*("template", "check", "k8s-1.37", "--boot", "-n", "net1"), options=("-j",))
    found = {row["Check"]: row for row in json.loads(check.checked())}
    assert found["kubeadm"]["Finding"] == "1.37.2"
    assert found["Container runtime"]["Finding"] == "containerd"
    assert found["CNI manifest"]["Finding"] == "/root/flannel-0.27.4.yaml"
    assert found["Images"]["Result"] == "ok"

    created = cse(
        *("cluster", "create", "fresh", "-n", "net1", "-N", "1", "--template", "k8s-1.37")
    )
    assert created.code == 0, created.err
    nodes = json.loads(cse("node", "list", "fresh", options=("-j",)).checked())
    assert {(node["Kubernetes"], node["Version"]) for node in nodes} == {("Ready", "v1.37.2")}

    used = cse("template", "delete", "images/k8s-1.37", "--yes")
    assert used.code == 4
    assert "Template 'images/k8s-1.37' is in use: fresh was created from it." in used.err
    assert cse("cluster", "delete", "fresh", "--yes").code == 0
    deleted = cse("template", "delete", "images/k8s-1.37", "--yes")
    assert (deleted.code, deleted.out) == (0, "Deleted: template images/k8s-1.37.\n")
    assert control.get("state")["catalogs"] == before["catalogs"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["--kubernetes", "1.99"],
            "the package source https://pkgs.k8s.io/core:/stable: has no Kubernetes 1.99; the"
            " newest one that it has is 1.37.",
        ),
        (
            ["--kubernetes", "1.37.9"],
            "has no Kubernetes 1.37.9; it has 1.37.2 1.37.1 1.37.0.",
        ),
        (["-n", "net2"], "cannot reach pkgs.k8s.io: its name does not resolve."),
    ],
    ids=["no such release", "no such patch release", "no way out"],
)
def test_what_the_vm_finds_is_reported_and_nothing_is_left(
    cse: Run, control: Control, nothing_created: None, words: list[str], text: str
) -> None:
    done = make(cse, "failing", *words)
    assert (done.code, done.out) == (1, "")
    assert "Error: The build failed in phase 'source' (exit code 1): " in done.err
    assert text in done.err
    assert "  template: " in done.err
    # the network is warned about as what it is for a build
    assert "nodes can use only" not in done.err
    assert done.err.endswith("Note: Everything that this command had made was removed.\n")


def test_a_failed_vm_can_be_kept(cse: Run, control: Control) -> None:
    before = control.possessions()
    done = make(cse, "kept", "--kubernetes", "1.37.9", "--keep")
    assert done.code == 1
    assert "Kept for inspection as requested; remove it with `cse template delete" in done.err
    assert list(control.get("state")["vapps"]) == ["cse-template-kept"]
    other = make(cse, "kept", "--kubernetes", "1.36")
    assert other.code == 1
    assert "An unfinished build of template 'kept' with other options" in other.err
    removed = cse("template", "delete", "kept", "--yes")
    assert (removed.code, removed.out) == (0, "Deleted: vApp cse-template-kept.\n")
    assert control.possessions() == before


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            {"kind": "task", "operation": "vdcCaptureTemplate", "status": "error"},
            'Error: Task "',
        ),
        (
            {"kind": "status", "status": 500, "path": "/action/captureVApp", "times": 9},
            "Error: Cannot add template 'refused' to catalog 'images'",
        ),
    ],
    ids=["its task fails", "its request fails"],
)
def test_a_capture_that_fails_leaves_nothing(
    cse: Run, control: Control, nothing_created: None, rule: dict[str, object], text: str
) -> None:
    control.set("faults", **rule)
    done = make(cse, "refused")
    assert done.code == 1
    assert text in done.err
    assert "Everything that this command had made was removed." in done.err


def test_two_builds_of_one_name_at_once(cse: Run, control: Control, home: Path) -> None:
    """Another machine's build of the name is left alone, and named."""
    before = control.possessions()
    kept = make(cse, "twice", "--kubernetes", "1.37.9", "--keep")
    assert kept.code == 1
    other = cse(
        *("template", "build", "twice", "--from", PLAIN, "-n", "net1", "--kubernetes", "1.37.9"),
        env={"XDG_STATE_HOME": str(home / "elsewhere")},
    )
    assert other.code == 1, other.err
    assert "Template 'twice' is being built by admin in vApp 'cse-template-twice'." in other.err
    assert cse("template", "delete", "twice", "--yes").code == 0
    assert control.possessions() == before


TKG = "tkg-ubuntu-2204"


def test_a_template_of_tanzu_kubernetes_grid_makes_nodes_without_pulling_anything(
    cse: Run, control: Control
) -> None:
    """It is known by its property VERSION; the network net2 has no way out."""
    rows = json.loads(cse("template", "list", options=("-j",)).checked())
    (row,) = [row for row in rows if row["Name"] == TKG]
    assert (row["Origin"], row["Kubernetes"], row["OS"]) == (
        "TKG",
        "1.30.2+vmware.1",
        "ubuntu-22.04",
    )
    assert row["Support Ends"] == "2025-06-28"
    check = cse("template", "check", f"images/{TKG}", "--boot", "-n", "net2", options=("-j",))
    found = {row["Check"]: row for row in json.loads(check.checked())}
    assert found["TKG version"]["Result"] == found["Images"]["Result"] == "ok"
    created = cse(
        *("cluster", "create", "grid", "-n", "net2", "-N", "1", "--template", f"images/{TKG}")
    )
    assert created.code == 0, created.err
    nodes = json.loads(cse("node", "list", "grid", options=("-j",)).checked())
    assert {(node["Kubernetes"], node["Version"]) for node in nodes} == {
        ("Ready", "v1.30.2+vmware.1")
    }
    grown = cse("cluster", "resize", "grid", "-N", "2")
    assert grown.code == 0, grown.err
    assert cse("cluster", "delete", "grid", "--yes").code == 0
