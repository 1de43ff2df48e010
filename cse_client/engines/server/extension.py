"""Talking to a CSE server through VCD.

Every answer ends either as JSON or as one of our errors (`answers`). Reads are repeated when the
way fails; a change is sent again only where it surely was not accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cse_client.clock import backoff
from cse_client.engines.server.answers import SUCCESS, Request, error_of, json_of, vcd_error_of
from cse_client.errors import VcdFault
from cse_client.model import Session
from cse_client.vcd import tasks
from cse_client.vcd.client import VcdClient
from cse_client.vcd.replies import Answer

__all__ = ["BASE", "Extension", "quoted"]

#: Where VCD offers the server's REST interface.
BASE = "/api/cse"

#: A read is tried this often in all, with growing pauses (seconds) in between.
_TRIES = 4
_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 5.0
_PASSING = (429, 502, 503)


class Extension:
    """One CSE server, spoken to with one API version and the session's token.

    `base` is put before every path: `/api/cse` for the server, `/cloudapi/1.0.0` for VCD's own
    entities.
    """

    def __init__(
        self, vcd: VcdClient, session: Session, *, api_version: str = "", base: str = BASE
    ) -> None:
        self._vcd = vcd
        self._session = session
        self._api_version = api_version
        self._base = base
        self._served = base.startswith(BASE)

    def get(
        self,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str | None] | None = None,
        missing: str = "",
    ) -> Any:
        """Read a JSON document.

        `doing` completes "cannot ..."; `missing` names what the address stands for. Empty and
        None values of `query` are left out.

        Raises:
            NotFound, Refused, SessionInvalid, VcdFault: see `answers`.
        """
        request = Request(doing, missing, asked="the CSE server" if self._served else "VCD")
        return json_of(self.answer(path, request, query=query), request)

    def answer(
        self, path: str, request: Request, *, query: Mapping[str, str | None] | None = None
    ) -> Answer:
        """Read and return a good answer as it came, headers included."""
        for tries, pause in enumerate(backoff(_FIRST_PAUSE, _LONGEST_PAUSE, 3), start=1):
            try:
                return self._once("GET", path, request, query=query)
            except VcdFault as fault:
                if tries == _TRIES or not _passing(fault):
                    raise
            self._vcd.clock.sleep(pause)
        raise AssertionError("unreachable")

    def change(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        deadline: float,
        body: Any = None,
        query: Mapping[str, str | None] | None = None,
        missing: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a change and return the JSON of its answer; None where that is empty.

        `deadline` is a moment of the client's clock: until then a change that was turned away
        (connection refused, server busy) is sent again, a few times at most.

        Raises:
            VcdFault: with `outcome_unknown` when VCD or the way broke off before an answer
                (`CutOff` among them): follow the change by its effect, do not repeat it.
            CseError: see `answers`.
        """
        request = Request(doing, missing, changes=True)
        return json_of(
            self.changed(
                method, path, request, deadline=deadline, body=body, query=query, headers=headers
            ),
            request,
        )

    def changed(
        self,
        method: str,
        path: str,
        request: Request,
        *,
        deadline: float,
        body: Any = None,
        query: Mapping[str, str | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a change and return its good answer as it came, headers included; see `change`."""

        def send() -> Answer:
            return self._once(method, path, request, body=body, query=query, headers=headers)

        return tasks.change(self._vcd, send, deadline)

    def _once(
        self,
        method: str,
        path: str,
        request: Request,
        *,
        body: Any = None,
        query: Mapping[str, str | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        answer = self._vcd.session.ask_json(
            method,
            self._base + path,
            request.doing,
            query={key: value for key, value in (query or {}).items() if value} or None,
            body=body,
            api_version=self._api_version,
            headers=headers,
        )
        if answer.status not in SUCCESS:
            translate = error_of if self._served else vcd_error_of
            raise translate(answer, request, self._session)
        return answer


def quoted(name: str) -> str:
    """Return a name, or an entity's id, as one step of a path.

    Colons stay: CSE's servers take an id as it stands there (container-service-extension 3.0.5,
    container_service_extension/request_processor.py), and nothing but `:` of what a URN has is
    special in a path.
    """
    return quote(name, safe=":")


def _passing(fault: VcdFault) -> bool:
    """Return whether a read that met this fault may go well a moment later."""
    return fault.status in _PASSING or (fault.status == 0 and not fault.lasting)
