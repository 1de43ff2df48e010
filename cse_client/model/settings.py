"""What a cluster is set up with for the network that it is in, the same for all of its nodes.

Chosen when the cluster is created; recorded in its metadata, and applied to every later node.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from cse_client.model.endpoints import is_endpoint
from cse_client.model.ranges import pod_cidr_problem, service_cidr_problem

__all__ = ["EXAMPLES", "OPTIONS", "ClusterSettings", "setting_problem", "setting_shown"]


#: What kubeadm and the CNI plugin get, and nobody else.
_FOR_KUBEADM = ("pod_cidr", "service_cidr")


@dataclass(frozen=True)
class ClusterSettings:
    """The settings of a cluster. Empty: the default.

    `pod_cidr` and `service_cidr` are IPv4 networks. The proxies are URLs for the nodes' way out;
    `no_proxy` names what is reached without them, separated by commas. `registry_mirrors` are
    HOST=URL, separated by spaces; `registry_ca` is the PEM of certificates that registries are
    trusted by. `image_repository` is where kubeadm's images come from. `ntp`
    are hosts, `dns` IPv4 addresses, separated by spaces.
    """

    pod_cidr: str = ""
    service_cidr: str = ""
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    registry_mirrors: str = ""
    registry_ca: str = ""
    image_repository: str = ""
    ntp: str = ""
    dns: str = ""

    def for_nodes(self) -> dict[str, str]:
        """Return those given that each node has to be set up with, by name."""
        given = self.given().items()
        return {name: value for name, value in given if name not in _FOR_KUBEADM}

    @property
    def has_proxy(self) -> bool:
        """Whether the nodes use a proxy."""
        return bool(self.http_proxy or self.https_proxy)

    def given(self) -> dict[str, str]:
        """Return the settings that are not empty, by name."""
        return {name: value for name, value in vars(self).items() if value}


#: The option of `cluster create` for each setting.
OPTIONS: Mapping[str, str] = {
    "pod_cidr": "--pod-cidr",
    "service_cidr": "--service-cidr",
    "http_proxy": "--http-proxy",
    "https_proxy": "--https-proxy",
    "no_proxy": "--no-proxy",
    "registry_mirrors": "--registry-mirror",
    "registry_ca": "--registry-ca",
    "image_repository": "--image-repository",
    "ntp": "--ntp",
    "dns": "--dns",
}

#: A value that each setting can have, for hints.
EXAMPLES: Mapping[str, str] = {
    "pod_cidr": "172.30.0.0/16",
    "service_cidr": "172.29.0.0/16",
    "http_proxy": "http://proxy.example.com:3128",
    "https_proxy": "http://proxy.example.com:3128",
    "no_proxy": "registry.example.com,.internal,10.0.0.0/8",
    "registry_mirrors": "docker.io=https://mirror.example.com",
    "registry_ca": "ca.pem",
    "image_repository": "registry.example.com/k8s",
    "ntp": "ntp.example.com",
    "dns": "203.0.113.53",
}

#: MAXNS of glibc, which kubelet respects, too.
_MOST_DNS = 3
_URL = re.compile(r"https?://([^/?#]*)/?", re.ASCII)
_NOT_PROXIED = re.compile(r"[A-Za-z0-9._:/-]{1,253}", re.ASCII)


_MIRROR_URL = re.compile(r"https?://([^/?#]*)(/[A-Za-z0-9._/-]*)?", re.ASCII)
_REPOSITORY = re.compile(r"([^/]+)(/[a-z0-9]+([._-]+[a-z0-9]+)*)*", re.ASCII)
_CERTIFICATE = "-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,76}\n)+-----END CERTIFICATE-----\n"
_CERTIFICATES = re.compile(f"({_CERTIFICATE})+", re.ASCII)
_LOGIN = (
    "it contains a user name or a password, which everybody could read in the cluster's "
    "metadata, in VCD and on its nodes"
)


def _proxy_problem(text: str) -> str:
    if "@" in text:
        return _LOGIN
    url = _URL.fullmatch(text)
    return "" if url and is_endpoint(url[1]) else "it is not a URL of the form http://HOST:PORT"


def _no_proxy_problem(text: str) -> str:
    for one in text.split(","):
        if not _NOT_PROXIED.fullmatch(one):
            return f"{one!r} is not a host, a domain, an address or a network"
    return ""


def _mirrors_problem(text: str) -> str:
    if "@" in text:
        return _LOGIN
    hosts = []
    for one in text.split(" "):
        host, _, address = one.partition("=")
        url = _MIRROR_URL.fullmatch(address)
        if not (is_endpoint(host) and url and is_endpoint(url[1])):
            return f"{one!r} is not of the form HOST=URL"
        hosts.append(host)
    twice = next((host for host in hosts if hosts.count(host) > 1), "")
    return f"it names two mirrors of {twice}" if twice else ""


def _repository_problem(text: str) -> str:
    found = _REPOSITORY.fullmatch(text)
    if found and is_endpoint(found[1]):
        return ""
    return "it is not a repository of the form HOST/PATH"


def _ntp_problem(text: str) -> str:
    for one in text.split(" "):
        if ":" in one or not is_endpoint(one):
            return f"{one!r} is not a host name or an IPv4 address"
    return ""


def _dns_problem(text: str) -> str:
    servers = text.split(" ")
    for one in servers:
        try:
            IPv4Address(one)
        except ValueError:
            return f"{one!r} is not an IPv4 address"
    if len(servers) > _MOST_DNS:
        return f"a resolver uses {_MOST_DNS} servers at most"
    return ""


def _ca_problem(text: str) -> str:
    return "" if _CERTIFICATES.fullmatch(text) else "it does not consist of certificates in PEM"


_CHECKS: Mapping[str, Callable[[str], str]] = {
    # whether the two overlap depends on the template's defaults, see engines/direct/requirements
    "pod_cidr": lambda text: pod_cidr_problem(text, services=None),
    "service_cidr": service_cidr_problem,
    "http_proxy": _proxy_problem,
    "https_proxy": _proxy_problem,
    "no_proxy": _no_proxy_problem,
    "registry_mirrors": _mirrors_problem,
    "registry_ca": _ca_problem,
    "image_repository": _repository_problem,
    "ntp": _ntp_problem,
    "dns": _dns_problem,
}


def setting_problem(name: str, value: str) -> str:
    """Return why a setting cannot have this value, a clause; empty when it can."""
    return _CHECKS[name](value)


def setting_shown(name: str, value: str) -> str:
    """Return a value for people: certificates as fingerprints, URLs without passwords."""
    if name != "registry_ca":
        return re.sub(r"//[^ ]*@", "//***@", value)

    import hashlib
    from ssl import PEM_cert_to_DER_cert

    found = re.findall(_CERTIFICATE.replace("(", "(?:"), value)
    digests = (hashlib.sha256(PEM_cert_to_DER_cert(one)).hexdigest() for one in found)
    return ", ".join(f"SHA-256 {digest}" for digest in digests)
