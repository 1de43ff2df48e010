"""Certificates of CAs that nodes trust: one rule for what is typed and for what a file states."""

from __future__ import annotations

__all__ = ["InvalidCa", "ca_certificates"]

#: It is part of the nodes' scripts, which VCD accepts up to a size only.
_LONGEST = 2560


class InvalidCa(ValueError):
    """A text does not hold CA certificates; the message completes "it ...", `hint` may be empty."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def ca_certificates(content: bytes) -> str:
    """Return the certificates in a text as PEM, without whatever else is in it.

    Raises:
        InvalidCa: it has none, has others than CA certificates, or more than nodes can be given.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        found = x509.load_pem_x509_certificates(content)
        are_cas = [
            one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca for one in found
        ]
    except x509.ExtensionNotFound:
        are_cas = [False]
    except ValueError:
        raise InvalidCa("has no certificate in PEM") from None
    if not all(are_cas):
        raise InvalidCa("has a certificate that is not one of a CA")
    text = "".join(one.public_bytes(Encoding.PEM).decode() for one in found)
    if len(text) > _LONGEST:
        raise InvalidCa(
            f"has certificates that are too long: {len(text)} bytes; the maximum is {_LONGEST}",
            hint="Specify only the CA that issued the registry's certificate.",
        )
    return text
