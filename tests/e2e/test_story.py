"""What a newcomer types, from registration to deletion, and everything that he sees."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.output import steady
from tests.support.programs import Result
from tests.support.simulator import Cloud

Run = Callable[..., Result]

CSE_TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5"
CURRENT_TEMPLATE = "ubuntu-24.04_k8-1.33_antrea-2.3"


@pytest.fixture
def kubectl(run: Run) -> Run:
    """Run the real kubectl."""
    program = shutil.which("kubectl", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program, "kubectl is missing; `make test` installs one"

    def start(*words: str, **settings: object) -> Result:
        return run(program, *words, **settings)

    return start


@pytest.fixture
def public_key(home: Path) -> str:
    """A file with a public key."""
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = ed25519.Ed25519PrivateKey.generate().public_key()
    text = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (home / "id.pub").write_text(f"{text} newcomer\n")
    return "id.pub"


def phases(result: Result) -> str:
    """Return stderr without the lines that tell how many nodes are Ready meanwhile."""
    lines = (
        line for line in result.err.splitlines() if not re.match(r" • \d+ of \d+ nodes Ready", line)
    )
    return "".join(f"{line}\n" for line in lines)


def columns(text: str) -> list[list[str]]:
    """Return a table's cells without its rule."""
    lines = [line for line in text.splitlines() if line and not set(line) <= {"-", " "}]
    return [re.split(r" {2,}", line.strip()) for line in lines]


CSE_COLUMNS = ("Name", "Revision", "Default", "Catalog", "Catalog Item", "Description")
CREATED = """\
 • Check the request
 ✓ Check the request
 • [1/4] Create the vApp and its 3 VMs
 ✓ [1/4] Create the vApp and its 3 VMs
 • [2/4] Record the cluster
 ✓ [2/4] Record the cluster
 • [3/4] Wait until all nodes are Ready
 ✓ [3/4] Wait until all nodes are Ready
 • [4/4] Record that the cluster is ready
 ✓ [4/4] Record that the cluster is ready
Next: vcd cse cluster config demo --save
"""
INFO = """\
Property  Value
----  ----
Name  demo
Status  POWERED_ON
Kubernetes  upstream 1.18.6
Endpoint  https://ADDRESS:6443
Template  ubuntu-16.04_k8-1.18_weave-2.6.5 (revision 2)
OS  ubuntu-16.04
CNI  weave 2.6.5
Docker  19.03.12
Org  acme
VDC  vdc1
Network  net1
Owner  admin
Created by  cse-client 0.1.0
Created  TIME
Lease  never ends
Cluster id  UUID
Sources  Kubernetes API: answered at TIME

Name  Kind  IP  CPU  Memory MB  VM  Kubernetes  Version
----  ----  ----  ----  ----  ----  ----  ----
mstr-XXXX  control plane  ADDRESS  2  2048  POWERED_ON  Ready  v1.18.6
node-XXXX  worker  ADDRESS  2  2048  POWERED_ON  Ready  v1.18.6
node-XXXX  worker  ADDRESS  2  2048  POWERED_ON  Ready  v1.18.6
"""
DELETED = """\
 • [1/2] Deleting vApp 'demo' and its 3 VMs
 ✓ [1/2] Deleting vApp 'demo' and its 3 VMs
 • [2/2] Checking that nothing is left
 ✓ [2/2] Checking that nothing is left
"""


def test_from_registration_to_deletion(
    vcd: Run, kubectl: Run, home: Path, cloud: Cloud, public_key: str
) -> None:
    shutil.rmtree(home / ".vcd-cli")
    added = vcd("profile", "extension", "add", "cse_client.cse")
    assert (added.code, added.out) == (0, "Extension added from module 'cse_client.cse'.\n")
    login = vcd("login", cloud.host, cloud.org, cloud.user, env={"VCD_PASSWORD": cloud.password})
    assert login.code == 0, login.err

    version = vcd("cse", "version")
    assert re.fullmatch(r"CSE, [^,]+(, [^,]+)?, version \d+\.\d+\.\d+\n", version.out)

    info = vcd("cse", "system", "info")
    assert (info.code, info.err) == (0, "")
    assert steady(info.out) == (
        "Property  Value\n"
        "----  ----\n"
        "product  CSE\n"
        "version  0.1.0\n"
        f"description  {version.out.partition(', ')[2].rpartition(', ')[0]}\n"
        "engine  direct\n"
        "engine reason  no CSE server is registered in this cloud\n"
        "host  HOST\n"
        "vcd version  10.3 (API up to 36.3)\n"
        "api version  36.0\n"
        "org  acme\n"
        "vdc  vdc1\n"
        "user  admin\n"
    )

    templates = vcd("cse", "template", "list")
    assert (templates.code, templates.err) == (0, "")
    assert columns(templates.out) == [
        [*CSE_COLUMNS, "OS", "Kubernetes", "CNI", "Origin", "Support Ends"],
        [
            CURRENT_TEMPLATE,
            "1",
            "No",
            "cse",
            f"{CURRENT_TEMPLATE}_rev1",
            "Ubuntu 24.04, containerd 1.7, Kubernetes 1.33.1, antrea 2.3",
            "ubuntu-24.04",
            "1.33",
            "antrea 2.3",
            "CSE",
            "2026-06-28",
        ],
        [
            CSE_TEMPLATE,
            "2",
            "Yes",
            "cse",
            f"{CSE_TEMPLATE}_rev2",
            "Ubuntu 16.04, Docker-ce 19.03.12, Kubernetes 1.18.6, weave 2.6.5",
            "ubuntu-16.04",
            "1.18",
            "weave 2.6.5",
            "CSE",
            "2021-06-18",
        ],
        [
            "tkg-ubuntu-2204",
            "0",
            "No",
            "images",
            "tkg-ubuntu-2204",
            "Photon and Ubuntu images of the provider",
            "ubuntu-22.04",
            "1.30.2+vmware.1",
            "antrea",
            "TKG",
            "2025-06-28",
        ],
    ]

    create = vcd(
        *("cse", "cluster", "create", "demo", "--network", "net1", "--ssh-key", public_key),
        *("--nodes", "2", "--template", CSE_TEMPLATE),
    )
    assert (create.code, phases(create)) == (0, CREATED)
    assert steady(create.out) == "Cluster demo is ready: 1 control plane and 2 workers, DURATION.\n"

    listed = vcd("cse", "cluster", "list")
    assert (listed.code, listed.err) == (0, "")
    assert columns(listed.out) == [
        ["Name", "Owner", "VDC", "Org", "K8s Runtime", "K8s Version", "Status", "Provider"],
        ["demo", "admin", "vdc1", "acme", "native", "1.18.6", "POWERED_ON", "native"],
    ]

    shown = vcd("cse", "cluster", "info", "demo")
    assert (shown.code, shown.err) == (0, "")
    assert steady(shown.out) == INFO

    (home / "config").write_text(vcd("cse", "cluster", "config", "demo").out)
    nodes = kubectl("--kubeconfig", "config", "get", "nodes", "--no-headers")
    assert nodes.code == 0, nodes.err
    rows = sorted(columns(steady(nodes.out)), reverse=True)
    assert [row[:2] for row in rows] == [["node-XXXX", "Ready"]] * 2 + [["mstr-XXXX", "Ready"]]
    assert {row[4] for row in rows} == {"v1.18.6"}

    deleted = vcd("cse", "cluster", "delete", "demo", "--yes")
    assert (deleted.code, deleted.err) == (0, DELETED)
    assert (
        deleted.out == "Cluster demo is deleted: its vApp and 3 virtual machines no longer exist.\n"
    )
    listed = vcd("cse", "cluster", "list")
    assert (listed.out, listed.err) == ("", "No clusters in organization acme.\n")
