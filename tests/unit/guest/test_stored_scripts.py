from __future__ import annotations

import base64
import gzip
import subprocess
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from cse_client.errors import CseError
from cse_client.guest.pki import ClusterPKI, mint_pki
from cse_client.guest.render import Bootstrap, control_plane_script, worker_script
from cse_client.guest.stored_scripts import is_sealed, recover_pki, recover_ssh_key, sealed_script
from tests.support.ssh_keys import public_key

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
CONTROL_PLANE = Bootstrap(
    cluster_id="9a0f3cda-7aa8-4eb8-9c6e-1c1c27f64a34", cluster_name="demo", node="mstr-ab12"
)
WORKER = replace(CONTROL_PLANE, node="node-cd34")


@pytest.fixture(scope="module")
def pki() -> ClusterPKI:
    return mint_pki("demo", now=NOW)


def test_any_machine_reads_the_pki_back(pki: ClusterPKI) -> None:
    script = control_plane_script(CONTROL_PLANE, pki, now=NOW)
    assert recover_pki(script) == pki
    # What XML, a web form or another platform may do to it.
    assert recover_pki(script.replace("\n", "\r\n")) == pki
    assert recover_pki(script.rstrip("\n")) == pki


@pytest.mark.parametrize("script", ["", "#!/bin/bash\necho hello\n", "\0\ud800", sealed_script()])
def test_a_script_that_is_not_a_control_planes_holds_none(script: str) -> None:
    assert recover_pki(script) is None


def test_a_sealed_script_says_so_and_does_nothing() -> None:
    script = sealed_script()
    assert is_sealed(script)
    assert is_sealed(script.replace("\n", "\r\n"))
    run = subprocess.run(["bash", "-c", script], capture_output=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_only_our_own_seal_counts(pki: ClusterPKI) -> None:
    assert not is_sealed("")
    assert not is_sealed("# this cluster is sealed")
    assert not is_sealed(control_plane_script(CONTROL_PLANE, pki, now=NOW))


def test_a_damaged_script_is_an_error_and_not_a_cluster_without_a_ca(pki: ClusterPKI) -> None:
    script = control_plane_script(CONTROL_PLANE, pki, now=NOW)
    lines = script.splitlines()
    start = lines.index("payload() { cat <<'CSE_PAYLOAD'") + 1
    flipped = "B" if lines[start + 3][7] == "A" else "A"
    bent = lines[start + 3][:7] + flipped + lines[start + 3][8:]
    damages = {
        "cut": "\n".join(lines[: start + 4]),
        "short": "\n".join(lines[: start + 4] + lines[-20:]),
        "bent": "\n".join([*lines[: start + 3], bent, *lines[start + 4 :]]),
        "empty": "\n".join([*lines[:start], "", "CSE_PAYLOAD"]),
    }
    for name, text in damages.items():
        with pytest.raises(CseError, match="damaged") as caught:
            recover_pki(text)
        assert "PRIVATE" not in str(caught.value), name


def test_a_key_of_another_cluster_is_damage(pki: ClusterPKI) -> None:
    mixed = replace(pki, ca_key=mint_pki("other").ca_key)
    with pytest.raises(CseError, match=r"ca\.crt.*does not belong"):
        recover_pki(control_plane_script(CONTROL_PLANE, mixed, now=NOW))


def test_a_newer_format_asks_for_a_newer_client(pki: ClusterPKI) -> None:
    script = control_plane_script(CONTROL_PLANE, pki, now=NOW).replace("format 1", "format 2", 1)
    with pytest.raises(CseError, match="newer version") as caught:
        recover_pki(script)
    assert caught.value.hint == "Upgrade cse-client."


def test_the_key_of_a_node_is_read_back(pki: ClusterPKI) -> None:
    key = public_key(comment="it's me")
    head = control_plane_script(replace(CONTROL_PLANE, ssh_key=key), pki, now=NOW)
    assert recover_ssh_key(head) == key
    worker = worker_script(replace(WORKER, ssh_key=""), pki, endpoint="10.0.0.2", now=NOW)
    assert recover_ssh_key(worker) == ""
    for silent in (sealed_script(), "#!/bin/bash\nreboot\n", head.replace("=\nCSE", "\nCSE")[:900]):
        assert recover_ssh_key(silent) is None


def test_a_payload_that_grows_without_end_is_damaged(pki: ClusterPKI) -> None:
    script = control_plane_script(CONTROL_PLANE, pki, now=NOW)
    old = script.partition("<<'CSE_PAYLOAD'\n")[2].partition("\nCSE_PAYLOAD\n")[0]
    bomb = base64.b64encode(gzip.compress(b"SSH_KEY=" + b"x" * 50_000_000)).decode()
    assert recover_ssh_key(script.replace(old, bomb)) is None
    with pytest.raises(CseError, match="cannot be decoded"):
        recover_pki(script.replace(old, bomb))
