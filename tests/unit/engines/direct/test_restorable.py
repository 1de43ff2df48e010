"""Which templates a backup can be restored with."""

from __future__ import annotations

import pytest

from cse_client.engines.direct.restorable import refuse_release
from cse_client.errors import Refused
from cse_client.model import Template, TemplateFacts


def template(kubernetes: str) -> Template:
    facts = TemplateFacts(kubernetes=kubernetes)
    return Template("t", 1, "cse", "t_rev1", "https://vcd/api/vAppTemplate/1", facts=facts)


@pytest.mark.parametrize(
    ("backup", "present", "fits"),
    [
        ("1.36.3", "1.36.0", True),
        ("1.36.3", "1.37.2", True),
        ("1.36.3", "1.35.9", False),
        ("1.36.3", "1.38.0", False),
        ("1.36.3", "", True),
        ("", "1.36.0", True),
        ("1.9.0", "1.10.0", True),
    ],
)
def test_a_template_is_not_older(backup: str, present: str, fits: bool) -> None:
    if fits:
        refuse_release(backup, template(present))
        return
    with pytest.raises(Refused) as caught:
        refuse_release(backup, template(present))
    assert f"The backup is of Kubernetes {backup}, and the template 't' has {present}" in str(
        caught.value
    )
