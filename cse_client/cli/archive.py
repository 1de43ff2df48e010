"""An archive of everything that `cluster diagnose` looked at, without secrets.

Every text passes through `redaction.redact_value`, and values that are known to be secret here (the
session's token, API tokens) are removed wherever they are.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import tarfile
import time
from collections.abc import Collection
from pathlib import Path

from cse_client.cli.log import log_path
from cse_client.cli.redaction import redact_value
from cse_client.errors import CseError
from cse_client.model.diagnosis import Diagnosis
from cse_client.state import write_private

__all__ = ["write_archive"]

_MOST_LOG = 4 * 1024 * 1024


def write_archive(
    path: Path, diagnosis: Diagnosis, summary: str, secrets: Collection[str]
) -> list[str]:
    """Write a .tar.gz of mode 0600 and return the names in it.

    Raises:
        CseError: it cannot be written.
    """
    files: dict[str, bytes] = {"summary.txt": _clean(summary, secrets)}
    for name, value in diagnosis.facts.items():
        clean = redact_value(value, secrets)
        text = json.dumps(clean, indent=4, sort_keys=True, ensure_ascii=False)
        files[f"{name.replace(' ', '-')}.json"] = f"{text}\n".encode("utf-8", "replace")
    if diagnosis.missing:
        files["not-seen.txt"] = _clean("\n".join(diagnosis.missing) + "\n", secrets)
    for name, picture in diagnosis.pictures.items():
        kind = "gif" if picture.startswith(b"GIF8") else "png"
        files[f"consoles/{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.{kind}"] = picture
    log = _log()
    if log:
        files["cse-client.log"] = _clean(log, secrets)
    try:
        if not path.parent.is_dir():
            raise NotADirectoryError(errno.ENOENT, "there is no such folder")
        write_private(path, _packed(diagnosis.cluster, files))
    except OSError as error:
        raise CseError(f"{path} cannot be written: {error.strerror or error}.") from None
    return sorted(files)


def _clean(text: str, secrets: Collection[str]) -> bytes:
    return str(redact_value(text, secrets)).encode("utf-8", "replace")


def _log() -> str:
    try:
        with log_path().open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _MOST_LOG))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _packed(cluster: str, files: dict[str, bytes]) -> bytes:
    folder = "diagnosis-" + re.sub(r"[^A-Za-z0-9._-]", "_", cluster)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(content)
            entry.mode = 0o600
            entry.mtime = int(time.time())
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
