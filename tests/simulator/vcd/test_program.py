"""`python -m cse_client.simulator` as a program, and unmodified `vcd` against it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import ssl
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import ROOT, clean_environment

TEMPLATE = "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2"


class Vcd:
    """The installed `vcd`, in a home and working folder of its own."""

    def __init__(self, folder: Path, ready: dict[str, str]) -> None:
        self.ready = ready
        self.folder = folder
        self.environment = clean_environment(folder)
        self.environment["REQUESTS_CA_BUNDLE"] = ready["ca"]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["vcd", *words],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def ok(self, *words: str) -> str:
        result = self.run(*words)
        assert result.returncode == 0, (words, result.stdout, result.stderr)
        return result.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok("-j", *words))

    def login(self, *options: str, user: str = "admin") -> str:
        ready = self.ready
        password = ready["password"]
        return self.ok("login", ready["host"], ready["org"], user, "-p", password, *options)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("simulator")
    ready = folder / "ready.json"
    process: Any
    with subprocess.Popen(
        [sys.executable, "-m", "cse_client.simulator", "--ready-file", str(ready), "--no-guests"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 30
        while not ready.exists():
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.ready = ready
        yield process
        process.terminate()


@pytest.fixture
def vcd(process: Any, tmp_path: Path) -> Vcd:
    return Vcd(tmp_path, json.loads(process.ready.read_text(encoding="utf-8")))


def test_login_verified_through_the_bundle_and_logout(vcd: Vcd) -> None:
    assert vcd.login() == "\nadmin logged in, org: 'acme', vdc: 'vdc1'\n"
    assert "vdc1" in vcd.ok("vdc", "list")
    vcd.ok("logout")
    assert vcd.run("vdc", "list").returncode != 0


def test_login_unverified(vcd: Vcd) -> None:
    del vcd.environment["REQUESTS_CA_BUNDLE"]
    assert vcd.run("login", vcd.ready["host"], "acme", "admin", "-p", "x").returncode != 0
    vcd.login("-i", "-w")
    assert "vdc1" in vcd.ok("vdc", "list")


def test_login_with_a_wrong_password(vcd: Vcd) -> None:
    result = vcd.run("login", vcd.ready["host"], "acme", "admin", "-p", "wrong")
    assert result.returncode == 2
    assert "Error: Login failed." in result.stderr


def test_what_there_is(vcd: Vcd) -> None:
    vcd.login()
    assert [one["name"] for one in vcd.json("vdc", "list")] == ["vdc1", "vdc2"]
    assert vcd.json("vdc", "info", "vdc1")["networks"] == ["net1", "net2", "net3", "net4"]
    networks = {one["name"]: one["connectedTo"] for one in vcd.json("network", "list")}
    assert networks == {"net1": "edge1", "net2": "edge1", "net3": "", "net4": ""}
    assert [one["name"] for one in vcd.json("catalog", "list")] == ["cse", "images"]
    assert TEMPLATE in vcd.ok("catalog", "list", "cse")
    assert re.search(r"is_shared_to_everyone +True", vcd.ok("catalog", "info", "cse"))
    assert re.search(rf"template-name +{TEMPLATE}", vcd.ok("catalog", "info", "cse", TEMPLATE))
    assert vcd.json("org", "list")[0]["name"] == "acme"
    # vcd-cli's own `vm list` is not written yet, whatever the server.
    assert "not implemented" in vcd.run("vm", "list").stderr


def test_the_life_of_a_vapp(vcd: Vcd) -> None:
    vcd.login()
    created = vcd.ok(
        "vapp", "create", "v1", "-c", "cse", "-t", TEMPLATE, "-n", "net1", "-i", "pool"
    )
    assert "result: success" in created
    (line,) = vcd.json("vapp", "list")
    assert (line["name"], line["status"], line["isDeployed"]) == ("v1", "POWERED_ON", "true")
    (vm,) = vcd.json("vapp", "list", "v1")
    assert vm["ipAddress"] == "127.20.0.10"
    info = vcd.ok("vapp", "info", "v1")
    assert re.search(r"vapp-net-1\s+net1", info)
    assert "Powered on" in vcd.ok("vm", "info", "v1", vm["name"])
    assert vcd.run("vapp", "info", "v2").returncode == 2
    assert "Stop the vApp and try again" in vcd.run("vapp", "delete", "v1", "-y").stderr
    assert "result: success" in vcd.ok("vapp", "power-off", "v1", "-y")
    assert "Stop the vApp and try again" in vcd.run("vapp", "delete", "v1", "-y").stderr
    assert "result: success" in vcd.ok("vapp", "undeploy", "v1", "-y")
    assert "result: success" in vcd.ok("vapp", "delete", "v1", "-y")
    assert vcd.ok("vapp", "list") == ""
    assert "vdcDeleteVapp" in vcd.ok("task", "list", "SUCCESS")


def test_the_ready_file_and_what_is_printed(process: Any, vcd: Vcd) -> None:
    mode = stat.S_IMODE(process.ready.stat().st_mode)
    assert mode == 0o600
    assert set(vcd.ready) == {"host", "org", "user", "password", "ca"}
    assert re.fullmatch(r"127\.0\.0\.1:\d+", vcd.ready["host"])


def test_it_ends_at_sigterm_with_everything_it_made(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = [sys.executable, "-m", "cse_client.simulator", "--ready-file", str(ready)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process: Any
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        while not ready.exists():
            assert process.poll() is None
            time.sleep(0.02)
        values = json.loads(ready.read_text(encoding="utf-8"))
        assert Path(values["ca"]).is_file()
        context = ssl.create_default_context(cafile=values["ca"])
        url = f"https://{values['host'].replace('127.0.0.1', 'localhost')}/api/versions"
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(url) as answer:
            assert b"<Version>36.0</Version>" in answer.read()
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        printed = process.stdout.read()
        assert process.wait(20) == 0
    assert f"vcd login {values['host']} acme admin --password {values['password']}" in printed
    assert f"export REQUESTS_CA_BUNDLE={values['ca']}" in printed
    for user in ("admin", "author", "viewer"):
        assert re.search(rf"^  {user} +\S+", printed, re.MULTILINE)
    assert [one.name for one in tmp_path.iterdir()] == ["ready"]


def _started(tmp_path: Path, *before: str, **settings: Any) -> subprocess.Popen[Any]:
    ready = tmp_path / "ready"
    words = [*before, sys.executable, "-m", "cse_client.simulator", "--ready-file", str(ready)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(words, cwd=ROOT, env=environment, **settings)
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.02)
    return process


def test_it_ends_with_its_terminal_and_leaves_nothing(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = _started(
        tmp_path,
        # makes the terminal the controlling one of a new session, as a terminal window does
        *("setsid", "--ctty"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    try:
        os.close(theirs)
        os.close(ours)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert [one.name for one in tmp_path.iterdir()] == ["ready"]


def test_nohup_keeps_it_alive(tmp_path: Path) -> None:
    process = _started(tmp_path, "nohup", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--cse", "1.2"], "unknown CSE server '1.2'"),
        (["--time", "never"], "not a way to pass time"),
        (["--vcd", "9.0"], "unknown VCD release"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused_with_a_sentence(words: Any, text: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "cse_client.simulator", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert result.returncode == 2
    assert text in result.stderr


def test_a_taken_port_is_said_so(process: Any, vcd: Vcd) -> None:
    port = vcd.ready["host"].rpartition(":")[2]
    result = subprocess.run(
        [sys.executable, "-m", "cse_client.simulator", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert result.returncode == 1
    assert f"cannot listen on port {port}" in result.stderr
