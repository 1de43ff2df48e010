"""Giving a new control plane a file before its API server runs, on the API server's own port.

What reaches the API reaches this: scripts/restore.sh listens there with the API server's
certificate. It takes a client whose certificate the front proxy's CA has signed, and no other: the
kubelets of the cluster, which ask for the API meanwhile, have theirs from the cluster's CA.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping

from cse_client import bounds
from cse_client.kube.credentials import Credentials
from cse_client.kube.proxy import proxy_for
from cse_client.kube.serving import connection_to
from cse_client.kube.tls import client_context
from cse_client.kube.unreachable import explain

__all__ = ["Upload"]

#: Seconds to connect: of a VM that does not run yet, not even a refusal comes.
_CONNECT = 4.0
#: The application protocol that only the listener in scripts/restore.sh knows.
_PROTOCOL = "cse-snapshot"


class Upload:
    """Sends a file to whoever listens for it at a cluster's address.

    `access` holds the address, the cluster's CA and the sender's certificate. `timeout` (seconds)
    bounds each wait once it is connected.
    """

    def __init__(
        self, access: Credentials, timeout: float, *, environ: Mapping[str, str] | None = None
    ) -> None:
        self._access = access
        self._timeout = timeout
        self._proxy = proxy_for(access.server, os.environ if environ is None else environ)

    def attempt(self, pieces: Callable[[], Iterable[bytes]]) -> bool:
        """Send the file if somebody listens for it; return whether it was sent.

        That it has arrived shows in what the other side does next: it listens again where the
        checksum is another one.

        Raises:
            ClusterUnreachable: the connection broke while the file was sent.
        """
        with self._stream() as stream:
            if stream is None:
                return False
            stream.settimeout(self._timeout)
            try:
                for piece in pieces():
                    bounds.sleep(0)  # ends the command where its time is up
                    stream.sendall(piece)
                # closing while something is unread would throw away what is still on its way
                with contextlib.suppress(OSError):
                    stream.unwrap()
            except OSError as error:
                raise explain(error, self._access.server, self._proxy) from None
        return True

    @contextlib.contextmanager
    def _stream(self) -> Iterator[ssl.SSLSocket | None]:
        """Give the connection, or None where nobody listens for the file (yet, or any longer)."""
        access = self._access
        context = client_context(access.ca, access.certificate, access.key)
        context.set_alpn_protocols([_PROTOCOL])
        try:
            connection = connection_to(access.server, self._proxy, _CONNECT, context)
        except OSError as error:
            raise explain(error, access.server, self._proxy) from None
        try:
            with contextlib.suppress(OSError, http.client.HTTPException):
                bounds.within(2 * _CONNECT, connection.connect, peer=access.server)
            stream = connection.sock
            listening = (
                isinstance(stream, ssl.SSLSocket) and stream.selected_alpn_protocol() == _PROTOCOL
            )
            yield stream if listening else None
        finally:
            connection.close()
