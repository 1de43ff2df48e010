"""OpenSSH public keys for root's login: the one rule for what is typed, recorded and rendered.

One key on one line, as sshd reads a line of authorized_keys that has no options (sshd(8),
AUTHORIZED_KEYS FILE FORMAT; the blobs are those of RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4 and
OpenSSH's PROTOCOL.u2f). Options such as `command="..."` are refused, and so is what OpenSSH itself
no longer takes: DSA keys, and RSA keys below 1024 bits (RequiredRSASize). A certificate never
matches without the option `cert-authority`, so it is refused as well.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["KEY_TYPES", "InvalidPublicKey", "PublicKey", "parse_public_key"]

#: The longest line taken, in bytes; an RSA key of 16384 bits, the longest of OpenSSH, has 2800.
LONGEST_KEY = 4096
_LONGEST_COMMENT = 128
_MOST_LINES = 100
_RSA_BITS = range(1024, 16385)
_PRIVATE = ("PRIVATE KEY-----", "PuTTY-User-Key-File-")
_CERTIFICATE = "-cert-v01@openssh.com"
_EXAMPLES = "a public key begins with ssh-ed25519, ssh-rsa or the like"
_WHITE = re.compile(r"[ \t]+")


class InvalidPublicKey(ValueError):
    """A text is not one OpenSSH public key; the message completes "it ..." and quotes nothing.

    `private`: it is a private key, which belongs nowhere but on its own machine.
    """

    def __init__(self, message: str, *, private: bool = False) -> None:
        super().__init__(message)
        self.private = private


@dataclass(frozen=True)
class PublicKey:
    """One public key: its type, the base64 of its blob, and a comment of printable characters."""

    type: str
    blob: str
    comment: str = ""

    @property
    def line(self) -> str:
        """The key as a line of authorized_keys, without the line end."""
        return " ".join(part for part in (self.type, self.blob, self.comment) if part)

    @property
    def fingerprint(self) -> str:
        """The key's name as `ssh-keygen -l` shows it: SHA256:..."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def same_key(self, other: PublicKey) -> bool:
        """Return whether both are the same key, whatever their comments say."""
        return (self.type, self.blob) == (other.type, other.blob)


def parse_public_key(text: str) -> PublicKey:
    """Return the one public key that `text` holds.

    Blank lines, lines that begin with `#` and a byte order mark are skipped. The comment loses what
    is not printable and is cut off after 128 characters.

    Raises:
        InvalidPublicKey: there is none, more than one, or something else.
    """
    if any(sign in text for sign in _PRIVATE):
        raise InvalidPublicKey("is a private key; it must stay on its machine", private=True)
    # Only LF and CR LF end a line: sshd knows no other separator, so neither may a second key.
    lines = [line.strip(" \t\r") for line in text.lstrip("\ufeff").split("\n")]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise InvalidPublicKey("holds no key")
    found = [_parse_line(line) for line in keys[:_MOST_LINES]]
    if len(keys) > 1:
        raise InvalidPublicKey(f"holds {len(keys)} keys; exactly one is expected")
    return found[0]


def _parse_line(line: str) -> PublicKey:
    if len(line.encode("utf-8", "replace")) > LONGEST_KEY:
        raise InvalidPublicKey(f"is longer than {LONGEST_KEY} bytes")
    kind, blob, comment = [*_WHITE.split(line, maxsplit=2), "", ""][:3]
    if kind.endswith(_CERTIFICATE):
        raise InvalidPublicKey("is an OpenSSH certificate; a plain public key is expected")
    if kind not in KEY_TYPES:
        raise InvalidPublicKey(f"is not an OpenSSH public key: {_EXAMPLES}")
    _check_blob(kind, blob)
    return PublicKey(kind, blob, _plain(comment))


def _plain(comment: str) -> str:
    """Return a comment as printable text in one line."""
    shown = "".join(c if c.isprintable() else " " for c in comment)
    return " ".join(shown.split())[:_LONGEST_COMMENT].rstrip()


def _check_blob(kind: str, text: str) -> None:
    try:
        fields = _fields(base64.b64decode(text, validate=True))
    except (binascii.Error, struct.error, ValueError):
        raise InvalidPublicKey("is not an OpenSSH public key: its base64 is damaged") from None
    if not fields or fields[0] != kind.encode():
        raise InvalidPublicKey("is not an OpenSSH public key: its data is of another type")
    if not KEY_TYPES[kind](fields[1:]):
        raise InvalidPublicKey("is not an OpenSSH public key: its data is not a key of this type")


def _fields(blob: bytes) -> list[bytes]:
    """Split a blob into its length-prefixed fields."""
    found = []
    while blob:
        (length,) = struct.unpack(">I", blob[:4])
        field, blob = blob[4 : 4 + length], blob[4 + length :]
        if len(field) != length:
            raise ValueError
        found.append(field)
    return found


def _rsa(fields: Sequence[bytes]) -> bool:
    if len(fields) != 2:  # noqa: PLR2004 - exponent and modulus
        return False
    exponent, modulus = (int.from_bytes(field, "big") for field in fields)
    return exponent > 1 and exponent % 2 == 1 and modulus.bit_length() in _RSA_BITS


def _ed25519(fields: Sequence[bytes]) -> bool:
    return [len(field) for field in fields] == [32]


def _curve(name: bytes, size: int) -> Callable[[Sequence[bytes]], bool]:
    def check(fields: Sequence[bytes]) -> bool:
        # an uncompressed point (SEC 1, 2.3.3), the only form that OpenSSH reads
        return (
            len(fields) == 2  # noqa: PLR2004 - the curve's name and the point
            and fields[0] == name
            and len(fields[1]) == 1 + 2 * size
            and fields[1][:1] == b"\x04"
        )

    return check


def _security_key(inner: Callable[[Sequence[bytes]], bool]) -> Callable[[Sequence[bytes]], bool]:
    """A key in a FIDO token has the application's name after the key itself."""
    return lambda fields: bool(fields) and bool(fields[-1]) and inner(fields[:-1])


#: The types taken, and what checks the fields after the type's name.
KEY_TYPES: Mapping[str, Callable[[Sequence[bytes]], bool]] = {
    "ssh-ed25519": _ed25519,
    "ssh-rsa": _rsa,
    "ecdsa-sha2-nistp256": _curve(b"nistp256", 32),
    "ecdsa-sha2-nistp384": _curve(b"nistp384", 48),
    "ecdsa-sha2-nistp521": _curve(b"nistp521", 66),
    "sk-ssh-ed25519@openssh.com": _security_key(_ed25519),
    "sk-ecdsa-sha2-nistp256@openssh.com": _security_key(_curve(b"nistp256", 32)),
}
