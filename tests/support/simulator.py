"""A simulator that tests start, its control endpoint, and sessions in it."""

from __future__ import annotations

import base64
import http.client
import json
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.programs import (
    CSE,
    ROOT,
    VCD,
    Workstation,
    clean_environment,
    runs_as_extension,
)

START_SECONDS = 30


@dataclass(frozen=True)
class Cloud:
    """Where to log in, as whom; `others` are the simulator's users and their passwords."""

    host: str
    org: str
    user: str
    password: str
    ca: str
    others: dict[str, str]

    def environment(self) -> dict[str, str]:
        """What a program needs to trust this cloud, and it alone."""
        return {"REQUESTS_CA_BUNDLE": self.ca, "CURL_CA_BUNDLE": self.ca}


class Control:
    """The simulator's strings; what a test changed is put back by the test."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        context = ssl.create_default_context(cafile=cloud.ca)
        # one connection for all: a handshake takes longer than an answer, and some tests ask often
        self._connection = http.client.HTTPSConnection(cloud.host, timeout=60, context=context)
        self._one_at_a_time = threading.Lock()
        weakref.finalize(self, self._connection.close)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request below /simulator/ and return its answer."""
        data = None if body is None else json.dumps(body).encode()
        with self._one_at_a_time:
            status, text = self._exchange(method, f"/simulator/{path}", data)
        assert status < http.client.BAD_REQUEST, f"{method} {path}: {status} {text.decode()}"
        return json.loads(text)

    def _exchange(self, method: str, path: str, data: bytes | None) -> tuple[int, bytes]:
        """Exchange on the open connection, or on a new one where the simulator has closed it."""
        is_kept = self._connection.sock is not None
        try:
            self._connection.request(method, path, data)
            with self._connection.getresponse() as answer:
                return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if not (is_kept and isinstance(error, (ConnectionError, ssl.SSLError))):
                raise
            return self._exchange(method, path, data)

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def set(self, target: str, /, **values: object) -> Any:
        return self.ask("POST", target, values)

    @contextmanager
    def changed(
        self, target: str, now: Mapping[str, object], then: Mapping[str, object]
    ) -> Iterator[None]:
        """Change something in the simulator for a while."""
        self.set(target, **now)
        try:
            yield
        finally:
            self.set(target, **then)

    def requests(self) -> list[str]:
        """Return what was asked of VCD since the last call, as `METHOD /path?query`."""
        journal = self.get("journal")
        self.ask("DELETE", "journal")
        return [
            f"{one['method']} {one['path']}{'?' if one['query'] else ''}{one['query']}"
            for one in journal["requests"]
        ]

    def possessions(self) -> Any:
        """Return everything in the cloud that a command could create or change."""
        state = self.get("state")
        return {key: state[key] for key in ("vapps", "networks", "catalogs")}


def start_simulator(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], Cloud]:
    """Start a simulator whose files lie in `folder`; return it once it listens.

    `environment` adds to its own.
    """
    ready = folder / "ready.json"
    log = (folder / "simulator.log").open("wb")
    words = [sys.executable, "-m", "cse_client.simulator", "--port", "0"]
    process = subprocess.Popen(
        [*words, "--ready-file", str(ready), *options],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**clean_environment(folder, measured=False), **(environment or {})},
        start_new_session=True,
    )
    log.close()
    deadline = time.monotonic() + START_SECONDS
    while not (ready.exists() and ready.stat().st_size):
        if process.poll() is not None or time.monotonic() > deadline:
            stop_simulator(process)
            pytest.fail(f"no simulator: {(folder / 'simulator.log').read_text()}")
        time.sleep(0.05)
    facts = json.loads(ready.read_text())
    keys = ("host", "org", "user", "password", "ca")
    introduction = (folder / "simulator.log").read_text()
    line = r"^  (\w+) +(\S+) +[A-Zv][A-Za-z]+ [A-Z]\w+(?:, of the organization System)?$"
    others = dict(re.findall(line, introduction, re.M))
    return process, Cloud(**{key: facts[key] for key in keys}, others=others)


def stop_simulator(process: subprocess.Popen[bytes]) -> None:
    """End a simulator as its user would; kill it only if it does not obey."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running_simulator(folder: Path, *options: str) -> Iterator[Cloud]:
    """Give a simulator whose files lie in `folder`, and end it afterwards."""
    process, cloud = start_simulator(folder, *options)
    try:
        yield cloud
    finally:
        stop_simulator(process)


def log_in(
    cloud: Cloud,
    home: Path,
    *words: str,
    user: str = "",
    password: str = "",
    prefix: Sequence[str] = (),
) -> None:
    """Begin a session in a home.

    `vcd login` does so in the tests that run `vcd cse`, with further words, and for the provider;
    `prefix` are words before `vcd`. Elsewhere `cse login` is as good, and quicker.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / ".vcd-cli").mkdir(exist_ok=True)
    example = ROOT / "profiles.example.yaml"
    shutil.copy(example, home / ".vcd-cli" / "profiles.yaml")
    user, password = user or cloud.user, password or cloud.password
    station = Workstation(home, {**clean_environment(home), **cloud.environment()})
    if words or prefix or cloud.org == "System" or runs_as_extension():
        login = (*prefix, VCD, "login", cloud.host, cloud.org, user, *words)
        done = station.run(*login, env={"VCD_PASSWORD": password})
    else:
        token = Asker(cloud, user, password).token
        done = station.run(CSE, "login", cloud.host, cloud.org, "--session-stdin", stdin=token)
    assert done.code == 0, done.out + done.err


class Login:
    """One session of the organization administrator, shared by the tests of a run."""

    def __init__(self, cloud: Cloud, home: Path) -> None:
        self._cloud = cloud
        self._home = home
        self._valid = False

    def put_into(self, home: Path) -> None:
        """Make a home logged in."""
        if not self._valid:
            log_in(self._cloud, self._home)
            self._valid = True
        shutil.copy(self._home / ".vcd-cli" / "profiles.yaml", home / ".vcd-cli")

    def forget(self) -> None:
        """Log in anew for the next test; this one ends all sessions."""
        self._valid = False


def api_token(cloud: Cloud, user: str, password: str) -> tuple[str, str]:
    """Create an API token as its user would, and return it and its id."""
    ask = Asker(cloud, user, password)
    name = f"token-{time.monotonic_ns()}"
    client = ask("POST", f"/oauth/tenant/{cloud.org}/register", {"client_name": name})["client_id"]
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "client_id": client,
        "assertion": ask.token,
    }
    answer = ask("POST", f"/oauth/tenant/{cloud.org}/token", urlencode(form).encode())
    return answer["refresh_token"], client


class Asker:
    """Requests of a user to VCD's newer API, with a session of its own."""

    def __init__(self, cloud: Cloud, user: str, password: str) -> None:
        self._base = f"https://{cloud.host}"
        self._context = ssl.create_default_context(cafile=cloud.ca)
        pair = base64.b64encode(f"{user}@{cloud.org}:{password}".encode()).decode()
        self._authorization = f"Basic {pair}"
        with self._open("POST", "/cloudapi/1.0.0/sessions") as answer:
            self.token = answer.headers["X-VMWARE-VCLOUD-ACCESS-TOKEN"]
        self._authorization = f"Bearer {self.token}"

    def __call__(self, method: str, path: str, body: dict[str, str] | bytes = b"") -> Any:
        """Send JSON, or bytes as a form, and return the JSON of the answer, if it has any."""
        kind = "application/x-www-form-urlencoded"
        if isinstance(body, dict):
            body, kind = json.dumps(body).encode(), "application/json"
        with self._open(method, path, body, kind) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def _open(self, method: str, path: str, body: bytes = b"", kind: str = "") -> Any:
        versions = urllib.request.Request(f"{self._base}/api/versions")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )
        with opener.open(versions, timeout=60) as answer:
            newest = re.findall(r"<Version>(\d+\.\d+)</Version>", answer.read().decode())[-1]
        request = urllib.request.Request(self._base + path, body or None, method=method)
        request.add_header("Accept", f"application/json;version={newest}")
        request.add_header("Authorization", self._authorization)
        if kind:
            request.add_header("Content-Type", kind)
        return opener.open(request, timeout=60)
