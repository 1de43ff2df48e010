"""Getting an add-on's manifest: from a file, a mirror or its project; never unchecked."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from cse_client.errors import CseError, NotFound, Refused, TimedOut, WrongUsage
from cse_client.kube.addons.table import Release
from cse_client.model.addons import ManifestSource

__all__ = ["Manifest", "obtain", "parse_checksum"]

_CHUNK = 65536
# The largest of the pinned ones has half a megabyte.
_TOO_MUCH = 16 * 1024 * 1024
_OK = 200
_OFFLINE = "Without Internet: fetch it elsewhere and give it with --manifest FILE, or use --mirror."


@dataclass(frozen=True)
class Manifest:
    """A manifest's bytes, their SHA-256 in hexadecimal, and where they came from."""

    content: bytes
    sha256: str
    origin: str


def parse_checksum(text: str) -> str:
    """Return the digits of `sha256:...`. Raises WrongUsage."""
    found = re.fullmatch(r"(?:sha256:)?([0-9a-fA-F]{64})", text.strip())
    if found is None:
        raise WrongUsage(
            f"'{text}' is no checksum.",
            hint="It looks like sha256: and 64 hexadecimal digits, as sha256sum FILE prints them.",
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
            hint="If it is meant to be another file, say so:"
            f" --manifest FILE --checksum sha256:{got}",
        )
    return Manifest(content, got, origin)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    except OSError as error:
        raise CseError(f"The manifest {path} cannot be read: {error.strerror or error}.") from None


def _download(url: str, timeout: float) -> bytes:
    import requests

    end = monotonic() + timeout
    if not url.startswith(("http://", "https://")):
        raise WrongUsage(
            f"'{url}' is no address to download from.", hint="Give http:// or https://"
        )
    try:
        with requests.get(url, stream=True, timeout=min(timeout, 20.0)) as answer:
            if answer.status_code != _OK:
                raise NotFound(
                    f"{url} answers {answer.status_code} {answer.reason}.", hint=_OFFLINE
                )
            parts, size = [], 0
            for part in answer.iter_content(_CHUNK):
                parts.append(part)
                size += len(part)
                if size > _TOO_MUCH:
                    raise CseError(f"{url} gives more than a manifest can have.")
                if monotonic() > end:
                    raise TimedOut(f"{url} took longer than {timeout:.0f} seconds.", hint=_OFFLINE)
            return b"".join(parts)
    except requests.Timeout:
        raise TimedOut(f"{url} does not answer.", hint=_OFFLINE) from None
    except requests.exceptions.SSLError:
        raise CseError(f"The certificate of {url} is not trusted here.", hint=_OFFLINE) from None
    except (requests.RequestException, ValueError) as error:
        raise CseError(
            f"{url} cannot be fetched ({type(error).__name__}).", hint=_OFFLINE
        ) from None
