"""A backup of a real etcd, opened again."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from cse_client.engines.direct.backup_files import open_backup
from cse_client.model.backups import BackupKey
from tests.real.build.components import ETCD
from tests.real.build.places import folder_of
from tests.real.site import CLUSTER, Site

OBJECTS = 300


def fill(site: Site) -> None:
    """Make objects of 4 kB in a namespace of their own."""
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"c{number}", "namespace": "filled"},
            "data": {"noise": base64.b64encode(os.urandom(3000)).decode()},
        }
        for number in range(OBJECTS)
    ]
    site.kubectl("create", "namespace", "filled").checked()
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    site.kubectl("create", "-f", "-", stdin=json.dumps(listed)).checked()


def test_a_backup_holds_what_etcd_has(site: Site, cluster: dict[str, Any], tmp_path: Path) -> None:
    fill(site)
    (tmp_path / "passphrase").write_text("correct horse\n")
    file = tmp_path / "demo.backup"
    made = site.vcd(
        *("-j", "cse", "cluster", "backup", CLUSTER, "-o", str(file)),
        *("--passphrase-file", str(tmp_path / "passphrase")),
    )
    shown = json.loads(made.checked())
    assert shown["kubernetes_version"] == f"v{site.kit.version.lstrip('v')}"
    with open_backup(file, BackupKey(passphrase="correct horse")) as backup:
        (head,) = backup.record["control_planes"]
        assert head["name"].startswith("mstr-")
        assert head["ip"]
        with (tmp_path / "etcd.db").open("wb") as database:
            for piece in backup.snapshot():
                database.write(piece)
    assert (tmp_path / "etcd.db").stat().st_size == backup.size == shown["etcd_size"]
    etcdutl = str(folder_of(ETCD) / "etcdutl")
    status = subprocess.run(
        [etcdutl, "snapshot", "status", str(tmp_path / "etcd.db"), "-w", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(status.stdout)["totalKey"] >= OBJECTS
    assert re.match(
        rb".*registry/configmaps/filled/c299", (tmp_path / "etcd.db").read_bytes(), re.S
    )
    site.kubectl("delete", "namespace", "filled").checked()
