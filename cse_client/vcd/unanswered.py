"""What sending a request to VCD raised, as this project's own errors.

No answer of VCD's came, or none that was read: the host cannot be reached or verified, the answer
took too long or is too large, or an address led elsewhere.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone
from pathlib import Path

import requests

from cse_client import suggest
from cse_client.bounds import OutOfBounds, OutOfTime
from cse_client.errors import CseError, VcdFault
from cse_client.model import Session
from cse_client.vcd import errors
from cse_client.vcd.errors import LATE, Action, clean, login_line
from cse_client.vcd.wire import ForeignAddress, Redirected

__all__ = ["from_exception"]

_PROXY_HINT = "Check HTTPS_PROXY, ALL_PROXY and NO_PROXY."
_TLS = requests.exceptions.SSLError
#: OpenSSL's reasons for a certificate that is not valid at this time.
_TIMES = ("not yet valid", "has expired")
_WAY_BROKE_OFF = "Check the network and the VPN, then run the same command again."


def from_exception(error: Exception, action: Action, session: Session) -> CseError:
    """Translate what sending a request raised; never quotes the request itself."""
    host = session.host
    start = f"Cannot {action.doing}: "
    found = (
        _of_our_own(error, start, action, session)
        or _bad_ca_file(error, start, session)
        or _bad_proxy(error, start, host)
    )
    if found is not None:
        return found
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_fault(error, start, session)
    if isinstance(error, requests.exceptions.ConnectionError):
        # ProxyError and ConnectTimeout are among them.
        return _connection_fault(error, start, action, host)
    if isinstance(error, requests.exceptions.Timeout):
        return _late(f"{host} did not answer in time", start, action)
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
        return VcdFault(
            start + f"{host} is not a valid host name.", hint=login_line(session), lasting=True
        )
    reason = getattr(error, "strerror", "") or type(error).__name__
    return VcdFault(start + f"talking to {host} failed ({reason}).", outcome_unknown=action.changes)


def _of_our_own(error: Exception, start: str, action: Action, session: Session) -> CseError | None:
    """Explain what `wire` refused or gave up; None for another error."""
    if isinstance(error, ForeignAddress):
        return _foreign_address(str(error), start, session)
    if isinstance(error, Redirected):
        return _redirected(error, start, session)
    if isinstance(error, OutOfBounds):
        return errors.out_of_bounds(error, action, session)
    if isinstance(error, OutOfTime):
        return _late(str(error), start, action)
    return None


def _late(sentence: str, start: str, action: Action) -> VcdFault:
    return VcdFault(
        f"{start}{sentence}.", hint=_WAY_BROKE_OFF, code=LATE, outcome_unknown=action.changes
    )


def _foreign_address(url: str, start: str, session: Session) -> CseError:
    """Explain that VCD, or who answers for it, named an address that gets no token."""
    shown, _request = clean(url.partition("?")[0], limit=200)
    return CseError(
        start
        + f"{session.host} names an address on another host for it, {shown}; nothing was sent "
        "there.",
        hint="If that is the same VMware Cloud Director, log in under that name.",
    )


def _redirected(error: Redirected, start: str, session: Session) -> VcdFault:
    """Explain a redirect. It was not followed, so a change was not made."""
    shown, _request = clean(str(error).partition("?")[0], limit=200)
    return VcdFault(
        start + f"{session.host} redirects to {shown or 'nowhere'} (HTTP {error.status}), and "
        "redirects are not followed.",
        hint="Log in under VCD's own name, or check whether a proxy answers instead "
        "(HTTPS_PROXY, NO_PROXY).",
        status=error.status,
        lasting=True,
    )


def _bad_ca_file(error: Exception, start: str, session: Session) -> VcdFault | None:
    """Say what is wrong with the file of trusted certificates; None where it can be read."""
    outside = isinstance(error, requests.exceptions.RequestException)
    if not session.verify or (outside and not isinstance(error, _TLS)):
        return None
    if session.ca_file:
        if _holds_certificates(Path(session.ca_file)):
            return None
        return VcdFault(
            start + f"the pinned CA of {session.host}, {session.ca_file}, cannot be read.",
            hint=f"Log in again with it: {login_line(session, ca_file='FILE')}",
            lasting=True,
        )
    # requests takes the first of them that is set
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(variable):
            break
    else:
        return None
    path = Path(os.environ[variable])
    if not path.exists():
        trouble = "does not exist"
    elif path.is_file() and not _holds_certificates(path):
        trouble = "cannot be read, or contains no PEM certificates"
    else:
        return None
    return VcdFault(
        start + f"the file of trusted certificates {trouble} ({variable}={path}).",
        hint="Set the variable to another file, or unset it.",
        lasting=True,
    )


def _holds_certificates(path: Path) -> bool:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError:  # ssl.SSLError is one
        return False
    return True


def _bad_proxy(error: Exception, start: str, host: str) -> VcdFault | None:
    """Name a proxy that no request can take; None where that is not what is wrong."""
    unusable = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
    if not isinstance(error, unusable):
        return None
    scheme = "http" if host.startswith("http://") else "https"
    name = host.partition("://")[2] or host
    proxies = requests.utils.get_environ_proxies(f"{scheme}://{name}")
    proxy = requests.utils.select_proxy(f"{scheme}://{name}", proxies)
    if not proxy:
        return None
    # the user's name and password in it are nobody's affair
    shown = clean(proxy.rpartition("@")[2], limit=100)[0]
    missing = proxy.lower().startswith("socks") and "dependencies" in str(error)
    return VcdFault(
        start
        + f"the proxy '{shown}' on the way to {host} cannot be used"
        + (
            ": the package for SOCKS proxies is missing."
            if missing
            else ": it is not the address of an HTTP proxy."
        ),
        hint=suggest.program("pip install", "requests[socks]") if missing else _PROXY_HINT,
        lasting=True,
    )


def _tls_fault(error: Exception, start: str, session: Session) -> VcdFault:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" not in text and "doesn't match" not in text:
        return VcdFault(start + f"no TLS connection to {session.host}.", repeatable=True)
    found = re.search(r"certificate verify failed: ([^(\"']*)", text)
    reason = found.group(1).strip() if found else "it does not match"
    hint = f"Specify the file of its CA: {login_line(session, ca_file='FILE')}"
    if any(word in reason for word in _TIMES):
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
        hint = (
            f"The clock of this machine says {now} UTC: set it if that is wrong. Otherwise your"
            " provider must replace the certificate."
        )
    elif session.ca_file:
        reason += f"; its CA is not the one in {session.ca_file}"
    return VcdFault(
        start + f"the TLS certificate of {session.host} cannot be verified: {reason}.",
        hint=hint,
        lasting=True,
    )


def _connection_fault(error: Exception, start: str, action: Action, host: str) -> VcdFault:
    if isinstance(error, requests.exceptions.ProxyError):
        return VcdFault(
            start + f"the proxy on the way to {host} does not work.",
            hint=_PROXY_HINT,
            repeatable=True,
        )
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return VcdFault(start + f"{host} does not accept connections in time.", repeatable=True)
    text = str(error)
    if "NameResolutionError" in text or "getaddrinfo" in text or "Name or service" in text:
        return VcdFault(
            start + f"the host name {host} cannot be resolved.",
            hint="Check the name, the DNS and the VPN.",
            repeatable=True,
        )
    if "NewConnectionError" in text or "Connection refused" in text:
        reason = "the connection was refused" if "refused" in text else "no connection"
        return VcdFault(
            start + f"{host} cannot be reached: {reason}.",
            hint="Check the host name, the network and the VPN.",
            repeatable=True,
        )
    return VcdFault(
        start + f"the connection to {host} broke off.",
        hint=_WAY_BROKE_OFF,
        outcome_unknown=action.changes,
    )
