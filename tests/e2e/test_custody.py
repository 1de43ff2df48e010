"""Whose a CA file and a kubeconfig entry are: nothing of another cluster is used, changed or lost.

The attacker is a vApp Author of the same organization: he may edit his own vApps, and reads what
others' vApps say of themselves. He does with plain VCD calls what no command of ours does.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cse_client.cli.session import read_session
from cse_client.guest import render
from cse_client.guest.pki import fingerprint, mint_pki
from cse_client.model import VApp, Vdc
from cse_client.vcd import tasks
from cse_client.vcd.gateway import Gateway
from tests.e2e.conftest import Cloud, start_simulator, stop_simulator
from tests.e2e.people import Person, person

if "CSE_E2E_HOST" in os.environ:
    pytest.skip("needs a simulator", allow_module_level=True)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    process, cloud = start_simulator(tmp_path_factory.mktemp("cloud"), "--guest-speed", "20")
    yield cloud
    stop_simulator(process)


@pytest.fixture(scope="module")
def admin(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(cloud, tmp_path_factory.mktemp("admin"))


class Hands:
    """A person's plain VCD calls."""

    def __init__(self, who: Person) -> None:
        profile = yaml.safe_load((who.home / ".vcd-cli" / "profiles.yaml").read_text())
        session, _ = read_session(profile["profiles"][0])
        os.environ["REQUESTS_CA_BUNDLE"] = who.environment["REQUESTS_CA_BUNDLE"]
        self.gateway = Gateway.open(session)
        self.vdc: Vdc = self.gateway.vdc()

    def vapp(self, name: str) -> VApp:
        record = self.gateway.find_vapp(self.vdc, name)
        assert record is not None
        return self.gateway.vapp(record.href)

    def metadata(self, name: str) -> dict[str, str]:
        return self.gateway.vapp_metadata(self.vapp(name).href)

    def write(self, name: str, **values: str) -> None:
        named = {f"cse.{key.replace('__', '.')}": value for key, value in values.items()}
        self._wait(self.gateway.write_metadata(self.vapp(name).href, named))

    def script(self, name: str) -> str:
        return self.gateway.customization_script(self.head(name))

    def replace_script(self, name: str, script: str) -> None:
        self._wait(self.gateway.write_customization_script(self.head(name), script))

    def head(self, name: str) -> str:
        return next(vm.href for vm in self.vapp(name).vms if vm.name.startswith("mstr-"))

    def scripts(self, name: str) -> str:
        return "".join(self.gateway.customization_script(vm.href) for vm in self.vapp(name).vms)

    def _wait(self, task: Any) -> None:
        tasks.wait(self.gateway, task, deadline=time.monotonic() + 30)


@pytest.fixture(scope="module")
def hands(admin: Person) -> Iterator[Hands]:
    patch = pytest.MonkeyPatch()
    patch.setenv("REQUESTS_CA_BUNDLE", admin.environment["REQUESTS_CA_BUNDLE"])
    hands = Hands(admin)
    yield hands
    hands.gateway.close()
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


# -- kubeconfig entries ----------------------------------------------------------------------------


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
    assert err.startswith(f"Error: A {kind} '{name}' of something else exists already in {file}.\n")
    assert file.read_bytes() == before


def test_an_organization_in_another_case_is_the_same_cluster(
    admin: Person, demo: str, cloud: Cloud, tmp_path: Path
) -> None:
    from dataclasses import replace

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
        "Hint: Whoever may edit the vApp may have put another CA into VCD. Ask an administrator of"
        " the cluster for its CA's fingerprint; if the new one is right: vcd cse cluster config"
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
    again = f"vcd cse cluster delete brief --yes --kubeconfig '{file}'"
    assert again in err
    # still locked: not found, and why it cannot be taken out
    code, out, err = admin.cluster("delete", "brief", "--yes", *named)
    assert (code, out) == (3, "")
    assert "is locked by another program" in err
    lock.unlink()
    code, out, err = admin.cluster("delete", "brief", "--yes", *named)
    assert (code, err) == (0, "")
    assert out == f"Cluster brief was gone already; it is taken out of {file}.\n"
    assert contexts(file) == []
    assert admin.cluster("delete", "brief", "--yes", *named)[0] == 3
