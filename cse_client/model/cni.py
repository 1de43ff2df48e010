"""CNI plugins that `template build` puts into a template."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["DEFAULT_CNI", "HELM_VERSION", "KNOWN", "Cni", "name_in"]

#: Renders Cilium's chart.
HELM_VERSION = "3.19.0"

_IMAGE = re.compile(r"^[- ]*image: *[\"']?([^\"'\s]+)", re.M)


@dataclass(frozen=True)
class Cni:
    """A CNI plugin: where its manifest comes from, or the manifest itself in `text`.

    `chart`: the URL is that of a Helm chart.
    """

    name: str
    version: str = ""
    url: str = ""
    text: str = ""
    chart: bool = False

    @property
    def path(self) -> str:
        """The path of the manifest in the template."""
        return f"/root/{'-'.join(filter(None, (self.name or 'cni', self.version)))}.yaml"

    @property
    def title(self) -> str:
        """Name and version, for people."""
        return " ".join(filter(None, (self.name or "the given CNI plugin", self.version)))


#: The manifests that the plugins' documentation tells to apply.
KNOWN = {
    one.name: one
    for one in (
        Cni(
            "flannel",
            "0.27.4",
            "https://github.com/flannel-io/flannel/releases/download/v0.27.4/kube-flannel.yml",
        ),
        Cni(
            "calico",
            "3.31.2",
            "https://raw.githubusercontent.com/projectcalico/calico/v3.31.2/manifests/calico.yaml",
        ),
        Cni("cilium", "1.18.4", "https://helm.cilium.io/cilium-1.18.4.tgz", chart=True),
    )
}
DEFAULT_CNI = "flannel"

_NAMES = ("flannel", "calico", "cilium", "antrea", "weave")


def name_in(manifest: str) -> str:
    """Return which known plugin the images of a manifest belong to; empty where none is known."""
    images = " ".join(_IMAGE.findall(manifest)).lower()
    return next((name for name in _NAMES if name in images), "")
