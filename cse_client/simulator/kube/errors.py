"""Refusals of the Kubernetes API, most of them a `Status` object of the kind meta/v1.

Reasons, codes and the shape of the messages are what clients test for
(kubernetes:staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "ApiError",
    "already_exists",
    "bad_request",
    "conflict",
    "expired",
    "forbidden",
    "internal",
    "invalid",
    "invalid_option",
    "method_not_allowed",
    "not_acceptable",
    "not_found",
    "not_implemented",
    "page_not_found",
    "qualified",
    "too_many_requests",
    "two_budgets",
    "typed_patch_failure",
    "unauthorized",
    "unsupported_media_type",
]


class ApiError(Exception):
    """An answer other than success: HTTP code, machine-readable reason, message, details.

    `plain`: the answer is the message as text, not a `Status`. An empty `reason` is left out.
    Refusals that are about no object have empty `details`, other than those without any (None).
    `headers` go with the answer.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
        *,
        plain: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.plain = plain
        self.headers = dict(headers or {})

    def status(self) -> dict[str, Any]:
        """Return the `Status` object that a client is shown."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            **({"reason": self.reason} if self.reason else {}),
            "code": self.code,
        }
        if self.details is not None:
            status["details"] = self.details
        return status


def qualified(group: str, plural: str) -> str:
    """Return a resource's name as messages spell it: `nodes`, `deployments.apps`."""
    return f"{plural}.{group}" if group else plural


def _details(group: str, plural: str, name: str) -> dict[str, Any]:
    details = {"name": name, "group": group, "kind": plural}
    return {key: value for key, value in details.items() if value}


def bad_request(message: str) -> ApiError:
    """400: the request cannot be read."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: nobody we know."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, plural: str, name: str, why: str) -> ApiError:
    """403: somebody we know who may not."""
    what = f'{qualified(group, plural)} "{name}"' if name else qualified(group, plural)
    return ApiError(403, "Forbidden", f"{what} is forbidden: {why}", _details(group, plural, name))


def not_found(group: str, plural: str, name: str) -> ApiError:
    """404: no such object; without a name, no such resource."""
    if not name:
        return ApiError(404, "NotFound", "the server could not find the requested resource", {})
    message = f'{qualified(group, plural)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(group, plural, name))


def page_not_found() -> ApiError:
    """404 as text: nobody serves this path, a group or version that is not there for example.

    Seen on 1.36 and 1.20; kubernetes:staging/src/k8s.io/apiserver/pkg/util/notfoundhandler.
    """
    return ApiError(404, "NotFound", "404 page not found\n", plain=True)


def already_exists(group: str, plural: str, name: str) -> ApiError:
    """409: the name is taken."""
    message = f'{qualified(group, plural)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str = "") -> ApiError:
    """409: somebody else was quicker, or a precondition does not hold."""
    why = why or (
        "the object has been modified; please apply your changes to the latest version "
        "and try again"
    )
    message = f'Operation cannot be fulfilled on {qualified(group, plural)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(group, plural, name))


def invalid(
    group: str, kind: str, name: str, causes: Sequence[tuple[str, str]], code: int = 422
) -> ApiError:
    """422: the object breaks rules; each cause is a field and what is wrong with it."""
    texts = [f"{field}: {text}" for field, text in causes]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _details(group, kind, name)
    details["causes"] = [
        {"reason": _cause(text), "message": text, "field": field} for field, text in causes
    ]
    message = f'{qualified(group, kind)} "{name}" is invalid: {listed}'
    return ApiError(code, "Invalid", message, details)


_CAUSES = {
    "Required": "FieldValueRequired",
    "Duplicate": "FieldValueDuplicate",
    "Forbidden": "FieldValueForbidden",
    "Unsupported": "FieldValueNotSupported",
}


def _cause(text: str) -> str:
    """Return the reason of a cause, which the first word of its text goes with."""
    if " must be of type " in text:
        return "FieldValueTypeInvalid"
    return _CAUSES.get(text.split(maxsplit=1)[0].rstrip(":"), "FieldValueInvalid")


def invalid_option(kind: str, field: str, text: str) -> ApiError:
    """422: a parameter in the query, of the options that `kind` names: CreateOptions for example.

    kubernetes:staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go.
    """
    return invalid("meta.k8s.io", kind, "", [(field, text)])


def not_acceptable(text: str) -> ApiError:
    """406: the client wants no format that there is."""
    return ApiError(406, "NotAcceptable", text, {})


def expired(message: str) -> ApiError:
    """410: a resource version or continue token that is no longer kept."""
    return ApiError(410, "Expired", message)


def unsupported_media_type(*accepted: str) -> ApiError:
    """415: a body in a format that is not read here; with those that are."""
    return ApiError(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted),
    )


def method_not_allowed() -> ApiError:
    """405: the resource has no such verb."""
    return ApiError(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        {},
    )


def too_many_requests(message: str, retry_after: int, causes: Sequence[str] = ()) -> ApiError:
    """429: try later; `retry_after` in seconds."""
    details: dict[str, Any] = {"retryAfterSeconds": retry_after} if retry_after else {}
    if causes:
        details["causes"] = [{"reason": "DisruptionBudget", "message": text} for text in causes]
    return ApiError(429, "TooManyRequests", message, details)


def typed_patch_failure(named: str, why: str) -> ApiError:
    """500 without a reason: what is applied does not fit its schema.

    kubernetes/kubernetes#122480; `named` is `NAMESPACE/NAME; GROUP/VERSION, Kind=KIND`, which
    servers before 1.25 left out.
    """
    where = f" ({named})" if named else ""
    return ApiError(500, "", f"failed to create typed patch object{where}: {why}")


def two_budgets() -> ApiError:
    """500 without a reason (kubernetes:pkg/registry/core/pod/storage/eviction.go)."""
    return ApiError(
        500,
        "",
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
        "support.",
    )


def not_implemented(what: str) -> ApiError:
    """501: a real cluster does this, this one says that it does not."""
    return ApiError(501, "NotImplemented", f"not implemented by this simulated cluster: {what}")


def internal(message: str) -> ApiError:
    """500."""
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")
