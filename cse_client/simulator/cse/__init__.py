"""A CSE server for the simulated VCD, written from the protocol of container-service-extension.

`attach` registers one with a VCD. Its clusters are vApps of that VCD with CSE's metadata, made with
the caller's rights, whose guests run scripts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cse_client.simulator.cse.server import CseServer, Dialect
    from cse_client.simulator.vcd.application import VcdApplication
    from cse_client.simulator.vcd.cloud import Cloud

__all__ = ["VERSIONS", "attach"]

#: What `--cse` may name besides `none`. `down` is registered and does not run.
VERSIONS = ("2.6.1", "down")


def attach(cloud: Cloud, vcd: VcdApplication, version: str) -> CseServer:
    """Register a CSE server with a VCD; raises ValueError for a version that there is not."""
    from cse_client.simulator.cse.server import CseServer

    server = CseServer(cloud, vcd, _dialect(cloud, version))
    vcd.extension = server
    return server


def _dialect(cloud: Cloud, version: str) -> Dialect | None:
    if version == "down":
        return None
    if version == "2.6.1":
        from cse_client.simulator.cse.legacy_routes import LegacyDialect

        return LegacyDialect(cloud)
    raise ValueError(f"no CSE server {version!r} ({', '.join(VERSIONS)}, none)")
