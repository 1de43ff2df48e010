"""What a request says: body, query and path, merged as the server merges them.

Source: container-service-extension 2.6.1:container_service_extension/request_processor.py and
request_handlers/request_utils.py: body, then query string, then path, later ones win; what is null
is dropped; query values are text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from cse_client.simulator.cse.errors import Refusal, failed
from cse_client.simulator.http import Request

__all__ = ["Payload", "read_payload"]

#: Code of a missing key; the next number is that of a value of None.
_CODES = {
    "cluster_name": 4000,
    "action": 4002,
    "compute_policy_name": 4004,
    "k8s_provider": 4006,
    "network_name": 4008,
    "node_name": 4010,
    "node_names": 4012,
    "num_workers": 4014,
    "org_name": 4016,
    "ovdc_id": 4018,
    "ovdc_name": 4020,
    "server_action": 4028,
}
_BAD_REQUEST = 400
#: Members of the server's RequestKey whose names are not their values in capitals
#: (container-service-extension 2.6.1:container_service_extension/shared_constants.py).
_MEMBERS = {"node_names": "NODE_NAMES_LIST", "action": "COMPUTE_POLICY_ACTION"}


class Payload(dict[str, Any]):
    """The merged values."""

    def require(self, *keys: str) -> None:
        """Raise the 400 with its code unless all keys are there."""
        missing = [key for key in keys if key not in self]
        if missing:
            raise Refusal(
                _BAD_REQUEST,
                f"Missing required keys in request payload: [{', '.join(map(_member, missing))}]",
                _CODES.get(missing[0], -1),
            )

    def text(self, key: str) -> str | None:
        """Return a value as text, None where it is absent."""
        value = self.get(key)
        return None if value is None else str(value)

    def number(self, key: str, default: int) -> int:
        """Return a count; text is a TypeError there. A fraction is found out by the task only."""
        value = self.get(key, default)
        if not isinstance(value, (int, float)):
            kind = type(value).__name__
            raise failed(f"'<' not supported between instances of '{kind}' and 'int'")
        return value  # type: ignore[return-value]  # as in the genuine server, which fails later


def read_payload(request: Request, place: Mapping[str, str]) -> Payload:
    """Merge a request's parts.

    Raises:
        Refusal: the body is not JSON.
    """
    values: dict[str, Any] = {}
    if request.body:
        try:
            values = json.loads(request.body)
        except ValueError as error:
            raise failed(str(error)) from error
    values.update(parse_qsl(request.query))
    values.update(place)
    return Payload({key: value for key, value in values.items() if value is not None})


def _member(key: str) -> str:
    """Return a key as the server prints it: a member of an enumeration, in Python's own form."""
    return f"<RequestKey.{_MEMBERS.get(key, key.upper())}: '{key}'>"
