"""What VCD's state forbids: refused before anything is written, with the right exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs import Result
from tests.support.simulator import Cloud, Control, Login, log_in

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("nothing_created")

TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5"
BOTH = f"Hint: Available: {TEMPLATE}, ubuntu-24.04_k8-1.33_antrea-2.3.\n"


def said(result: Result) -> str:
    """Return stderr without the line of progress that every check has."""
    check = " • Check the request\n ✗ Check the request\n"
    assert result.err.startswith(check), result.err
    return result.err[len(check) :]


@pytest.mark.parametrize(
    ("words", "code", "err"),
    [
        (
            ["-n", "net1", "--vdc", "nope"],
            3,
            "Error: Organization 'acme' has no VDC 'nope'; available: vdc1, vdc2.\n",
        ),
        (
            ["-n", "nope"],
            3,
            "Error: VDC 'vdc1' has no network 'nope'; available: net1, net2, net3.\n"
            "Hint: Specify one of them with --network.\n",
        ),
        (
            ["-n", "net4"],
            4,
            "Error: The network 'net4' is isolated: machines on it cannot reach the Internet.\n"
            "Hint: Choose a routed or direct network with --network.\n",
        ),
        (
            ["-n", "net2", "--strict"],
            4,
            "Error: The network 'net2' has no visible access to the Internet: no SNAT rule of "
            "gateway 'edge1' covers it.\n"
            "Hint: Add a SNAT rule for it, or omit --strict.\n",
        ),
        (["-n", "net1", "-t", "nope"], 3, f"Error: Template 'nope' was not found.\n{BOTH}"),
        (
            ["-n", "net1", "-t", TEMPLATE, "-r", "9"],
            3,
            f"Error: Template '{TEMPLATE}' has no revision 9.\nHint: Available: 2.\n",
        ),
        (
            ["-n", "net1", "-t", f"{TEMPLATE}_rev9"],
            3,
            f"Error: Template '{TEMPLATE}' has no revision 9.\nHint: Available: 2.\n",
        ),
        (
            ["-n", "net1", "-s", "nope"],
            3,
            "Error: VDC 'vdc1' has no storage profile 'nope'; available: gold, silver.\n"
            "Hint: Specify one of them with --storage-profile.\n",
        ),
        (
            ["-n", "nope", "-t", "nope", "-s", "nope"],
            3,
            "Error: Cluster 'bad' cannot be created for 3 reasons; nothing was changed.\n"
            f"  - Template 'nope' was not found.\n    {BOTH}"
            "  - VDC 'vdc1' has no network 'nope'; available: net1, net2, net3.\n"
            "    Hint: Specify one of them with --network.\n"
            "  - VDC 'vdc1' has no storage profile 'nope'; available: gold, silver.\n"
            "    Hint: Specify one of them with --storage-profile.\n",
        ),
    ],
)
def test_what_is_not_there(cse: Run, words: list[str], code: int, err: str) -> None:
    result = cse("cluster", "create", "bad", *words)
    assert (result.code, result.out, said(result)) == (code, "", err)


def test_a_network_without_a_way_out_is_a_warning(cse: Run) -> None:
    result = cse("cluster", "create", "bad", "-n", "net2", "--dry-run")
    assert result.code == 0
    assert "no SNAT rule of gateway 'edge1' covers it" in result.out + result.err


def test_too_few_addresses(cse: Run, control: Control) -> None:
    pool = control.get("state")["networks"]["net1"]["pool"]
    small = [pool[0], pool[0][: pool[0].rindex(".")] + ".11"]
    with control.changed("networks/net1", {"pool": small}, {"pool": pool}):
        result = cse("cluster", "create", "bad", "-n", "net1")
    assert (result.code, result.out) == (4, "")
    assert said(result) == (
        "Error: The network 'net1' has 2 free addresses in its static pool, and 3 nodes need an "
        "address.\nHint: Enlarge the pool, release addresses, or use fewer --nodes.\n"
    )


@pytest.mark.parametrize(
    ("cidr", "template", "err"),
    [
        (
            "10.40.1.0/24",
            TEMPLATE,
            "Error: The network 'net1' (10.40.1.0/24) overlaps the addresses of the cluster's pods "
            "(10.32.0.0/12).\nHint: Choose another network with --network.\n",
        ),
        (
            "10.244.7.0/24",
            "ubuntu-24.04_k8-1.33_antrea-2.3",
            "Error: The network 'net1' (10.244.7.0/24) overlaps the addresses of the cluster's "
            "pods (10.244.0.0/16).\nHint: Choose another network with --network, or other "
            "addresses with --pod-cidr.\n",
        ),
        (
            "10.100.0.0/16",
            TEMPLATE,
            "Error: The network 'net1' (10.100.0.0/16) overlaps the addresses of the cluster's "
            "Services (10.96.0.0/12).\nHint: Choose another network with --network, or other "
            "addresses with --service-cidr.\n",
        ),
    ],
)
def test_a_network_that_overlaps_the_clusters_own_addresses(
    cse: Run, control: Control, cidr: str, template: str, err: str
) -> None:
    network = control.get("state")["networks"]["net1"]
    there: dict[str, object] = {"cidr": network["cidr"], "pool": network["pool"]}
    start = cidr.rpartition(".")[0]
    here: dict[str, object] = {"cidr": cidr, "pool": [f"{start}.10", f"{start}.250"]}
    with control.changed("networks/net1", here, there):
        result = cse("cluster", "create", "bad", "-n", "net1", "-t", template)
        planned = cse("cluster", "create", "bad", "-n", "net1", "-t", template, "--dry-run")
    assert (result.code, result.out, said(result)) == (4, "", err)
    assert (planned.code, said(planned)) == (4, err)


def test_a_control_plane_too_small_for_kubeadm(cse: Run) -> None:
    result = cse(
        *("cluster", "create", "bad", "-n", "net1", "--cpu", "1", "--memory", "1024"),
        *("-t", "ubuntu-24.04_k8-1.33_antrea-2.3"),
    )
    assert (result.code, result.out) == (2, "")
    assert said(result) == (
        "Error: Cluster 'bad' cannot be created for 2 reasons; nothing was changed.\n"
        "  - The control plane's VM would have 1 CPU, and kubeadm requires 2 CPUs of a control "
        "plane.\n"
        "    Hint: Give the nodes more, for example --cpu 2.\n"
        "  - The control plane's VM would have 1024 MB of memory, and kubeadm requires "
        "1800 MB (1700 MB that Linux can use) of a control plane.\n"
        "    Hint: Give the nodes more, for example --memory 2048.\n"
    )


def test_a_template_too_small_for_kubeadm(cse: Run, control: Control) -> None:
    with control.changed(f"templates/{TEMPLATE}_rev2", {"cpus": 1}, {"cpus": 2}):
        refused = cse("cluster", "create", "bad", "-n", "net1", "--dry-run")
        enlarged = cse("cluster", "create", "bad", "-n", "net1", "--cpu", "2", "--dry-run")
    assert refused.code == 4
    assert "the template's VM would have 1 CPU" in refused.err.replace("The", "the")
    assert enlarged.code == 0


@pytest.mark.parametrize("cidr", ["10.244.0.0/25", "fd00:10::/64", "10.96.0.0/16"])
def test_a_pod_network_that_cannot_be_registered(cse: Run, cidr: str) -> None:
    words = ("template", "register", "cse", f"{TEMPLATE}_rev2", "--kubernetes-version", "1.33.1")
    result = cse(*words, "--pod-cidr", cidr)
    assert result.code == 2
    assert result.err.startswith(f"Error: '{cidr}' is not a valid pod network: it ")


def test_too_small_a_quota(cse: Run, control: Control) -> None:
    # the VMs of templates count, too
    catalogs = control.get("state")["catalogs"].values()
    quota = sum(len(catalog["items"]) for catalog in catalogs) + 1
    with control.changed("vdcs/vdc1", {"vm_quota": quota}, {"vm_quota": 0}):
        result = cse("cluster", "create", "bad", "-n", "net1")
    assert (result.code, result.out) == (4, "")
    assert said(result).endswith(
        "more VM, and 3 are required.\n"
        "Hint: Use fewer --nodes, delete VMs, or have the VM quota raised.\n"
    )


def test_a_licence_agreement(cse: Run, control: Control) -> None:
    path = f"templates/{TEMPLATE}_rev2"
    with control.changed(path, {"eula": "You shall\nobey."}, {"eula": ""}):
        refused = cse("cluster", "create", "bad", "-n", "net1")
        accepted = cse("cluster", "create", "bad", "-n", "net1", "--accept-eulas", "--dry-run")
    assert (refused.code, refused.out) == (4, "")
    assert said(refused) == (
        f"Error: The template '{TEMPLATE}_rev2' has a license agreement that has "
        "not been accepted: "
        '"You shall".\nHint: Read it in VCD, then accept it with --accept-eulas.\n'
    )
    assert accepted.code == 0


def test_two_different_problems_at_once(cse: Run, control: Control) -> None:
    # the VMs of templates count, too
    catalogs = control.get("state")["catalogs"].values()
    quota = sum(len(catalog["items"]) for catalog in catalogs) + 1
    with control.changed("vdcs/vdc1", {"vm_quota": quota}, {"vm_quota": 0}):
        result = cse("cluster", "create", "bad", "-n", "net4", options=("-j",))
    assert result.code == 4
    document = json.loads(result.out)
    assert document["exit_code"] == 4
    assert [problem["error"].partition(":")[0] for problem in document["problems"]][:1] == [
        "The network 'net4' is isolated"
    ]
    assert len(document["problems"]) == 2


def test_no_right_to_create(vcd: Run, cloud: Cloud, home: Path) -> None:
    log_in(cloud, home, user="viewer", password=cloud.others["viewer"])
    result = vcd("cse", "cluster", "create", "bad", "-n", "net1")
    assert (result.code, result.out) == (4, "")
    assert "vApp: Create / Reconfigure" in result.err


def test_no_right_to_delete(vcd: Run, cloud: Cloud, control: Control, home: Path) -> None:
    before = control.get("state")["vapps"]
    control.set("vapps", prefix="kept", count=1)
    log_in(cloud, home, user="viewer", password=cloud.others["viewer"])
    (kept,) = set(control.get("state")["vapps"]) - set(before)
    result = vcd("cse", "cluster", "delete", kept, "--yes")
    log_in(cloud, home)
    removed = vcd("cse", "cluster", "delete", kept, "--yes")
    assert (result.code, result.out) == (4, "")
    assert "Error: VCD forbids you to delete the vApp: " in result.err
    assert 'Hint: The right "vApp: Delete" is required; ' in result.err
    assert removed.code == 0, removed.err


@pytest.mark.parametrize(
    "words",
    [
        ["template", "list"],
        ["cluster", "list"],
        ["cluster", "info", "x"],
        ["cluster", "create", "x", "-n", "net1"],
    ],
)
def test_an_expired_session(
    cse: Run, cloud: Cloud, control: Control, login: Login, words: list[str]
) -> None:
    login.forget()
    control.set("faults", kind="expire_session", times=1)
    result = cse(*words)
    assert (result.code, result.out) == (4, "")
    assert result.err == (
        f"Error: The session at {cloud.host} has expired or is not valid (cannot open the "
        f"session).\nHint: Log in again: cse login {cloud.host} acme admin\n"
    )


@pytest.mark.parametrize(
    "words", [["info", "nope"], ["config", "nope"], ["delete", "nope", "--yes"], ["seal", "nope"]]
)
def test_an_unknown_cluster(cse: Run, words: list[str]) -> None:
    result = cse("cluster", *words)
    assert (result.code, result.out) == (3, "")
    assert result.err == (
        "Error: Cluster 'nope' was not found in VDC 'vdc1'.\n"
        "Hint: List the clusters: cse cluster list\n"
    )


def test_deleting_without_a_yes(cse: Run) -> None:
    result = cse("cluster", "delete", "demo")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "Error: Deleting demo must be confirmed, and there is no terminal; use --yes.\n"
        "Hint: cse cluster delete demo --yes\n"
    )


def test_a_vapp_that_is_no_cluster(vcd: Run, cse: Run, control: Control) -> None:
    made = vcd("-n", "vapp", "create", "plain")
    assert made.code == 0, made.err
    try:
        create = cse("cluster", "create", "plain", "-n", "net1")
        deletion = cse("cluster", "delete", "plain", "--yes")
    finally:
        vcd("-n", "vapp", "delete", "plain", "--yes", "--force")
    assert (create.code, create.out) == (1, "")
    assert said(create) == (
        "Error: The name 'plain' is taken by a vApp in VDC 'vdc1' that is not a cluster.\n"
        "Hint: Choose another name.\n"
    )
    assert (deletion.code, deletion.out) == (1, "")
    assert deletion.err == (
        "Error: vApp 'plain' exists but is not a Kubernetes cluster.\n"
        "Hint: To look at it: vcd vapp info plain\n"
    )


def test_no_vdc_chosen(cse: Run, logged_in: Path) -> None:
    profile = logged_in / ".vcd-cli" / "profiles.yaml"
    lines = profile.read_text().splitlines(keepends=True)
    emptied = (
        f"  {key}: ''\n"
        if (key := line.strip().partition(":")[0]) in ("vdc_href", "vdc_in_use")
        else line
        for line in lines
    )
    profile.write_text("".join(emptied))
    result = cse("cluster", "create", "bad", "-n", "net1")
    assert (result.code, result.out) == (3, "")
    assert said(result) == (
        "Error: No VDC is in use; available: vdc1, vdc2.\n"
        "Hint: Use --vdc NAME, or: vcd vdc use NAME\n"
    )


def test_an_unwritable_current_folder_is_vcd_clis_own(run: Run, cloud: Cloud) -> None:
    """vcd-cli opens its logs in the current folder before it loads any extension."""
    result = run("sh", "-c", "cd /proc && exec vcd cse version")
    assert result.code == 1
    assert "vcd.log" in result.err
