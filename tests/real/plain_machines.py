"""What templates are built of: the plain machine, and a pod network that needs nothing outside."""

from __future__ import annotations

import yaml

from cse_client.simulator.guest.real import Kit
from tests.real.build.plain import plain_folder
from tests.real.site import Site

__all__ = ["network", "plain_name"]


def network(kit: Kit) -> str:
    """Return the manifest of a pod network that only stands there: machines are wired outside."""
    labels = {"app": "flannel"}
    container = {"name": "kube-flannel", "image": kit.pause_image()}
    pod = {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
    return yaml.safe_dump(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "kube-flannel-ds", "namespace": "kube-system", "labels": labels},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
    )


def plain_name(site: Site) -> str:
    """Return the name of the plain machine's template."""
    return plain_folder(site.kit.folder.parent).name.partition("-")[2]
