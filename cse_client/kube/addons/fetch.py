"""Getting an add-on's manifest: from a file, a mirror or its project; never unchecked."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from cse_client import bounds
from cse_client.bounds import OutOfBounds, OutOfTime
from cse_client.errors import CseError, NotFound, Refused, TimedOut, WrongUsage
from cse_client.inputs import read_file
from cse_client.kube.addons.table import Release
from cse_client.model.addons import ManifestSource

if TYPE_CHECKING:
    import requests

__all__ = ["Manifest", "obtain", "parse_checksum"]

_CHUNK = 65536
_SILENCE = 20.0
_MOST_REDIRECTS = 5
_LONGEST_REASON = 100
_OK = 200
_OFFLINE = (
    "Without Internet access: specify a downloaded file with --manifest FILE, or use --mirror."
)


@dataclass(frozen=True)
class Manifest:
    """A manifest's bytes, their SHA-256 in hexadecimal, and where they came from."""

    content: bytes
    sha256: str
    origin: str


def parse_checksum(text: str) -> str:
    """Return the digits of `sha256:...`.

    Raises:
        WrongUsage: it is not a SHA-256 checksum.
    """
    found = re.fullmatch(r"(?:sha256:)?([0-9a-fA-F]{64})", text.strip())
    if found is None:
        raise WrongUsage(
            f"'{text}' is not a checksum.",
            hint="Write sha256: and 64 hexadecimal digits, as sha256sum FILE prints them.",
        )
    return found[1].lower()


def obtain(release: Release, source: ManifestSource, *, timeout: float = 60.0) -> Manifest:
    """Return the manifest of a release; `timeout` (seconds) bounds the whole download.

    Raises:
        NotFound: there is no such file here or there.
        Refused: its checksum is not the pinned one, nor the one given.
        TimedOut, CseError: it could not be fetched.
    """
    if source.file:
        origin = source.file
        content = _read(Path(source.file))
    else:
        origin = f"{source.mirror.rstrip('/')}{release.path}" if source.mirror else release.url
        content = _download(origin, timeout)
    expected = parse_checksum(source.checksum) if source.checksum else release.sha256
    got = hashlib.sha256(content).hexdigest()
    if got != expected:
        whose = "the one given" if source.checksum else f"{release.addon} {release.version}'s"
        raise Refused(
            f"The manifest {origin} has the checksum sha256:{got}, and {whose} is"
            f" sha256:{expected}.",
            hint=f"If this file is intended: --manifest FILE --checksum sha256:{got}",
        )
    return Manifest(content, got, origin)


def _read(path: Path) -> bytes:
    try:
        return bounds.gather([read_file(path, bounds.MOST_BYTES + 1)])
    except OutOfBounds as error:
        raise CseError(f"The manifest {path} {error}.") from None
    except FileNotFoundError:
        raise NotFound(f"The manifest {path} does not exist.") from None
    except OSError as error:
        raise CseError(f"The manifest {path} cannot be read: {error.strerror or error}.") from None


def _download(url: str, timeout: float) -> bytes:
    """Return what is at `url`, after a few redirects at most. No secret is sent along."""
    import requests
    from urllib3.exceptions import HTTPError

    end = monotonic() + timeout
    origin = url
    _refuse_address(url, origin)
    try:
        with requests.Session() as http:
            # a ~/.netrc would send its password along, and requests reads a redirect's whole body
            http.auth = _no_password
            http.get_redirect_target = _nowhere  # type: ignore[method-assign,assignment]
            http.headers["Accept-Encoding"] = "gzip"
            for _ in range(_MOST_REDIRECTS + 1):
                content, target = bounds.within(
                    max(0.0, end - monotonic()),
                    partial(_one_answer, http, url, min(timeout, _SILENCE)),
                    peer=url,
                )
                if target is None:
                    return content
                url = urljoin(url, target)
                _refuse_address(url, origin)
    except (requests.Timeout, OutOfTime):
        raise TimedOut(
            f"{origin} was not downloaded within {timeout:.0f} seconds.", hint=_OFFLINE
        ) from None
    except requests.exceptions.SSLError:
        raise CseError(f"The certificate of {url} is not trusted here.", hint=_OFFLINE) from None
    except OutOfBounds as error:
        raise CseError(f"The file at {url} {error}.", hint=_OFFLINE) from None
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise CseError(
            f"{url} cannot be fetched ({type(error).__name__}).", hint=_OFFLINE
        ) from None
    raise CseError(f"{origin} redirects more than {_MOST_REDIRECTS} times.", hint=_OFFLINE)


def _refuse_address(url: str, origin: str) -> None:
    """Refuse what is not HTTP, and a redirect that gives up TLS."""
    scheme = url.partition("://")[0].lower()
    if scheme not in ("http", "https"):
        if url == origin:
            raise WrongUsage(f"'{url}' is not a download address.", hint="Use http:// or https://.")
        raise Refused(f"{origin} redirects to {url}, which is not an address of the Web.")
    if scheme == "http" and origin.lower().startswith("https:"):
        raise Refused(
            f"{origin} redirects to {url}, without TLS; that is not followed.", hint=_OFFLINE
        )


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _nowhere(_answer: Any) -> None:
    return None


def _one_answer(http: requests.Session, url: str, silence: float) -> tuple[bytes, str | None]:
    """Return the content at an address, or where it redirects to.

    Raises:
        NotFound: it cannot be downloaded.
    """
    import requests

    prepared = http.prepare_request(requests.Request("GET", url))
    settings = http.merge_environment_settings(url, {}, True, None, None)
    with http.send(prepared, allow_redirects=False, timeout=silence, **settings) as answer:
        if answer.is_redirect:
            return b"", answer.headers["Location"]
        if answer.status_code != _OK:
            reason = f"{answer.status_code} {answer.reason}".strip()[:_LONGEST_REASON]
            raise NotFound(f"{url} answers {reason}.", hint=_OFFLINE)
        pieces = iter(partial(answer.raw.read, _CHUNK, decode_content=False), b"")
        return bounds.gather(pieces, answer.headers.get("Content-Encoding", "")), None
