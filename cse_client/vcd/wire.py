"""The one way out to VCD: every request of ours passes through `Wire`, whoever makes it.

Four rules hold for each: it goes to the session's scheme, host and port only, it follows no
redirect, it ends within its time, and its answer is read up to a bound. `requests` by itself
follows redirects on every method, and with an old session's token (a header that it does not know)
the token goes along to whatever host the answer names.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util import Url, parse_url

from cse_client import bounds, sent

__all__ = ["ForeignAddress", "Redirected", "Wire"]

#: Seconds to connect, and between two pieces of an answer.
_CONNECT = 10.0
_SILENCE = 60.0
#: Seconds for a whole request. VCD checks a recompose of a hundred VMs before it answers, so a
#: change may take longer than a read.
_READ = 60.0
_CHANGE = 180.0

_PIECE = 64 * 1024
#: How sessions and tokens are asked for, which changes nothing else.
_FORM = "application/x-www-form-urlencoded"
_PORTS = {"https": 443, "http": 80}


class ForeignAddress(requests.exceptions.InvalidURL):
    """An address is not on the session's host; nothing was sent. The text is the address."""


class Redirected(requests.exceptions.RequestException):
    """The answer is a redirect; `status` is its HTTP status and the text is where it points."""

    def __init__(self, target: str, status: int) -> None:
        super().__init__(target)
        self.status = status


class Token(AuthBase):
    """Puts the token on each request.

    As `auth` and not as a header, because `requests` would otherwise replace it by what a
    ~/.netrc holds for the host. Without a token, requests stay as they are.
    """

    def __init__(self, token: str, *, is_jwt: bool) -> None:
        self._token = token
        self._is_jwt = is_jwt

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not self._token:
            return request
        if self._is_jwt:
            request.headers["Authorization"] = f"Bearer {self._token}"
        else:
            request.headers["x-vcloud-authorization"] = self._token
        return request


class Wire(requests.Session):
    """A `requests` session that talks to one origin, such as `https://vcd.example.com:8443`."""

    def __init__(self, origin: str, token: str, *, is_jwt: bool) -> None:
        super().__init__()
        self._origin = _origin(origin)
        self._peer = f"VCD at {parse_url(origin).netloc}"
        self.auth = Token(token, is_jwt=is_jwt)
        # the one compression whose result can be bounded while it is unpacked
        self.headers["Accept-Encoding"] = "gzip"
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter())

    def renew(self, token: str) -> None:
        """Use another token from now on; renewed sessions have a JWT."""
        self.auth = Token(token, is_jwt=True)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Refuse an address elsewhere before the token is put on the request."""
        url = str(request.url)
        if not self._is_ours(url):
            raise ForeignAddress(url)
        return super().prepare_request(request)

    def _is_ours(self, url: str) -> bool:
        # what other parsers of the same address might read otherwise is not ours either
        if not url.isprintable() or any(one in url for one in " \\"):
            return False
        try:
            parts = parse_url(url)
        except urllib3.exceptions.LocationParseError:
            return False
        return parts.auth is None and _origin(parts) == self._origin

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send one request and return its answer, read to its end.

        Raises:
            Redirected: the answer is a redirect.
            OutOfTime, OutOfBounds: it takes too long, or is too large.
            requests.RequestException, OSError: as ever.
        """
        options["timeout"] = (_CONNECT, _SILENCE)
        options["allow_redirects"] = False
        options["stream"] = True
        seconds = _READ if request.method in ("GET", "HEAD") else _CHANGE
        if request.headers.get("Content-Type") != _FORM:
            sent.note(request.method)
        return bounds.within(seconds, lambda: self._whole(request, options), peer=self._peer)

    def _whole(
        self, request: requests.PreparedRequest, options: dict[str, Any]
    ) -> requests.Response:
        response = super().send(request, **options)
        try:
            if 300 <= response.status_code < 400:  # noqa: PLR2004
                raise Redirected(response.headers.get("Location", ""), response.status_code)
            encoding = response.headers.get("Content-Encoding", "")
            content = bounds.gather(_pieces(response), encoding)
        except BaseException:
            response.close()
            raise
        response.raw = io.BytesIO(content)
        return response

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Say that there is none: `requests` would read the answer's whole body to follow it."""
        return None


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the body as it was sent.

    `iter_content` would unpack without a bound, and read a chunk's header of any length.
    """
    try:
        while piece := response.raw.read(_PIECE, decode_content=False):
            yield piece
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ConnectionError(error) from error


def _origin(url: str | Url) -> tuple[str, str, int]:
    parts = parse_url(url) if isinstance(url, str) else url
    scheme = (parts.scheme or "").lower()
    return scheme, (parts.host or "").lower(), parts.port or _PORTS.get(scheme, 0)
