"""The format of a customization script: an installer in plain bash, and what it carries.

The payload is text in gzip's format and base64; a line in the installer names the kind of script
and the format.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
import zlib
from collections.abc import Sequence
from functools import cache

from cse_client.errors import CseError, WrongUsage

__all__ = [
    "CONTROL_PLANE",
    "FORMAT",
    "MAX_SCRIPT_BYTES",
    "SEALED",
    "WORKER",
    "damaged",
    "format_of",
    "header_line",
    "kind_of",
    "packed",
    "payload_of",
    "put_file",
    "quoted",
    "script_source",
    "with_installer",
]

FORMAT = 1
#: Nobody documents a limit for VCD's CustomizationScript; this is what we dare.
MAX_SCRIPT_BYTES = 16 * 1024

#: Kinds of scripts; the other ones are only written, never read.
CONTROL_PLANE = "control-plane"
WORKER = "worker"
SEALED = "sealed"

_HEADER = re.compile(
    r"^# cse-client (control-plane|worker|template|check|sealed) script, format (\d+)$", re.M
)
_PAYLOAD = re.compile(r"<<'CSE_PAYLOAD'\n(.*?)\nCSE_PAYLOAD$", re.M | re.S)
_COMMENT = re.compile(r"\s*#(?!!/)")
#: zlib's number for gzip's format, and the bytes that a payload has at most when it is unpacked.
_GZIP = 31
_LONGEST_PAYLOAD = 1024 * 1024


def with_installer(kind: str, identity: str, parts: Sequence[str]) -> str:
    """Return a script of a kind that carries `parts`.

    `identity` assigns CSE_ID, which both the installer and the payload work with.
    """
    payload = ["payload() { cat <<'CSE_PAYLOAD'", *packed([identity, *parts]), "CSE_PAYLOAD", "}"]
    lines = ["#!/bin/bash", header_line(kind), identity, *payload, script_source("customize")]
    return "\n".join(lines) + "\n"


def packed(parts: Sequence[str]) -> list[str]:
    """Return lines of base64 that hold the text of `parts` in gzip's format."""
    body = "\n".join(parts) + "\n"
    text = base64.b64encode(_gzip(body.encode())).decode()
    return [text[i : i + 1000] for i in range(0, len(text), 1000)]


@cache
def script_source(name: str) -> str:
    """Return a shell source without comment lines and half of its indents: they cost room in VCD.

    Half, so that the YAML in here-documents keeps its shape. The first line of a script in a
    here-document is not a comment.
    """
    from importlib.resources import files

    text = files("cse_client.guest").joinpath("scripts").joinpath(f"{name}.sh").read_text("utf-8")
    code = "\n".join(line for line in text.splitlines() if not _COMMENT.match(line))
    return re.sub(r"^(?P<half> +)(?P=half)", r"\g<half>", code, flags=re.M)


def put_file(path: str, mode: str, content: str) -> str:
    """Return the line that writes a file in the guest, `path` as the shell reads it."""
    return f"put {path} {mode} <<'CSE_FILE'\n{content.rstrip()}\nCSE_FILE"


def quoted(name: str, value: str) -> str:
    """Return a value as a script may assign it to the variable `name`; WrongUsage if none can."""
    if not value.isprintable():
        raise WrongUsage(f"{value!r} cannot be used in a bootstrap script ({name})")
    return shlex.quote(value)


def header_line(kind: str) -> str:
    """Return the line that names a script's kind and format."""
    return f"# cse-client {kind} script, format {FORMAT}"


def kind_of(script: str) -> str:
    """Return the kind of a script as found in VCD; empty where it is not ours."""
    header = _HEADER.search(_normal(script))
    return header.group(1) if header else ""


def format_of(script: str) -> int:
    """Return the number of a script's format; 0 where it is not ours."""
    header = _HEADER.search(_normal(script))
    return int(header.group(2)) if header else 0


def payload_of(script: str) -> str:
    """Return what a script as found in VCD carries.

    Raises:
        CseError: that is damaged.
    """
    payload = _PAYLOAD.search(_normal(script))
    if payload is None:
        raise damaged("its payload is missing")
    try:
        raw = base64.b64decode("".join(payload.group(1).split()), validate=True)
        return _unpack(raw).decode()
    except (binascii.Error, ValueError, OSError, EOFError, zlib.error):
        raise damaged("its payload cannot be decoded") from None


def damaged(why: str) -> CseError:
    """Return the error for a control plane's script that cannot be read."""
    return CseError(
        f"the control plane's script in VCD is damaged: {why}",
        hint="The CA is also in /etc/kubernetes/pki on the control plane.",
    )


def _unpack(packed: bytes) -> bytes:
    """Decompress what somebody else may have written: never more than a script could hold."""
    stream = zlib.decompressobj(wbits=_GZIP)
    body = stream.decompress(packed, _LONGEST_PAYLOAD)
    if not stream.eof:
        # cut off, or longer than anything of ours
        raise EOFError
    return body


def _gzip(data: bytes) -> bytes:
    # The larger memory level keeps a script in one block of deflate: a second costs 180 bytes.
    packing = zlib.compressobj(9, zlib.DEFLATED, _GZIP, 9)
    return packing.compress(data) + packing.flush()


def _normal(script: str) -> str:
    """Undo what a web form or an XML round trip may do to line ends."""
    return "\n".join(line.rstrip() for line in script.splitlines())
