"""etcd's data and the API server over it.

The cluster's state is an object of `cse_client.simulator.kube`. It belongs to the files in
/var/lib/etcd on the guest's disk and is discarded when they are removed.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cse_client.simulator.kube import KubeAPI

__all__ = ["Etcd"]


class Etcd:
    """A cluster's state and the API server over it."""

    def __init__(self, identity: str, api: KubeAPI) -> None:
        self.identity = identity
        self.api = api
        self._arguments: dict[str, Any] | None = None

    def start(self, **arguments: Any) -> None:
        """Start the API server.

        Raises:
            OSError: its address is taken.
        """
        self.api.start(**arguments)
        self._arguments = arguments

    def stop(self) -> None:
        """Stop the API server at once."""
        self._arguments = None
        if self.api.running:
            self.api.stop()

    def suspend(self) -> None:
        """Stop answering until `resume`."""
        if self.api.running:
            self.api.stop()

    def resume(self) -> None:
        """Answer again."""
        if self._arguments is not None and not self.api.running:
            with contextlib.suppress(OSError):
                self.api.start(**self._arguments)
