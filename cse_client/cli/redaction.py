"""Removes secrets from texts and values that are logged, recorded or written to an archive.

What is removed: what looks like a key, a token or a password, and the values of names such as
`password` in YAML, JSON (also within a string of JSON), XML, options and variables. Base64 is
removed when it is long, or when what it encodes contains a secret.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["redact", "redact_lines", "redact_value"]

_HIDDEN = "[redacted]"
_SHORTEST_SECRET = 6
_PATTERNS = (
    re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"),
    re.compile(r"[A-Za-z0-9+/=_-]{100,}"),
    # the last line of a PEM block whose start was cut off
    re.compile(r"[A-Za-z0-9+/]+={0,2}(?:\s|\\n){1,20}(?:[\w.-]{1,80}: )?-----END [A-Z0-9 ]+-----"),
    # a line of base64, which PEM and MIME wrap after 64 and 76 characters; digests are lower-case
    re.compile(r"(?=[a-z0-9+/]*[A-Z])(?=[A-Z0-9+/]*[a-z])(?=[A-Za-z+/]*[0-9])[A-Za-z0-9+/]{48,}"),
    # a bootstrap token of kubeadm (k8s.io/cluster-bootstrap/token/api)
    re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b"),
    # a name and a password, or a long token, in an address
    re.compile(r"(?<=://)[^/\s:@\"']*:[^/\s@\"']+(?=@)"),
    re.compile(r"(?<=://)[\w.~%-]{16,}(?=@)"),
    # tokens of GitHub and GitLab, and hashes of passwords (crypt(5))
    re.compile(r"\b(?:gh[a-z]_|github_pat_|glpat-)[\w-]{16,}"),
    re.compile(r"\$(?:[1567]|2[abxy]|y)\$[\w./$=,-]{8,}"),
)
_KEYS = r"(?:api|access|private|secret|signing|encryption|account|certificate)[ _-]?key"
_ENDINGS = rf"(?:token|password|passwd|passphrase|secret|{_KEYS})"
_NAMES = rf"(?:authorization|cookie|key-data|{_ENDINGS}|(?<![A-Za-z])(?:auth|pwd))"
#: A value in quotes, which may be escaped as in a string of JSON, or up to the next space.
_VALUE = r"(?:(?P<quote>\\*[\"'])(?:(?!(?P=quote))(?:\\.|.))*|(?:(?:bearer|basic)\s+)?[^\s\"'\\<]+)"
_NAMED = re.compile(
    rf"(?i)(?P<name>{_NAMES}(?:\\*[\"']?\s*[:=]\s*|>(?=\S))"
    rf"|--[\w-]{{0,40}}?{_ENDINGS}(?:\\*[\"'],?)?\s+(?!-)){_VALUE}"
)
_SECRET_KEY = re.compile(rf"(?i).*{_NAMES}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{16,}={0,2}")


def redact(text: str) -> str:
    """Return text without anything that looks like a key, a token or a password."""
    for pattern in _PATTERNS:
        text = pattern.sub(_HIDDEN, text)
    text = _NAMED.sub(lambda found: f"{found['name']}{found['quote'] or ''}{_HIDDEN}", text)
    return _BASE64.sub(_without_encoded_secret, text)


def redact_lines(lines: Collection[str]) -> list[str]:
    """Return lines of one text without its secrets, which may be longer than a line."""
    return redact("\n".join(lines)).split("\n") if lines else []


def redact_value(value: Any, secrets: Collection[str] = ()) -> Any:
    """Return a value of JSON without secrets; `secrets` are removed whatever they look like."""
    if isinstance(value, str):
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET:
                value = value.replace(secret, _HIDDEN)
        return redact(value)
    if isinstance(value, Mapping):
        return {
            redact(str(key)): _HIDDEN
            if isinstance(one, str) and one and _SECRET_KEY.fullmatch(str(key))
            else redact_value(one, secrets)
            for key, one in value.items()
        }
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(one, str) and "\n" not in one for one in value):
            return redact_value("\n".join(value), secrets).split("\n")
        return [redact_value(one, secrets) for one in value]
    return value


def _without_encoded_secret(found: re.Match[str]) -> str:
    try:
        text = base64.b64decode(found[0], validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return found[0]
    return found[0] if redact(text) == text else _HIDDEN
