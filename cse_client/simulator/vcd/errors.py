"""What VCD says when it refuses: HTTP status, minor code and text, as real servers send them.

Sources: recorded answers of astratto/vcloud-rest (400 DUPLICATE_NAME, quota, running vApp),
apache/libcloud (403 body), issues of vcd-cli and of VMware's Go clients for the rest.
"""

from __future__ import annotations

import uuid

__all__ = [
    "VcdError",
    "bad_request",
    "busy",
    "duplicate_name",
    "forbidden",
    "no_access",
    "not_found",
    "not_implemented",
]


class VcdError(Exception):
    """A refusal. `status` is the HTTP status and major code, `minor` the minor error code."""

    def __init__(self, status: int, minor: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.minor = minor
        self.message = message


def _marked(message: str) -> str:
    """Put a request id in front, as VCD 5.5 and later do."""
    return f"[ {uuid.uuid4()} ] {message}"


def bad_request(message: str) -> VcdError:
    """400 BAD_REQUEST."""
    return VcdError(400, "BAD_REQUEST", _marked(message))


def duplicate_name(name: str) -> VcdError:
    """400 DUPLICATE_NAME [recorded: vcloud-rest, create_vapp_from_template_existing]."""
    return VcdError(400, "DUPLICATE_NAME", _marked(f"The VCD entity {name} already exists."))


def busy(kind: str, entity: str, operation: str, task: str) -> VcdError:
    """400 BUSY_ENTITY; the text names the holder's operation and task.

    Two texts have been seen; the one without the entity while a recompose runs (production log
    of a fork of cluster-api-provider-cloud-director).
    """
    holder = f"{operation}(com.vmware.vcloud.entity.task:{task})"
    if operation == "VDC_RECOMPOSE_VAPP":
        text = f"Unable to perform this action. Contact your cloud administrator. {holder}"
    else:
        text = (
            f"The entity Ref: com.vmware.vcloud.entity.{kind}:{entity} is busy completing an"
            f" operation {operation}. {holder}"
        )
    return VcdError(400, "BUSY_ENTITY", _marked(text))


def no_access(kind: str, entity: str) -> VcdError:
    """403 for an entity that does not exist, or not for this user [recorded: libcloud]."""
    return VcdError(
        403,
        "ACCESS_TO_RESOURCE_IS_FORBIDDEN",
        f'[ {uuid.uuid4()} ] No access to entity "(com.vmware.vcloud.entity.{kind}:{entity})".',
    )


def forbidden(right: str) -> VcdError:
    """403 for a missing right; newer servers name it."""
    return VcdError(
        403,
        "ACCESS_TO_RESOURCE_IS_FORBIDDEN",
        _marked(
            "Either you need some or all of the following rights [Base]"
            f" to perform operations [{right}] for one of the entities, or the target entity is"
            " invalid."
        ),
    )


def not_found(path: str) -> VcdError:
    """404 for an address that no part of VCD serves."""
    return VcdError(
        404, "NOT_FOUND", f"[ {uuid.uuid4()} ] The requested resource {path} is unknown."
    )


def not_implemented(what: str) -> VcdError:
    """501: VCD may well know this, the simulator does not. Never met on a real VCD."""
    text = f"cse_client.simulator does not implement {what}."
    return VcdError(501, "NOT_IMPLEMENTED_BY_SIMULATOR", text)
