"""What can be said of an upgrade that is unfinished."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest

from cse_client.engines.direct import upgrades
from cse_client.engines.direct.in_place_record import UpgradeRecord
from cse_client.engines.direct.operation import UPGRADE, Operation
from cse_client.engines.direct.upgrades import ClusterUpgrades
from cse_client.model import Template, TemplateFacts
from cse_client.model.upgrades import UpgradeSpec
from tests.support import direct
from tests.support.clock import FakeClock

HEAD = "mstr-ab12"
TEMPLATE = Template(
    "new",
    1,
    "cse",
    "new_rev1",
    "https://vcd.example/api/vAppTemplate/vappTemplate-1",
    facts=TemplateFacts(kubernetes="1.37.2"),
)
RECORD = UpgradeRecord(HEAD, "1.36.3", "1.37.2", "https://pkgs.k8s.io/core:/stable:", "upgrade-1f")


def unreachable(*_args: object, **_options: object) -> NoReturn:
    raise AssertionError


def test_what_is_left_can_be_planned_while_the_control_plane_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upgrades, "open_api", unreachable)
    monkeypatch.setattr(upgrades, "find_pki", lambda _cluster: None)
    begun = Operation.begin(
        UPGRADE,
        workers=0,
        before=0,
        heads=1,
        template=TEMPLATE.id,
        release="1.37.2",
        before_release="1.36.3",
    )
    metadata = {
        "cse.client.operation.0123456789ab": f"1:{json.dumps({'turn': 7, **begun.document()})}",
        **RECORD.metadata(),
    }
    clock = FakeClock()
    script = "#!/bin/bash\n# cse-client task upgrade-1f\nTASK\n# cse-client task end\n"
    vcd = cast(Any, SimpleNamespace(clock=clock, customization_script=lambda _href: script))
    cluster = replace(direct.existing(direct.vapp(HEAD), metadata), vcd=vcd)
    rows = ClusterUpgrades(vcd, clock, lambda: [TEMPLATE]).targets(cluster, UpgradeSpec("demo"))
    (row,) = rows
    assert row.plan is not None
    assert (row.plan.before, row.plan.after) == ("1.36.3", "1.37.2")
    assert row.plan.resumed
    assert [text.partition(" ")[0] for text in row.plan.done] == ["Save", "Shut"]
    assert [step.action.partition(" ")[0] for step in row.plan.steps] == ["Upgrade", "Check"]
