"""`cluster diagnose` on a real cluster: a healthy one, and an etcd that has no room left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.real.site import CLUSTER, Site

_PKI = "/etc/kubernetes/pki/etcd"


class Etcd:
    """The etcd of the shared cluster, asked on its machine with kubeadm's own certificate."""

    def __init__(self, site: Site) -> None:
        self._site = site
        rows = json.loads(site.vcd("-j", "cse", "node", "list", CLUSTER).checked())
        (self.name,) = (row["Name"] for row in rows if row["Kind"] == "control plane")

    def ask(self, call: str, **body: str) -> dict[str, Any]:
        answer = self._site.inside(
            self.name,
            *("curl", "-sS", "--fail-with-body", "--cacert", f"{_PKI}/ca.crt"),
            *("--cert", f"{_PKI}/healthcheck-client.crt"),
            *("--key", f"{_PKI}/healthcheck-client.key"),
            *("-d", json.dumps(body), f"https://127.0.0.1:2379/v3/{call}"),
        )
        found: dict[str, Any] = json.loads(answer.checked())
        return found

    def alarm(self, action: str) -> None:
        member = self.ask("maintenance/status")["header"]["member_id"]
        self.ask("maintenance/alarm", action=action, memberID=member, alarm="NOSPACE")


@pytest.fixture
def full(site: Site, cluster: dict[str, Any]) -> Iterator[Etcd]:
    assert cluster
    etcd = Etcd(site)
    etcd.alarm("ACTIVATE")
    yield etcd
    etcd.alarm("DEACTIVATE")


def diagnosed(site: Site) -> list[str]:
    shown = site.vcd("-j", "cse", "cluster", "diagnose", CLUSTER).checked()
    return [str(cause["cause"]) for cause in json.loads(shown)["causes"]]


def test_nothing_is_wrong(site: Site, cluster: dict[str, Any]) -> None:
    assert cluster
    assert diagnosed(site) == []


def test_an_etcd_without_room(site: Site, full: Etcd) -> None:
    devs = (CLUSTER, "--group", "devs", "--namespace", "default")
    grant = ("cse", "cluster", "grant", *devs, "--role", "view")
    assert "database space exceeded" in site.vcd(*grant).err
    alarm, command, *others = diagnosed(site)
    assert alarm.startswith(
        f"etcd on {full.name} has raised the alarm NOSPACE: its database is full"
    )
    assert command.startswith(f"The last command, `cse cluster grant {CLUSTER} ")
    assert others == []
    full.alarm("DEACTIVATE")
    site.vcd(*grant).checked()
    assert diagnosed(site) == []
    site.vcd("cse", "cluster", "revoke", *devs).checked()
