from __future__ import annotations

import pytest

from cse_client.errors import WrongUsage
from cse_client.model.hosts import host_of


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("vcd.example.com", "vcd.example.com"),
        ("VCD.Example.com:8443", "vcd.example.com:8443"),
        ("https://vcd.example.com/tenant/acme/vdcs?page=1", "vcd.example.com"),
        ("https://vcd.example.com:8443/api", "vcd.example.com:8443"),
        ("[2001:db8::1]:443", "[2001:db8::1]:443"),
    ],
)
def test_a_host_as_a_browser_shows_it(typed: str, host: str) -> None:
    assert host_of(typed) == host


@pytest.mark.parametrize(
    "typed",
    [
        "http://vcd.example.com",
        "bob@vcd.example.com",
        "vcd example",
        "ftp://vcd",
        "",
        "vcd:port",
        "vcd:0",
        "vcd:65536",
        "vcd:99999",
        "vcd:٤٤٣",
        "vcd..example.com",
        ".vcd",
        ".",
        f"{'a' * 64}.example.com",
        ".".join(["a" * 60] * 5),
        "[::1",
        "[1:2]",
        "[:::]:443",
    ],
)
def test_what_is_not_a_host(typed: str) -> None:
    with pytest.raises(WrongUsage, match="is not the name of a host"):
        host_of(typed)
