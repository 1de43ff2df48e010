"""A task in a node's script leaves the rest of it as it is."""

from __future__ import annotations

import subprocess

import pytest

from cse_client.guest import later, render
from cse_client.guest.pki import mint_pki

PKI = mint_pki("demo")
BOOTSTRAP = render.Bootstrap(cluster_id="1", cluster_name="demo", node="mstr-ab12")
SCRIPTS = {
    "control plane": render.control_plane_script(BOOTSTRAP, PKI),
    "restored": render.control_plane_script(
        BOOTSTRAP, PKI, snapshot=render.AwaitedSnapshot("a" * 64, 2**40, "3.6.16")
    ),
    "sealed": render.sealed_script(),
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
    assert render.is_sealed(with_one) == (name == "sealed")
    assert render.recover_pki(with_one) == (None if name == "sealed" else PKI)
    checked = subprocess.run(["bash", "-n"], input=with_one, text=True, check=False)
    assert checked.returncode == 0


@pytest.mark.parametrize("script", ["", "#!/bin/bash\necho of somebody else\n"])
def test_only_our_scripts_get_tasks(script: str) -> None:
    assert later.with_task(script, "renew-1") is None


def test_a_worker_gets_none() -> None:
    script = render.worker_script(BOOTSTRAP, PKI, endpoint="10.0.0.1")
    assert later.with_task(script, "renew-1") is None
