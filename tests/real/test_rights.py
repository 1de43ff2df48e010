"""What certificates may do: those of nodes and of users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.real.site import CLUSTER, Site

_KUBELET = ("kubectl", "--kubeconfig", "/etc/kubernetes/kubelet.conf")


@pytest.mark.parametrize(
    "words",
    [
        ("annotate", "lease", "OTHER", "-n", "kube-node-lease", "--overwrite", "a=b"),
        ("annotate", "node", "OTHER", "--overwrite", "a=b"),
        ("label", "node", "OWN", "--overwrite", "node-role.kubernetes.io/control-plane="),
        ("get", "secrets", "-n", "kube-system"),
        ("delete", "lease", "OTHER", "-n", "kube-node-lease"),
        ("create", "configmap", "cse-OTHER", "-n", "kube-public"),
        ("delete", "node", "OTHER"),
    ],
    ids=[
        "another's report",
        "another node",
        "a role for itself",
        "secrets",
        "remove another's report",
        "configmaps",
        "remove another node",
    ],
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


def test_a_user_has_exactly_the_rights_that_are_granted(
    site: Site, cluster: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "alice.kubeconfig"
    issued = ("--user", "alice", "--group", "devs", "-o", str(file))
    site.vcd("cse", "cluster", "config", CLUSTER, *issued).checked()

    def may(*words: str) -> bool:
        asked = site.kubectl("auth", "can-i", *words, "--kubeconfig", str(file))
        assert asked.out.strip() in ("yes", "no"), asked.err
        return asked.out.strip() == "yes"

    assert not may("create", "deployments", "-n", "default")
    role = ("--group", "devs", "--role", "edit", "--namespace", "default")
    site.vcd("cse", "cluster", "grant", CLUSTER, *role).checked()
    assert may("create", "deployments", "-n", "default")
    assert not may("get", "pods", "-n", "kube-system")
    assert not may("create", "rolebindings", "-n", "default")
    assert not may("list", "nodes")
    revoked = ("--group", "devs", "--namespace", "default")
    site.vcd("cse", "cluster", "revoke", CLUSTER, *revoked).checked()
    assert not may("create", "deployments", "-n", "default")


def test_another_authoritys_certificate_is_refused(
    site: Site, cluster: dict[str, Any], tmp_path: Path
) -> None:
    """It trusts the right server; its own certificate is self-signed, with the admin's names."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1")
    names = ("-subj", "/O=cse:cluster-admins/CN=admin", "-keyout", str(key), "-out")
    site.run(*made, *names, str(certificate)).checked()
    copy = tmp_path / "kubeconfig"
    copy.write_text(site.kubeconfig.read_text(encoding="utf-8"), encoding="utf-8")
    setting = ("config", "set-credentials", "foreign", "--kubeconfig", str(copy))
    site.kubectl(
        *setting, "--client-key", str(key), "--client-certificate", str(certificate)
    ).checked()
    refused = site.kubectl("get", "nodes", "--kubeconfig", str(copy), "--user", "foreign")
    assert refused.code != 0
    assert "must be logged in" in refused.err or "Unauthorized" in refused.err, refused.err
