"""What the server refuses, and how it says so."""

from __future__ import annotations

import json

from cse_client.simulator.http import Response

__all__ = ["DEFAULT_CODE", "Refusal", "failed", "refusal", "reply"]

DEFAULT_CODE = -1
_JSON = "application/json"


class Refusal(Exception):
    """A request that is answered with an error: HTTP status, minor code, text."""

    def __init__(self, status: int, text: str, code: int = DEFAULT_CODE) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code


def failed(text: str) -> Refusal:
    """Make the 500 with code -1, which stands for everything that has no status of its own.

    Source: container-service-extension 2.6.1:container_service_extension/exception_handler.py.
    """
    return Refusal(500, text)


def refusal(error: Refusal) -> Response:
    """Render a refusal in the server's shape (shared_constants.py: keys with blanks in them)."""
    detail = {"minor error code": error.code, "error description": error.text}
    return reply({"message": detail}, error.status)


def reply(body: object, status: int = 200) -> Response:
    """Render an answer."""
    return Response(status, json.dumps(body).encode(), _JSON)
