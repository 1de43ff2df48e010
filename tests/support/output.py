"""Outputs with what differs from run to run replaced, so that they can be compared whole."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_DONE = "GENERAL:cse.client.done."

_REPLACED = (
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"\b(mstr|node)-[0-9a-z]{4}\b", r"\1-XXXX"),
    (r"\b127\.[2-5]\d\.\d+\.\d+\b", "ADDRESS"),
    (r"\b127\.0\.0\.1:\d+\b", "HOST"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\+00:00)?( UTC)?", "TIME"),
    (r"(?<=, )(\d+h)?(\d+m)?\d+s(?=\.)", "DURATION"),
)


def steady(text: str) -> str:
    """Replace names, addresses, times and ids; columns keep one blank and short rules."""
    for pattern, replacement in _REPLACED:
        text = re.sub(pattern, replacement, text)
    lines = (re.sub(r"-{4,}", "----", line) for line in text.splitlines())
    return "".join(re.sub(r"(?<=\S) {2,}", "  ", line.rstrip()) + "\n" for line in lines)


def lasting(metadata: Mapping[str, str]) -> dict[str, object]:
    """Return a vApp's metadata (keys with their domain) without claims that have ended.

    Of the records of ended operations stays the size that the last one left.
    """
    done = [json.loads(v.partition(":")[2]) for k, v in metadata.items() if k.startswith(_DONE)]
    sizes = [(one["turn"], one["workers"]) for one in done if "workers" in one]
    spec = json.loads(metadata.get("GENERAL:cse.client.spec", "{}"))
    kept: dict[str, object] = {
        key: value
        for key, value in metadata.items()
        if not key.startswith(_DONE)
        and not ("cse.client." in key and (value == "none" or re.fullmatch(r"free( \d+)?", value)))
    }
    return {**kept, "workers": max(sizes)[1] if sizes else spec.get("workers")}
