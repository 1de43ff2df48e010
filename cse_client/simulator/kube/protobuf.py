"""Reading Kubernetes' protobuf bodies: an envelope, and inside it a message of a known kind.

The envelope: the four bytes `k8s\\0`, then the message runtime.Unknown
(kubernetes.io/docs/reference/using-api/api-concepts#protobuf-encoding). The wire format:
protobuf.dev/programming-guides/encoding. A message or field that `protobuf_schema` does not hold
is refused loudly; nothing is dropped in silence.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import cache
from typing import Any

from cse_client.simulator.kube.errors import bad_request, not_implemented
from cse_client.simulator.kube.objects import Obj, timestamp
from cse_client.simulator.kube.protobuf_schema import KINDS, MESSAGES

__all__ = ["decode"]

_MAGIC = b"k8s\x00"
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_SIGN, _RANGE = 1 << 63, 1 << 64


class _Reader:
    """Walks through the fields of one message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _varint(self) -> int:
        value = shift = 0
        while True:
            if self._at >= len(self._data):
                raise bad_request("the protobuf message ends too early")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004
                return value
            shift += 7

    def _take(self, length: int) -> bytes:
        if self._at + length > len(self._data):
            raise bad_request("the protobuf message ends too early")
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def fields(self) -> Iterator[tuple[int, int | bytes]]:
        """Yield each field's number and its value: an integer, or what has a length."""
        while self._at < len(self._data):
            tag = self._varint()
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                value = self._varint()
                yield number, value - _RANGE if value >= _SIGN else value
            elif kind == _BYTES:
                yield number, self._take(self._varint())
            elif kind in (_EIGHT, _FOUR):
                yield number, self._take(8 if kind == _EIGHT else 4)
            else:
                raise bad_request("the protobuf message cannot be read")


def _raw(data: bytes) -> dict[int, int | bytes]:
    return dict(_Reader(data).fields())


def _bytes(value: int | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else b""


def _text(value: Any) -> str:
    if not isinstance(value, bytes):
        raise bad_request("the protobuf message holds a number where text belongs")
    return value.decode("utf-8", "replace")


@cache
def _fields(message: str) -> dict[int, tuple[str, str]]:
    listed = (field.split() for field in MESSAGES[message].split(";"))
    return {int(number): (name, kind) for number, name, kind in listed}


def decode(data: bytes) -> Obj:
    """Return the object that a protobuf body holds.

    Raises ApiError 400 for what is not such a body, 501 for kinds and fields not known here.
    """
    if not data.startswith(_MAGIC):
        raise bad_request("the body does not begin as Kubernetes' protobuf does")
    envelope = _raw(data[len(_MAGIC) :])
    about = _raw(_bytes(envelope.get(1)))
    version, kind = _text(about.get(1, b"")), _text(about.get(2, b""))
    if kind not in KINDS:
        raise not_implemented(f"reading {kind or 'an unnamed kind'} ({version}) as protobuf")
    obj = _message(kind, _bytes(envelope.get(2)))
    return {"kind": kind, "apiVersion": version, **obj}


def _message(name: str, data: bytes) -> Obj:
    fields = _fields(name)
    result: Obj = {}
    for number, value in _Reader(data).fields():
        if number not in fields:
            raise not_implemented(f"reading field {number} of {name} as protobuf")
        field, kind = fields[number]
        if kind == "-":
            continue
        if kind.startswith("*"):
            result.setdefault(field, []).append(_value(kind[1:], value))
        elif kind.startswith("<"):
            pair = _raw(_bytes(value))
            key = _text(pair.get(1, b""))
            result.setdefault(field, {})[key] = _value(kind[1:], pair.get(2, b""))
        elif kind.startswith("+"):
            result.update(_value(kind[1:], value))
        else:
            found = _value(kind, value)
            if not _left_out(kind, found):
                result[field] = found
    return result


def _left_out(kind: str, value: Any) -> bool:
    """Whether a zero value means that the field is not set (Go writes those as well)."""
    return kind in ("s", "i", "b", "y", "T") and not value


def _value(kind: str, value: Any) -> Any:
    reader = _READERS.get(kind)
    return reader(value) if reader else _message(kind, _bytes(value))


def _time(value: Any) -> str | None:
    seconds = _raw(_bytes(value)).get(1, 0)
    if not isinstance(seconds, int) or not seconds:
        return None
    return timestamp(datetime.fromtimestamp(seconds, timezone.utc))


def _int_or_string(value: Any) -> Any:
    parts = _raw(_bytes(value))
    return _text(parts.get(3, b"")) if parts.get(1, 0) else parts.get(2, 0)


_READERS: dict[str, Callable[[Any], Any]] = {
    "s": _text,
    "i": int,
    "N": int,
    "b": bool,
    "B": bool,
    "y": lambda value: base64.b64encode(_bytes(value)).decode(),
    "T": _time,
    "I": _int_or_string,
    "Q": lambda value: _text(_raw(_bytes(value)).get(1, b"")),
}
