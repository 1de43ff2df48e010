"""ip, curl, wget, getent and ping: the simulated network."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cse_client.simulator.guest.resolver import resolv_conf

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = [
    "getent",
    "ip",
    "lookup",
    "ping",
    "resolve",
    "resolvectl",
    "wget",
]

_NAME_SECONDS = 5
_CONNECT_SECONDS = 130
_OUTSIDE = "203.0.113.10"


def ip(system: System, call: Call) -> int:
    """`ip addr`, `ip route`, `ip link` in the forms that scripts use."""
    options = [word for word in call.words if word.startswith("-")]
    words = [word for word in call.words if not word.startswith("-")]
    what = words[0] if words else ""
    if "addresses".startswith(what) and what:
        return _addresses(system, call, words[1:], one_line="-o" in "".join(options))
    if "route".startswith(what) and what:
        return _routes(system, call, words[1:])
    if "link".startswith(what) and what:
        if words[1:2] in (["set"], ["add"], ["del"], ["delete"]):
            return 0
        return _links(system, call)
    call.err('Object "' + what + '" is unknown, try "ip help".' if what else "Usage: ip ...")
    return 255 if what else 1


def _cards(system: System) -> list[tuple[str, str, int, str]]:
    """Return (interface, address, prefix, gateway) of the cards that are up."""
    if not system.network_up:
        return []
    return [
        (
            system.interface if index == 0 else f"{system.interface}-{index}",
            nic.address,
            nic.prefix_length,
            nic.gateway,
        )
        for index, nic in enumerate(system.nics)
    ]


def _wanted_device(words: list[str]) -> str:
    rest = [word for word in words if word not in ("show", "list", "ls")]
    skip = {"scope", "to", "up", "label", "global"}
    for index, word in enumerate(rest):
        if word == "dev" and index + 1 < len(rest):
            return rest[index + 1]
    plain = [word for word in rest if word not in skip]
    return plain[0] if plain else ""


def _addresses(system: System, call: Call, words: list[str], *, one_line: bool) -> int:
    device = _wanted_device(words)
    names = ["lo", *(_interface(system, i) for i in range(max(len(system.nics), 1)))]
    if device and device not in names:
        call.err(f'Device "{device}" does not exist.')
        return 1
    global_only = "scope" in words and "global" in words
    rows = [] if global_only else [("lo", "127.0.0.1", 8, "host lo")]
    rows += [
        (name, address, prefix, f"global {name}") for name, address, prefix, _ in _cards(system)
    ]
    if system.virtual_address and rows:
        name, _, prefix, _ = rows[-1] if global_only else rows[1]
        rows.append((name, system.virtual_address, prefix, f"global secondary {name}"))
    for number, name in enumerate(names, start=1):
        if device not in ("", name):
            continue
        mine = [row for row in rows if row[0] == name]
        if not one_line and not (global_only and not mine):
            state = "UNKNOWN" if name == "lo" else "UP"
            flags = "LOOPBACK,UP,LOWER_UP" if name == "lo" else "BROADCAST,MULTICAST,UP,LOWER_UP"
            call.out(f"{number}: {name}: <{flags}> mtu 1500 qdisc mq state {state} group default")
            if name != "lo":
                mac = system.nics[number - 2].mac if number - 2 < len(system.nics) else ""
                call.out(f"    link/ether {mac} brd ff:ff:ff:ff:ff:ff")
        for _, address, prefix, scope in mine:
            broadcast = "" if name == "lo" else _broadcast(address, prefix)
            text = f"inet {address}/{prefix}{broadcast} scope {scope}"
            if one_line:
                call.out(
                    f"{number}: {name}    {text}\\       valid_lft forever preferred_lft forever"
                )
            else:
                call.out(f"    {text}\n       valid_lft forever preferred_lft forever")
    return 0


def _interface(system: System, index: int) -> str:
    return system.interface if index == 0 else f"{system.interface}-{index}"


def _broadcast(address: str, prefix: int) -> str:
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    return f" brd {network.broadcast_address}"


def _routes(system: System, call: Call, words: list[str]) -> int:
    cards = _cards(system)
    if words[:1] == ["get"]:
        if not cards:
            call.err("RTNETLINK answers: Network is unreachable")
            return 2
        name, address, _, gateway = cards[0]
        target = next((word for word in words[1:] if word[0].isdigit()), _OUTSIDE)
        parts = target.split("/")[0].split(".")
        # iproute2 lib/utils.c, get_addr_ipv4: missing parts are zero, so that `1` is 1.0.0.0
        target = ".".join([*parts, "0", "0", "0"][:4])
        network = ipaddress.ip_network(f"{address}/{cards[0][2]}", strict=False)
        via = "" if ipaddress.ip_address(target) in network else f" via {gateway}"
        # iproute2 since 4.15 adds the caller's uid, which breaks scripts that take the last word.
        uid = "" if system.image.os == "ubuntu-16.04" else " uid 0"
        call.out(f"{target}{via} dev {name} src {address}{uid} \n    cache")
        return 0
    if words[:1] in (["add"], ["del"], ["delete"], ["replace"]):
        return 0
    for name, address, prefix, gateway in cards:
        if gateway and name == system.interface:
            proto = " proto static" if system.image.os != "ubuntu-16.04" else " onlink"
            call.out(f"default via {gateway} dev {name}{proto} ")
        if "default" not in words:
            network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
            call.out(f"{network} dev {name} proto kernel scope link src {address} ")
    return 0


def _links(system: System, call: Call) -> int:
    call.out("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 state UNKNOWN mode DEFAULT group default")
    for index, _ in enumerate(system.nics):
        call.out(
            f"{index + 2}: {_interface(system, index)}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500"
            " state UP mode DEFAULT group default"
        )
    return 0


def resolve(system: System, name: str) -> str | None:
    """Return a name's address: the hosts file, then DNS if there is a way to it."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    for line in system.disk.text("/etc/hosts").splitlines():
        words = line.split("#")[0].split()
        if name.lower() in (word.lower() for word in words[1:]):
            return words[0]
    if system.egress and system.disk.text("/etc/resolv.conf").strip() and "." in name:
        return _OUTSIDE
    return None


def getent(system: System, call: Call) -> int:
    """`getent hosts NAME`."""
    code = 0
    if len(call.words) == 1:
        call.out(system.disk.text("/etc/hosts"), end="")
        return 0
    for name in call.words[1:]:
        address = resolve(system, name)
        if address is None:
            system.sleep_call(call, _NAME_SECONDS if "." in name else 0)
            code = 2
        elif call.words[0] == "hosts":
            call.out(f"{address:<15} {name}")
        else:
            for kind in ("STREAM", "DGRAM", "RAW"):
                call.out(f"{address:<15} {kind:<6} {name if kind == 'STREAM' else ''}")
    return code


def lookup(system: System, call: Call) -> int:
    """nslookup, host and dig in their simplest form."""
    names = [word for word in call.words if not word.startswith(("-", "+", "@"))]
    address = resolve(system, names[0]) if names else None
    if address is None:
        system.sleep_call(call, 3 * _NAME_SECONDS)
        call.out(";; connection timed out; no servers could be reached")
        return 9 if call.command == "dig" else 1
    call.out(address if call.command == "dig" else f"{names[0]} has address {address}")
    return 0


def ping(system: System, call: Call) -> int:
    """One answer or none."""
    names = [word for word in call.words if not word.startswith("-") and not word.isdigit()]
    host = names[-1] if names else ""
    address = resolve(system, host)
    if address is None:
        call.err(f"ping: {host}: Temporary failure in name resolution")
        return 2
    if not system.network_up:
        call.err("connect: Network is unreachable")
        return 2
    local = ipaddress.ip_address(address).is_loopback
    if not local and not system.egress:
        system.sleep_call(call, 10)
        call.out(
            f"--- {host} ping statistics ---\n1 packets transmitted, 0 received, 100% packet loss"
        )
        return 1
    call.out(f"64 bytes from {address}: icmp_seq=1 ttl=64 time=0.1 ms")
    return 0


def _outcome(system: System, call: Call, host: str, port: int, limit: float) -> str:
    """Try to reach a host; returns "", "name", "timeout", "refused" or "outside"."""
    address = resolve(system, host)
    if address is None:
        system.sleep_call(call, min(_NAME_SECONDS, limit))
        return "name"
    if ipaddress.ip_address(address).is_loopback:
        try:
            socket.create_connection((address, port), timeout=2).close()
        except OSError:
            return "refused"
        return ""
    if not system.egress or system.faults.unreachable_registries:
        system.sleep_call(call, min(_CONNECT_SECONDS, limit))
        return "timeout"
    return "outside"


def _empty_answer(system: System, call: Call, url: str, output: str) -> int:
    system.say(f"simulator: {call.command} {url}: the simulated Internet answers with nothing")
    if output and output != "-":
        path = output if output.startswith("/") else f"{call.folder}/{output}"
        with system.life.guard():
            system.disk.write(path, "")
    return 0


def _request(words: list[str], limits: tuple[str, ...]) -> tuple[str, float, str]:
    """Return (URL, time limit, output file) of a curl or wget command line."""
    url, limit, output = "", float(_CONNECT_SECONDS), ""
    taking = {"-o", "-O", "--output", "-H", "-d", "-X", "-u", "--cacert", "--retry", "--cert",
              "--key", "-A", "-w", "--output-document", "--tries", *limits}  # fmt: skip
    taking -= {"-O"} if "curl" in limits else set()
    index = 0
    while index < len(words):
        word = words[index]
        name, equals, value = word.partition("=")
        if word in taking and index + 1 < len(words):
            index += 1
            value = words[index]
            equals = "="
        if name in limits and equals:
            limit = float(value)
        elif name in ("-o", "-O", "--output", "--output-document") and equals:
            output = value
        elif not word.startswith("-"):
            url = word
        index += 1
    return url, limit, output


def wget(system: System, call: Call) -> int:
    """wget, as curl above."""
    url, limit, output = _request(call.words, ("-T", "--timeout"))
    if not url:
        call.err("wget: missing URL")
        return 1
    parts = urlsplit(url if "://" in url else "http://" + url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    outcome = _outcome(system, call, host, port, limit)
    if outcome == "name":
        call.err(f"wget: unable to resolve host address '{host}'")
        return 4
    if outcome in ("timeout", "refused"):
        call.err(f"Connecting to {host}:{port}... failed: Connection {outcome}.")
        return 4
    return _empty_answer(system, call, url, output or parts.path.rsplit("/", 1)[-1])


def resolvectl(system: System, call: Call) -> int:
    """`resolvectl dns CARD ADDRESS...`: sets a card's servers until the next boot."""
    if call.words[:2] != ["dns", system.interface]:
        call.err(f"resolvectl {' '.join(call.words)}: not simulated")
        return 1
    with system.life.guard():
        system.disk.write("/etc/resolv.conf", resolv_conf(call.words[2:]))
    return 0
