"""Objects that CSE servers of all releases send alike, as model types.

Keys: container-service-extension 2.6.1, container_service_extension/vcdbroker.py and
request_handlers/template_handler.py. Everything is text there, counts included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from cse_client.errors import VcdFault
from cse_client.kube.kubeconfig.document import pass_on
from cse_client.model.server import ServedTemplate, UpgradeTarget

__all__ = [
    "kubeconfig",
    "mapping",
    "mappings",
    "number",
    "template",
    "text",
    "unexpected",
    "upgrade_target",
]


def mapping(document: Any, what: str) -> Mapping[str, Any]:
    """Return a document that must be an object.

    Raises:
        VcdFault: it is not one.
    """
    if isinstance(document, dict):
        return document
    raise unexpected(what)


def mappings(document: Any, what: str) -> Sequence[Mapping[str, Any]]:
    """Return a document that must be a list of objects.

    Raises:
        VcdFault: it is not one.
    """
    if isinstance(document, list) and all(isinstance(one, dict) for one in document):
        return document
    raise unexpected(what)


def text(document: Mapping[str, Any], key: str) -> str:
    """Return a value as text; None and a missing one are empty."""
    value = document.get(key)
    return "" if value is None else str(value)


def number(document: Mapping[str, Any], key: str) -> int | None:
    """Return a value as a whole number; None where it is not one."""
    with suppress(ValueError):
        return int(text(document, key))
    return None


def kubeconfig(document: Any, cluster: str) -> str:
    """Return the kubeconfig in an answer, written anew from what is taken of it.

    Raises:
        Refused: it holds more than the way into the cluster, such as a command to run.
        CseError: it is not one.
    """
    text = mapping(document, "the kubeconfig").get("message")
    if not isinstance(text, str) or not text.strip():
        raise VcdFault(f"The CSE server has no kubeconfig of cluster '{cluster}'.")
    return pass_on(text, f"The kubeconfig that the CSE server gives for cluster '{cluster}'")


def template(document: Mapping[str, Any]) -> ServedTemplate:
    """Read one row of `GET /templates`. The revision is text on the wire, a number everywhere."""
    revision = number(document, "revision")
    if revision is None:
        raise unexpected(f"the revision of template {text(document, 'name')}")
    default = document.get("is_default")
    return ServedTemplate(
        name=text(document, "name"),
        revision=revision,
        catalog=text(document, "catalog"),
        item=text(document, "catalog_item"),
        href="",
        description=text(document, "description"),
        registered=True,
        is_default=default is True or str(default).lower() in ("yes", "true"),
    )


def upgrade_target(document: Mapping[str, Any]) -> UpgradeTarget:
    """Read one row of `GET /cluster/{name}/upgrade-plan`."""

    def joined(*keys: str) -> str:
        return " ".join(part for part in (text(document, key) for key in keys) if part)

    return UpgradeTarget(
        template=text(document, "name"),
        revision=text(document, "revision"),
        kubernetes=joined("kubernetes", "kubernetes_version"),
        docker=text(document, "docker_version"),
        cni=joined("cni", "cni_version"),
    )


def unexpected(what: str) -> VcdFault:
    """Return the error for an answer of another shape; `what` names the part."""
    return VcdFault(f"The CSE server's answer cannot be understood: {what} is not as expected.")
