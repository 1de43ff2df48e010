"""HTTP to one VCD: requests, tries and errors; `wire` sends, `reading` judges what came.

pyvcloud's client brings the headers and the API version. Four of its habits are kept away here:
it has no time-outs, it follows redirects, it logs bodies and tokens (vcd-cli asks for that), and it
parses every error body as XML, so that a proxy's HTML page ends in a parser error
(pyvcloud:pyvcloud/vcd/client.py `_do_request_prim`, `_response_code_to_exception`). None of its
own requests (login, versions, uploads) is used.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import requests
import urllib3
from lxml import etree
from pyvcloud.vcd.client import Client

from cse_client.bounds import OutOfBounds
from cse_client.clock import Clock, backoff
from cse_client.content import describe
from cse_client.errors import CseError, VcdFault
from cse_client.model import Session
from cse_client.vcd import answers, errors, unanswered
from cse_client.vcd.answers import NotVcd
from cse_client.vcd.errors import Action
from cse_client.vcd.replies import Answer, Reply
from cse_client.vcd.tries import tries_for
from cse_client.vcd.wire import Wire
from cse_client.versions import version_key

__all__ = ["Transport"]

_Document = TypeVar("_Document")

_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 5.0
_LONGEST_WISH = 30.0

#: What sending a request may raise. Also a plain OSError: requests raises one for a CA file that is
#: not there.
_BROKEN = (OSError, urllib3.exceptions.HTTPError, OutOfBounds)


class Transport:
    """Requests to one VCD with one session's token and API version.

    Every method raises `cse_client.errors` types only. `requests_sent` counts what went out, for
    the tests that hold this package to its budget; `as_administrator` is set for a session of the
    provider's organization, whose queries have other names.
    """

    def __init__(self, session: Session, clock: Clock) -> None:
        self.session = session
        self.clock = clock
        self.requests_sent = 0
        self.as_administrator = False
        self._wished_pause = 0.0
        if not session.verify:
            # The command that starts us warns once; once per request would drown the output.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._client = Client(
            session.host,
            api_version=session.api_version,
            verify_ssl_certs=session.trust,
            log_file=os.devnull,
            log_requests=False,
            log_headers=False,
            log_bodies=False,
        )
        self._http = Wire(self.origin, session.token, is_jwt=session.is_jwt)
        self._token = session.token
        self._renewing = threading.Lock()
        #: The HTTP date of the last answer; empty where it had none.
        self.server_time = ""

    @property
    def api(self) -> str:
        """Return `https://HOST/api`."""
        return cast(str, self._client.get_api_uri())

    @property
    def cloudapi(self) -> str:
        """Return `https://HOST/cloudapi`."""
        return cast(str, self._client.get_cloudapi_uri())

    @property
    def origin(self) -> str:
        """Return `https://HOST`."""
        return self.api[: -len("/api")]

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def get(self, url: str, action: Action, *roots: str, patient: bool = True) -> etree._Element:
        """Read an XML document whose root element has one of the local names `roots`.

        No name stands for every document of VCD's. Not `patient`: one try only, for callers with
        a loop of their own.

        Raises:
            CseError: NotFound, Refused, SessionInvalid or VcdFault, see `faults`.
        """
        return self._read(
            url, action, "", lambda content: answers.read_xml(content, roots), patient
        )

    def get_json(self, url: str, action: Action) -> dict[str, Any]:
        """Read a JSON document, which is an object."""
        return self._read(url, action, "application/json", answers.read_json, patient=True)

    def picture(self, url: str, action: Action) -> bytes:
        """Read a picture, which is PNG or GIF; once.

        Raises:
            VcdFault: it is something else.
        """
        response = self._good("GET", url, action, accept="image/*")
        content = response.content
        if not content.startswith((b"\x89PNG\r\n", b"GIF8")):
            status = response.status_code
            raise errors.not_vcd(describe(content), action, self.session, status)
        return content

    def post(
        self,
        url: str,
        body: etree._Element | None,
        media_type: str,
        action: Action,
    ) -> Reply:
        """Send a change with POST, once."""
        return self._send("POST", url, action, body=body, media_type=media_type)

    def put(self, url: str, body: etree._Element, media_type: str, action: Action) -> Reply:
        """Send a change with PUT, once."""
        return self._send("PUT", url, action, body=body, media_type=media_type)

    def put_bytes(
        self, url: str, content: bytes, headers: Mapping[str, str], action: Action
    ) -> None:
        """Send a file, or a piece of one, with PUT, once; the answer is empty."""
        self.requests_sent += 1
        accept = {"Accept": f"application/*+xml;version={self.session.api_version}"}
        try:
            response = self._http.request(
                "PUT", url, data=content, headers={**accept, **headers}, verify=self.session.verify
            )
        except _BROKEN as error:
            raise unanswered.from_exception(error, action, self.session) from error
        if response.status_code not in (200, 201, 202, 204):
            raise self._refused(response, action)

    def delete(self, url: str, action: Action) -> Reply:
        """Send a DELETE, once."""
        return self._send("DELETE", url, action)

    def ask_json(
        self,
        method: str,
        url: str,
        action: Action,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        api_version: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one JSON request, once, and return whatever answer came, good or bad.

        `api_version` replaces the session's in the Accept header. For VCD's extension services and
        its `cloudapi`, whose errors have shapes of their own.

        Raises:
            CseError: only where there was no answer at all.
        """
        version = api_version or self.session.api_version
        sent = {"Accept": f"application/json;version={version}", **(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        return self._ask(method, url, action, params=query, data=data, headers=sent)

    def ask_form(
        self, url: str, form: Mapping[str, str], action: Action, *, api_version: str
    ) -> Answer:
        """Send a form with POST, once, and return whatever answer came, as `ask_json` does."""
        sent = {"Accept": f"application/json;version={api_version}"}
        return self._ask("POST", url, action, data=form, headers=sent)

    def _ask(self, method: str, url: str, action: Action, **settings: Any) -> Answer:
        response = self._sent(
            lambda: self._http.request(method, url, verify=self.session.trust, **settings), action
        )
        return Answer(
            response.status_code,
            response.headers.get("Content-Type", ""),
            _text(response),
            {name.lower(): value for name, value in response.headers.items()},
        )

    def _read(
        self,
        url: str,
        action: Action,
        accept: str,
        understand: Callable[[bytes], _Document],
        patient: bool = True,
    ) -> _Document:
        for tries, pause in enumerate(backoff(_FIRST_PAUSE, _LONGEST_PAUSE, 2), start=1):
            try:
                response = self._good("GET", url, action, accept=accept)
                return self._understood(response, action, understand)
            except VcdFault as fault:
                if not patient or tries >= tries_for(fault):
                    raise
            self.clock.sleep(max(pause, self._wished_pause))
        raise AssertionError("unreachable")

    def _send(
        self,
        method: str,
        url: str,
        action: Action,
        *,
        body: etree._Element | None = None,
        media_type: str = "",
    ) -> Reply:
        """Send a change; its answer is empty or a document of VCD's."""
        response = self._good(method, url, action, body=body, media_type=media_type)
        location = response.headers.get("Location", "")
        if not response.content.strip():
            return Reply(response.status_code, None, location)
        root = self._understood(response, action, answers.read_xml)
        return Reply(response.status_code, root, location)

    def _good(
        self,
        method: str,
        url: str,
        action: Action,
        *,
        body: etree._Element | None = None,
        media_type: str = "",
        accept: str = "",
    ) -> requests.Response:
        """Send a request and return its answer when that is a success."""
        response = self._exchange(
            method, url, action, body=body, media_type=media_type, accept=accept
        )
        if response.status_code not in (200, 201, 202, 204):
            raise self._refused(response, action)
        return response

    def _understood(
        self,
        response: requests.Response,
        action: Action,
        understand: Callable[[bytes], _Document],
    ) -> _Document:
        """Return what an answer says.

        Raises:
            VcdFault: it is not VCD's.
        """
        status = response.status_code
        try:
            return understand(response.content)
        except NotVcd as error:
            raise errors.not_vcd(str(error), action, self.session, status) from error
        except OutOfBounds as error:
            raise errors.out_of_bounds(error, action, self.session, status) from error

    def _refused(self, response: requests.Response, action: Action) -> CseError:
        error = errors.from_reply(
            response.status_code,
            response.content,
            response.headers.get("Content-Type", ""),
            response.headers.get("X-VMWARE-VCLOUD-REQUEST-ID", ""),
            action,
            self.session,
        )
        if response.status_code == requests.codes.not_acceptable:
            return self._name_versions(error)
        return error

    def _name_versions(self, error: CseError) -> CseError:
        """Ask VCD which versions it serves where its 406 did not say."""
        if "offers" in error.message:
            return error
        try:
            return errors.version_refused(self.session, self.served_versions())
        except CseError:
            return error

    def served_versions(self) -> list[str]:
        """Return the API versions that VCD serves, newest first, deprecated ones last."""
        root = self._versions_document()
        rows: list[tuple[bool, str]] = []
        for info in root.iter("{*}VersionInfo"):
            version = info.findtext("{*}Version") or ""
            if version and "alpha" not in version:
                rows.append((info.get("deprecated") == "true", version.strip()))
        rows.sort(key=lambda row: version_key(row[1]), reverse=True)
        rows.sort(key=lambda row: row[0])
        return [version for _deprecated, version in rows]

    def _versions_document(self) -> etree._Element:
        action = Action("read the API versions")
        response = self._exchange("GET", f"{self.api}/versions", action, accept="*/*")
        return self._understood(
            response, action, lambda content: answers.read_xml(content, ("SupportedVersions",))
        )

    def _exchange(
        self,
        method: str,
        url: str,
        action: Action,
        *,
        body: etree._Element | None = None,
        media_type: str = "",
        accept: str = "",
    ) -> requests.Response:
        """Send one request and return whatever answer came."""
        self._wished_pause = 0.0
        response = self._sent(
            lambda: cast(
                requests.Response,
                self._client._do_request_prim(
                    method,
                    url,
                    self._http,
                    contents=body,
                    media_type=media_type or None,
                    accept_type=accept or None,
                ),
            ),
            action,
        )
        wish = response.headers.get("Retry-After", "")
        if wish.isdigit():
            self._wished_pause = min(float(wish), _LONGEST_WISH)
        return response

    def _sent(self, send: Callable[[], requests.Response], action: Action) -> requests.Response:
        """Send a request; once more with a new token where the session has expired.

        A 401 means that nothing was done, so that a change may be sent again as well.
        """
        used = self._token
        response = self._sent_once(send, action)
        if response.status_code != requests.codes.unauthorized or not self._renewed(used):
            return response
        return self._sent_once(send, action)

    def _sent_once(
        self, send: Callable[[], requests.Response], action: Action
    ) -> requests.Response:
        self.requests_sent += 1
        try:
            response = send()
        except _BROKEN as error:
            raise unanswered.from_exception(error, action, self.session) from error
        self.server_time = response.headers.get("Date", "")
        return response

    def _renewed(self, used: str) -> bool:
        """Return whether there is another token than the one that was used."""
        if self.session.renew is None:
            return False
        with self._renewing:
            if self._token == used:
                self._token = self.session.renew(used)
                self._http.renew(self._token)
        return True


def _text(response: requests.Response) -> str:
    """Return an answer as text; `requests` would guess at a large one's encoding for minutes."""
    return response.content.decode("utf-8", "replace")
