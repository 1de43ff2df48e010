"""Which commands change a cluster: `cluster diagnose` keeps the last failure of those."""

from __future__ import annotations

from cse_client.cli.changes import CHANGES, ON_YES
from cse_client.command_table import GROUPS

_VIEWS = {
    *("addon list", "addon status", "node info", "node list", "pool list"),
    *(
        f"cluster {one}"
        for one in (
            *("backup", "config", "credential", "diagnose", "events", "export", "grants", "info"),
            *("list", "share-list", "upgrade-plan", "wait"),
        )
    ),
}


def test_every_command_of_a_cluster_is_a_view_or_a_change() -> None:
    commands = {
        f"{group} {name}"
        for group in ("addon", "cluster", "node", "pool")
        for name in GROUPS[group][1]
    }
    assert commands == _VIEWS | CHANGES
    assert not _VIEWS & CHANGES
    assert ON_YES <= CHANGES
