"""What the certificates of nodes may do: the node authorizer and NodeRestriction decide."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.site import Site

_KUBELET = ("kubectl", "--kubeconfig", "/etc/kubernetes/kubelet.conf")


@pytest.mark.parametrize(
    "words",
    [
        ("annotate", "lease", "OTHER", "-n", "kube-node-lease", "--overwrite", "a=b"),
        ("annotate", "node", "OTHER", "--overwrite", "a=b"),
        ("label", "node", "OWN", "--overwrite", "node-role.kubernetes.io/control-plane="),
        ("get", "secrets", "-n", "kube-system"),
    ],
    ids=["another's report", "another node", "a role for itself", "secrets"],
)
def test_a_node_may_not(site: Site, cluster: dict[str, Any], words: tuple[str, ...]) -> None:
    own, other = site.workers()
    names = {"OWN": own, "OTHER": other}
    tried = site.inside(own, *_KUBELET, *(names.get(word, word) for word in words))
    assert tried.code != 0
    assert "orbidden" in tried.err, tried.err


def test_a_node_may_write_its_own_report(site: Site, cluster: dict[str, Any]) -> None:
    own = site.workers()[0]
    annotate = ("annotate", "lease", own, "-n", "kube-node-lease", "--overwrite", "example.com/a=b")
    site.inside(own, *_KUBELET, *annotate).checked()
