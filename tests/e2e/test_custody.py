"""Whose a CA file and a kubeconfig entry are: nothing of another cluster is used, changed or lost.

The attacker is a vApp Author of the same organization: he may edit his own vApps, and reads what
others' vApps say of themselves. He does with plain VCD calls what no command of ours does.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cse_client.cli.profile import read_session
from cse_client.guest import render, stored_scripts
from cse_client.guest.pki import fingerprint, mint_pki
from cse_client.model import VApp, Vdc
from cse_client.vcd import tasks
from cse_client.vcd.client import VcdClient
from tests.support.people import Person, person
from tests.support.programs import VCD
from tests.support.simulator import Cloud, Control, running_simulator

if "CSE_E2E_HOST" in os.environ:
    pytest.skip("needs a simulator", allow_module_level=True)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_simulator(tmp_path_factory.mktemp("cloud"), "--guest-speed", "20") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def admin(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(cloud, tmp_path_factory.mktemp("admin"))


class Hands:
    """A person's plain VCD calls."""

    def __init__(self, who: Person) -> None:
        profile = yaml.safe_load((who.home / ".vcd-cli" / "profiles.yaml").read_text())
        session, _ = read_session(profile["profiles"][0])
        os.environ["REQUESTS_CA_BUNDLE"] = who.environment["REQUESTS_CA_BUNDLE"]
        self.vcd = VcdClient.open(session)
        self.vdc: Vdc = self.vcd.surroundings.vdc()

    def vapp(self, name: str) -> VApp:
        record = self.vcd.find_vapp(self.vdc, name)
        assert record is not None
        return self.vcd.vapp(record.href)

    def metadata(self, name: str) -> dict[str, str]:
        return self.vcd.vapp_metadata(self.vapp(name).href)

    def write(self, name: str, **values: str) -> None:
        named = {f"cse.{key.replace('__', '.')}": value for key, value in values.items()}
        self._wait(self.vcd.write_metadata(self.vapp(name).href, named))

    def script(self, name: str) -> str:
        return self.vcd.customization_script(self.head(name))

    def replace_script(self, name: str, script: str) -> None:
        self._wait(self.vcd.write_customization_script(self.head(name), script))

    def head(self, name: str) -> str:
        return next(vm.href for vm in self.vapp(name).vms if vm.name.startswith("mstr-"))

    def scripts(self, name: str) -> str:
        return "".join(self.vcd.customization_script(vm.href) for vm in self.vapp(name).vms)

    def _wait(self, task: Any) -> None:
        tasks.wait(self.vcd, task, deadline=time.monotonic() + 30)


@pytest.fixture(scope="module")
def hands(admin: Person) -> Iterator[Hands]:
    patch = pytest.MonkeyPatch()
    patch.setenv("REQUESTS_CA_BUNDLE", admin.environment["REQUESTS_CA_BUNDLE"])
    hands = Hands(admin)
    yield hands
    hands.vcd.close()
    patch.undo()


def create(who: Person, name: str, *words: str) -> None:
    made = who.cluster("create", name, "-n", "net1", "-N", "0", *words)
    assert made[0] == 0, made[2]


def contexts(file: Path) -> list[str]:
    return [one["name"] for one in yaml.safe_load(file.read_text())["contexts"]]


def ca_of(file: Path, name: str) -> bytes:
    clusters = yaml.safe_load(file.read_text())["clusters"]
    data = next(one["cluster"] for one in clusters if one["name"] == name)
    return base64.b64decode(data["certificate-authority-data"])


def server_of(file: Path, name: str) -> str:
    clusters = yaml.safe_load(file.read_text())["clusters"]
    return str(next(one["cluster"] for one in clusters if one["name"] == name)["server"])


# Kubeconfig entries


@pytest.fixture(scope="module")
def demo(admin: Person) -> str:
    """An unsealed cluster, saved."""
    create(admin, "demo")
    assert admin.cluster("config", "demo", "--save")[0] == 0
    return "demo@acme-vdc1"


@pytest.mark.parametrize("section", ["clusters", "contexts", "users"])
def test_a_foreign_entry_of_our_default_name_stays(
    admin: Person, demo: str, section: str, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    kind = section[:-1]
    body = {"cluster": {"server": "https://theirs"}, "context": {"user": "u"}, "user": {}}[kind]
    name = f"admin@acme/{demo}" if kind == "user" else demo
    file.write_text(yaml.safe_dump({section: [{"name": name, kind: body}]}))
    before = file.read_bytes()
    code, out, err = admin.cluster("config", "demo", "--save", "--kubeconfig", str(file))
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: A {kind} '{name}' of something else already exists in {file}.\n")
    assert file.read_bytes() == before


def test_an_organization_in_another_case_is_the_same_cluster(
    admin: Person, demo: str, cloud: Cloud, tmp_path: Path
) -> None:
    shouting = person(replace(cloud, org=cloud.org.upper()), tmp_path / "home")
    file = tmp_path / "config"
    for who, words in ((admin, ()), (admin, ("--org", "ACME")), (shouting, ())):
        saved = who.cluster("config", "demo", "--save", "--kubeconfig", str(file), *words)
        assert saved[0] == 0, saved[2]
    found = yaml.safe_load(file.read_text())
    for section in ("clusters", "contexts", "users"):
        assert len(found[section]) == 1, found[section]


def test_a_replaced_ca_is_not_taken_over(admin: Person, demo: str, hands: Hands) -> None:
    """An editor of the vApp puts a script with his own CA and an address of his own there."""
    true = ca_of(admin.config, demo)
    before = admin.config.read_bytes()
    original = hands.script("demo")
    spec = hands.metadata("demo")["cse.client.spec"]
    mallorys = mint_pki("demo")
    bootstrap = render.Bootstrap(cluster_id="x", cluster_name="demo", node="mstr-0000")
    hands.replace_script("demo", render.control_plane_script(bootstrap, mallorys))
    hands.write("demo", client__spec='{"endpoint":"127.0.0.1:9"}')
    refused = admin.cluster("config", "demo", "--save")
    was, now = fingerprint(true), fingerprint(mallorys.ca_cert)
    assert refused[:2] == (4, "")
    assert refused[2] == (
        f"Error: The CA of cluster {demo} is not the one that {admin.config} trusts for it."
        f" Trusted: sha256:{was}. Now: sha256:{now}. Nothing was saved.\n"
        "Hint: Anyone who can edit the vApp can store another CA in VCD. Ask a cluster"
        " administrator for the CA's fingerprint. If the new one is correct: cse cluster config"
        f" demo --save --accept-ca sha256:{now}\n"
    )
    assert admin.config.read_bytes() == before
    wrong = admin.cluster("config", "demo", "--save", "--accept-ca", f"sha256:{was}")
    assert wrong[0] == 4
    # into a file of its own: the same
    own = admin.home / "own"
    own.write_bytes(before)
    assert admin.cluster("config", "demo", "-o", "own")[0] == 4
    assert own.read_bytes() == before
    # what the hint says works
    colons = ":".join(now[i : i + 2] for i in range(0, 64, 2)).upper()
    assert admin.cluster("config", "demo", "--save", "--accept-ca", colons)[0] == 0
    assert ca_of(admin.config, demo) == mallorys.ca_cert
    hands.replace_script("demo", original)
    hands.write("demo", client__spec=spec)
    back = admin.cluster("config", "demo", "--save", "--accept-ca", f"sha256:{was}")
    assert back[0] == 0, back[2]
    assert admin.kubectl("--context", demo, "get", "nodes")[0] == 0


@pytest.mark.parametrize("own", [False, True], ids=["--save", "-o"])
def test_an_address_that_somebody_else_changed_is_warned_of(
    admin: Person, demo: str, hands: Hands, tmp_path: Path, own: bool
) -> None:
    file = tmp_path / "config"
    words = ["config", "demo"]
    words += ["-o", str(file)] if own else ["--save", "--kubeconfig", str(file)]
    assert admin.cluster(*words)[::2] == (0, "")
    was = server_of(file, demo)
    before = hands.metadata("demo")["cse.client.spec"]
    hands.write("demo", client__spec='{"endpoint":"127.0.0.1:9"}')
    try:
        code, out, err = admin.cluster(*words)
    finally:
        hands.write("demo", client__spec=before)
    assert (code, out.count("\n")) == (0, 1)
    warning, hint = err.splitlines()
    assert warning == (
        f"Warning: The cluster's address in {file} changed from {was} to https://127.0.0.1:9,"
        " as recorded in VCD. The CA is unchanged."
    )
    told, _colon, line = hint.partition(": kubectl ")
    assert told == "If the new address is wrong, restore the old one"
    assert admin.kubectl(*shlex.split(line))[0] == 0
    assert server_of(file, demo) == was
    assert admin.kubectl("--kubeconfig", str(file), "get", "nodes")[0] == 0
    # unchanged, or asked for: nothing to say
    assert admin.cluster(*words)[::2] == (0, "")
    asked = admin.cluster(*words, "--endpoint", "127.0.0.1:9")
    assert asked[::2] == (0, "")


def test_a_cluster_made_anew_replaces_its_entry(admin: Person, tmp_path: Path) -> None:
    file = tmp_path / "config"
    save = ("config", "anew", "--save", "--kubeconfig", str(file))
    create(admin, "anew")
    assert admin.cluster(*save)[0] == 0
    first = ca_of(file, "anew@acme-vdc1")
    # deleted from another machine, which has no such file
    assert admin.cluster("delete", "anew", "--yes")[0] == 0
    assert contexts(file) == ["anew@acme-vdc1"]
    create(admin, "anew")
    assert admin.cluster(*save)[0] == 0
    assert ca_of(file, "anew@acme-vdc1") != first
    assert admin.kubectl("--kubeconfig", str(file), "get", "nodes")[0] == 0
    deleted = admin.cluster("delete", "anew", "--yes", "--kubeconfig", str(file))
    assert deleted[0] == 0
    assert contexts(file) == []


def test_a_locked_kubeconfig_can_be_cleaned_afterwards(admin: Person, tmp_path: Path) -> None:
    file = tmp_path / "my config"
    named = ("--kubeconfig", str(file))
    create(admin, "brief")
    assert admin.cluster("config", "brief", "--save", *named)[0] == 0
    lock = tmp_path / "my config.lock"
    lock.touch()
    code, out, err = admin.cluster("delete", "brief", "--yes", *named)
    assert (code, out.startswith("Cluster brief is deleted")) == (0, True)
    assert f"rm '{lock}'" in err
    again = f"cse cluster delete brief --yes --kubeconfig '{file}'"
    assert again in err
    # still locked: not found, and why it cannot be taken out
    code, out, err = admin.cluster("delete", "brief", "--yes", *named)
    assert (code, out) == (3, "")
    assert "is locked by another program" in err
    lock.unlink()
    code, out, err = admin.cluster("delete", "brief", "--yes", *named)
    assert (code, err) == (0, "")
    assert out == f"Cluster brief was already deleted; it was removed from {file}.\n"
    assert contexts(file) == []
    assert admin.cluster("delete", "brief", "--yes", *named)[0] == 3


def test_a_copy_of_an_unsealed_cluster_does_not_act_on_the_original(
    admin: Person, hands: Hands
) -> None:
    """A copy has the key, and the address that was recorded for the original."""
    create(admin, "orig")
    create(admin, "twin")
    same = hands.metadata("orig")
    address = next(vm.ip for vm in hands.vapp("orig").vms)
    spec = json.dumps({**json.loads(same["cse.client.spec"]), "endpoint": address})
    hands.write("twin", cluster__id=same["cse.cluster.id"], client__spec=spec)
    hands.replace_script("twin", hands.script("orig"))
    for words in (
        ("grant", "twin", "--user", "mallory", "--role", "admin"),
        ("config", "twin", "--save"),
        ("resize", "twin", "-N", "1"),
        ("seal", "twin"),
    ):
        code, out, err = admin.cluster(*words)
        assert (code, out) == (4, ""), words
        assert "is a copy of the cluster orig in VDC vdc1" in err, words
    empty = "No roles are granted in cluster orig.\n"
    assert admin.cluster("grants", "orig") == (0, "", empty)
    # the original is not kept from anything, whoever copies it
    hands.write("orig", client__spec=spec)
    assert admin.cluster("config", "orig", "--save")[0] == 0
    assert admin.cluster("delete", "twin", "--yes")[0] == 0
    assert admin.kubectl("--context", "orig@acme-vdc1", "get", "nodes")[0] == 0
    assert admin.cluster("delete", "orig", "--yes")[0] == 0


# CA files

VAULT = "vault@acme-vdc1"


@pytest.fixture(scope="module")
def author(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(cloud, tmp_path_factory.mktemp("author"), "author")


def ca_files(who: Person) -> list[Path]:
    return sorted((who.home / ".local/state/cse-client/ca").glob("*"))


@dataclass
class Vault:
    """A sealed and saved cluster, and the file that keeps its key."""

    admin: Person
    file: Path
    content: bytes
    entry: bytes

    def check_unharmed(self) -> None:
        """Check that the key and the context are still there, and work."""
        assert ca_files(self.admin) == [self.file]
        assert self.file.read_bytes() == self.content
        assert ca_of(self.admin.config, VAULT) == self.entry
        assert self.admin.kubectl("--context", VAULT, "get", "nodes")[0] == 0


@pytest.fixture(scope="module")
def vault(admin: Person) -> Vault:
    create(admin, "vault", "--seal")
    assert admin.cluster("config", "vault", "--save")[0] == 0
    (file,) = ca_files(admin)
    return Vault(admin, file, file.read_bytes(), ca_of(admin.config, VAULT))


def impersonate(author: Person, hands: Hands, name: str, *, endpoint: str = "") -> None:
    """Make a vApp of the author's look like vault, as its author can."""
    create(author, name)
    his = Hands(author)
    spec = json.loads(his.metadata(name)["cse.client.spec"])
    spec["endpoint"] = endpoint
    his.write(
        name,
        cluster__id=hands.metadata("vault")["cse.cluster.id"],
        client__sealed="true",
        client__spec=json.dumps(spec),
    )
    his.replace_script(name, stored_scripts.sealed_script())
    his.vcd.close()


ON_MAL = [
    ("resize", "mal", "-N", "1"),
    ("config", "mal"),
    ("config", "mal", "--save"),
    ("config", "mal", "--user", "mallory"),
    ("grants", "mal"),
    ("grant", "mal", "--user", "mallory", "--role", "admin"),
    ("seal", "mal"),
]


def test_a_sealed_clusters_id_gives_nothing(
    admin: Person, author: Person, hands: Hands, vault: Vault
) -> None:
    address = next(vm.ip for vm in hands.vapp("vault").vms)
    impersonate(author, hands, "mal", endpoint=address)
    for words in ON_MAL:
        code, out, err = admin.cluster(*words)
        assert (code, out) == (4, ""), words
        said = re.sub("^ .*\n", "", err, flags=re.M)
        assert said.startswith(
            "Error: Cluster 'mal' is sealed and its CA key is not on this machine.\n"
        ), words
        assert f"{vault.file} keeps the CA key of {VAULT}" in said, words
        assert "not used for 'mal'" in said, words
    for words in (("node", "create", "mal"), ("addon", "status", "mal")):
        code, out, _ = admin.run(VCD, "cse", *words)
        assert code == 4, words
    repaired = admin.cluster("repair", "mal")
    assert "vault" not in repaired[1]
    assert not [vm for vm in hands.vapp("mal").vms if vm.name.startswith("node-")]
    # what the note suggests is refused as long as the owner of the file is there
    adopted = admin.cluster("seal", "mal", "--adopt", str(vault.file))
    assert adopted[:2] == (4, "")
    assert "whose vApp" in adopted[2]
    assert "still exists" in adopted[2]
    vault.check_unharmed()

    # both are shown as such
    listed = json.loads(admin.run(VCD, "-j", "cse", "cluster", "list")[1])
    problems = {one["Name"]: " ".join(one["Problems"]) for one in listed}
    assert "same cluster id as vault" in problems["mal"]
    assert "same cluster id as mal" in problems["vault"]
    for name, other in (("mal", "vault"), ("vault", "mal")):
        shown = admin.cluster("info", name)
        assert shown[0] == 0
        assert f"same cluster id as {other}" in shown[1]

    deleted = admin.cluster("delete", "mal", "--yes")
    assert deleted[0] == 0, deleted[2]
    vault.check_unharmed()


def test_a_copy_of_a_sealed_cluster_is_harmless(admin: Person, hands: Hands, vault: Vault) -> None:
    """VCD's copy of a vApp: everything is the same, but for the ids, the VMs and the name."""
    create(admin, "copy")
    same = hands.metadata("vault")
    hands.write("copy", **{key[len("cse.") :].replace(".", "__"): same[key] for key in same})
    hands.replace_script("copy", hands.script("vault"))
    assert admin.cluster("config", "copy", "--save", "--context", VAULT)[0] == 4
    assert admin.cluster("delete", "copy", "--yes")[0] == 0
    vault.check_unharmed()


def test_the_key_kept_here_wins_over_what_is_in_vcd(
    admin: Person, hands: Hands, vault: Vault, cloud: Cloud, tmp_path: Path
) -> None:
    original = hands.script("vault")
    mallorys = mint_pki("vault")
    bootstrap = render.Bootstrap(cluster_id="x", cluster_name="vault", node="mstr-0000")
    hands.replace_script("vault", render.control_plane_script(bootstrap, mallorys))
    saved = admin.cluster("config", "vault", "--save")
    assert saved[0] == 0, saved[2]
    vault.check_unharmed()
    info = json.loads(admin.run(VCD, "-j", "cse", "cluster", "info", "vault")[1])
    (said,) = (line for line in info["problems"] if "another CA" in line)
    assert fingerprint(mallorys.ca_cert) in said
    # somebody else, who has no file, learns from the metadata that this cannot be
    other = person(cloud, tmp_path / "home")
    code, out, err = other.cluster("config", "vault")
    assert (code, out) == (4, "")
    assert "says that it is sealed" in err
    hands.replace_script("vault", original)


def test_a_file_of_the_older_form_is_adopted_by_its_own_cluster_only(
    admin: Person, author: Person, hands: Hands, vault: Vault, cloud: Cloud
) -> None:
    # what is made from here on is younger than vault's CA, beyond any doubt about clocks
    Control(cloud).set("clock", advance=600)
    cluster_id = hands.metadata("vault")["cse.cluster.id"]
    old = vault.file.with_name(f"{cluster_id}.json")
    old.write_text(json.dumps(json.loads(vault.content)["pki"]))
    old.chmod(0o600)
    vault.file.unlink()
    address = next(vm.ip for vm in hands.vapp("vault").vms)
    # once with his own API, once with vault's
    for name, endpoint, words in (
        ("mal", "", ON_MAL),
        ("mal2", address, [("resize", "mal2", "-N", "1"), ("config", "mal2"), ("seal", "mal2")]),
    ):
        impersonate(author, hands, name, endpoint=endpoint)
        for command in words:
            code, out, err = admin.cluster(*command)
            assert (code, out) == (4, ""), command
            assert f"{old} keeps a CA key for the cluster id that '{name}' has" in err, command
        # not even when he is asked for by name
        code, out, err = admin.cluster("seal", name, "--adopt", str(old))
        assert (code, out) == (4, "")
        assert "is not adopted" in err
        assert [vm.name[:4] for vm in hands.vapp(name).vms] == ["mstr"]
    # a copy does not keep the original from its own key
    assert admin.cluster("config", "vault", "--save")[0] == 0
    assert ca_files(admin) == [vault.file]
    assert json.loads(vault.file.read_text()) == json.loads(vault.content)
    for name in ("mal", "mal2"):
        assert admin.cluster("delete", name, "--yes")[0] == 0
    vault.check_unharmed()


def test_a_restored_cluster_gets_its_key_back(admin: Person, hands: Hands, vault: Vault) -> None:
    """A file of a vApp that is gone, as after a restore from a backup: the vApp has a new id."""
    lost = {**json.loads(vault.content), "vapp": "0" * 8 + "-0000-0000-0000-" + "0" * 12}
    elsewhere = vault.file.with_name("restored.0123456789abcdef.json")
    elsewhere.write_text(json.dumps(lost))
    elsewhere.chmod(0o600)
    vault.file.unlink()
    code, out, err = admin.cluster("config", "vault")
    assert (code, out) == (4, "")
    adoption = f"cse cluster seal vault --adopt {elsewhere}"
    assert adoption in err
    adopted = admin.run("sh", "-c", adoption)
    assert adopted == (
        0,
        f"The CA key of cluster vault is kept in {vault.file}; {elsewhere} is unchanged.\n",
        "",
    )
    elsewhere.unlink()
    vault.check_unharmed()


def test_deletion_removes_the_key_of_the_deleted(admin: Person, vault: Vault) -> None:
    deleted = admin.cluster("delete", "vault", "--yes")
    assert deleted[0] == 0
    assert ca_files(admin) == []
    assert VAULT not in contexts(admin.config)
