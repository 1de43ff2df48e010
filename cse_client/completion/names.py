"""Names in the cloud, for completion: asked for within a few seconds, or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cse_client.engines.base import Engine
    from cse_client.model import Session
    from cse_client.vcd.client import VcdClient

__all__ = ["fetch", "load"]

_PATIENCE = 5.0
_MOST_NAMES = 1000
_LONGEST_NAME = 200


def load() -> None:
    """Import what asking needs, which takes longer than a cloud that is near."""
    try:
        import cse_client.cli.profile
        import cse_client.engines.choice
        import cse_client.vcd.client  # noqa: F401
    except Exception:  # noqa: BLE001 - see `fetch`
        return


def fetch(kind: str, typed: Mapping[str, str]) -> Sequence[str] | None:
    """Return the names of a kind; None where they cannot be had, for whatever reason.

    `typed` are the options and arguments of the command line, by their names.
    """
    try:
        return _fetch(kind, typed)
    except Exception:  # noqa: BLE001 - a shell's line editor is not a place for errors
        return None


def _fetch(kind: str, typed: Mapping[str, str]) -> Sequence[str]:
    from cse_client import bounds
    from cse_client.cli.profile import read_session, stored_profile

    with bounds.command_time(_PATIENCE):
        profile = stored_profile()
        session, _warn = read_session(profile)
        if kind in _OF_CLOUD:
            found = _OF_CLOUD[kind](_vcd(session), typed)
        else:
            found = _OF_ENGINE[kind](_engine(session, profile, typed), typed)
    return sorted({one for one in found if _can_be_typed(one)})[:_MOST_NAMES]


def _can_be_typed(name: str) -> bool:
    """Return whether a name can be offered: anybody may have chosen it."""
    return 0 < len(name) <= _LONGEST_NAME and name.isprintable() and not name.startswith("-")


def _vcd(session: Session) -> VcdClient:
    from cse_client.vcd.client import VcdClient

    return VcdClient.open(session)


def _engine(session: Session, profile: Mapping[str, object], typed: Mapping[str, str]) -> Engine:
    from cse_client.cli.profile import chosen_before
    from cse_client.engines.choice import choose_engine

    chosen = typed.get("engine") or os.environ.get("CSE_ENGINE") or chosen_before(profile)
    return choose_engine(session, chosen)


def _vdcs(vcd: VcdClient, typed: Mapping[str, str]) -> list[str]:
    return [one.name for one in vcd.surroundings.vdcs(typed.get("org", ""))]


def _networks(vcd: VcdClient, typed: Mapping[str, str]) -> list[str]:
    vdc = vcd.surroundings.vdc(typed.get("vdc", ""), typed.get("org", ""))
    return [one.name for one in vcd.surroundings.networks(vdc)]


def _storage_profiles(vcd: VcdClient, typed: Mapping[str, str]) -> list[str]:
    vdc = vcd.surroundings.vdc(typed.get("vdc", ""), typed.get("org", ""))
    return [one.name for one in vcd.surroundings.storage_profiles(vdc)]


def _clusters(engine: Engine, typed: Mapping[str, str]) -> list[str]:
    found = engine.clusters(vdc=typed.get("vdc", ""), org=typed.get("org", ""))
    return [one.name for one in found]


def _templates(engine: Engine, _typed: Mapping[str, str]) -> list[str]:
    return [one.name for one in engine.templates()]


def _nodes(engine: Engine, typed: Mapping[str, str]) -> list[str]:
    from cse_client.model import ClusterRef

    cluster = typed.get("cluster") or typed.get("name") or ""
    ref = ClusterRef(cluster, typed.get("vdc", ""), typed.get("org", ""))
    return [one.name for one in engine.nodes(ref)] if cluster else []


_OF_CLOUD: Mapping[str, Callable[[VcdClient, Mapping[str, str]], list[str]]] = {
    "networks": _networks,
    "storage_profiles": _storage_profiles,
    "vdcs": _vdcs,
}
_OF_ENGINE: Mapping[str, Callable[[Engine, Mapping[str, str]], list[str]]] = {
    "clusters": _clusters,
    "nodes": _nodes,
    "templates": _templates,
}
