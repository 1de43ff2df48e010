"""Which entries of a kubeconfig are one cluster's: the table of marks, and what may be replaced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cse_client.errors import Conflict
from cse_client.kube.kubeconfig.document import render_kubeconfig
from cse_client.kube.kubeconfig.file import overwrite, remove_cluster, save
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.kube.kubeconfig.ownership import CaChanged, ca_fingerprint

NAME = "demo@acme-vdc1"
FULL = Mark("id-1", NAME, host="vcd.example.com", org="acme", vapp="v-1", ca="")
OLD = Mark("id-1", NAME)


def rendered(mark: Mark, *, ca: bytes = b"ca", context: str = "") -> str:
    return render_kubeconfig(
        cluster=NAME,
        context=context or NAME,
        user=f"admin@acme/{NAME}",
        server="https://10.0.0.5:6443",
        ca=ca,
        cert=b"cert",
        key=b"key",
        mark=mark.document(),
    )


# what differs in the mark of the entry: whether a deletion takes it out, whether a save with the
# same CA replaces it, and whether one with another CA does
MARKS = {
    "the same": (FULL, True, True, "ca"),
    "organization in another case": (replace(FULL, org="ACME"), True, True, "ca"),
    "another id": (replace(FULL, cluster_id="id-2"), True, True, "ca"),
    "another name": (replace(FULL, name="old@acme-vdc1"), True, True, "ca"),
    "of an older version": (OLD, True, True, "ca"),
    "of an older version, made anew": (replace(OLD, cluster_id="id-2"), False, True, "ca"),
    "of an older version, without an id": (replace(OLD, cluster_id=""), False, True, "ca"),
    "of an older version, a copy": (replace(OLD, name="copy@acme-vdc1"), False, False, "other"),
    "made anew": (replace(FULL, vapp="v-2"), False, False, "other"),
    "another VCD": (replace(FULL, host="vcd.example.org"), False, False, "other"),
    "another organization": (replace(FULL, org="acme2"), False, False, "other"),
    "a copy": (replace(FULL, vapp="v-2", name="copy@acme-vdc1"), False, False, "other"),
    "a server's, of an older version": (Mark("", NAME), False, True, "ca"),
}


@pytest.mark.parametrize("case", MARKS)
def test_whose_an_entry_is(case: str, tmp_path: Path) -> None:
    mark, forgotten, replaced, with_another_ca = MARKS[case]
    file = tmp_path / "config"
    file.write_text(rendered(mark))
    before = file.read_text()
    if replaced:
        assert save(rendered(FULL), [file]).replaced
        file.write_text(before)
    else:
        with pytest.raises(Conflict):
            save(rendered(FULL), [file])
        with pytest.raises(Conflict):
            overwrite(file, rendered(FULL))
    refused = CaChanged if with_another_ca == "ca" else Conflict
    with pytest.raises(refused):
        save(rendered(FULL, ca=b"new"), [file])
    assert file.read_text() == before
    assert remove_cluster(FULL, [file]) == ([file] if forgotten else [])
    left = yaml.safe_load(file.read_text())
    assert [len(left[section] or []) for section in ("clusters", "contexts", "users")] == (
        [0, 0, 0] if forgotten else [1, 1, 1]
    )


def test_a_vapp_made_anew_needs_the_old_one_to_be_gone(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(rendered(replace(FULL, vapp="v-0")))
    asked: list[str] = []

    def gone(mark: Mark) -> bool:
        asked.append(mark.vapp)
        return True

    with pytest.raises(Conflict, match="still exists: the one with the vApp id v-0"):
        save(rendered(FULL, ca=b"new"), [file])
    assert save(rendered(FULL, ca=b"new"), [file], gone=gone).replaced
    assert set(asked) == {"v-0"}


def test_a_ca_is_accepted_by_its_fingerprint_only(tmp_path: Path) -> None:
    file = tmp_path / "config"
    save(rendered(FULL), [file])
    new = rendered(FULL, ca=b"new")
    with pytest.raises(CaChanged) as caught:
        save(new, [file], accept_ca="0" * 64)
    assert save(new, [file], accept_ca=caught.value.now).replaced
    # a user who took the CA out of the entry by hand is told by the mark
    marked = replace(FULL, ca=caught.value.now)
    file.write_text(rendered(marked).replace("certificate-authority-data", "proxy-url"))
    with pytest.raises(CaChanged):
        save(rendered(replace(FULL, ca="")), [file])


def test_an_unmarked_kubeconfig_replaces_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config"
    save(rendered(FULL), [file])
    before = file.read_text()
    with pytest.raises(Conflict):
        save(rendered(Mark("", "")), [file])
    assert file.read_text() == before


def test_fingerprints() -> None:
    assert ca_fingerprint("") == ""
    assert ca_fingerprint("%%%") != ca_fingerprint("%%%%")
    assert len(ca_fingerprint("QUJD")) == 64
