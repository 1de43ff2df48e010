"""The connection to a cluster's API, made of credentials.

lightkube makes it: a fraction of the official client's size and start time. Two lines of it are
supported, 0.17 up to 0.22 on httpx and 1.x on httpx2; nothing here names either, and nothing
outside this module knows lightkube. Only its HTTP client is used: its models fail in their own
ways at what they do not expect, and take an error that is not JSON for no answer at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cse_client import suggest
from cse_client.errors import CseError
from cse_client.kube.tls import private_file, private_folder, without_strict_extensions

if TYPE_CHECKING:
    from cse_client.kube.credentials import Credentials

__all__ = ["connect", "request_errors"]


def connect(access: Credentials, timeout: float, proxy: str | None) -> Any:
    """Return an HTTP client for the API server; close it. No request is sent.

    `timeout` (seconds) is that of each wait. Python's TLS takes keys from files only, so the key
    passes through one of mode 0600 that is gone when this returns or raises.

    Raises:
        CseError: the certificate, the key or the proxy cannot be used.
    """
    with private_folder() as folder:
        client = _client(_load(access, folder), timeout, proxy)
    # Both lines of lightkube keep their HTTP client here.
    http = client._client._client
    # httpx makes a context for each transport, and keeps it there
    for transport in (http._transport, *http._mounts.values()):
        context = getattr(getattr(transport, "_pool", None), "_ssl_context", None)
        if context is not None:
            without_strict_extensions(context)
    return http


def request_errors() -> tuple[type[Exception], ...]:
    """Return what a request may raise; the HTTP library's base error comes from lightkube."""
    from lightkube.core.exceptions import ApiError

    http = [kind for kind in ApiError.__mro__ if kind.__name__ == "HTTPError"]
    # ValueError: a URL or header that cannot be sent.
    return (ApiError, *http, OSError, ValueError)


def _load(access: Credentials, folder: Path) -> Any:
    """Return lightkube's configuration, made of the credentials alone.

    lightkube itself would run what a kubeconfig names. Inline data goes through files here, since
    those of lightkube outlive an error in them.
    """
    try:
        from lightkube import KubeConfig

        parts = {
            "certificate-authority": access.ca,
            "client-certificate": access.certificate,
            "client-key": access.key,
        }
        files = {name: private_file(folder / name, pem) for name, pem in parts.items() if pem}
    except OSError as error:
        raise CseError(
            f"Cannot write a temporary file for the client key: {error.strerror}."
        ) from None
    authority = {"certificate-authority": files.pop("certificate-authority")}
    token = {"token": access.token} if access.token else {}
    return KubeConfig.from_dict(
        {
            "clusters": [{"name": "it", "cluster": {"server": access.server, **authority}}],
            "users": [{"name": "it", "user": {**files, **token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
    ).get()


def _client(config: Any, timeout: float, proxy: str | None) -> Any:
    from lightkube import Client

    try:
        # trust_env would bring back Python's idea of proxies, and foreign CA bundles.
        return Client(config=config, timeout=timeout, trust_env=False, proxy=proxy)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        raise CseError(
            "The certificate, key or proxy for the Kubernetes API cannot be used."
        ) from None
    except ImportError:
        raise CseError(
            "The proxy for the Kubernetes API is a SOCKS proxy, and the Python package for SOCKS"
            " proxies is missing.",
            hint=f"{suggest.program('pip install', 'socksio')}, or put the cluster's address into"
            " NO_PROXY.",
        ) from None
