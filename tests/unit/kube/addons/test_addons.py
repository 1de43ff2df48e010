from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cse_client.clock import SYSTEM_CLOCK
from cse_client.errors import CseError, NotFound, Refused, TimedOut, WrongUsage
from cse_client.kube.addons import contour, metallb
from cse_client.kube.addons.apply import (
    Record,
    Watch,
    apply_all,
    crds_of,
    read_manifest,
    read_record,
    remove_all,
)
from cse_client.kube.addons.fetch import obtain, parse_checksum
from cse_client.kube.addons.objects import Objects, Ref
from cse_client.kube.addons.table import ADDONS, METALLB, RELEASES, choose, minor_of
from cse_client.kube.api import ClusterAPI
from cse_client.model.addons import AddressRange, ManifestSource
from tests.support import manifests
from tests.support.running_kube import Running, make

_OBJECT = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
RANGES = (AddressRange.of("127.20.0.240", "127.20.0.241"),)


@pytest.mark.parametrize(
    ("addon", "minor", "version", "chosen"),
    [
        ("metallb", 18, "", "0.9.6"),
        ("metallb", 18, "0.9.5", "0.9.5"),
        ("metallb", 22, "", "0.13.12"),
        ("metallb", 32, "", "0.15.3"),
        ("metallb", 33, "v0.14.9", "0.14.9"),
        ("metallb", 36, "", "0.16.1"),
        ("contour", 18, "", "1.14.2"),
        ("contour", 33, "", "1.32.5"),
        ("contour", 40, "", "1.33.6"),
    ],
)
def test_a_release_goes_with_a_kubernetes(
    addon: str, minor: int, version: str, chosen: str
) -> None:
    assert choose(addon, minor, version).version == chosen


def test_every_kubernetes_of_the_templates_has_both() -> None:
    for minor in range(17, 45):
        for addon in ADDONS:
            assert choose(addon, minor).first <= minor


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(Refused, match=r"Metallb 0\.9\.6 does not work with Kubernetes 1\.33\."):
        choose("metallb", 33, "0.9.6")
    with pytest.raises(Refused, match=r"No supported version of contour works with .* 1\.14\."):
        choose("contour", 14)
    with pytest.raises(NotFound, match=r"'nginx' was not found; available: contour, metallb\."):
        choose("nginx", 33)
    with pytest.raises(NotFound, match=r"Version 9\.9 of metallb is not supported"):
        choose("metallb", 33, "9.9")


def test_pinned_releases_are_whole() -> None:
    for one in RELEASES:
        assert parse_checksum(one.sha256) == one.sha256
        assert f"/v{one.version}/" in one.url
        assert one.url.startswith("https://raw.githubusercontent.com/")
    assert len({one.sha256 for one in RELEASES}) == len(RELEASES)


@pytest.mark.parametrize(
    ("text", "minor"), [("v1.33.1", 33), ("v1.18.6+k3s", 18), ("1.21+", 21), ("x", 0)]
)
def test_the_minor_version(text: str, minor: int) -> None:
    assert minor_of(text) == minor


def test_a_manifest_from_a_mirror() -> None:
    release, content = choose("metallb", 18), manifests.metallb("0.9.6")
    with manifests.mirror({"/sub" + release.path: content}) as url:
        given = manifests.digest(content)
        got = obtain(release, ManifestSource(mirror=f"{url}/sub/", checksum=given))
        assert (got.content, got.origin) == (content, f"{url}/sub{release.path}")
        with pytest.raises(Refused) as caught:
            obtain(release, ManifestSource(mirror=f"{url}/sub"))
        assert f"{given}, and metallb 0.9.6's is sha256:{release.sha256}" in caught.value.message
        with pytest.raises(NotFound, match="answers 404"):
            obtain(release, ManifestSource(mirror=url, checksum=given))
    with pytest.raises(CseError, match="cannot be fetched") as gone:
        obtain(release, ManifestSource(mirror=url, checksum=given), timeout=5)
    assert "--manifest FILE" in gone.value.hint
    with pytest.raises(WrongUsage):
        obtain(release, ManifestSource(mirror="ftp://x"))


def test_a_manifest_from_a_file(tmp_path: Path) -> None:
    release, path = choose("metallb", 18), tmp_path / "m.yaml"
    with pytest.raises(NotFound, match="does not exist"):
        obtain(release, ManifestSource(file=str(path)))
    path.write_bytes(b"kind: x\n")
    own = hashlib.sha256(b"kind: x\n").hexdigest()
    with pytest.raises(Refused, match="has the checksum sha256:" + own):
        obtain(release, ManifestSource(file=str(path)))
    with pytest.raises(Refused, match="the one given is sha256:" + "0" * 64):
        obtain(release, ManifestSource(file=str(path), checksum="0" * 64))
    assert obtain(release, ManifestSource(file=str(path), checksum=own.upper())).sha256 == own
    with pytest.raises(WrongUsage, match="'sha256:1' is not a checksum"):
        parse_checksum("sha256:1")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [", "line [12]: it is not YAML at column"),
        (b"just words", "not a Kubernetes object"),
        (b"kind: X\nmetadata: {}\n", "not a Kubernetes object"),
        (b"apiVersion: v1\nkind: [X]\nmetadata: {name: a}\n", "not a Kubernetes object"),
        (b"apiVersion: v1\nkind: X\nmetadata: {name: 1}\n", "not a Kubernetes object"),
        (b"kind: List\nitems: 5\n", "not a Kubernetes object"),
        (b"---\n---\n", "contains no objects"),
        (_OBJECT + b"data: " + b"{a: " * 500 + b"1" + b"}" * 500, "nested deeper than 64 levels"),
        (_OBJECT + b"data: {a: .nan}\n", "infinity and NaN"),
        (_OBJECT + b"data: &d {a: *d}\n", "anchors and aliases"),
        (_OBJECT + b"a: 1\na: 2\n", "the key 'a' occurs twice"),
        (b"\xff\xfe\xff", "is not text|not YAML"),
        (b"- a\n" * 300_000, "more than 200000 values"),
    ],
)
def test_what_is_no_manifest(content: bytes, said: str) -> None:
    with pytest.raises(CseError, match=said):
        read_manifest(content, "m.yaml")


def test_a_date_in_a_manifest_is_text() -> None:
    """Kubernetes has no dates in JSON; a day that is none is text as well."""
    (found,) = read_manifest(_OBJECT + b"data: {a: 2020-01-01, b: 2020-99-99}\n", "m")
    assert found["data"] == {"a": "2020-01-01", "b": "2020-99-99"}


@pytest.mark.parametrize(
    "rest",
    [
        b"kind: CustomResourceDefinition\nspec: [1]\n",
        b"kind: CustomResourceDefinition\nspec: {conversion: 1}\n",
        b"kind: ValidatingWebhookConfiguration\nwebhooks: [1, {clientConfig: 1}, {}]\n",
        b"kind: MutatingWebhookConfiguration\nwebhooks: 1\n",
    ],
)
def test_what_makes_no_sense_to_us_is_the_clusters_to_judge(rest: bytes) -> None:
    (found,) = read_manifest(b"apiVersion: x/v1\nmetadata: {name: a}\n" + rest, "m")
    assert found["metadata"] == {"name": "a"}


def test_a_pipe_without_an_end_is_not_read_whole() -> None:
    with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as endless:
        assert endless.stdout is not None
        path = f"/dev/fd/{endless.stdout.fileno()}"
        with pytest.raises(CseError, match=f"The manifest {path} is larger than 16 MiB"):
            obtain(choose("metallb", 18), ManifestSource(file=path, checksum="0" * 64))
        endless.kill()


def test_a_device_is_not_read() -> None:
    with pytest.raises(CseError, match=r"/dev/zero.*not a regular file"):
        obtain(choose("metallb", 18), ManifestSource(file="/dev/zero", checksum="0" * 64))


def test_objects_come_in_an_order_that_can_be_applied() -> None:
    kinds = [one["kind"] for one in read_manifest(manifests.metallb("0.15.3"), "m")]
    assert kinds[:3] == ["Namespace", "CustomResourceDefinition", "CustomResourceDefinition"]
    assert kinds[-2:] == ["Deployment", "DaemonSet"]


def test_ca_bundles_are_left_to_the_controller() -> None:
    webhook = "webhook: {clientConfig: {caBundle: AAAA, service: {name: w}}}"
    crd = (
        "kind: CustomResourceDefinition\napiVersion: x/v1\nmetadata: {name: c}\n"
        f"spec: {{conversion: {{strategy: Webhook, {webhook}}}}}\n"
    )
    (found,) = read_manifest(crd.encode(), "m")
    client = found["spec"]["conversion"]["webhook"]["clientConfig"]
    assert client == {"service": {"name": "w"}}


@pytest.fixture(params=["1.18.6", "1.33.1"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    running = make(request.param, tmp_path)
    running.start()
    for name in ("a", "b"):
        running.node(name)
    yield running
    running.api.stop()


@pytest.fixture
def objects(running: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Objects]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    with ClusterAPI(running.kubeconfig().read_text()) as api:
        yield Objects(api)


def watch(seconds: float = 20.0) -> Watch:
    return Watch(seconds, SYSTEM_CLOCK)


def install(objects: Objects, version: str, ranges: tuple[AddressRange, ...] = RANGES) -> bool:
    release = next(one for one in RELEASES if one.version == version)
    content = manifests.metallb(version)
    first, last = metallb.configuration(objects, release, ranges)
    record = Record(METALLB, version, hashlib.sha256(content).hexdigest())
    return apply_all(
        objects,
        record,
        [*first, *read_manifest(content, "m")],
        last,
        force=False,
        watch=watch(),
    )


def everything(objects: Objects) -> set[str]:
    kinds = [("v1", kind) for kind in ("Namespace", "Service", "ConfigMap", "Secret", "Pod")]
    kinds += [("apps/v1", "Deployment"), ("apps/v1", "DaemonSet")]
    kinds += [("rbac.authorization.k8s.io/v1", "ClusterRole")]
    return {str(Ref.of(one)) for kind in kinds for one in objects.list(*kind)}


def fitting(running: Running) -> tuple[str, str]:
    """An older and the present version of MetalLB for a cluster."""
    old = running.get("/version")["gitVersion"].startswith("v1.18")
    return ("0.9.5", "0.9.6") if old else ("0.14.9", "0.16.1")


def test_metallb_from_nothing_to_nothing(running: Running, objects: Objects) -> None:
    before = everything(objects)
    older, newer = fitting(running)
    assert install(objects, older) is True
    assert metallb.missing(objects) == ""
    proof = metallb.probe(objects, RANGES, watch())
    assert (proof.given, proof.reached) == ("127.20.0.240", True)
    seen = everything(objects)
    assert install(objects, older) is False
    assert everything(objects) == seen
    assert install(objects, newer) is True
    image = objects.get(metallb.CONTROLLER)
    assert image is not None
    assert image["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":v{newer}")
    record = read_record(objects, METALLB)
    assert record is not None
    assert (record.version, record.complete) == (newer, True)
    removed, kept = remove_all(objects, record, [], purge=False, watch=watch())
    assert everything(objects) == before
    assert len(removed) >= 5
    crds = crds_of(objects, metallb.GROUP)
    assert sorted(crds, key=str) == sorted(kept, key=str)
    assert len(crds) == (0 if older == "0.9.5" else 2)
    remove_all(objects, None, crds, purge=True, watch=watch())
    assert crds_of(objects, metallb.GROUP) == []


def test_a_stopped_installation_is_finished_or_removed(
    running: Running, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(objects)
    version = fitting(running)[1]
    apply, left = objects.apply, 4

    def stop_early(*words: object, **options: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return apply(*words, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(objects, "apply", stop_early)
        with pytest.raises(KeyboardInterrupt):
            install(objects, version)
    record = read_record(objects, METALLB)
    assert record is not None
    assert record.complete is False
    assert install(objects, version) is True
    assert metallb.missing(objects) == ""
    record = read_record(objects, METALLB)
    remove_all(objects, record, crds_of(objects, metallb.GROUP), purge=True, watch=watch())
    assert everything(objects) == before


def test_from_the_configmap_to_pools(running: Running, objects: Objects) -> None:
    if running.get("/version")["gitVersion"].startswith("v1.18"):
        pytest.skip("needs a Kubernetes that both styles know")
    install(objects, "0.9.6")
    assert objects.get(Ref("v1", "ConfigMap", "metallb-system", "config")) is not None
    install(objects, "0.15.3")
    assert objects.get(Ref("v1", "ConfigMap", "metallb-system", "config")) is None
    assert objects.get(Ref("v1", "Secret", "metallb-system", "memberlist")) is not None
    proof = metallb.probe(objects, RANGES, watch())
    assert (proof.given, proof.reached) == ("127.20.0.240", True)


def test_full_pools_and_foreign_pools(running: Running, objects: Objects) -> None:
    install(objects, fitting(running)[1])
    for name in ("one", "two"):
        service = {"type": "LoadBalancer", "ports": [{"port": 80}]}
        running.post(
            "/api/v1/namespaces/default/services", {"metadata": {"name": name}, "spec": service}
        )
    assert metallb.probe(objects, RANGES, watch()) == metallb.Proof()
    elsewhere = (AddressRange.of("127.20.0.3", "127.20.0.4"),)
    with pytest.raises(TimedOut, match="no available IPs"):
        metallb.probe(objects, elsewhere, watch(0.5))
    names = [one["metadata"]["name"] for one in objects.list("v1", "Service")]
    assert not [name for name in names if "probe" in name]


def test_a_node_without_a_speaker_is_named(running: Running, objects: Objects) -> None:
    install(objects, fitting(running)[1])
    assert metallb.missing(objects) == ""
    assert contour.missing(objects) == "Deployment projectcontour/contour is not there"
    path = "/apis/apps/v1/namespaces/metallb-system/daemonsets/speaker"
    body = {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "a"}}}}}
    kind = "application/merge-patch+json"
    assert running.api.request("PATCH", path, body, content_type=kind)[0] == 200
    assert metallb.missing(objects).endswith("speaker has no pod on node b")
    taint = {"spec": {"taints": [{"key": "mine", "effect": "NoSchedule"}]}}
    assert running.api.request("PATCH", "/api/v1/nodes/b", taint, content_type=kind)[0] == 200
    assert metallb.missing(objects) == ""


def test_what_keeps_pods_waiting_is_said(running: Running, objects: Objects) -> None:
    """Taints that nothing tolerates; and the guide's CreateContainerConfigError."""
    kind = "application/merge-patch+json"
    for node in ("a", "b"):
        taint = {"spec": {"taints": [{"key": "mine", "effect": "NoSchedule"}]}}
        assert (
            running.api.request("PATCH", f"/api/v1/nodes/{node}", taint, content_type=kind)[0]
            == 200
        )
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "metallb-system"}}
    objects.apply(namespace)
    for obj in read_manifest(manifests.metallb("0.9.6"), "m"):
        objects.apply(obj)
    said = metallb.missing(objects)
    assert said.startswith(
        "Deployment metallb-system/controller: 0 of 1 pods run (0/2 nodes are av"
    )
    for node in ("a", "b"):
        free = {"spec": {"taints": None}}
        assert (
            running.api.request("PATCH", f"/api/v1/nodes/{node}", free, content_type=kind)[0] == 200
        )
    assert metallb.missing(objects) == (
        "DaemonSet metallb-system/speaker: 0 of 2 pods run"
        ' (CreateContainerConfigError: secret "memberlist" not found)'
    )


def test_asking_what_does_not_answer() -> None:
    assert contour.ask("127.0.0.1", "x", port=1) == (False, "connection refused")


EXCLUDED = {metallb.EXCLUDED: ""}


def label(running: Running, node: str, labels: dict[str, str | None]) -> None:
    body = {"metadata": {"labels": labels}}
    kind = "application/merge-patch+json"
    code, answer = running.api.request("PATCH", f"/api/v1/nodes/{node}", body, content_type=kind)
    assert code == 200, answer


def probes(objects: Objects) -> list[str]:
    kinds = (("v1", "Service"), ("v1", "Endpoints"))
    found = [Ref.of(one) for kind in kinds for one in objects.list(*kind)]
    return [str(one) for one in found if "probe" in one.name]


def test_nodes_with_the_label_announce_nothing_since_0_14(
    running: Running, objects: Objects
) -> None:
    _, version = fitting(running)
    heeded = not version.startswith("0.9.")
    for node in ("a", "b"):
        label(running, node, dict(EXCLUDED))
    manifest = read_manifest(manifests.metallb(version), "m")
    assert metallb.announcers(objects, version, manifest) == ([] if heeded else None)
    install(objects, version)
    assert bool(metallb.no_announcer(objects, version)) is heeded
    if heeded:
        with pytest.raises(TimedOut, match=r"127\.20\.0\.240, which .* was not announced"):
            metallb.probe(objects, RANGES, watch(1.5))
        assert probes(objects) == []
    label(running, "b", {metallb.EXCLUDED: None})
    assert metallb.no_announcer(objects, version) == ""
    proof = metallb.probe(objects, RANGES, watch())
    assert (proof.node, proof.reached) == ("b" if heeded else "a", True)
    assert probes(objects) == []


def test_the_label_does_not_count_where_speakers_are_told_so(
    running: Running, objects: Objects
) -> None:
    label(running, "a", dict(EXCLUDED))
    for words, counts in (
        ("--ignore-exclude-lb", False),
        ("--ignore-exclude-lb=true", False),
        ("--ignore-exclude-lb=false", True),
        ("--port=7472", True),
    ):
        content = manifests.metallb("0.16.1").replace(
            b"        args: [--port=7472]", f'        args: ["{words}"]'.encode()
        )
        found = metallb.announcers(objects, "0.16.1", read_manifest(content, "m"))
        assert found == (["b"] if counts else None), words
    assert metallb.announcers(objects, "0.13.12", []) is None
    assert metallb.announcers(objects, "0.14.9", []) == ["b"]


def test_an_address_that_cannot_be_reached_from_here(running: Running, objects: Objects) -> None:
    install(objects, fitting(running)[1])
    proof = metallb.probe(objects, RANGES, watch(), lambda _host, _port: "it does not answer")
    assert (proof.given, proof.reached, proof.answer) == (
        "127.20.0.240",
        False,
        "it does not answer",
    )
    assert proof.node in ("a", "b")
