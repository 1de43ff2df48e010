"""No secret of ours outlives a command where anybody else could read it."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.support.programs import Result
from tests.support.simulator import Cloud, Control, log_in

Run = Callable[..., Result]

_PRIVATE = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


class ProcessList(threading.Thread):
    """Looks at every process's command line and environment-free facts while a command runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.005):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(file.read_bytes())
                except OSError:
                    continue


def keys_in(kubeconfig: str) -> list[bytes]:
    """Return the private key of a kubeconfig in the forms in which it could be found."""
    data = yaml.safe_load(kubeconfig)["users"][0]["user"]["client-key-data"]
    pem = base64.b64decode(data)
    body = b"".join(pem.splitlines()[1:-1])
    return [data.encode()[:60], body[:60], pem.splitlines()[1]]


def test_nothing_secret_is_left(vcd: Run, cloud: Cloud, home: Path, control: Control) -> None:
    log_in(cloud, home)
    after_login = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    processes = ProcessList()
    processes.start()
    created = vcd("cse", "cluster", "create", "secrets", "-n", "net1", "-N", "1")
    assert created.code == 0, created.err
    kubeconfig = vcd("cse", "cluster", "config", "secrets").out
    info = vcd("-j", "cse", "cluster", "info", "secrets")
    listed = vcd("-j", "cse", "cluster", "list")
    state = json.dumps(control.get("state")).encode()
    deleted = vcd("cse", "cluster", "delete", "secrets", "--yes")
    assert deleted.code == 0, deleted.err
    processes.stopped.set()
    processes.join()

    keys = keys_in(kubeconfig)
    token = yaml.safe_load((home / ".vcd-cli" / "profiles.yaml").read_text())["profiles"][0][
        "token"
    ]
    printed = [
        one.encode() for one in (created.out, created.err, info.out, listed.out, deleted.out)
    ]
    for text in printed:
        assert not _PRIVATE.search(text)
        assert token.encode() not in text
        assert not any(key in text for key in keys)
    for line in processes.seen:
        assert not _PRIVATE.search(line), line[:200]
        assert token.encode() not in line
        assert cloud.password.encode() not in line
        assert not any(key in line for key in keys)
    # what metadata says is for everybody who may see the vApp
    assert b"PRIVATE KEY" not in state
    assert not any(key in state for key in keys)

    for path in home.rglob("*"):
        if not path.is_file():
            continue
        # `vcd login` itself writes its token to the profile and to vcd.log; that much is vcd-cli's
        added = path.read_bytes()[len(after_login.get(path, b"")) :]
        assert not _PRIVATE.search(added), path
        assert not any(key in added for key in keys), path
        assert token.encode() not in added, path
        assert cloud.password.encode() not in added, path
