"""TLS contexts of a client that trusts one CA and shows one certificate."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cse_client.errors import CseError

__all__ = ["client_context", "private_file", "private_folder", "without_strict_extensions"]


def client_context(ca: bytes, certificate: bytes = b"", key: bytes = b"") -> ssl.SSLContext:
    """Return a context that trusts `ca` alone; all three are PEM.

    Raises:
        CseError: the certificate or the key cannot be used.
    """
    try:
        context = ssl.create_default_context(cadata=ca.decode("ascii"))
        without_strict_extensions(context)
        if certificate:
            with private_folder() as folder:
                # Python's TLS takes a client's key from files only
                pair = private_file(folder / "pair", certificate + b"\n" + key)
                context.load_cert_chain(pair)
    except (OSError, ValueError):
        raise CseError("The client certificate, its key or the CA cannot be used.") from None
    return context


def without_strict_extensions(context: ssl.SSLContext) -> None:
    """Let a context take certificates without key identifiers; all else is still verified.

    Python 3.13 refuses them by default (its release notes, "ssl"). Go gives a certificate an
    authority key identifier only if its CA has one (crypto/x509, CreateCertificate).
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT


@contextmanager
def private_folder() -> Iterator[Path]:
    """Give a folder that only this user can enter, and that is gone afterwards."""
    import tempfile

    # mkdtemp makes it 0700 whatever the umask says.
    with tempfile.TemporaryDirectory(prefix="cse-client-") as name:
        yield Path(name)


def private_file(path: Path, content: bytes) -> str:
    """Write a file of mode 0600 and return its path."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return str(path)
