"""Which version of an add-on goes with which Kubernetes, and the checksum of its manifest.

Checksums are SHA-256 of the file in the project's repository at the release's tag, which is what
raw.githubusercontent.com serves. Version ranges: for Contour its compatibility matrix
(projectcontour/contour:site/content/resources/compatibility-matrix.md); for MetalLB the API
versions that its manifest uses (0.9.6 needs policy/v1beta1 PodSecurityPolicy, gone in 1.25, and
RBAC as in 1.15; from 0.13 on it needs CRDs of apiextensions.k8s.io/v1) and its release notes (CRD
validation that Kubernetes 1.36 refuses was corrected in 0.16.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cse_client import suggest
from cse_client.errors import NotFound, Refused

__all__ = ["ADDONS", "CONTOUR", "HOST", "METALLB", "Release", "choose", "minor_of"]

HOST = "https://raw.githubusercontent.com"
METALLB = "metallb"
CONTOUR = "contour"
ADDONS = (CONTOUR, METALLB)

_ANY = 999


@dataclass(frozen=True)
class Release:
    """A pinned release: minor versions of Kubernetes from `first` to `last`, both included.

    `path` is the manifest's path below HOST or below a mirror of it. `config` is how MetalLB is
    told its addresses: `configmap` or `crd`.
    """

    addon: str
    version: str
    first: int
    last: int
    path: str
    sha256: str
    config: str = ""

    @property
    def kubernetes(self) -> str:
        """The range as text, for example `1.25-1.35` or `1.36+`."""
        return f"1.{self.first}+" if self.last == _ANY else f"1.{self.first}-1.{self.last}"

    @property
    def url(self) -> str:
        """Where the project itself serves the manifest."""
        return f"{HOST}{self.path}"


def _metallb(version: str, first: int, last: int, sha256: str) -> Release:
    old = version.startswith("0.9.")
    file = "manifests/metallb.yaml" if old else "config/manifests/metallb-native.yaml"
    path = f"/metallb/metallb/v{version}/{file}"
    return Release(METALLB, version, first, last, path, sha256, "configmap" if old else "crd")


def _contour(version: str, first: int, last: int, sha256: str) -> Release:
    path = f"/projectcontour/contour/v{version}/examples/render/contour.yaml"
    return Release(CONTOUR, version, first, last, path, sha256)


#: The first one that fits is the default; later ones can be asked for by version.
RELEASES: Sequence[Release] = (
    _metallb(
        "0.16.1", 33, _ANY, "bf25feebb7582ca7df845efd52ffbc2960d6cbf4cfc972f47fded9f788b67f0b"
    ),
    _metallb("0.15.3", 25, 35, "84b4e102f2b65f5d69085f5816c29362b74641873d8ac3de996e5f86a8219176"),
    _metallb("0.14.9", 25, 35, "951065e85692aa106f1bb5d5a487d9306154923a794ab1d82122881cbaf588e4"),
    _metallb("0.13.12", 22, 29, "a5e3b65e073ba8236cc36c283fb33260e764977c7e460d6a462347ccaa91683d"),
    _metallb("0.9.6", 15, 21, "ade9baf5e6bae8b2e661b6f0389ab7a51cafb93f5b5c4a5da126bb84610d860f"),
    _metallb("0.9.5", 15, 21, "15c30085c20bbc36c2ce81881180b75e503a5d95bacce45733e3b5131a7d866b"),
    _contour(
        "1.33.6", 34, _ANY, "1d2e45c4bb31bea93085231d9b50e2c95ad92432253872b683e672eb7cecbbd8"
    ),
    _contour("1.32.5", 31, 33, "5b101d7afd7ea108b6253a1535d25916d8ad59c8647172cd1ca2a450b8de7856"),
    _contour("1.32.1", 31, 33, "b2c2bd7760d6c98194bc6a9c41bd62d57aff20d9ed18b8c594fe390fa47d5d83"),
    _contour("1.30.5", 28, 30, "d46974a85d1a5ffa9e15401ae88ae4e1d02f6466bf0caaf471549917e5ef27f0"),
    _contour("1.25.3", 25, 27, "4b68023f260d402c97b011382f44b94e47d580c41970beaeda44c0517f52e953"),
    _contour("1.22.6", 22, 24, "c6ebb3db2ec39e5f92c0dbd1d7fafcff682ba582a7b504fc199900dd01faafa8"),
    _contour("1.19.1", 20, 21, "5c00fa5c37ff2732cfe1e0b0438a7c03c88f5e130731fe1284914cc55ce0a7f6"),
    _contour("1.14.2", 18, 20, "0eadc9f63c86e71b0031d2f0c1674116fe6c5d9c2d723c533871524ade0cffab"),
    _contour("1.12.0", 17, 18, "ec5a3528c6739a8115ee409d43e8827a6dad68253b94b2553685e3bedc7e4f09"),
)


def minor_of(version: str) -> int:
    """Return the minor version of Kubernetes' `v1.33.1`; 0 for anything else."""
    parts = version.lstrip("v").split(".")
    digits = "".join(c for c in parts[1] if c.isdigit()) if len(parts) > 1 else ""
    return int(digits) if digits else 0


def choose(addon: str, minor: int, version: str = "") -> Release:
    """Return the release of an add-on for Kubernetes 1.`minor`, the newest unless one is named.

    Raises:
        NotFound: there is no such add-on, or no such version of it.
        Refused: no version of it goes with this Kubernetes.
    """
    if addon not in ADDONS:
        raise NotFound(
            f"Add-on '{addon}' was not found; available: {', '.join(ADDONS)}.",
            hint=suggest.cse("addon list"),
        )
    ours = [one for one in RELEASES if one.addon == addon]
    wanted = version.lstrip("v")
    if wanted and wanted not in {one.version for one in ours}:
        known = ", ".join(one.version for one in ours)
        raise NotFound(f"Version {version} of {addon} is not supported; available: {known}.")
    for one in ours:
        if one.first <= minor <= one.last and wanted in ("", one.version):
            return one
    which = f"{addon} {wanted}" if wanted else f"no supported version of {addon}"
    verb = "does not work" if wanted else "works"
    raise Refused(
        f"{which[0].upper()}{which[1:]} {verb} with Kubernetes 1.{minor}.",
        hint=f"List the supported versions: {suggest.cse('addon list')}",
    )
