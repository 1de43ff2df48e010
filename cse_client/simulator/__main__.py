"""`python -m cse_client.simulator`: run a simulated VCD until it is stopped."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from cse_client.simulator import Simulator
from cse_client.simulator.guest.sandbox import SandboxUnavailable
from cse_client.simulator.vcd.versions import key

__all__ = ["main"]

#: The newest API version that vcd-cli knows.
_VCD_CLIS = (36, 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cse_client.simulator",
        description="A VMware Cloud Director on 127.0.0.1, to try and test against.",
    )
    parser.add_argument("--port", type=int, default=0, help="port to listen on (any free one)")
    parser.add_argument(
        "--ready-file", type=Path, help="file that gets host, user and password, once it listens"
    )
    parser.add_argument(
        "--cse",
        default="none",
        metavar="VERSION|down|none",
        help=(
            "CSE server to add: 2.6.1, 3.0.5 or 3.1.4 (-legacy behind a 3.x: without entities);"
            " down is one that is registered and does not run"
        ),
    )
    parser.add_argument(
        "--time",
        default="instant",
        metavar="instant|polls:N|seconds:SCALE",
        help="how tasks pass: at once, at the Nth look, or in realistic seconds times SCALE",
    )
    parser.add_argument("--vcd", default="10.3", help="VCD release to be: 10.1 to 10.6 (10.3)")
    parser.add_argument(
        "--no-guests", action="store_true", help="powered-on VMs run nothing inside"
    )
    parser.add_argument(
        "--guests",
        default="imitated",
        choices=["imitated", "real"],
        help="what powered-on VMs run: an imitated Kubernetes, or a real one (needs root)",
    )
    parser.add_argument(
        "--real-dir",
        type=Path,
        metavar="DIR",
        help="programs and images of Kubernetes releases, for --guests real",
    )
    parser.add_argument(
        "--guest-speed", type=float, default=1.0, help="divides the sleeps inside guests"
    )
    parser.add_argument(
        "--addresses",
        metavar="127.N",
        help="first two numbers of the guests' addresses (the first free ones from 127.20 on)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM, SIGINT or the end of the terminal (SIGHUP); return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # what is ignored stays so: nohup ignores SIGHUP
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: ended.set())
    if (options.guests == "real") != (options.real_dir is not None):
        parser.error("--guests real and --real-dir belong together")
    if options.guests == "real" and not _separate_network():
        return 1
    try:
        simulator = Simulator(
            port=options.port,
            time=options.time,
            release=options.vcd,
            guests=not options.no_guests,
            guest_speed=options.guest_speed,
            addresses=options.addresses,
            cse=options.cse,
            real_dir=options.real_dir,
        )
    except ValueError as error:
        parser.error(str(error))
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        what = f"port {options.port}" + (f" or {options.addresses}" if options.addresses else "")
        print(f"cannot listen on {what}: {error.strerror or error}", file=sys.stderr)
        return 1
    with simulator:
        _introduce(simulator)
        if options.ready_file is not None:
            simulator.write_ready_file(options.ready_file)
        ended.wait()
    return 0


def _separate_network() -> bool:
    """Enter a network namespace, in which real guests have their addresses; False if impossible."""
    from cse_client.simulator.guest.real import enter_network, what_is_missing

    missing = what_is_missing()
    if missing:
        print(missing, file=sys.stderr)
        return False
    try:
        enter_network()
    except OSError as error:
        print(f"Real guests need a network namespace: {error.strerror}.", file=sys.stderr)
        return False
    return True


def _introduce(simulator: Simulator) -> None:
    host, org = simulator.host, simulator.org
    release = simulator.cloud.release.name
    lines = [
        f"A simulated VMware Cloud Director {release} listens on https://{host}",
        f"Organization: {org}",
        "Users:",
    ]
    for user in simulator.cloud.users.values():
        lines.append(f"  {user.name:<13} {user.password:<18} {user.role}")
    for user in simulator.cloud.providers.values():
        lines.append(
            f"  {user.name:<13} {user.password:<18} {user.role}, of the organization System"
        )
    if simulator.cse is not None:
        lines.append(f"CSE server: {simulator.cse_version}")
    if simulator.cloud.guest_options.platform is not None:
        lines += [
            "It has a network of its own. Enter that first, in every shell that is to reach it:",
            f"  nsenter --target {os.getpid()} --net",
        ]
    password = simulator.password()
    # vcd-cli finds no version by itself where none up to 36.0 is served
    served = (*simulator.cloud.release.current, *simulator.cloud.release.deprecated)
    known = "" if any(key(one) <= _VCD_CLIS for one in served) else f" -V {served[0]}"
    nets = [f"{one.name} {one.cidr} ({one.fence})" for one in simulator.cloud.networks.values()]
    lines += [
        "Networks: " + ", ".join(nets),
        "",
        "Log in with its certificate authority (for this and every later command):",
        f"  vcd cse login {host} {org} admin --ca-file {simulator.ca}",
        "or with vcd-cli's own login:",
        f"  export REQUESTS_CA_BUNDLE={simulator.ca}",
        f"  vcd login {host} {org} admin --password {password}{known}",
        "or without verification:",
        f"  vcd login {host} {org} admin --password {password}{known} -i -w",
        "",
        "Ctrl-C ends it.",
    ]
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
