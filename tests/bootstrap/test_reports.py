"""What the scripts write into a cluster, with real kubectl, and who may read and write it."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cse_client.errors import ClusterUnreachable
from cse_client.guest.pki import ADMIN_GROUP, ClusterPKI, issue_client, pki_from_files, pki_to_files
from cse_client.kube.api import ClusterAPI
from cse_client.kube.ca_secret import load_ca_secret, store_ca_secret
from cse_client.kube.kubeconfig.document import render_kubeconfig
from cse_client.simulator.clock import Clock
from cse_client.simulator.kube import KubeAPI
from tests.support.kube_stub import server_files
from tests.support.shell import MOUNTS, Guest, can_unshare

pytestmark = [
    pytest.mark.skipif(not can_unshare(), reason="this machine forbids namespaces"),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on PATH"),
]


class Setting:
    """A cluster's API, and a guest that reaches it."""

    def __init__(self, pki: ClusterPKI, api: KubeAPI, guest: Guest) -> None:
        self.pki, self.api, self.guest = pki, api, guest
        self.host, self.port = api.address

    def kubeconfig(self, name: str, *groups: str) -> str:
        issued = issue_client(
            self.pki,
            common_name=name,
            organizations=groups,
            lifetime=timedelta(hours=1),
            allow_system=True,
        )
        return render_kubeconfig(
            cluster="demo",
            context="demo@o-v",
            user=name,
            server=f"https://{self.host}:{self.port}",
            ca=self.pki.ca_cert,
            cert=issued.cert,
            key=issued.key,
        )

    def put(self, path: str, text: str) -> None:
        target = self.guest.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def grant(self) -> None:
        self.put("etc/kubernetes/admin.conf", self.kubeconfig("boss", "system:masters"))
        self.guest.run(self.local("grant"))

    def local(self, code: str) -> str:
        """The scripts' port is 6443; this API has another."""
        return (
            'K() { kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }\n'
            f"IP=127.0.0.1\nport_open() {{ true; }}\n{code}"
        )

    def admin(self) -> ClusterAPI:
        return ClusterAPI(self.kubeconfig("me", ADMIN_GROUP), environ={})


@pytest.fixture(params=["1.18.6", "1.33.1"])
def setting(
    request: pytest.FixtureRequest, tmp_path: Path, cluster_pki: ClusterPKI
) -> Iterator[Setting]:
    for name in (*MOUNTS, "bin"):
        (tmp_path / "vm" / name).mkdir(parents=True)
    api = KubeAPI(version=request.param, clock=Clock())
    cert, key = server_files(cluster_pki, tmp_path)
    api.start(
        host="127.0.0.1",
        port=0,
        server_cert=cert.read_bytes(),
        server_key=key.read_bytes(),
        client_ca=cluster_pki.ca_cert,
        signing_key=cluster_pki.ca_key,
    )
    yield Setting(cluster_pki, api, Guest(tmp_path / "vm"))
    api.stop()


@pytest.fixture(scope="module")
def cluster_pki() -> ClusterPKI:
    from cse_client.guest.pki import mint_pki

    return mint_pki("demo")


def test_our_group_is_an_administrator_once_it_is_bound(setting: Setting) -> None:
    with setting.admin() as api:
        with pytest.raises(ClusterUnreachable) as caught:
            api.nodes()
        assert caught.value.reason == "forbidden"
        setting.grant()
        assert api.nodes() == ()
        assert api.bootstrap_reports() == {}
        # A second run of the step, after a power loss, changes nothing.
        setting.grant()
        store_ca_secret(api, pki_to_files(setting.pki))
        assert pki_from_files(load_ca_secret(api) or {}) == setting.pki


def test_the_control_plane_reports_even_before_its_roles_are_there(setting: Setting) -> None:
    setting.put("etc/kubernetes/admin.conf", setting.kubeconfig("boss", "system:masters"))
    error = base64.b64encode(b"first\nlast").decode()
    setting.guest.run(setting.local(f"PHASE=init; report failed 7 {error}"))
    setting.grant()
    with setting.admin() as api:
        report = api.bootstrap_reports()["mstr-ab12"]
    assert (report.status, report.phase, report.exit_code) == ("failed", "init", 7)
    assert report.log == ("first", "last")
    setting.guest.run(setting.local('PHASE="done"; report ready 0 ""'))
    with setting.admin() as api:
        report = api.bootstrap_reports()["mstr-ab12"]
    assert (report.status, report.phase, report.exit_code, report.log) == ("ready", "done", 0, ())


def test_the_last_report_is_repeated_until_the_api_takes_it(setting: Setting) -> None:
    """After a power loss an API server listens before it lets anybody in."""
    setting.grant()
    late = """
    clean_up() { :; }
    systemctl() { :; }
    apply() { [ -e "$D/tried" ] || { : >"$D/tried"; return 1; }; K apply --server-side -f -; }
    CSE_ID=1
    all_done
    """
    setting.guest.run(setting.local(late))
    with setting.admin() as api:
        assert api.bootstrap_reports()["mstr-ab12"].status == "ready"


def test_a_worker_reports_with_its_own_credentials(setting: Setting) -> None:
    setting.grant()
    discovery = setting.kubeconfig("system:node:node-cd34", "system:nodes")
    setting.put("run/cse/discovery.conf", discovery)
    code = (
        f"NODE=node-cd34 API_HOST={setting.host} API_PORT={setting.port}\nport_open() {{ true; }}\n"
    )
    setting.guest.run(f"{code}PHASE=join; report failed 1 ''", kind="worker")
    with setting.admin() as api:
        assert api.bootstrap_reports()["node-cd34"].status == "failed"
    # After the join it is the kubelet's kubeconfig that speaks.
    (setting.guest.folder / "run/cse/discovery.conf").unlink()
    setting.put("etc/kubernetes/kubelet.conf", discovery)
    setting.guest.run(f"{code}mark ok.join; PHASE='done'; report ready 0 ''", kind="worker")
    with setting.admin() as api:
        assert api.bootstrap_reports()["node-cd34"].status == "ready"


def test_nobody_can_write_or_hide_another_nodes_report(setting: Setting) -> None:
    """A node that was taken over can do to the others' what any other user can: nothing."""
    setting.grant()
    code = f"API_HOST={setting.host} API_PORT={setting.port}\nport_open() {{ true; }}\n"
    code += "PHASE=join; DISCOVERY=/root/who.conf\n"
    setting.put("root/who.conf", setting.kubeconfig("system:node:node-cd34", "system:nodes"))
    setting.guest.run(f"{code}NODE=node-cd34; report running 0 ''", kind="worker")
    for user, groups in (("bob", ("devs",)), ("system:node:node-ef56", ("system:nodes",))):
        setting.put("root/who.conf", setting.kubeconfig(user, *groups))
        log = setting.guest.run(f"{code}NODE=node-cd34; report ready 0 ''", kind="worker")
        assert "no report to the API" in log
        kubectl = "kubectl --kubeconfig /root/who.conf -n kube-node-lease"
        for words in (
            "delete lease node-cd34",
            "annotate --overwrite lease node-cd34 cse-client/status=ready",
            "annotate lease node-cd34 cse-client/status-",
            "-n cse-system create configmap cse-bootstrap-node-cd34 --from-literal=status=ready",
        ):
            log = setting.guest.run(f"{kubectl} {words} || say refused")
            assert "orbidden" in log
            assert "refused" in log
    with setting.admin() as api:
        assert api.bootstrap_reports()["node-cd34"].status == "running"


def test_the_lease_is_one_that_a_kubelet_can_carry_on(setting: Setting) -> None:
    """A kubelet that finds its Lease renews it and leaves the rest of its spec as it is."""
    setting.put("etc/kubernetes/admin.conf", setting.kubeconfig("boss", "system:masters"))
    setting.guest.run(setting.local("PHASE=init; report running 0 ''"))
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/mstr-ab12"
    code, found = setting.api.request("GET", path)
    assert code == 200
    renewed = found["spec"].pop("renewTime")
    assert found["spec"] == {"holderIdentity": "mstr-ab12", "leaseDurationSeconds": 40}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z", renewed)


def test_kubeadms_token_is_deleted_and_other_secrets_stay(setting: Setting) -> None:
    setting.grant()
    for name, kind in (
        ("bootstrap-token-abcdef", "bootstrap.kubernetes.io/token"),
        ("other", "Opaque"),
    ):
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": kind}
        body["stringData"] = {"token-id": "abcdef", "token-secret": "0123456789abcdef"}
        code, answer = setting.api.request("POST", "/api/v1/namespaces/kube-system/secrets", body)
        assert code == 201, answer
    setting.guest.run(setting.local("drop_tokens"))
    _, left = setting.api.request("GET", "/api/v1/namespaces/kube-system/secrets")
    assert "other" in [item["metadata"]["name"] for item in left["items"]]
    assert "bootstrap-token-abcdef" not in [item["metadata"]["name"] for item in left["items"]]


def test_a_worker_waits_until_it_may_ask_for_its_certificate(setting: Setting) -> None:
    setting.put(
        "run/cse/discovery.conf", setting.kubeconfig("system:node:node-cd34", "system:nodes")
    )
    setting.guest.command("sleep", "")
    code = f"MINTED=$(date +%s) API_HOST={setting.host} API_PORT={setting.port}\nstep wait"
    assert "is not ready after 20 s: it accepts no nodes yet" in setting.guest.run(
        code, kind="worker", end=1
    )
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "kubeadm:node-autoapprove-certificate-rotation"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        },
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:nodes"}
        ],
    }
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    code_, answer = setting.api.request("POST", path, binding)
    assert code_ in (201, 409), answer
    setting.guest.run(code, kind="worker")
