"""VCD's host as it tells one VCD from another, however the user typed it."""

from __future__ import annotations

import pytest

from cse_client.model import Session
from cse_client.vcd.client import VcdClient


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("vcd.example.com", "vcd.example.com"),
        ("VCD.Example.COM", "vcd.example.com"),
        ("vcd.example.com.", "vcd.example.com"),
        ("vcd.example.com:443", "vcd.example.com"),
        ("vcd.example.com:8443", "vcd.example.com:8443"),
        ("https://Vcd.example.com", "vcd.example.com"),
        ("https://vcd.example.com/api", "vcd.example.com"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]:8443", "[2001:db8::1]:8443"),
    ],
)
def test_hosts(typed: str, host: str) -> None:
    session = Session(host=typed, org="acme", user="admin", api_version="36.0", token="t")
    vcd = VcdClient.attach(session)
    assert vcd.session.host == host
    vcd.close()
