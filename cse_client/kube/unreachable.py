"""From what a Kubernetes client library raised to one sentence and a reason a program can test."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

from cse_client import suggest
from cse_client.bounds import OutOfBounds, OutOfTime
from cse_client.content import plain
from cse_client.errors import ClusterUnreachable
from cse_client.kube.serving import EXPIRED

__all__ = ["broke_off", "explain", "explain_content", "explain_redirect", "explain_status"]

_ERRNO = {
    errno.ECONNREFUSED: ("refused", "nothing listens there yet, or no longer"),
    errno.EHOSTUNREACH: ("no route", "there is no route to it from this machine"),
    errno.ENETUNREACH: ("no route", "there is no route to it from this machine"),
    errno.EHOSTDOWN: ("no route", "there is no route to it from this machine"),
    errno.ETIMEDOUT: ("timed out", "it does not answer"),
    errno.ECONNRESET: ("closed", "it closed the connection"),
    errno.EPIPE: ("closed", "it closed the connection"),
}
_STATUS = {
    401: ("unauthorized", "it does not accept our certificate"),
    403: ("forbidden", "our certificate has no rights to this"),
    429: ("not ready", "it is too busy"),
}
_SERVER_FAULT = 500
#: Two generations of the HTTP library under lightkube share these class names.
_BROKE_OFF = ("RemoteProtocolError", "ReadError", "WriteError")
#: OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED.
_HAS_EXPIRED = 10
_HINTS = {
    "no route": "Run this on a machine that can reach the cluster's network, or specify an "
    "endpoint that can be reached from here.",
    "timed out": "Run this on a machine that can reach the cluster's network, or specify an "
    "endpoint that can be reached from here.",
    "not ours": "Another machine answers at that address, or the traffic is intercepted.",
    "proxy": "Add the address, or its network such as 10.0.0.0/8, to NO_PROXY.",
}


def explain(error: BaseException, server: str, proxy: str | None) -> ClusterUnreachable:
    """Return the error to raise for `error`, which a request to `server` ended in."""
    reason, text = _reason(error)
    via = ""
    if proxy:
        via = f" through the proxy {_without_password(proxy)}"
        if reason in ("no route", "refused", "timed out", "closed"):
            reason = "proxy"
    message = f"the Kubernetes API at {server} cannot be used{via}: {text}"
    return ClusterUnreachable(message, hint=_hint(reason), reason=reason)


def broke_off(error: BaseException) -> bool:
    """Return whether the other side closed a connection that was made, before its answer came."""
    return type(error).__name__ in _BROKE_OFF and _reason(error)[0] == "closed"


def _hint(reason: str) -> str:
    if reason == "unauthorized":
        return f"Get a new kubeconfig: {suggest.cse('cluster config', suggest.cluster())}"
    if reason == EXPIRED:
        return f"Renew it: {suggest.cse('cluster renew', suggest.cluster())}"
    return _HINTS.get(reason, "")


def explain_status(status: int, server: str, proxy: str | None = None) -> ClusterUnreachable:
    """Return the error to raise for an answer of that status, whatever its body says."""
    reason, text = _from_status(status)
    via = f" through the proxy {_without_password(proxy)}" if proxy else ""
    message = f"the Kubernetes API at {server} cannot be used{via}: {text}"
    return ClusterUnreachable(message, hint=_hint(reason), reason=reason)


def explain_content(what: str, server: str) -> ClusterUnreachable:
    """Return the error to raise for an answer that a Kubernetes API would not give."""
    return ClusterUnreachable(
        f"the Kubernetes API at {server} cannot be used: it gives no answer that makes sense"
        f" ({what})",
        reason="failed",
    )


def explain_redirect(target: str, server: str, proxy: str | None = None) -> ClusterUnreachable:
    """Return the error to raise for a redirect, which would take our certificate elsewhere."""
    shown = plain(target, 200) or "nowhere"
    via = f" through the proxy {_without_password(proxy)}" if proxy else ""
    return ClusterUnreachable(
        f"the Kubernetes API at {server} cannot be used{via}: it redirects to {shown}, and"
        " redirects are not followed",
        hint=_HINTS["not ours"],
        reason="failed",
    )


def _reason(error: BaseException) -> tuple[str, str]:
    status = _status(error)
    if status:
        return _from_status(status)
    for cause in _causes(error):
        found = _from_cause(cause)
        if found:
            return found
    name = type(error).__name__
    if "Timeout" in name:
        return "timed out", "it does not answer"
    if "Proxy" in name:
        return "proxy", "the proxy refuses to connect"
    if name in (*_BROKE_OFF, "InvalidMessage"):
        return "closed", "it closed the connection"
    return "failed", f"it gives no answer that makes sense ({name})"


def _from_status(status: int) -> tuple[str, str]:
    unknown = "not ready" if status >= _SERVER_FAULT else "failed"
    return _STATUS.get(status, (unknown, f"it answers {status}"))


def _from_tls(error: ssl.SSLError) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _HAS_EXPIRED:
            # OpenSSL verifies who signed a certificate before it looks at its dates
            return EXPIRED, "its certificate has ended"
        return "not ours", f"its certificate is not this cluster's ({error.verify_message})"
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "closed", "it closed the connection"
    # A TLS 1.3 server refuses a client's certificate after the handshake, with an alert.
    text = str(error).lower()
    if "alert" in text and ("certificate" in text or "unknown ca" in text):
        return "unauthorized", "it does not accept our certificate"
    return "failed", f"TLS failed ({error.reason or 'no reason given'})"


def _from_cause(cause: BaseException) -> tuple[str, str] | None:
    if isinstance(cause, ssl.SSLError):
        return _from_tls(cause)
    if isinstance(cause, OutOfBounds):
        return "failed", f"its answer {cause}"
    if isinstance(cause, (TimeoutError, socket.timeout)):
        late = f"did not finish its answer {cause.took}" if isinstance(cause, OutOfTime) else ""
        return "timed out", f"it {late or 'does not answer'}"
    if isinstance(cause, socket.gaierror):
        return "unknown host", "its name does not resolve"
    if isinstance(cause, OSError) and cause.errno in _ERRNO:
        return _ERRNO[cause.errno]
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(status, int):
        return status
    code = getattr(getattr(error, "status", None), "code", None)
    return code if isinstance(code, int) else 0


def _without_password(proxy: str) -> str:
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
