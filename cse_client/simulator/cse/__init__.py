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

#: What `--cse` may name besides `none`. `down` is registered and does not run; `-legacy` is a
#: server that was installed without entities.
VERSIONS = ("2.6.1", "3.0.5", "3.1.4", "3.0.5-legacy", "3.1.4-legacy", "down")


def attach(cloud: Cloud, vcd: VcdApplication, version: str) -> CseServer:
    """Register a CSE server with a VCD.

    Raises:
        ValueError: the version is unknown.
    """
    from cse_client.simulator.cse.server import CseServer

    server = CseServer(cloud, vcd, _dialect(cloud, vcd, version))
    vcd.extension = server
    return server


def _dialect(cloud: Cloud, vcd: VcdApplication, version: str) -> Dialect | None:
    if version == "down":
        return None
    if version not in VERSIONS:
        raise ValueError(f"no CSE server {version!r} ({', '.join(VERSIONS)}, none)")
    from cse_client.simulator.cse.entities.routes import EntityDialect
    from cse_client.simulator.cse.legacy_routes import LegacyDialect
    from cse_client.simulator.cse.provider import Release

    legacy = {
        "2.6.1": Release("2.6.1"),
        "3.0.5-legacy": Release("3.0.5", "34.0"),
        "3.1.4-legacy": Release("3.1.4", "34.0", ("33.0", "34.0"), legacy_mode=True),
    }
    if version in legacy:
        return LegacyDialect(cloud, legacy[version])
    release = Release(version, "35.0")
    if version == "3.1.4":
        release = Release(version, "36.0", ("35.0", "36.0"))
    return EntityDialect(cloud, vcd, release)
