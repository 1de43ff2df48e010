"""Labels and taints as they are typed."""

from __future__ import annotations

import pytest

from cse_client.cli.pool_options import MarkOptions, changed_marks
from cse_client.errors import CseError
from cse_client.model.pools import Pool, Taint

POOL = Pool("gpu", 1, labels={"tier": "front"}, taints=(Taint("gpu", "NoSchedule", "yes"),))


def changed(labels: str, taints: str) -> Pool:
    marks = MarkOptions(tuple(labels.split()), tuple(taints.split()))
    return changed_marks("demo", "gpu", [POOL], marks)


@pytest.mark.parametrize(
    ("labels", "taints", "wrong"),
    [
        ("a=1 a=2", "", "The label a is given twice: --label a=1 and --label a=2."),
        ("a=1 a-", "", "The label a is given twice: --label a=1 and --label a-."),
        ("", "a=1:NoExecute a=2:NoExecute", "The taint a is given twice"),
        ("", "a=1:NoExecute a:NoExecute-", "The taint a is given twice"),
        ("", "a- a:NoExecute", "The taint a is given twice"),
    ],
)
def test_two_values_of_one_key(labels: str, taints: str, wrong: str) -> None:
    with pytest.raises(CseError) as raised:
        changed(labels, taints)
    assert raised.value.message.startswith(wrong) or wrong in str(vars(raised.value))


def test_several_keys_and_the_same_twice() -> None:
    found = changed("a=1 b=2 a=1 tier-", "gpu- a=1:NoExecute a=1:NoSchedule a=1:NoExecute")
    assert found.labels == {"a": "1", "b": "2"}
    assert found.taints == (Taint("a", "NoExecute", "1"), Taint("a", "NoSchedule", "1"))
