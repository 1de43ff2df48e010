"""A cluster that another one has replaced under its name while a command asked about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.people import Person, offer_template, person
from tests.support.programs import CSE
from tests.support.simulator import Asker, Cloud, Control, running_simulator
from tests.support.terminal import on_terminal

NAME, SPARE = "first", "second"
OLD, NEWER = (f"ubuntu-24.04_k8-1.36_antrea-2.3_rev{revision}" for revision in (1, 2))
BARE = "ubuntu-24.04_k8-1.33_antrea-2.3_rev1"
CONFLICT = 1

#: Called with the host, a token, and pairs of a vApp's id and its new name.
_RENAME = """
import os, ssl, sys, urllib.request
host, token, *pairs = sys.argv[1:]
context = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
handler = urllib.request.HTTPSHandler(context=context)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
for vapp, name in zip(pairs[::2], pairs[1::2]):
    body = f'<VApp xmlns="http://www.vmware.com/vcloud/v1.5" name="{name}"/>'
    request = urllib.request.Request(f"https://{host}/api/vApp/{vapp}", body.encode(), method="PUT")
    request.add_header("Accept", "application/*+xml;version=36.0")
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/vnd.vmware.vcloud.vApp+xml")
    opener.open(request, timeout=60).close()
"""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), "--time", "instant") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def admin(simulated: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """An administrator with two clusters, of which the first has a backup and two pools."""
    admin = person(simulated, tmp_path_factory.mktemp("admin"))
    for item, release in ((OLD, "1.36.3"), (NEWER, "1.36.4")):
        offer_template(admin, Control(simulated), item, release, like=BARE, keepalived=False)
    for name, workers in ((NAME, "1"), (SPARE, "0")):
        admin.cluster("create", name, "-n", "net1", "-N", workers, "-t", OLD).checked()
    admin.cse("pool", "create", NAME, "more", "--nodes", "0").checked()
    (admin.home / "phrase").write_text("a long phrase\n")
    admin.cluster("backup", NAME, "-o", "it.backup", "--passphrase-file", "phrase").checked()
    exported = admin.cluster("export", NAME).checked()
    (admin.home / "fewer.yaml").write_text(exported.replace("size: 1", "size: 0"))
    return admin


@pytest.fixture(scope="module")
def ids(simulated: Cloud, admin: Person) -> dict[str, str]:
    """The clusters' ids in VCD."""
    return {name: f"vapp-{vapp['id']}" for name, vapp in vapps(simulated).items()}


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (("cluster", "delete", NAME), "Delete cluster first and its 2 VMs?"),
        (("cluster", "stop", NAME), "Stop cluster first and everything that runs in it?"),
        (("cluster", "renew", NAME), "Renew the certificates of the control planes"),
        (("cluster", "upgrade", NAME), "Upgrade cluster first from Kubernetes 1.36.3 to"),
        (
            ("cluster", "restore", NAME, "it.backup", "--passphrase-file", "phrase"),
            "Replace the control plane of cluster first",
        ),
        (("cluster", "apply", "fewer.yaml"), "Continue?"),
        (("node", "delete", NAME, "WORKER"), "and its VM?"),
        (("pool", "delete", NAME, "more"), "Delete pool more of cluster first"),
        (("pool", "upgrade", NAME, "default", "-t", NEWER), "Upgrade pool default"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_only_what_was_looked_at_is_changed(
    simulated: Cloud, admin: Person, ids: dict[str, str], words: tuple[str, ...], question: str
) -> None:
    nodes = admin.cse("node", "list", NAME).checked().splitlines()
    worker = next(line.split()[0] for line in nodes if line.startswith("node-"))
    typed = [worker if word == "WORKER" else word for word in words]
    before = vapps(simulated)
    token = Asker(simulated, simulated.user, simulated.password).token
    rename = [sys.executable, "-c", _RENAME, simulated.host, token]
    try:
        shown = on_terminal(
            admin.home,
            [CSE, *typed],
            ("[y/N]: ", "y"),
            environment={**admin.environment, "NO_COLOR": "1"},
            meanwhile=[*rename, ids[NAME], "renamed", ids[SPARE], NAME],
        )
        after = vapps(simulated)
    finally:
        admin.run(*rename, ids[NAME], "renamed", ids[SPARE], SPARE, ids[NAME], NAME).checked()
    assert question in shown.out
    assert (
        "Error: Cluster 'first' was replaced by another one of the same name after this command"
        " looked at it; nothing was changed.\n" in shown.out
    )
    assert shown.code == CONFLICT
    assert after == {"renamed": before[NAME], NAME: before[SPARE]}


def vapps(cloud: Cloud) -> dict[str, Any]:
    found: dict[str, Any] = Control(cloud).possessions()["vapps"]
    return found
