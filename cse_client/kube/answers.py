"""What an API server's answer says, read by its status first: the only module that reads answers.

A good answer is a JSON object. Of a bad one only the status can be relied on: a group that nobody
serves is `404 page not found` as text, overload is 429 as text with Retry-After
(kubernetes:staging/src/k8s.io/apiserver/pkg/server/filters), and what stands before the API server
answers with pages of its own. Some refusals are HTTP 500 although nothing is down: an object that
does not fit its schema (kubernetes/kubernetes#122480), and an eviction under two budgets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cse_client import bounds
from cse_client.bounds import OutOfBounds
from cse_client.content import describe
from cse_client.errors import ClusterUnreachable, CseError, NotFound, Refused
from cse_client.kube.unreachable import explain_status

__all__ = [
    "Json",
    "Malformed",
    "SchemaMismatch",
    "WebhookDown",
    "is_of_a_budget",
    "message_of",
    "pause_asked",
    "problem",
    "read",
]

Json = dict[str, Any]

_BAD = 400
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
_FAULT, _UNAVAILABLE = 500, 503
_LONGEST_TEXT = 200
_LONGEST_PAUSE = 10.0
_OF_A_WEBHOOK = re.compile(r"failed calling webhook|conversion webhook for .* failed")
_FIRST_ITEM, _ITEM = re.compile(r":\s*\n\s*- "), re.compile(r"\n\s*- ")
_OF_A_SCHEMA = "failed to create typed patch object"


class Malformed(ValueError):
    """An answer is not what a Kubernetes API gives; the message names what."""


class SchemaMismatch(CseError):
    """The API server does not know a field of an object, or misses one; repeating is useless."""


class WebhookDown(CseError):
    """A webhook that has to look at an object first does not answer (yet)."""


def read(status: int, content: bytes) -> Json:
    """Return an answer's JSON object; for a bad answer without one, a Status made of its text.

    Raises:
        Malformed: a good answer holds no JSON object.
    """
    try:
        found = bounds.load_json(content)
    except OutOfBounds as error:
        if status < _BAD:
            raise Malformed(f"an answer that {error}") from None
        found = None
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    if status < _BAD:
        raise Malformed(describe(content) if found is None else "no JSON object")
    return {"kind": "Status", "code": status, "message": _first_line(content)}


def _first_line(content: bytes) -> str:
    """Return the text of an answer that is not JSON, unless it is a page meant for a browser."""
    text = content[:4096].decode("utf-8", "replace").strip()
    if not text or text.startswith(("<", "{", "[")):
        return ""
    line = text.splitlines()[0][:_LONGEST_TEXT]
    return "".join(c if c.isprintable() else " " for c in line).strip()


def pause_asked(status: int, body: Mapping[str, Any], retry_after: str) -> float | None:
    """Return how many seconds an overloaded API server wants to be left alone; None if it is not.

    A disruption budget that holds a pod is 429 as well, and is for the caller to judge.
    """
    asked = retry_after.strip()
    overloaded = status in (_TOO_MANY, _UNAVAILABLE) and asked.isascii() and asked.isdigit()
    if not overloaded or is_of_a_budget(status, body):
        return None
    # a few digits are enough, and an int of thousands of them takes its time
    return min(_LONGEST_PAUSE, float(int(asked[:4])))


def is_of_a_budget(status: int, body: Mapping[str, Any]) -> bool:
    """Return whether a 429 is a disruption budget's, not that of an overloaded API server."""
    details = body.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    kinds = [one.get("reason") for one in causes or () if isinstance(one, dict)]
    return status == _TOO_MANY and "DisruptionBudget" in kinds


def message_of(body: Mapping[str, Any]) -> str:
    """Return the message of a Status as one line, without its full stop; empty when it has none.

    The conflicts of an apply, and other lists, come as lines that begin with a dash.
    """
    text = body.get("message")
    if not isinstance(text, str):
        return ""
    text = _FIRST_ITEM.sub(": ", text.strip().rstrip("."))
    return " ".join(_ITEM.sub(", ", text).replace("\n", "; ").split())


def problem(status: int, body: Mapping[str, Any], doing: str, server: str) -> CseError:
    """Return the error to raise for a bad answer to what was being done, for example `list pods`.

    Refused where the cluster forbids it, NotFound where it does not exist, WebhookDown and
    SchemaMismatch (see there), ClusterUnreachable for what may pass by itself or by another
    certificate, CseError for the rest.
    """
    text = message_of(body)
    because = f": {text}" if text else ""
    if status == _UNAUTHORIZED:
        return explain_status(status, server)
    if status == _FORBIDDEN:
        return Refused(f"The cluster does not let you {doing}{because}.")
    if status == _NOT_FOUND:
        return NotFound(f"Cannot {doing}: {text or 'it does not exist'}.")
    if status >= _FAULT:
        return _of_a_fault(status, text, doing)
    if status == _TOO_MANY:
        text = text or "the API is too busy"
        return ClusterUnreachable(f"Cannot {doing}: {text}.", reason="not ready")
    return CseError(f"Cannot {doing}: {text or f'the API answers {status}'}.")


def _of_a_fault(status: int, text: str, doing: str) -> CseError:
    if text.startswith(_OF_A_SCHEMA):
        return SchemaMismatch(
            f"Cannot {doing}: it does not fit what this cluster's Kubernetes knows ({text}).",
            hint="Compare the manifest with the Kubernetes version of the cluster.",
        )
    if _OF_A_WEBHOOK.search(text):
        return WebhookDown(f"Cannot {doing}: {text}.")
    text = text or f"the API answers {status}"
    return ClusterUnreachable(f"Cannot {doing}: {text}.", reason="not ready")
