"""OpenSSH public keys of every type; their numbers are made up, their form is right."""

from __future__ import annotations

import base64
import struct

_FIELDS: dict[str, tuple[bytes, ...]] = {
    "ssh-ed25519": (bytes(range(32)),),
    "ssh-rsa": (b"\1\0\1", b"\0" + b"\xc5" * 256),
    "ecdsa-sha2-nistp256": (b"nistp256", b"\4" + b"a" * 64),
    "ecdsa-sha2-nistp384": (b"nistp384", b"\4" + b"b" * 96),
    "ecdsa-sha2-nistp521": (b"nistp521", b"\4" + b"c" * 132),
    "sk-ssh-ed25519@openssh.com": (bytes(range(32)), b"ssh:"),
    "sk-ecdsa-sha2-nistp256@openssh.com": (b"nistp256", b"\4" + b"d" * 64, b"ssh:"),
}
KINDS = tuple(_FIELDS)


def blob(*fields: bytes) -> str:
    """Return fields as the base64 of a key's data."""
    data = b"".join(struct.pack(">I", len(field)) + field for field in fields)
    return base64.b64encode(data).decode()


def public_key(kind: str = "ssh-ed25519", comment: str = "me@there") -> str:
    """Return a key of this type as its .pub file holds it."""
    return f"{kind} {blob(kind.encode(), *_FIELDS[kind])} {comment}".strip()
