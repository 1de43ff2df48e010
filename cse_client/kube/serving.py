"""When the certificate of a cluster's API server ends, as it presents it in TLS.

kubeadm makes the API server's certificate for a year, and so those of its other parts; nothing
renews them but `kubeadm certs renew` and `kubeadm upgrade` (kubeadm's documentation, "Certificate
Management with kubeadm"). The API server reads a new one from its file at once; the other static
pods have to be restarted, for which restarting the VM is enough.
"""

from __future__ import annotations

import base64
import errno
import http.client
import ssl
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["CURE", "EXPIRED", "connection_to", "ends_soon", "read_end", "read_names", "show_end"]

#: `ClusterUnreachable.reason` of an API server whose certificate has ended.
EXPIRED = "expired"
#: How to renew the certificates; `alpha` was part of the command below Kubernetes 1.20.
CURE = "as root on the control plane VM: `kubeadm certs renew all`, then restart that VM"
_SOON = timedelta(days=60)
_HTTPS = 443


def read_end(server: str, proxy: str | None, timeout: float) -> datetime | None:
    """Return the notAfter of the certificate that `server` presents, None where it cannot be read.

    `server` is the API's URL, `proxy` an HTTP proxy's or None; `timeout` in seconds. Nothing is
    verified and nothing is sent: only a connection that was verified says whose certificate it is.
    """
    certificate = _read_certificate(server, proxy, timeout)
    return certificate.not_valid_after_utc if certificate is not None else None


def read_names(server: str, proxy: str | None, timeout: float) -> tuple[str, ...]:
    """Return the host names in the certificate that `server` presents; see `read_end`.

    kubeadm gives the certificate of each API server the name of its node, so that they tell which
    control plane answers at an address that several may have.
    """
    from cryptography import x509

    certificate = _read_certificate(server, proxy, timeout)
    if certificate is None:
        return ()
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(found.value.get_values_for_type(x509.DNSName))


def _read_certificate(server: str, proxy: str | None, timeout: float) -> x509.Certificate | None:
    from cryptography import x509

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        connection = connection_to(server, proxy, timeout, context)
        try:
            connection.connect()
            encoded = connection.sock.getpeercert(binary_form=True)
        finally:
            connection.close()
        return x509.load_der_x509_certificate(bytes(encoded or b""))
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return None


def ends_soon(end: datetime) -> bool:
    """Return whether a certificate has 60 days left at most, by this machine's clock."""
    return end - datetime.now(timezone.utc) <= _SOON


def show_end(end: datetime) -> str:
    """Return the end as it is shown."""
    return f"{end.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def connection_to(
    server: str, proxy: str | None, timeout: float, context: ssl.SSLContext
) -> http.client.HTTPSConnection:
    """Return a connection to a server's URL, through an HTTP proxy or directly; not connected yet.

    Raises:
        OSError: the proxy is of another kind.
    """
    target = urlsplit(server)
    host, port = target.hostname or "", target.port or _HTTPS
    if proxy is None:
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    via = urlsplit(proxy)
    if via.scheme != "http" or not via.hostname:
        raise OSError(errno.EPROTONOSUPPORT, "only HTTP proxies are supported here")
    connection = http.client.HTTPSConnection(
        via.hostname, via.port or 80, timeout=timeout, context=context
    )
    headers = {}
    if via.username is not None:
        name = f"{unquote(via.username)}:{unquote(via.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(name.encode()).decode()}"
    connection.set_tunnel(host, port, headers)
    return connection
