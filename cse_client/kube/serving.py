"""When the certificate of a cluster's API server ends, as it presents it in TLS.

kubeadm makes the API server's certificate for a year, and so those of its other parts; nothing
renews them but `kubeadm certs renew` and `kubeadm upgrade` (kubeadm's documentation, "Certificate
Management with kubeadm"). The API server reads a new one from its file at once; the other static
pods have to be restarted, for which restarting the VM is enough.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote, urlsplit

__all__ = ["CURE", "EXPIRED", "ends_soon", "read_end", "show_end"]

#: `ClusterUnreachable.reason` of an API server whose certificate has ended.
EXPIRED = "expired"
#: How to renew the certificates; `alpha` was part of the command below Kubernetes 1.20.
CURE = "as root on the control plane VM: `kubeadm certs renew all`, then restart that VM"
_SOON = timedelta(days=30)
_HTTPS = 443


def read_end(server: str, proxy: str | None, timeout: float) -> datetime | None:
    """Return the notAfter of the certificate that `server` presents, None where it cannot be read.

    `server` is the API's URL, `proxy` an HTTP proxy's or None; `timeout` in seconds. Nothing is
    verified and nothing is sent: only a connection that was verified says whose certificate it is.
    """
    from cryptography import x509

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        connection = _connection(server, proxy, timeout, context)
        if connection is None:
            return None
        try:
            connection.connect()
            encoded = connection.sock.getpeercert(binary_form=True)
        finally:
            connection.close()
        return x509.load_der_x509_certificate(bytes(encoded or b"")).not_valid_after_utc
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return None


def ends_soon(end: datetime) -> bool:
    """Return whether a certificate has a month left at most, by this machine's clock."""
    return end - datetime.now(timezone.utc) <= _SOON


def show_end(end: datetime) -> str:
    """Return the end as it is shown."""
    return f"{end.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def _connection(
    server: str, proxy: str | None, timeout: float, context: ssl.SSLContext
) -> http.client.HTTPSConnection | None:
    target = urlsplit(server)
    host, port = target.hostname or "", target.port or _HTTPS
    if proxy is None:
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    via = urlsplit(proxy)
    if via.scheme != "http" or not via.hostname:
        return None
    connection = http.client.HTTPSConnection(
        via.hostname, via.port or 80, timeout=timeout, context=context
    )
    headers = {}
    if via.username is not None:
        name = f"{unquote(via.username)}:{unquote(via.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(name.encode()).decode()}"
    connection.set_tunnel(host, port, headers)
    return connection
