"""Which deprecated APIs a cluster's clients have asked for since its API server started.

The API server counts them in the metric apiserver_requested_deprecated_apis, stable since 1.22
(kubernetes:staging/src/k8s.io/apiserver/pkg/endpoints/metrics/metrics.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cse_client.kube.api import ClusterAPI

__all__ = ["Deprecated", "parse_metrics", "requested_deprecated"]

_LINE = re.compile(r"^apiserver_requested_deprecated_apis\{(.*)\} ([0-9.e+]+)$", re.M)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_MOST = 200


@dataclass(frozen=True, order=True)
class Deprecated:
    """One API, such as `policy/v1beta1 podsecuritypolicies`; `removed_in` is empty if unknown."""

    name: str
    removed_in: str = ""


def requested_deprecated(api: ClusterAPI) -> list[Deprecated]:
    """Return them in order; none where the API server does not show its metrics.

    Raises:
        ClusterUnreachable: it does not answer in time, or its metrics are too large.
    """
    return parse_metrics(api.text("/metrics") or "")


def parse_metrics(text: str) -> list[Deprecated]:
    """Return what a text of metrics says of them."""
    found: set[Deprecated] = set()
    for line, value in _LINE.findall(text):
        labels = dict(_LABEL.findall(line))
        if value != "0" and labels.get("version") and len(found) < _MOST:
            group, version = labels.get("group", ""), labels["version"]
            name = f"{group}/{version}" if group else version
            found.add(
                Deprecated(
                    f"{name} {labels.get('resource', '')}", labels.get("removed_release", "")
                )
            )
    return sorted(found)
