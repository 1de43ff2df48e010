"""The cluster's own keeping of its CA, once it has been taken out of VCD (`cluster seal`).

A Secret in kube-system is read only by whoever is a cluster administrator already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cse_client.errors import CseError

__all__ = ["NAME", "NAMESPACE", "SecretStore", "load_ca_secret", "store_ca_secret"]

NAMESPACE = "kube-system"
NAME = "cse-cluster-ca"


class SecretStore(Protocol):
    """What custody needs of a cluster; `ClusterAPI` has it."""

    def read_secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """Return a Secret's data, or None."""

    def write_secret(self, namespace: str, name: str, data: Mapping[str, bytes]) -> None:
        """Create or replace a Secret."""


def store_ca_secret(api: SecretStore, files: Mapping[str, bytes]) -> None:
    """Write the PKI's files (path under /etc/kubernetes/pki to content) and read them back.

    Raises CseError when what is read differs: the only other copy is about to be destroyed.
    """
    if any("_" in path for path in files):
        raise ValueError("a PKI file's path holds an underscore")
    api.write_secret(NAMESPACE, NAME, {path.replace("/", "_"): files[path] for path in files})
    if load_ca_secret(api) != dict(files):
        raise CseError(f"the Secret {NAMESPACE}/{NAME} does not hold what was written into it")


def load_ca_secret(api: SecretStore) -> dict[str, bytes] | None:
    """Return the PKI's files as given to `store_ca_secret`, or None when there is no Secret."""
    data = api.read_secret(NAMESPACE, NAME)
    if data is None:
        return None
    # A key may not hold a slash (Kubernetes: pkg/apis/core/validation, IsConfigMapKey).
    return {key.replace("_", "/"): value for key, value in data.items()}
