"""Settings of a cluster for the network that it is in: in every node, in the record, in `info`."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import Result
from tests.support.simulator import Control

Run = Callable[..., Result]

NAME = "settled"
ANTREA = "ubuntu-24.04_k8-1.33_antrea-2.3"
WEAVE = "ubuntu-16.04_k8-1.18_weave-2.6.5"
PROXY = "http://proxy.example.com:3128"
CREATE = ("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", ANTREA)


@pytest.fixture(autouse=True)
def _removed(cse: Run, control: Control) -> Iterator[None]:
    yield
    if NAME in control.get("state")["vapps"]:
        cse("cluster", "delete", NAME, "--yes")


@pytest.fixture
def kubectl(cse: Run, run: Run, home: Path) -> Run:
    """Run the real kubectl on the cluster, as its administrator."""

    def start(*words: str) -> Result:
        (home / "config").write_text(cse("cluster", "config", NAME).out)
        done: Result = run("kubectl", "--kubeconfig", "config", *words)
        assert done.code == 0, done.err
        return done

    return start


@pytest.fixture
def objects(kubectl: Run) -> Callable[..., Any]:
    """Ask the cluster's Kubernetes for objects."""

    def get(*words: str) -> Any:
        return json.loads(kubectl("get", *words, "-o", "json").out)

    return get


def info(cse: Run) -> Any:
    shown = cse("cluster", "info", NAME, options=("-j",))
    assert shown.code == 0, shown.err
    return json.loads(shown.out)


def test_a_cluster_gets_the_ranges_that_were_chosen(
    cse: Run, control: Control, objects: Callable[..., Any]
) -> None:
    ranges = ("--pod-cidr", "172.30.0.0/20", "--service-cidr", "172.29.0.0/24")
    done = cse(*CREATE, *ranges)
    assert done.code == 0, done.err
    services = objects("services", "-A")["items"]
    addresses = {one["metadata"]["name"]: one["spec"]["clusterIP"] for one in services}
    assert addresses == {"kubernetes": "172.29.0.1", "kube-dns": "172.29.0.10"}
    settings = objects("configmap", "-n", "kube-system", "kubeadm-config")
    assert "podSubnet: 172.30.0.0/20" in settings["data"]["ClusterConfiguration"]
    pods = [one for one in objects("pods", "-A")["items"] if not one["spec"].get("hostNetwork")]
    inside = ipaddress.ip_network("172.30.0.0/20")
    assert pods
    assert all(ipaddress.ip_address(one["status"]["podIP"]) in inside for one in pods)

    text = " ".join(cse("cluster", "info", NAME).out.split())
    assert "Pod network 172.30.0.0/20" in text
    assert "Service network 172.29.0.0/24" in text
    found = info(cse)["settings"]
    assert (found["pod_cidr"], found["service_cidr"]) == ("172.30.0.0/20", "172.29.0.0/24")
    # a /20 has room for sixteen nodes, whoever adds them
    refused = cse("node", "create", NAME, "-N", "15")
    assert (refused.code, refused.out) == (4, "")
    assert "The pod network 172.30.0.0/20 of the cluster has room for 16 nodes" in refused.err
    assert cse("cluster", "resize", NAME, "-N", "2").code == 0


def test_an_unfinished_creation_keeps_its_ranges(cse: Run, control: Control) -> None:
    begun = cse(*CREATE, "--pod-cidr", "172.30.0.0/20", options=("--no-wait",))
    assert begun.code == 0, begun.err
    other = cse(*CREATE, "--pod-cidr", "172.31.0.0/20", "--service-cidr", "172.29.0.0/24")
    assert (other.code, other.out) == (1, "")
    assert "--pod-cidr 172.30.0.0/20 (now 172.31.0.0/20)" in other.err
    assert "--service-cidr not given (now 172.29.0.0/24)" in other.err
    done = cse(*CREATE)
    assert done.code == 0, done.err
    assert info(cse)["settings"]["pod_cidr"] == "172.30.0.0/20"


def read(control: Control, prefix: str, path: str) -> str:
    """Return a file of the cluster's first VM of this kind."""
    vms = control.get("state")["vapps"][NAME]["vms"]
    name = next(one for one in sorted(vms) if one.startswith(prefix))
    return str(control.set(f"guests/{name}", read=path)["text"])


@pytest.fixture
def only_by_proxy(control: Control) -> Iterator[None]:
    """A network with no other way out than a proxy."""
    control.set("networks/net1", egress=False, proxy="proxy.example.com:3128")
    yield
    control.set("networks/net1", egress=True, proxy="")


@pytest.mark.usefixtures("only_by_proxy")
@pytest.mark.parametrize(
    ("template", "service", "pods"),
    [(ANTREA, "containerd", "10.244.0.0/16"), (WEAVE, "docker", "10.32.0.0/12")],
)
def test_nodes_reach_the_registries_through_a_proxy(
    cse: Run, control: Control, template: str, service: str, pods: str
) -> None:
    words = ("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", template)
    proxies = ("--https-proxy", PROXY, "--http-proxy", PROXY, "--no-proxy", "mirror.internal")
    begun = cse(*words, *proxies, "--endpoint", "k8s.example.com", options=("--no-wait",))
    assert begun.code == 0, begun.err
    assert "access to the Internet" not in begun.err
    done = cse(*words, *proxies, "--endpoint", "k8s.example.com")
    assert done.code == 0, done.err

    subnet = control.get("state")["networks"]["net1"]["cidr"]
    expected = (
        f"mirror.internal,localhost,127.0.0.1,.svc,.cluster.local,{subnet},10.96.0.0/12,{pods},"
        "k8s.example.com"
    )
    assert info(cse)["settings"]["no_proxy"] == expected
    grown = cse("cluster", "resize", NAME, "-N", "2")
    assert grown.code == 0, grown.err
    for prefix in ("mstr-", "node-"):
        for unit in (service, "kubelet"):
            path = f"/etc/systemd/system/{unit}.service.d/cse-proxy.conf"
            assert read(control, prefix, path).splitlines()[1] == (
                f'Environment="HTTP_PROXY={PROXY}" "HTTPS_PROXY={PROXY}" "NO_PROXY={expected}"'
            )
        apt = read(control, prefix, "/etc/apt/apt.conf.d/95cse-proxy")
        assert f'Acquire::http::Proxy "{PROXY}";\n' in apt
        assert 'Acquire::https::Proxy::mirror.internal "DIRECT";\n' in apt
        assert "10.96" not in apt
    manifest = read(control, "mstr-", "/etc/kubernetes/manifests/kube-apiserver.yaml")
    assert "proxy.example.com" not in manifest


def test_a_node_names_the_proxy_that_it_does_not_reach(cse: Run, control: Control) -> None:
    control.set("networks/net1", egress=False)
    try:
        failed = cse(*CREATE, "--https-proxy", PROXY, "--timeout", "60s")
    finally:
        control.set("networks/net1", egress=True)
    assert (failed.code, failed.out) == (1, "")
    assert "cannot reach the proxy proxy.example.com: its name does not resolve" in failed.err


@pytest.mark.usefixtures("only_by_proxy")
def test_a_worker_that_is_repaired_keeps_the_proxy(
    cse: Run, control: Control, kubectl: Run
) -> None:
    def script_bytes() -> int:
        vms = control.get("state")["vapps"][NAME]["vms"]
        return int(next(vm["script_bytes"] for name, vm in vms.items() if name == worker))

    done = cse(*CREATE, "--https-proxy", PROXY)
    assert done.code == 0, done.err
    vms = control.get("state")["vapps"][NAME]["vms"]
    worker = next(one for one in vms if one.startswith("node-"))
    before = script_bytes()
    kubectl("delete", "node", worker)
    repaired = cse("cluster", "repair", NAME, "--yes")
    assert repaired.code == 0, repaired.err
    assert f"Run the bootstrap of {worker} again" in repaired.err
    # the same script but for its certificate; the settings are some 400 bytes of it
    assert abs(script_bytes() - before) < 100


@pytest.fixture
def ca(home: Path, run: Run) -> str:
    """The certificate of a CA in the file ca.pem of the home."""
    made = run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-subj", "/CN=inside", "-keyout", "ca.key", "-out", "ca.pem", "-days", "9"),
    )
    assert made.code == 0, made.err
    return (home / "ca.pem").read_text()


@pytest.fixture
def inside(control: Control, ca: str) -> Iterator[str]:
    """A network without a way out, and registries in it that a CA of their own vouches for."""
    registries = {"mirror.internal": ca, "registry.internal:5000": ca}
    control.set("networks/net1", egress=False, registries=registries)
    yield ca
    control.set("networks/net1", egress=True, registries={})


MIRRORS = (
    *("--registry-mirror", "docker.io=https://mirror.internal/v2/hub"),
    *("--registry-mirror", "registry.k8s.io=https://mirror.internal"),
)


def test_images_come_from_mirrors(cse: Run, control: Control, home: Path, inside: str) -> None:
    done = cse(*CREATE, *MIRRORS, "--registry-ca", "ca.pem")
    assert done.code == 0, done.err
    grown = cse("cluster", "resize", NAME, "-N", "2")
    assert grown.code == 0, grown.err
    for prefix in ("mstr-", "node-"):
        hub = read(control, prefix, "/etc/containerd/certs.d/docker.io/hosts.toml")
        assert hub == (
            '[host."https://mirror.internal/v2/hub"]\ncapabilities = ["pull", "resolve"]\n'
            "override_path = true\n"
        )
        found = read(control, prefix, "/usr/local/share/ca-certificates/cse-registry.crt")
        assert found == inside
    shown = info(cse)["settings"]
    assert shown["registry_mirrors"] == " ".join(MIRRORS[1::2])
    assert shown["registry_ca"] == inside
    text = cse("cluster", "info", NAME).out
    assert "SHA-256 " in text
    assert "BEGIN" not in text


@pytest.mark.usefixtures("inside")
def test_images_come_from_another_repository(
    cse: Run, control: Control, objects: Callable[..., Any]
) -> None:
    repository = ("--image-repository", "registry.internal:5000/k8s")
    done = cse(*CREATE, *repository, *MIRRORS[:2], "--registry-ca", "ca.pem")
    assert done.code == 0, done.err
    runtime = read(control, "node-", "/etc/containerd/config.toml")
    assert 'sandbox_image = "registry.internal:5000/k8s/pause:3.10"\n' in runtime
    manifest = read(control, "mstr-", "/etc/kubernetes/manifests/kube-apiserver.yaml")
    assert "image: registry.internal:5000/k8s/kube-apiserver:v1.33.1" in manifest
    settings = objects("configmap", "-n", "kube-system", "kubeadm-config")
    assert "imageRepository: registry.internal:5000/k8s" in str(settings["data"])
    assert info(cse)["settings"]["image_repository"] == "registry.internal:5000/k8s"


def test_docker_takes_another_repository(cse: Run, control: Control, ca: str) -> None:
    control.set("networks/net1", registries={"registry.internal": ca})
    words = ("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", WEAVE)
    try:
        done = cse(*words, "--image-repository", "registry.internal", "--registry-ca", "ca.pem")
    finally:
        control.set("networks/net1", registries={})
    assert done.code == 0, done.err


@pytest.mark.usefixtures("inside")
def test_a_node_names_the_mirror_that_it_does_not_trust(cse: Run) -> None:
    failed = cse(*CREATE, *MIRRORS, "--timeout", "60s")
    assert (failed.code, failed.out) == (1, "")
    assert "from the mirror https://mirror.internal, nor from registry.k8s.io" in failed.err
    assert "Everything that this command had made was removed." in failed.err


@pytest.fixture
def without_dns(control: Control) -> Iterator[None]:
    """A network that has no name server."""
    control.set("networks/net1", dns=[])
    yield
    control.set("networks/net1", dns=["127.0.0.53"])


@pytest.mark.usefixtures("without_dns")
@pytest.mark.parametrize("template", [ANTREA, WEAVE])
def test_nodes_use_other_servers_for_names_and_time(
    cse: Run, control: Control, template: str
) -> None:
    servers = ("--dns", "203.0.113.53", "--dns", "203.0.113.54", "--ntp", "ntp.example.com")
    words = ("cluster", "create", NAME, "-n", "net1", "-N", "1", "-t", template)
    done = cse(*words, *servers)
    assert done.code == 0, done.err
    assert "DNS server" not in done.err
    grown = cse("cluster", "resize", NAME, "-N", "2")
    assert grown.code == 0, grown.err
    # what the card has must not come back with the next boot
    assert cse("cluster", "stop", NAME, "--yes").code == 0
    started = cse("cluster", "start", NAME)
    assert started.code == 0, started.err
    for prefix in ("mstr-", "node-"):
        names = read(control, prefix, "/etc/resolv.conf")
        assert names == "nameserver 203.0.113.53\nnameserver 203.0.113.54\n"
        time = read(control, prefix, "/etc/systemd/timesyncd.conf.d/cse.conf")
        assert time == "[Time]\nNTP=ntp.example.com\n"
    shown = info(cse)["settings"]
    assert (shown["dns"], shown["ntp"]) == ("203.0.113.53 203.0.113.54", "ntp.example.com")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (
            ["-t", ANTREA, "--pod-cidr", "172.30.0.0/25"],
            2,
            "'172.30.0.0/25' is not a valid value of --pod-cidr: it is too small: each node takes"
            " a /24 of it.",
        ),
        (
            ["-t", ANTREA, "--service-cidr", "172.29.0.0/30"],
            2,
            "'172.29.0.0/30' is not a valid value of --service-cidr: it is too small: kubeadm"
            " requires a /28 at least.",
        ),
        (
            ["-t", ANTREA, "--pod-cidr", "10.100.0.0/16"],
            2,
            "The pod network 10.100.0.0/16 overlaps the addresses of the cluster's Services"
            " (10.96.0.0/12).",
        ),
        (
            ["-t", ANTREA, "--https-proxy", "proxy.example.com:3128"],
            2,
            "'proxy.example.com:3128' is not a valid value of --https-proxy: it is not a URL of the"
            " form http://HOST:PORT.",
        ),
        (
            ["-t", ANTREA, "--http-proxy", "http://me:hush@proxy.example.com:3128"],
            2,
            "'http://***@proxy.example.com:3128' is not a valid value of --http-proxy: it contains"
            " a user name or a password, which everybody could read in the cluster's metadata, in"
            " VCD and on its nodes.",
        ),
        (
            ["-t", ANTREA, "--https-proxy", PROXY, "--no-proxy", "a b"],
            2,
            "'a b' is not a valid value of --no-proxy: 'a b' is not a host, a domain, an address or"
            " a network.",
        ),
        (
            ["-t", ANTREA, "--no-proxy", ".internal"],
            2,
            "--no-proxy requires --http-proxy or --https-proxy.",
        ),
        (
            ["-t", ANTREA, "--registry-mirror", "docker.io"],
            2,
            "'docker.io' is not a valid value of --registry-mirror: 'docker.io' is not of the form"
            " HOST=URL.",
        ),
        (
            ["-t", ANTREA, "--registry-mirror", "docker.io=https://me:hush@mirror.internal"],
            2,
            "'docker.io=https://***@mirror.internal' is not a valid value of --registry-mirror: it"
            " contains a user name or a password, which everybody could read in the cluster's"
            " metadata, in VCD and on its nodes.",
        ),
        (
            ["-t", ANTREA, "--image-repository", "https://registry.internal"],
            2,
            "'https://registry.internal' is not a valid value of --image-repository: it is not a"
            " repository of the form HOST/PATH.",
        ),
        (
            ["-t", ANTREA, "--registry-ca", "nothing.pem"],
            2,
            "The CA file 'nothing.pem' cannot be read: No such file or directory.",
        ),
        (
            ["-t", ANTREA, "--registry-ca", ".vcd-cli/profiles.yaml"],
            2,
            "The CA file '.vcd-cli/profiles.yaml' has no certificate in PEM.",
        ),
        (
            ["--registry-mirror", "docker.io=https://mirror.internal"],
            4,
            "The template 'ubuntu-16.04_k8-1.18_weave-2.6.5_rev2' has Docker 19.03.12, and registry"
            " mirrors require containerd.",
        ),
        (
            ["-t", ANTREA, "--dns", "dns.example.com"],
            2,
            "'dns.example.com' is not a valid value of --dns: 'dns.example.com' is not an IPv4"
            " address.",
        ),
        (
            ["-t", ANTREA, "--ntp", "ntp://time"],
            2,
            "'ntp://time' is not a valid value of --ntp: 'ntp://time' is not a host name or an IPv4"
            " address.",
        ),
        (
            ["-t", ANTREA, "--dns", "10.96.0.10"],
            2,
            "The server 10.96.0.10 is one of the addresses of the cluster's Services"
            " (10.96.0.0/12), where nodes would not reach it.",
        ),
        (
            ["--pod-cidr", "172.30.0.0/16"],
            4,
            "The pod network of the template 'ubuntu-16.04_k8-1.18_weave-2.6.5_rev2' cannot be"
            " changed: its CNI plugin, weave, always uses 10.32.0.0/12.",
        ),
    ],
)
@pytest.mark.usefixtures("nothing_created")
def test_settings_that_cannot_be(cse: Run, words: list[str], code: int, sentence: str) -> None:
    refused = cse("cluster", "create", NAME, "-n", "net1", *words)
    assert (refused.code, refused.out) == (code, "")
    assert f"Error: {sentence}\nHint: " in refused.err
    assert "hush" not in refused.err
