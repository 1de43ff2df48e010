"""Questions to an API server, and the answers as they came."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.running_kube import HOST, Authority

__all__ = ["Answer", "Judge", "Question"]

_KEPT = re.compile(r"\$\{(\w+)\}")
_SECONDS = 60
_PATIENCE = 30


@dataclass(frozen=True)
class Question:
    """One request of the story that both API servers are asked.

    `who` is `admin`, `alice` (a user without rights), `nobody`, or `token:TEXT`. `body` is a JSON
    value, or text to be sent as it is. `keep` names parts of the answer for later questions, which
    write them as `${NAME}` in paths and bodies. Of the lists in the answer only the items that
    `only` names count, where it is given. A `patient` question is asked again, for some seconds,
    until it is answered with success: what a CRD defines is served and discovered a moment later.
    """

    name: str
    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"
    who: str = "admin"
    keep: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    patient: bool = False


@dataclass(frozen=True)
class Answer:
    """A status, the headers that clients look at, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def value(self) -> Any:
        """Return the JSON value, a list of them for a watch, or else the text."""
        text = self.body.decode("utf-8", "replace")
        if not self.headers.get("content-type", "").startswith("application/json"):
            return text
        try:
            return json.loads(text)
        except ValueError:
            return [json.loads(line) for line in text.splitlines()]


class Judge:
    """One of the two API servers.

    Args:
        port: where it listens on the loopback interface.
        authority: the CA of the server and of its clients.
        folder: for the clients' certificates.
    """

    def __init__(self, port: int, authority: Authority, folder: Path) -> None:
        self._port = port
        self._kept: dict[str, str] = {}
        self._contexts = {
            "nobody": _context(authority),
            "admin": _context(authority, folder, "admin", "system:masters"),
            "alice": _context(authority, folder, "alice"),
        }

    def ask(self, question: Question) -> Answer:
        """Send a question, again where it is a patient one, and return the answer."""
        deadline = time.monotonic() + (_PATIENCE if question.patient else 0)
        while True:
            answer = self._ask(question)
            if answer.status < 400 or time.monotonic() >= deadline:
                break
            time.sleep(0.3)
        for name, path in question.keep.items():
            self._kept[name] = _part(answer.value(), path)
        return answer

    def _ask(self, question: Question) -> Answer:
        """Send a question once and read the answer to its end."""
        headers = {"Accept": question.accept, "User-Agent": "judge/1.0"}
        who, _, token = question.who.partition(":")
        if token:
            who, headers["Authorization"] = "nobody", f"Bearer {token}"
        body = question.body
        if body is not None:
            text = self._filled(body if isinstance(body, str) else json.dumps(body))
            body = text.encode()
            headers["Content-Type"] = question.content_type
        connection = http.client.HTTPSConnection(
            HOST, self._port, context=self._contexts[who], timeout=_SECONDS
        )
        try:
            connection.request(question.method, self._filled(question.path), body, headers)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def _filled(self, text: str) -> str:
        return _KEPT.sub(lambda found: self._kept[found[1]], text)


def _part(value: Any, path: str) -> str:
    """Return a part of an answer; a refusal has none, which the comparison shows."""
    try:
        for part in path.split("."):
            value = value[part]
    except (KeyError, TypeError):
        return "none"
    return str(value)


def _context(
    authority: Authority, folder: Path | None = None, name: str = "", *groups: str
) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    if folder is not None:
        certificate, key = authority.issue(name, *groups)
        file = folder / f"{name}.pem"
        file.touch(0o600)
        file.write_bytes(certificate + key)
        context.load_cert_chain(file)
    return context
