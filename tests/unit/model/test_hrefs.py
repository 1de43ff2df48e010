"""The last segment of VCD's addresses."""

from __future__ import annotations

import pytest

from cse_client.model.hrefs import href_id


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://vcd.example/api/task/6ec95d1c", "6ec95d1c"),
        ("https://vcd.example/api/vApp/vapp-6ec95d1c/", "vapp-6ec95d1c"),
        ("6ec95d1c", "6ec95d1c"),
        ("", ""),
    ],
)
def test_last_segment(href: str, expected: str) -> None:
    assert href_id(href) == expected
