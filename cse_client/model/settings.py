"""What a cluster is set up with for the network that it is in, the same for all of its nodes.

Chosen when the cluster is created; recorded in its metadata, and applied to every later node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cse_client.model.ranges import pod_cidr_problem, service_cidr_problem

__all__ = ["EXAMPLES", "OPTIONS", "ClusterSettings", "setting_problem"]


@dataclass(frozen=True)
class ClusterSettings:
    """The settings of a cluster. Empty: the default.

    `pod_cidr` and `service_cidr` are IPv4 networks.
    """

    pod_cidr: str = ""
    service_cidr: str = ""

    def given(self) -> dict[str, str]:
        """Return the settings that are not empty, by name."""
        return {name: value for name, value in vars(self).items() if value}


#: The option of `cluster create` for each setting.
OPTIONS: Mapping[str, str] = {
    "pod_cidr": "--pod-cidr",
    "service_cidr": "--service-cidr",
}

#: A value that each setting can have, for hints.
EXAMPLES: Mapping[str, str] = {
    "pod_cidr": "172.30.0.0/16",
    "service_cidr": "172.29.0.0/16",
}

_CHECKS: Mapping[str, Callable[[str], str]] = {
    # whether the two overlap depends on the template's defaults, see engines/direct/requirements
    "pod_cidr": lambda text: pod_cidr_problem(text, services=None),
    "service_cidr": service_cidr_problem,
}


def setting_problem(name: str, value: str) -> str:
    """Return why a setting cannot have this value, a clause; empty when it can."""
    return _CHECKS[name](value)
