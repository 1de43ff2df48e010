"""A task in a node's script leaves the rest of it as it is."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from cse_client.errors import WrongUsage
from cse_client.guest import later, render, script_format, stored_scripts
from cse_client.guest.pki import mint_pki
from cse_client.model.settings import ClusterSettings

PKI = mint_pki("demo")
BOOTSTRAP = render.Bootstrap(cluster_id="1", cluster_name="demo", node="mstr-ab12")
SCRIPTS = {
    "control plane": render.control_plane_script(BOOTSTRAP, PKI),
    "restored": render.control_plane_script(
        BOOTSTRAP, PKI, snapshot=render.AwaitedSnapshot("a" * 64, 2**40, "3.6.16")
    ),
    "sealed": stored_scripts.sealed_script(),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_task_comes_and_goes(name: str) -> None:
    script = SCRIPTS[name]
    with_one = later.with_task(script, later.renewal())
    assert with_one is not None
    assert later.without_task(with_one) == script
    with_another = later.with_task(with_one.replace("\n", "\r\n"), "renew-1")
    assert with_another is not None
    assert with_another.count("# cse-client task renew-") == 1
    assert later.without_task(with_another) == script
    assert stored_scripts.is_sealed(with_one) == (name == "sealed")
    assert stored_scripts.recover_pki(with_one) == (None if name == "sealed" else PKI)
    checked = subprocess.run(["bash", "-n"], input=with_one, text=True, check=False)
    assert checked.returncode == 0


@pytest.mark.parametrize("script", ["", "#!/bin/bash\necho of somebody else\n"])
def test_only_our_scripts_get_tasks(script: str) -> None:
    assert later.with_task(script, "renew-1") is None


def test_a_worker_gets_none() -> None:
    script = render.worker_script(BOOTSTRAP, PKI, endpoint="10.0.0.1")
    assert later.with_task(script, "renew-1") is None


UPGRADE = later.Upgrade(
    "upgrade-12ab", "mstr-ab12", "1.37.2", "https://mirror.example.com/core:/stable:"
)
SETTINGS = ClusterSettings(
    http_proxy="http://proxy.example.com:3128",
    https_proxy="http://proxy.example.com:3128",
    no_proxy="10.0.0.0/8,.example.com",
    registry_mirrors="docker.io=https://mirror.example.com registry.k8s.io=https://other.example",
    ntp="10.0.0.1",
    dns="10.0.0.2",
)
LONGEST = render.control_plane_script(
    render.Bootstrap(
        cluster_id="urn:vcloud:cluster:12345678-1234-1234-1234-123456789012",
        cluster_name="demo",
        node="mstr-ab12",
        settings=SETTINGS,
    ),
    PKI,
)


@pytest.mark.parametrize("script", [*SCRIPTS.values(), LONGEST], ids=[*SCRIPTS, "longest"])
def test_an_upgrade_fits_into_every_script(script: str) -> None:
    task = later.with_upgrade(script, UPGRADE)
    assert task is not None
    assert len(task.encode()) <= script_format.MAX_SCRIPT_BYTES
    assert later.task_of(task) == UPGRADE.task
    assert later.task_of(script) == ""
    sealed = stored_scripts.is_sealed(script)
    for one in (task, later.without_task(task)):
        assert stored_scripts.is_sealed(one) == sealed
        assert stored_scripts.recover_pki(one) == (None if sealed else PKI)
        assert stored_scripts.recover_ssh_key(one) == stored_scripts.recover_ssh_key(script)
        checked = subprocess.run(["bash", "-n"], input=one, text=True, check=False)
        assert checked.returncode == 0
    # the same again, and a later task takes its place
    assert later.with_upgrade(task, UPGRADE) == task
    renewed = later.with_task(task, "renew-1")
    assert renewed is not None
    assert later.task_of(renewed) == "renew-1"


@pytest.mark.parametrize("version", ["1.37", "v1.37.2", "1.37.2; reboot", "2.0.1", ""])
def test_an_upgrade_is_to_a_version(version: str) -> None:
    with pytest.raises(WrongUsage, match="is not a version"):
        later.with_upgrade(LONGEST, replace(UPGRADE, version=version))


def test_only_control_planes_are_upgraded() -> None:
    worker = render.worker_script(BOOTSTRAP, PKI, endpoint="10.0.0.1")
    assert later.with_upgrade(worker, UPGRADE) is None
