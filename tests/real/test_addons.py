"""MetalLB's and Contour's genuine manifests, from a mirror, on a real API server.

Their images cannot be had here, so that none of their pods starts: what is tried is everything
before that, and the way back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cse_client.kube.addons.table import RELEASES
from tests.real.build.components import CONTOUR, METALLB, Component
from tests.real.build.golang import built
from tests.real.build.places import folder_of
from tests.real.site import CLUSTER, Site
from tests.support.manifests import mirror

#: MetalLB's Pod needs its webhook, and the client waits for it until then.
TIMEOUT = "30s"


@pytest.fixture(scope="module")
def mirrored(site: Site) -> Iterator[str]:
    """The URL of a mirror in the cloud's network."""
    served = mirror({_path(one): _content(one) for one in (METALLB, CONTOUR)})
    url = site.call(served.__enter__)
    yield url
    served.__exit__(None, None, None)


def _path(component: Component) -> str:
    name, _, version = component.name.partition("-")
    return next(one.path for one in RELEASES if (one.addon, one.version) == (name, version))


def _content(component: Component) -> bytes:
    folder = folder_of(component)
    if not built(folder, component):
        pytest.skip(f"{component.name} is missing: run `python -m tests.real.build`.")
    (file,) = component.copies
    return (folder / file).read_bytes()


ADDONS = (
    ("metallb", ("--addresses", "auto:2"), "metallb.io", "metallb-system"),
    ("contour", (), "projectcontour.io", "projectcontour"),
)


def test_manifests_are_applied_and_removed(
    site: Site, cluster: dict[str, Any], mirrored: str
) -> None:
    try:
        for addon, words, group, _namespace in ADDONS:
            install = ("cse", "addon", "install", CLUSTER, addon, *words)
            done = site.vcd(*install, "--mirror", mirrored, "--timeout", TIMEOUT)
            assert (done.code, done.out) == (5, ""), done.err
            assert "by the deadline" in done.err
            assert group in site.kubectl("api-versions").checked()
            for kind, where, name in applied_objects(site, addon):
                found = site.kubectl("get", kind, name, *(("-n", where) if where else ()))
                assert found.code == 0, found.err
    finally:
        removed = [
            site.vcd("cse", "addon", "remove", CLUSTER, addon, *REMOVAL)
            for addon, *_ in reversed(ADDONS)
        ]
    assert [(one.code, one.err) for one in removed] == [(0, removed[0].err), (0, removed[1].err)]
    served = site.kubectl("api-versions").checked()
    for _addon, _words, group, namespace in ADDONS:
        assert group not in served
        assert site.kubectl("get", "namespace", namespace).code != 0


REMOVAL = ("--purge", "--yes", "--force", "--timeout", "120s")


def applied_objects(site: Site, addon: str) -> list[tuple[str, str, str]]:
    """Return kind, namespace and name of what the manifest has; what follows it waits for pods."""
    record = ("get", "configmap", f"cse-addon-{addon}", "-n", "kube-system", "-o", "json")
    listed = json.loads(json.loads(site.kubectl(*record).checked())["data"]["objects"])
    assert len(listed) > 10
    ours = ("IPAddressPool", "L2Advertisement")
    return [(kind, where, name) for _, kind, where, name in listed if kind not in ours]
