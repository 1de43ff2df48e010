"""Which engine has which capabilities: mypy checks the signatures, this module the lists."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cse_client.engines import base, servers, template_work
from cse_client.engines.direct.engine import DirectEngine
from cse_client.engines.server.entities.engine import EntityEngine
from cse_client.engines.server.legacy.engine import LegacyEngine

_DIRECT: type[base.Engine] = DirectEngine
_LEGACY: type[base.Engine] = LegacyEngine
_ENTITY: type[base.Engine] = EntityEngine

#: Which engines implement a capability with the protocol's very signatures.
REGISTERING: tuple[type[template_work.Registering], ...] = (DirectEngine,)
PLANNING: tuple[type[base.Planning], ...] = (DirectEngine,)
SEALING: tuple[type[base.Sealing], ...] = (DirectEngine,)
BACKING_UP: tuple[type[base.BackingUp], ...] = (DirectEngine,)
PROTECTING: tuple[type[base.Protecting], ...] = (DirectEngine,)
MAINTAINING: tuple[type[base.Maintaining], ...] = (DirectEngine,)
NODE_DETAILS: tuple[type[base.NodeDetails], ...] = (LegacyEngine, EntityEngine)
UPGRADING: tuple[type[servers.Upgrading], ...] = (LegacyEngine, EntityEngine)
REPLACING: tuple[type[base.Replacing], ...] = (DirectEngine,)
PROVIDER: tuple[type[servers.Provider], ...] = (LegacyEngine, EntityEngine)
ENTITIES: tuple[type[servers.Entities], ...] = (EntityEngine,)

CAPABILITIES: Mapping[type, tuple[type, ...]] = {
    template_work.Registering: REGISTERING,
    base.Planning: PLANNING,
    base.Sealing: SEALING,
    base.BackingUp: BACKING_UP,
    base.Protecting: PROTECTING,
    base.Maintaining: MAINTAINING,
    base.NodeDetails: NODE_DETAILS,
    servers.Upgrading: UPGRADING,
    base.Replacing: REPLACING,
    servers.Provider: PROVIDER,
}


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda one: str(one.__name__))
@pytest.mark.parametrize("engine", [DirectEngine, LegacyEngine, EntityEngine])
def test_an_engine_has_no_method_that_only_refuses(engine: type, capability: type) -> None:
    assert issubclass(engine, capability) == (engine in CAPABILITIES[capability])


def test_only_server_engines_have_a_server() -> None:
    assert [one.has_server for one in (_DIRECT, _LEGACY, _ENTITY)] == [False, True, True]
