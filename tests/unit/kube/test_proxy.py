from __future__ import annotations

import pytest

from cse_client.errors import CseError
from cse_client.kube.proxy import proxy_for

PROXY = "http://proxy.example.com:3128"


def through(url: str, no_proxy: str) -> bool:
    return proxy_for(url, {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}) is not None


def test_no_variable_no_proxy() -> None:
    assert proxy_for("https://10.0.0.2:6443", {}) is None
    assert proxy_for("https://10.0.0.2:6443", {"HTTPS_PROXY": ""}) is None


def test_which_variables_count() -> None:
    url = "https://10.0.0.2:6443"
    assert proxy_for(url, {"https_proxy": PROXY}) == PROXY
    assert proxy_for(url, {"HTTPS_PROXY": PROXY, "https_proxy": "http://other"}) == PROXY
    assert proxy_for(url, {"HTTP_PROXY": PROXY}) is None
    assert proxy_for(url, {"ALL_PROXY": PROXY}) is None
    assert proxy_for("http://10.0.0.2:8080", {"HTTP_PROXY": PROXY}) == PROXY
    assert proxy_for(url, {"HTTPS_PROXY": "proxy:3128"}) == "http://proxy:3128"


# The table is Go's: golang.org/x/net, http/httpproxy/proxy_test.go.
@pytest.mark.parametrize(
    ("host", "no_proxy", "proxied"),
    [
        ("localhost", "", False),
        ("127.0.0.1", "", False),
        ("127.20.0.5", "", False),
        ("[::1]", "", False),
        ("10.0.0.2", "", True),
        ("10.0.0.2", "10.0.0.0/8", False),
        ("10.0.0.2", "192.168.0.0/16, 10.0.0.0/8", False),
        ("10.0.0.2", "10.0.0.2", False),
        ("10.0.0.2", "10.0.0.3", True),
        ("10.0.0.2", "10.0.0.", True),
        ("10.0.0.2", "10.0.0.0/99", True),
        ("10.0.0.2", "*", False),
        ("10.0.0.2", "10.0.0.2:6443", False),
        ("10.0.0.2", "10.0.0.2:443", True),
        ("k8s.example.com", "example.com", False),
        ("example.com", "example.com", False),
        ("example.com", ".example.com", True),
        ("k8s.example.com", ".example.com", False),
        ("k8s.example.com", "*.example.com", False),
        ("k8s.example.com", "EXAMPLE.com", False),
        ("badexample.com", "example.com", True),
        ("k8s.example.com", "10.0.0.0/8", True),
        ("k8s.example.com", "example.com:6443", False),
        ("k8s.example.com", "example.com:443", True),
        ("[fd00::2]", "fd00::/8", False),
        ("[fd00::2]", "[fd00::2]:6443", False),
        ("k8s.example.com", " , ,", True),
    ],
)
def test_no_proxy_as_kubectl_reads_it(host: str, no_proxy: str, proxied: bool) -> None:
    assert through(f"https://{host}:6443", no_proxy) is proxied


@pytest.mark.parametrize(
    "proxy", ["::::", "http://[::1", "http://", "x y", "ftp://h:1", "http://h:99999", "http://h:x"]
)
def test_a_proxy_that_is_not_an_address_is_named(proxy: str) -> None:
    with pytest.raises(CseError, match=r"the proxy '.*' on the way to 10\.0\.0\.1 cannot be used"):
        proxy_for("https://10.0.0.1:6443", {"HTTPS_PROXY": proxy})


def test_a_proxys_password_is_not_shown() -> None:
    with pytest.raises(CseError) as caught:
        proxy_for("https://10.0.0.1:6443", {"HTTPS_PROXY": "http://me:secret@h:99999"})
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "proxy",
    ["h:3128", "http://me:p@h:3128", "http://[::1]:3128", "socks5://127.0.0.1:1", "http://h/"],
)
def test_a_proxy_that_is_one_is_taken(proxy: str) -> None:
    assert proxy_for("https://10.0.0.1:6443", {"HTTPS_PROXY": proxy})
