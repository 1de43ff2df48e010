"""Load balancer and ingress: the guide's hand work as commands, with real kubectl beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from cse_client.kube.addons.table import RELEASES
from tests.support import manifests
from tests.support.programs import VCD, Result, Workstation, clean_environment
from tests.support.simulator import Cloud, Control, Login

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
"""


class Place(Workstation):
    """A logged-in home with one cluster, and a mirror of the add-ons' manifests."""

    def __init__(self, home: Path, env: dict[str, str], mirror: str) -> None:
        super().__init__(home, {**env, "CSE_ADDON_MIRROR": mirror})
        self.subnet = ""

    def run(
        self,
        *words: str,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Result:
        code, out, err = super().run(*words, stdin=stdin, env=env, timeout=timeout)
        if self.subnet:  # the range is the simulator's to choose
            out, err = (text.replace(self.subnet, "10.0.0.") for text in (out, err))
        return Result(code, out, err)

    def addon(self, *words: str) -> Result:
        return self.run(VCD, "cse", "addon", *(w.replace("10.0.0.", self.subnet) for w in words))

    def install(self, *words: str, version: str = "") -> Result:
        """Install with the checksum of our own manifest."""
        content = _FILES[words[1], version]
        options = ["--version", version] if version else []
        return self.addon("install", *words, *options, "--checksum", manifests.digest(content))

    def kubectl_out(self, *words: str, stdin: str = "") -> str:
        """Run kubectl on the cluster, which must succeed."""
        return self.kubectl(*words, stdin=stdin).checked()


_FILES = {
    ("metallb", "0.9.5"): manifests.metallb("0.9.5"),
    ("metallb", ""): manifests.metallb("0.9.6"),
    ("metallb", "0.14.9"): manifests.metallb("0.14.9"),
    ("contour", ""): manifests.contour("1.14.2"),
}


def _served() -> dict[str, bytes]:
    versions = {"0.9.5": "0.9.5", "0.9.6": "", "0.14.9": "0.14.9", "1.14.2": ""}
    return {
        one.path: _FILES[one.addon, versions[one.version]]
        for one in RELEASES
        if one.version in versions
    }


@pytest.fixture(scope="module")
def place(cloud: Cloud, login: Login, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One cluster for this file's tests."""
    if not cloud.others:
        pytest.skip("needs a simulator")
    home = tmp_path_factory.mktemp("addons")
    (home / ".vcd-cli").mkdir()
    login.put_into(home)
    env = {**clean_environment(home), **cloud.environment()}
    with manifests.mirror(_served()) as url:
        place = Place(home, env, url)
        made = place.run(VCD, "-j", "cse", "cluster", "create", "demo", "-n", "net1", "-N", "1")
        assert made[0] == 0, made[2]
        host = json.loads(made[1])["endpoint"].split("//")[-1].split(":")[0]
        kubeconfig = place.run(VCD, "cse", "cluster", "config", "demo")[1]
        (home / "kubeconfig").write_text(kubeconfig)
        place.environment["KUBECONFIG"] = str(home / "kubeconfig")
        place.subnet = host.rpartition(".")[0] + "."
        yield place
        place.run(VCD, "cse", "cluster", "delete", "demo", "--yes")


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()[2:]]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["install", "demo", "metallb", "--addresses", "10.0.0.6-10.0.0.4"],
            2,
            "Error: The range 10.0.0.6-10.0.0.4 is reversed.\n"
            "Hint: Did you mean 10.0.0.4-10.0.0.6?\n",
        ),
        (
            ["install", "demo", "nginx"],
            3,
            "Error: Add-on 'nginx' was not found; available: contour, metallb.\n"
            "Hint: cse addon list\n",
        ),
        (
            ["install", "demo", "metallb"],
            2,
            "Error: MetalLB requires addresses to assign.\n"
            "Hint: cse addon install demo metallb --addresses auto:4\n",
        ),
        (
            ["install", "nope", "metallb", "--addresses", "auto:2"],
            3,
            "Error: Cluster 'nope' was not found in VDC 'vdc1'.\n"
            "Hint: List the clusters: cse cluster list\n",
        ),
        (
            ["remove", "demo", "metallb", "--yes"],
            3,
            "Error: MetalLB was not installed into cluster 'demo' by this client.\n"
            "Hint: Show its status: cse addon status demo\n",
        ),
        (
            ["remove", "demo", "metallb"],
            2,
            "Error: Removing metallb from demo must be confirmed, and there is no terminal;"
            " use --yes.\n"
            "Hint: cse addon remove demo metallb --yes\n",
        ),
        (
            ["install", "demo", "contour"],
            4,
            "Error: Cluster 'demo' has no load balancer to assign an address to Contour.\n"
            "Hint: First: cse addon install demo metallb --addresses auto:4\n",
        ),
        (
            ["install", "demo", "contour", "--addresses", "10.0.0.4"],
            2,
            "Error: --addresses is for metallb; contour takes --address.\n",
        ),
        (
            ["install", "demo", "metallb", "--addresses", "auto:2", "--version", "0.16.1"],
            4,
            "Error: Metallb 0.16.1 does not work with Kubernetes 1.18.\n"
            "Hint: List the supported versions: cse addon list\n",
        ),
    ],
)
def test_words_that_cannot_be_carried_out(
    place: Place, words: list[str], code: int, said: str
) -> None:
    got = place.addon(*words)
    assert got == (code, "", said)


@pytest.mark.parametrize(
    ("addresses", "code", "said"),
    [
        ("192.168.7.4-192.168.7.9", 4, "is not in the network's subnet 10.0.0.0/24."),
        ("10.0.0.8-10.0.0.12", 4, "overlaps the network's static pool 10.0.0.10-10.0.0.250."),
        ("10.0.0.10", 4, "10.0.0.10 is the address of node "),
        ("10.0.0.1-10.0.0.2", 4, "holds 10.0.0.1, the network's gateway."),
        ("10.0.0.251-10.0.0.255", 4, "holds 10.0.0.255, the network's broadcast address."),
        ("10.0.0.6", 4, "10.0.0.6 is in the network's DHCP pool 10.0.0.6-10.0.0.7."),
        ("auto:200", 4, "Network 'net1' has 12 free addresses outside its pools, not 200."),
    ],
)
def test_addresses_that_are_not_free(
    place: Place, control: Control, addresses: str, code: int, said: str
) -> None:
    if addresses == "10.0.0.6":
        pool = [[f"{place.subnet}6", f"{place.subnet}7"]]
        control.set("networks/net1", dhcp=pool)
    try:
        got = place.addon("install", "demo", "metallb", "--addresses", addresses)
    finally:
        control.set("networks/net1", dhcp=[])
    assert got[:2] == (code, "")
    assert said in got[2]
    assert "metallb-system" not in place.kubectl_out("get", "namespaces")


def test_a_manifest_with_another_checksum(place: Place) -> None:
    pinned = next(one for one in RELEASES if one.version == "0.9.6")
    path = place.home / "mine.yaml"
    path.write_bytes(_FILES["metallb", ""])
    for options in ([], ["--manifest", "mine.yaml"]):
        code, out, err = place.addon(
            "install", "demo", "metallb", "--addresses", "10.0.0.4", *options
        )
        assert (code, out) == (4, "")
        assert manifests.digest(_FILES["metallb", ""]) in err
        assert f"and metallb 0.9.6's is sha256:{pinned.sha256}." in err
    assert "metallb-system" not in place.kubectl_out("get", "namespaces")
    code, out, err = place.addon(
        *("install", "demo", "metallb", "--addresses", "10.0.0.4", "--mirror", "http://127.0.0.1:1")
    )
    assert (code, out) == (1, "")
    assert "cannot be fetched (ConnectionError).\nHint: Without Internet access: " in err


def test_a_manifest_that_does_not_fit_the_cluster(place: Place) -> None:
    """The API server answers 500, and its text holds the word webhook: told at once."""
    text = _FILES["metallb", ""].replace(
        b"      hostNetwork: true", b"      hostNetwork: true\n      webhooks: []"
    )
    (place.home / "odd.yaml").write_bytes(text)
    code, out, err = place.addon(
        *("install", "demo", "metallb", "--addresses", "10.0.0.4", "--manifest", "odd.yaml"),
        *("--checksum", manifests.digest(text), "--timeout", "10m"),
    )
    assert (code, out) == (1, "")
    assert err.endswith(
        "Error: Cannot apply DaemonSet metallb-system/speaker: it does not fit what this cluster's"
        " Kubernetes knows (failed to create typed patch object: .spec.template.spec.webhooks:"
        " field not declared in schema).\n"
        "Hint: Compare the manifest with the Kubernetes version of the cluster.\n"
    )
    assert place.addon("remove", "demo", "metallb", "--yes")[0] == 0


def test_the_whole_story(place: Place) -> None:
    before = place.kubectl_out("get", "ns,clusterroles,cm,secrets", "-A", "-o", "name")
    assert place.addon("status", "demo")[1].splitlines()[2:] == [
        "contour               1.14.2       not installed",
        "metallb               0.9.6        not installed",
    ]

    code, out, err = place.install(
        "demo", "metallb", "--addresses", "10.0.0.4-10.0.0.5", version="0.9.5"
    )
    assert (code, out) == (
        0,
        "metallb 0.9.5 is installed in demo with the addresses 10.0.0.4-10.0.0.5:"
        " a probe Service answers at 10.0.0.4.\n",
    ), err
    assert err.splitlines()[1::2] == [
        " \u2713 Checking the addresses",
        " \u2713 Fetching the manifest of metallb 0.9.5",
        " \u2713 Applying MetalLB 0.9.5",
        " \u2713 Waiting for the controller and a speaker on every node",
        " \u2713 Asking for an address with a probe Service",
    ]
    upgraded = place.install("demo", "metallb")
    assert upgraded[:2] == (
        0,
        "metallb 0.9.6 is installed in demo with the addresses 10.0.0.4-10.0.0.5:"
        " a probe Service answers at 10.0.0.4.\n",
    )
    again = place.install("demo", "metallb")
    assert "(nothing changed)" in again[1]

    place.kubectl_out("apply", "-f", "-", stdin=WEB)
    place.kubectl_out("rollout", "status", "deployment/web", "--timeout=20s")
    assert place.kubectl_out("get", "svc", "web").splitlines()[1].split()[3] == "10.0.0.4"
    events = place.kubectl_out("get", "events", "--field-selector", "involvedObject.name=web")
    assert 'Assigned IP "10.0.0.4"' in events

    code, out, err = place.install("demo", "contour", "--address", "10.0.0.4")
    assert (code, out) == (1, "")
    assert err.endswith("Error: 10.0.0.4 is used by Service default/web already.\n")
    code, out, err = place.install("demo", "contour")
    assert code == 0, err
    assert out == ("contour 1.14.2 is installed in demo: Envoy answers at 10.0.0.5 (HTTP 200).\n")
    assert place.install("demo", "contour")[1].startswith(
        "contour 1.14.2 is installed in demo (nothing changed): "
    )
    assert place.addon("status", "demo")[1].splitlines()[2:] == [
        "contour  1.14.2       1.14.2       ready    10.0.0.5",
        "metallb  0.9.6        0.9.6        ready    10.0.0.4-10.0.0.5  2 of 2 addresses in use",
    ]
    shown = json.loads(place.run(VCD, "-j", "cse", "addon", "list", "demo")[1])
    assert [one["State"] for one in shown] == ["ready", "ready"]
    assert not [
        one for one in place.kubectl_out("get", "svc,ing", "-A", "-o", "name") if "probe" in one
    ]

    refused = place.addon("remove", "demo", "metallb", "--yes")
    assert refused == (
        4,
        "",
        "Error: MetalLB is used by Service default/web and 1 more.\n"
        "Hint: Remove what uses it first, or: cse addon remove demo metallb --yes --force\n",
    )
    assert place.addon("remove", "demo", "contour", "--yes", "--purge")[0] == 0
    place.kubectl_out("delete", "-f", "-", stdin=WEB)
    removed = place.addon("remove", "demo", "metallb", "--yes")
    assert removed[0] == 0
    assert removed[1].startswith("metallb is removed from demo: ")
    after = place.kubectl_out("get", "ns,clusterroles,cm,secrets", "-A", "-o", "name")
    assert sorted(after.splitlines()) == sorted(before.splitlines())


def test_addons_that_a_file_names(place: Place) -> None:
    digests = {name: manifests.digest(_FILES[name, ""]) for name in ("metallb", "contour")}
    addons = (
        f"  - {{name: metallb, addresses: auto:2, checksum: {digests['metallb']}}}\n"
        f"  - {{name: contour, checksum: {digests['contour']}}}\n"
    )
    head = "apiVersion: cse-client/v1\nkind: Cluster\nmetadata: {name: demo}\nspec:\n"
    file = place.home / "demo.yaml"
    file.write_text(f"{head}  addons:\n{addons}")
    apply = (VCD, "cse", "cluster", "apply", "-f", "demo.yaml")
    planned = json.loads(place.run(*apply, "--dry-run", "-o", "json").checked())
    assert [one["object"] for one in planned["changes"]] == ["add-on metallb", "add-on contour"]
    done = place.run(*apply)
    assert (done.code, done.out) == (
        0,
        "Cluster demo is now as the file 'demo.yaml' describes it.\n",
    ), done.err
    unchanged = "Cluster demo is as the file 'demo.yaml' describes it; nothing was changed.\n"
    assert place.run(*apply).out == unchanged
    exported = place.run(VCD, "cse", "cluster", "export", "demo").checked()
    assert yaml.safe_load(exported)["spec"]["addons"] == [
        {"name": "contour", "version": "1.14.2", "address": "10.0.0.253"},
        {"name": "metallb", "version": "0.9.6", "addresses": "10.0.0.253-10.0.0.254"},
    ]
    file.write_text(exported.replace("10.0.0.", place.subnet))
    assert place.run(*apply).out == unchanged
    assert place.addon("remove", "demo", "contour", "--yes", "--purge")[0] == 0
    assert place.addon("remove", "demo", "metallb", "--yes")[0] == 0


def test_an_address_of_another_cluster(place: Place) -> None:
    """Recorded in the other's vApp, and forgotten with the add-on."""
    assert place.install("demo", "metallb", "--addresses", "10.0.0.4-10.0.0.5")[0] == 0
    words = ("cse", "cluster", "create", "second", "-n", "net1", "-N", "1")
    made = place.run(VCD, *words)
    assert made[0] == 0, made[2]
    try:
        code, out, err = place.addon(
            "install", "second", "metallb", "--addresses", "10.0.0.5-10.0.0.6"
        )
        assert (code, out) == (1, "")
        assert (
            "Error: 10.0.0.5-10.0.0.6 overlaps 10.0.0.4-10.0.0.5, which belongs to the load"
            " balancer of cluster 'demo'.\n" in err
        )
        assert place.addon("remove", "demo", "metallb", "--yes", "--force")[0] == 0
        done = place.install("second", "metallb", "--addresses", "10.0.0.5-10.0.0.6")
        assert done[0] == 0, done[2]
    finally:
        place.run(VCD, "cse", "cluster", "delete", "second", "--yes")


def test_a_cluster_of_one_node_that_announces_nothing(place: Place) -> None:
    """kubeadm's control plane without its taint: MetalLB runs there and announces nothing."""
    made = place.run(
        *(VCD, "cse", "cluster", "create", "solo", "-n", "net1", "-N", "0"),
        *("-t", "ubuntu-24.04_k8-1.33_antrea-2.3", "-r", "1"),
    )
    assert made[0] == 0, made[2]
    try:
        config = place.run(VCD, "cse", "cluster", "config", "solo")[1]
        (place.home / "solo").write_text(config.replace("10.0.0.", place.subnet))

        def kubectl(*words: str) -> str:
            return place.kubectl_out("--kubeconfig", "solo", *words)

        node = kubectl("get", "nodes", "-o", "name").strip().partition("/")[2]
        kubectl("taint", "node", node, "node-role.kubernetes.io/control-plane-")
        asked = ("solo", "metallb", "--addresses", "10.0.0.4")
        refused = place.install(*asked, version="0.14.9")
        label = "node.kubernetes.io/exclude-from-external-load-balancers"
        assert refused[:2] == (4, "")
        assert refused[2].endswith(
            "Error: No node of cluster 'solo' may announce MetalLB's addresses: those that are"
            f" Ready have the label {label}, which MetalLB 0.14.9 respects.\n"
            f"Hint: Add a worker, or remove the label from a node: kubectl label node NODE "
            f"{label}-\n"
        )
        assert "metallb-system" not in kubectl("get", "namespaces")
        kubectl("label", "node", node, f"{label}-")
        done = place.install(*asked, version="0.14.9")
        assert done[0] == 0, done[2]
        assert "a probe Service answers at 10.0.0.4." in done[1]
        assert " ready " in place.addon("status", "solo")[1]
        kubectl("label", "node", node, f"{label}=")
        shown = place.addon("status", "solo")[1]
        assert f"no node may announce addresses: every one has the label {label}" in shown
    finally:
        place.run(VCD, "cse", "cluster", "delete", "solo", "--yes")


def test_what_somebody_else_installed(place: Place) -> None:
    place.kubectl_out("create", "namespace", "metallb-system")
    place.kubectl_out("apply", "-f", "-", stdin=_FILES["metallb", ""].decode())
    assert "CreateContainerConfigError" in place.kubectl_out("get", "pods", "-n", "metallb-system")
    assert "not ours" in place.addon("status", "demo")[1]
    code, out, err = place.install("demo", "metallb", "--addresses", "10.0.0.4")
    assert (code, out) == (1, "")
    assert err == (
        "Error: Cluster 'demo' has a MetalLB already, which this client did not install.\n"
        "Hint: To take it over, run the same command with --force.\n"
    )
    taken = place.install("demo", "metallb", "--addresses", "10.0.0.4", "--force")
    assert taken[0] == 0, taken[2]
    assert place.addon("remove", "demo", "metallb", "--yes")[0] == 0
    assert "metallb-system" not in place.kubectl_out("get", "namespaces")


def test_a_cluster_that_cannot_be_reached(place: Place) -> None:
    stopped = place.run(VCD, "vapp", "power-off", "demo", "--yes")
    assert stopped[0] == 0, stopped
    code, out, err = place.addon("status", "demo")
    assert (code, out) == (1, "")
    assert re.match(
        r"Error: The Kubernetes API at https://10\.0\.0\.\d+:6443 cannot be used", err
    ), err
