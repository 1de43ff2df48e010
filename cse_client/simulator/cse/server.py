"""The CSE server behind VCD's extension layer: what passes it, what it answers, how it fails.

VCD hands every request below /api/cse with a valid session to the server and waits ten seconds for
the reply; after that the client gets VCD's own 504, while the server goes on. A server that is
registered but does not run gives the same 504.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from cse_client.simulator.cse.calls import Ask, VcdCalls
from cse_client.simulator.cse.errors import Refusal, failed, refusal, reply
from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.people import Session

__all__ = ["CseServer", "Dialect", "Misbehavior"]

_PATIENCE_SECONDS = 10.0
_TIMED_OUT = 504


class Dialect(Protocol):
    """A protocol of the server; `stopped` once its process has ended."""

    stopped: bool

    def answer(self, request: Request, session: Session, vcd: VcdCalls, *, stuck: bool) -> Response:
        """Answer a request; raises Refusal."""


@dataclass
class Misbehavior:
    """The faults that a test injects into the server's answers.

    Attributes:
        silent: it does not run; VCD answers 504.
        late: seconds until the server, which acts at once, replies; VCD waits ten.
        patience: how long VCD waits, for tests that will not.
        html: the reply is a web page with status 200.
        empty: the reply is empty, with status 200.
        broken: the reply is a 500 that is not JSON.
        busy: the reply is the 429 of a server with too many requests (3.x).
        stuck: tasks begun from now on never end.
        probe: whether `GET /api/cse/system` fails in the same way.
        changes_only: whether reads are spared.
    """

    silent: bool = False
    late: float = 0.0
    patience: float = _PATIENCE_SECONDS
    html: bool = False
    empty: bool = False
    broken: bool = False
    busy: bool = False
    stuck: bool = False
    probe: bool = False
    changes_only: bool = False


class CseServer:
    """One CSE server: an extension of the simulated VCD. `dialect` of None: it never runs."""

    def __init__(self, cloud: Cloud, ask: Ask, dialect: Dialect | None) -> None:
        self.cloud = cloud
        self.usual = Misbehavior(silent=dialect is None, probe=dialect is None)
        self.misbehavior = self.usual
        self._ask = ask
        self._dialect = dialect
        release = cloud.release
        #: The API version in the genuine server's configuration.
        self._version = "33.0" if release.serves("33.0") else release.current[0]

    def __call__(self, request: Request, session: Session) -> Response | None:
        """Answer a request below /api/cse, in time or with VCD's 504."""
        wrong = self.misbehavior
        if request.path == "/api/cse/system" and request.method == "GET" and not wrong.probe:
            wrong = Misbehavior()
        if wrong.changes_only and request.method == "GET":
            wrong = Misbehavior()
        if wrong.silent or self._dialect is None or self._dialect.stopped:
            return _timed_out()
        said = _faulty(wrong)
        if said is not None:
            return said
        answers: queue.Queue[Response] = queue.Queue()

        def work() -> None:
            response = self._answer(request, session, stuck=wrong.stuck)
            time.sleep(wrong.late)
            answers.put(response)

        threading.Thread(target=work, name="cse-request", daemon=True).start()
        try:
            return answers.get(timeout=wrong.patience)
        except queue.Empty:
            return _timed_out()

    def _answer(self, request: Request, session: Session, *, stuck: bool) -> Response:
        dialect = self._dialect
        if not _wants_json(request.headers.get("accept", "*")):
            return reply({"message": "CSE can only serve response as json."}, 406)
        vcd = VcdCalls(self._ask, session, request.host, self._version)
        try:
            if dialect is None:
                raise failed("no dialect")
            return dialect.answer(request, session, vcd, stuck=stuck)
        except Refusal as error:
            return refusal(error)
        except Exception as error:  # noqa: BLE001  (the genuine server answers its defects like this)
            return refusal(failed(str(error)))


def _wants_json(accept: str) -> bool:
    """Return whether JSON will do, read as container-service-extension's consumer.py reads it."""
    first, _, second = accept.partition(";")[0].strip().lower().partition("/")
    media = second if second and first in ("*", "application") else first
    return "json" in media or media.replace("*+", "") == "*"


def _faulty(wrong: Misbehavior) -> Response | None:
    if wrong.html:
        return Response(200, b"<html><body><h1>It works!</h1></body></html>", "text/html")
    if wrong.empty:
        return Response(200, b"", "")
    if wrong.broken:
        return Response(500, b"Internal Server Error", "text/plain")
    if wrong.busy:
        body = {"CSE Server Busy": "Server is busy, please try again later."}
        return Response(429, json.dumps(body).encode(), "application/json")
    return None


def _timed_out() -> Response:
    body = {
        "majorErrorCode": _TIMED_OUT,
        "minorErrorCode": "EXTENSION_TIMED_OUT",
        "message": "Timed out while waiting for a response from the extension.",
    }
    return Response(_TIMED_OUT, json.dumps(body).encode(), "application/json")
