"""What a client needs to talk to a cluster's API: where it is, its CA, and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from cse_client.kube.kubeconfig.foreign import read_access

__all__ = ["Credentials", "credentials_in"]


@dataclass(frozen=True)
class Credentials:
    """The API's URL, and in PEM its CA, the client's certificate and key; or a bearer token."""

    server: str
    ca: bytes
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)


def credentials_in(kubeconfig: str) -> Credentials:
    """Return the credentials in a kubeconfig.

    Raises Refused and CseError as `read_access` does, so nothing that a kubeconfig names is run.
    """
    access = read_access(kubeconfig, "The kubeconfig", ours=True)
    return Credentials(access.server, access.ca, access.certificate, access.key, access.token)
