"""The server as VCD's client: requests in the name of a user, in VCD's own XML.

The genuine server works through the caller's token, so that his rights decide. So does this one:
each call passes through the simulated VCD's whole application, login and rights included, but for
the socket and the journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from lxml import etree

from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd.people import Session

__all__ = ["VcdCalls", "VcdRefused"]

_LOOK_SECONDS = 0.05
_TOO_BAD = 400
_ENDED_BADLY = ("error", "aborted", "canceled")

Ask = Callable[[Request], Response]


class VcdRefused(Exception):
    """VCD refused a request, or a task of it failed; the text is VCD's."""


class VcdCalls:
    """Requests to VCD with one session."""

    def __init__(self, ask: Ask, session: Session, host: str, version: str) -> None:
        self._ask = ask
        self._session = session
        self._host = host
        self._version = version
        self.api = f"https://{host}/api"

    def send(
        self, method: str, href: str, body: etree._Element | None = None, media: str = ""
    ) -> etree._Element | None:
        """Send a request and return the answer's document, None for an empty one.

        Raises:
            VcdRefused: for any status from 400 on.
        """
        parts = urlsplit(href)
        headers = {
            "accept": f"application/*+xml;version={self._version}",
            "authorization": f"Bearer {self._session.token}",
        }
        data = b""
        if body is not None:
            data = etree.tostring(body)
            headers["content-type"] = f"application/vnd.vmware.vcloud.{media}+xml"
        answer = self._ask(Request(method, parts.path, parts.query, headers, data, self._host))
        root = etree.fromstring(answer.body) if answer.body else None
        if answer.status >= _TOO_BAD:
            request = answer.headers.get("X-VMWARE-VCLOUD-REQUEST-ID")
            reason = f"{answer.status}{_reason(root)} (request id: {request})"
            raise VcdRefused(f"Status code: {reason}")
        return root

    def read(self, href: str) -> etree._Element:
        """Return a document; raises VcdRefused."""
        root = self.send("GET", href)
        if root is None:
            raise VcdRefused(f"GET {href} was answered with nothing")
        return root

    def change(self, method: str, href: str, body: etree._Element | None, media: str) -> str:
        """Send a change, wait for its task, return the changed entity's href (or the task's).

        Raises:
            VcdRefused: the request or its task failed.
        """
        root = self.send(method, href, body, media)
        if root is None:
            return ""
        task = root if _local(root) == "Task" else root.find("{*}Tasks/{*}Task")
        if task is not None:
            self._wait(task.get("href") or "")
        return root.get("href") or ""

    def _wait(self, href: str) -> None:
        while True:
            task = self.read(href)
            status = task.get("status")
            if status == "success":
                return
            if status in _ENDED_BADLY:
                raise VcdRefused(_task_failure(task, str(status)))
            time.sleep(_LOOK_SECONDS)


def _reason(root: etree._Element | None) -> str:
    """Return the rest of what pyvcloud says of an error (exceptions.py, VcdResponseException)."""
    if root is None:
        return ", <empty response body>"
    return f"/{root.get('minorErrorCode')}, {root.get('message')}"


def _task_failure(task: etree._Element, status: str) -> str:
    """Return what pyvcloud says of a failed task (exceptions.py, VcdTaskException)."""
    error = task.find("{*}Error")
    if error is None:
        return f"the task ended as {status}"
    codes = f"{error.get('majorErrorCode')}/{error.get('minorErrorCode')}"
    return f"VcdTaskException; {codes}: {status} ({error.get('message')})"


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
