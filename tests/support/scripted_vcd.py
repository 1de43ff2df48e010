"""A scripted VCD on loopback, for answers that no simulator should have to give."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cse_client.model import Session

XML = "application/*+xml;version=36.0"
SESSION = (
    '<Session xmlns="http://www.vmware.com/vcloud/v1.5" org="acme" user="bob">'
    '<Link rel="down" type="application/vnd.vmware.vcloud.org+xml" name="acme"'
    ' href="{base}/api/org/1"/></Session>'
)


@dataclass
class Answer:
    """One HTTP answer; `drop` closes the connection without any, after `silence` seconds."""

    body: str = ""
    status: int = 200
    type: str = XML
    drop: bool = False
    silence: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """What the server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class ScriptedVcd:
    """Answers `METHOD path` (query included) with the next of the answers set for it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer]] = {}
        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.answer("GET /api/session", SESSION.format(base=self.base))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def answer(self, call: str, *answers: str | Answer) -> None:
        """Set the answers of a call; the last one stays. `{base}` is filled in."""
        self._answers[call] = [
            one if isinstance(one, Answer) else Answer(one.replace("{base}", self.base))
            for one in answers
        ]

    def asked(self, part: str = "") -> list[str]:
        return [
            f"{one.method} {one.path}"
            for one in self.requests
            if part in f"{one.method} {one.path}"
        ]

    def session(self, **changes: Any) -> Session:
        values: dict[str, Any] = {
            "host": self.base,
            "org": "acme",
            "user": "bob",
            "api_version": "36.0",
            "token": "very-secret-token",
            "vdc": "vdc1",
            "vdc_href": f"{self.base}/api/vdc/1",
            **changes,
        }
        return Session(**values)

    def close(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def _next(self, call: str) -> Answer:
        found = self._answers.get(call)
        if not found:
            found = next(
                (value for key, value in self._answers.items() if _prefix(key, call)), None
            )
        if not found:
            return Answer(f"not scripted: {call}", 501, "text/plain")
        return found.pop(0) if len(found) > 1 else found[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        vcd = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                vcd.requests.append(
                    Request(self.command, self.path, dict(self.headers.items()), body)
                )
                answer = vcd._next(f"{self.command} {self.path}")
                if answer.drop or answer.silence:
                    vcd._stopped.wait(answer.silence)
                    self.close_connection = True
                    self.connection.close()
                    return
                data = answer.body.encode()
                self.send_response(answer.status)
                if answer.type:
                    self.send_header("Content-Type", answer.type)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815 - the base's names

            def log_message(self, *_args: Any) -> None:
                pass

        return Handler


def _prefix(key: str, call: str) -> bool:
    return key.endswith("*") and call.startswith(key[:-1])


def go_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's proxy and CA settings out of a test."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
