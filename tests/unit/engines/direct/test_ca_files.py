"""CA files on this machine: whose they are, who can read them, and that none is ever lost."""

from __future__ import annotations

import base64
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cse_client.engines.direct import ca_files
from cse_client.errors import CseError, Refused
from cse_client.guest.pki import ClusterPKI, mint_pki
from cse_client.model.identity import ClusterIdentity
from cse_client.state import state_folder

VAULT = ClusterIdentity(
    host="vcd.example.com",
    org="acme",
    vapp="11111111-2222-3333-4444-555555555555",
    name="vault@acme-vdc1",
    cluster_id="an-id",
)
OTHERS = {
    "another VCD with the same ids": replace(VAULT, host="vcd.example.org"),
    "another port": replace(VAULT, host="vcd.example.com:8443"),
    "another organization": replace(VAULT, org="acme2"),
    "a copy": replace(VAULT, vapp="11111111-2222-3333-4444-666666666666"),
    "a vApp that VCD does not tell": replace(VAULT, vapp=""),
}


@pytest.fixture(scope="module")
def pki() -> ClusterPKI:
    return mint_pki("vault")


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def write(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def old_form(pki: ClusterPKI) -> str:
    return json.dumps({part: base64.b64encode(pem).decode() for part, pem in vars(pki).items()})


def test_a_key_comes_back_from_a_file_that_only_we_can_read(pki: ClusterPKI) -> None:
    path = ca_files.keep(VAULT, pki)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    found = ca_files.kept(VAULT)
    assert found is not None
    assert (found.path, found.owner, found.pki) == (path, VAULT, pki)
    assert list(path.parent.iterdir()) == [path]
    # a vApp can be renamed, an organization typed in another case, and the id is anybody's choice
    renamed = replace(VAULT, name="safe@acme-vdc1", org="ACME", cluster_id="other")
    found = ca_files.kept(renamed)
    assert found is not None
    assert found.path == path


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_no_other_cluster_gets_it_or_removes_it(pki: ClusterPKI, other: ClusterIdentity) -> None:
    path = ca_files.keep(VAULT, pki)
    before = path.read_bytes()
    assert ca_files.kept(other) is None
    assert ca_files.remove(other) is None
    if other.vapp:
        ca_files.keep(other, mint_pki("other"))
        ca_files.remove(other)
    else:
        with pytest.raises(CseError, match="does not report which vApp"):
            ca_files.keep(other, pki)
    assert path.read_bytes() == before
    # somebody renamed the file, or copied it over another one's
    path.rename(ca_files.ca_file(other))
    if other.vapp:
        with pytest.raises(CseError, match="is not that of vault@acme-vdc1"):
            ca_files.kept(other)
        with pytest.raises(CseError, match="is not that of"):
            ca_files.keep(other, pki)
    assert ca_files.ca_file(other).read_bytes() == before


def test_another_key_is_never_written_over_one(pki: ClusterPKI) -> None:
    path = ca_files.keep(VAULT, pki)
    before = path.read_bytes()
    assert ca_files.keep(VAULT, pki) == path
    with pytest.raises(Refused, match="is not overwritten") as caught:
        ca_files.keep(VAULT, mint_pki("vault"))
    assert caught.value.message.count("sha256:") == 2
    write(path, "{")
    with pytest.raises(CseError, match="is damaged"):
        ca_files.keep(VAULT, pki)
    assert path.read_text() == "{"
    write(path, before)
    assert ca_files.remove(VAULT) == path
    assert ca_files.remove(VAULT) is None


def garbage(text: str) -> dict[str, str | bytes]:
    """Return what may stand where a CA file should."""
    raw = json.loads(text)
    (other, mine) = (mint_pki("other"), raw["pki"])
    key = base64.b64encode(other.ca_key).decode()
    return {
        "nothing": "",
        "cut off": text[: len(text) // 2],
        "not JSON": "{",
        "a list": "[]",
        "a number": "7",
        "deep": "[" * 50_000,
        "binary": b"\x00\xff\xfe",
        "no key": json.dumps({**raw, "pki": {}}),
        "numbers": json.dumps({**raw, "pki": dict.fromkeys(mine, 1)}),
        "no base64": json.dumps({**raw, "pki": {**mine, "ca_key": "%%%"}}),
        "no PEM": json.dumps({**raw, "pki": {**mine, "ca_key": "AAAA"}}),
        "another's key": json.dumps({**raw, "pki": {**mine, "ca_key": key}}),
        "a part too many": json.dumps({**raw, "pki": {**mine, "x": "AAAA"}}),
        "another CA than it names": json.dumps({**raw, "ca": "0" * 64}),
        "no vApp": json.dumps({k: v for k, v in raw.items() if k != "vapp"}),
        "a vApp that is no text": json.dumps({**raw, "vapp": 1}),
        "huge": text + " " * (1 << 17),
    }


def test_a_damaged_file_is_named_and_none_of_it_is_shown(pki: ClusterPKI) -> None:
    path = ca_files.keep(VAULT, pki)
    text = path.read_text()
    secret = json.loads(text)["pki"]["ca_key"][40:80]
    for what, content in garbage(text).items():
        write(path, content)
        with pytest.raises(CseError) as caught:
            ca_files.kept(VAULT)
        said = caught.value.message
        assert said.startswith(f"The CA file {path} is damaged: "), what
        assert secret not in said + caught.value.hint, what
        assert path.exists(), what


def test_what_is_no_file_does_not_stop_us(pki: ClusterPKI) -> None:
    path = ca_files.keep(VAULT, pki)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(CseError, match="not a regular file"):
        ca_files.kept(VAULT)
    path.unlink()
    path.mkdir()
    with pytest.raises(CseError, match=r"not a regular file|Is a directory"):
        ca_files.kept(VAULT)


def test_a_newer_version_of_the_file_asks_for_an_upgrade(pki: ClusterPKI) -> None:
    path = ca_files.keep(VAULT, pki)
    write(path, path.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(CseError, match="another version of cse-client"):
        ca_files.kept(VAULT)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o777])
def test_a_file_that_others_may_read_is_not_used(pki: ClusterPKI, mode: int) -> None:
    path = ca_files.keep(VAULT, pki)
    path.chmod(mode)
    with pytest.raises(Refused, match=f"mode {mode:04o}") as caught:
        ca_files.kept(VAULT)
    assert caught.value.hint == f"If nobody has: chmod 600 {path}"
    path.chmod(0o400)
    assert ca_files.kept(VAULT) is not None


@given(st.text(), st.text(), st.text())
def test_names_from_vcd_never_leave_the_folder(name: str, org: str, cluster_id: str) -> None:
    path = ca_files.ca_file(replace(VAULT, name=name, org=org))
    assert path.resolve().parent == (state_folder() / "ca").resolve()
    assert len(os.fsencode(path.name)) < 100
    old = ca_files.old_ca_file(cluster_id)
    assert old is None


@pytest.mark.parametrize(
    "cluster_id", ["", ".", "..", "../ca", "/etc/passwd", "a\0b", "a\nb", "é" * 300, "*", "x" * 999]
)
def test_an_id_of_garbage_names_no_file(pki: ClusterPKI, cluster_id: str) -> None:
    kept = ca_files.keep(VAULT, pki)
    (state_folder() / "secret.json").write_text("{}")
    assert ca_files.old_ca_file(cluster_id) is None
    # not even one of the new form, whose name is known to whoever knows the vApp
    assert ca_files.old_ca_file(kept.stem) is None
    assert list(ca_files.claiming(cluster_id)) == []


def test_a_file_of_the_older_form_does_not_say_whose_it_is(pki: ClusterPKI) -> None:
    path = write(state_folder() / "ca" / "an-id.json", old_form(pki))
    assert ca_files.kept(VAULT) is None
    assert ca_files.old_ca_file("an-id") == path
    found = ca_files.read(path)
    assert (found.owner, found.pki) == (None, pki)


def test_which_files_have_an_id(pki: ClusterPKI) -> None:
    path = ca_files.keep(VAULT, pki)
    ca_files.keep(replace(VAULT, vapp="2" * 36, cluster_id="other"), mint_pki("other"))
    write(path.with_name("broken.json"), "{")
    assert list(ca_files.claiming("an-id")) == [(path, VAULT)]
