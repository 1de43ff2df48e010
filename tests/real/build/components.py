"""What is built, and which version of it: the one table to change for another release."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = [
    "CONTAINERD",
    "CONTOUR",
    "COREDNS",
    "CRICTL",
    "ETCD",
    "GO_TOOLCHAIN",
    "KUBERNETES",
    "MANIFESTS",
    "METALLB",
    "PAUSE",
    "PROBE",
    "PROBE_IMAGE",
    "SHARED",
    "Component",
    "kubernetes",
]

#: Kubernetes 1.37 and etcd's and containerd's dependencies ask for this Go.
GO_TOOLCHAIN = "go1.27.3"

#: Two neighboring minor releases, the older one first.
KUBERNETES = ("v1.36.3", "v1.37.2")

_KUBERNETES_COMMANDS = (
    "kubeadm",
    "kubectl",
    "kubelet",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
)
# https://github.com/kubernetes/kubernetes/blob/master/hack/lib/version.sh stamps these two.
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


@dataclass(frozen=True)
class Component:
    """One Go module of ours that only names versions, and the programs that come of it.

    Attributes:
        name: the component and its version; also its folder in the cache.
        modules: required Go modules and their versions.
        packages: the program's file name and its Go package.
        variables: string variables set by the linker.
        staging: version of the modules that k8s.io/kubernetes replaces by its own folders;
            "" for everything else.
        source: folder with Go sources of ours that are built as well.
        copies: files of the module's own tree: the file name here and the path there.
    """

    name: str
    modules: dict[str, str]
    packages: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    staging: str = ""
    source: Path | None = None
    copies: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files that come of it."""
        return (*self.packages, *self.copies)


def kubernetes(version: str) -> Component:
    """Return the programs of one Kubernetes release, such as "v1.37.2"."""
    major, minor, patch = version.removeprefix("v").split(".")
    stamps = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "1970-01-01T00:00:00Z",
    }
    return Component(
        name=f"kubernetes-{version}",
        modules={"k8s.io/kubernetes": version},
        packages={one: f"k8s.io/kubernetes/cmd/{one}" for one in _KUBERNETES_COMMANDS},
        variables={
            f"{package}.{key}": value
            for package in _VERSION_PACKAGES
            for key, value in stamps.items()
        },
        staging=f"v0.{minor}.{patch}",
    )


ETCD = Component(
    name="etcd-3.6.16",
    modules={"go.etcd.io/etcd/server/v3": "v3.6.16", "go.etcd.io/etcd/etcdutl/v3": "v3.6.16"},
    packages={"etcd": "go.etcd.io/etcd/server/v3", "etcdutl": "go.etcd.io/etcd/etcdutl/v3"},
)
CONTAINERD = Component(
    name="containerd-2.2.9",
    modules={"github.com/containerd/containerd/v2": "v2.2.9"},
    packages={
        one: f"github.com/containerd/containerd/v2/cmd/{one}"
        for one in ("containerd", "containerd-shim-runc-v2", "ctr")
    },
    variables={"github.com/containerd/containerd/v2/version.Version": "2.2.9"},
)
CRICTL = Component(
    name="crictl-1.37.0",
    modules={"sigs.k8s.io/cri-tools": "v1.37.0"},
    packages={"crictl": "sigs.k8s.io/cri-tools/cmd/crictl"},
    variables={"sigs.k8s.io/cri-tools/pkg/version.Version": "v1.37.0"},
)
COREDNS = Component(
    name="coredns-1.15.0",
    modules={"github.com/coredns/coredns": "v1.15.0"},
    packages={"coredns": "github.com/coredns/coredns"},
)
PAUSE = Component(
    name="pause-1",
    modules={},
    packages={"pause": "./pause"},
    source=Path(__file__).parent / "pause",
)
#: The program of the tests' own pods.
PROBE = Component(
    name="probe-1",
    modules={},
    packages={"probe": "./probe"},
    source=Path(__file__).parent / "probe",
)
PROBE_IMAGE = "localhost/probe:1"

#: What every Kubernetes release shares.
SHARED = (PAUSE, PROBE, ETCD, CONTAINERD, CRICTL, COREDNS)

#: The add-ons' manifests as their projects publish them; their images are nowhere to be had here.
METALLB = Component(
    name="metallb-0.16.1",
    modules={"go.universe.tf/metallb": "v0.16.1"},
    packages={},
    copies={"metallb-native.yaml": "config/manifests/metallb-native.yaml"},
)
CONTOUR = Component(
    name="contour-1.33.6",
    modules={"github.com/projectcontour/contour": "v1.33.6"},
    packages={},
    copies={"contour.yaml": "examples/render/contour.yaml"},
)
MANIFESTS = (METALLB, CONTOUR)
