"""modprobe, sysctl and swap: the guest's kernel, kept in a few files under /.guest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.simulator.guest.skeleton import SWAP_LINE

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = [
    "apply_sysctl_files",
    "load_module",
    "lsmod",
    "modprobe",
    "swap_in_use",
    "swapoff",
    "swapon",
    "sysctl",
]

_MODULES = frozenset(
    [
        "overlay",
        "br_netfilter",
        "bridge",
        "nf_conntrack",
        "nf_conntrack_ipv4",
        "ip_vs",
        "ip_vs_rr",
        "ip_vs_wrr",
        "ip_vs_sh",
        "ip_tables",
        "ip6_tables",
        "iptable_nat",
        "iptable_filter",
        "xt_conntrack",
        "xt_set",
        "ip_set",
        "openvswitch",
        "vxlan",
        "ipip",
        "ip6_udp_tunnel",
        "udp_tunnel",
        "nf_nat",
        "rbd",
        "ceph",
        "nfs",
        "nfsd",
        "configs",
        "dm_thin_pool",
        "loop",
        "tun",
        "vmw_pvscsi",
        "vmxnet3",
        "vmw_vmci",
        "vsock",
    ]
)
_BRIDGE = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables")


def load_module(system: System, name: str) -> bool:
    """Load a kernel module; False where the kernel has none of that name."""
    plain = name.replace("-", "_")
    if plain not in _MODULES:
        return False
    if plain == "nf_conntrack_ipv4" and system.image.os == "ubuntu-24.04":
        return False  # merged into nf_conntrack in Linux 4.19
    system.modules.add(plain)
    if plain == "br_netfilter":
        system.modules.add("bridge")
        folder = system.disk.path("/.guest/sysctl/net/bridge")
        folder.mkdir(parents=True, exist_ok=True)
        for key in _BRIDGE:
            if not (folder / key).exists():
                (folder / key).write_text("1\n", encoding="utf-8")
    return True


def modprobe(system: System, call: Call) -> int:
    """Load or remove kernel modules."""
    names = [word for word in call.words if not word.startswith("-")]
    if "-a" not in call.words and "--all" not in call.words:
        names = names[:1]  # further words are the module's parameters
    if "-r" in call.words:
        system.modules.difference_update(names)
        return 0
    code = 0
    for name in names:
        if not load_module(system, name):
            kernel = system.disk.text("/.guest/sysctl/kernel/osrelease").strip()
            where = "" if "-a" in call.words else f" in directory /lib/modules/{kernel}"
            if "-q" not in call.words:
                if "-a" in call.words:
                    call.err(f"modprobe: WARNING: Module {name} not found{where}.")
                else:
                    call.err(f"modprobe: FATAL: Module {name} not found{where}")
            code = 1
    return code


def lsmod(system: System, call: Call) -> int:
    """List the loaded modules."""
    call.out("Module                  Size  Used by")
    for name in sorted(system.modules):
        call.out(f"{name:<23} 16384  0")
    return 0


def _key_path(key: str) -> str:
    return "/.guest/sysctl/" + (key if "/" in key else key.replace(".", "/"))


def _set_key(system: System, key: str, value: str) -> str:
    """Set a kernel setting; returns why that fails, or ""."""
    path = system.disk.path(_key_path(key))
    if not path.is_file():
        shown = key.replace(".", "/")
        return f"sysctl: cannot stat /proc/sys/{shown}: No such file or directory"
    with system.life.guard():
        path.write_text(value + "\n", encoding="utf-8")
    return ""


def _settings(text: str) -> list[tuple[str, str, bool]]:
    found = []
    for line in text.splitlines():
        clean = line.strip()
        if not clean or clean[0] in "#;":
            continue
        key, equals, value = clean.partition("=")
        if equals:
            found.append((key.strip().lstrip("-"), value.strip(), key.strip().startswith("-")))
    return found


def apply_sysctl_files(system: System) -> list[str]:
    """Apply /etc/sysctl.d/*.conf and /etc/sysctl.conf; returns what failed."""
    problems = []
    files = [
        f"/etc/sysctl.d/{name}"
        for name in system.disk.names("/etc/sysctl.d")
        if name.endswith(".conf")
    ]
    for file in [*files, "/etc/sysctl.conf"]:
        for key, value, ignore in _settings(system.disk.text(file)):
            problem = _set_key(system, key, value)
            if problem and not ignore:
                problems.append(problem)
    return problems


def sysctl(system: System, call: Call) -> int:
    """Read and set kernel settings: -w, -p [FILE], --system, -n, names."""
    words = list(call.words)
    quiet = any(word in words for word in ("-q", "--quiet", "-qp", "-pq"))
    only_value = any(word in words for word in ("-n", "--values"))
    ignore = any(word in words for word in ("-e", "--ignore"))
    if "--system" in words:
        problems = apply_sysctl_files(system)
        for problem in problems:
            call.err(problem)
        return 0
    names = [word for word in words if not word.startswith("-")]
    load = [word for word in words if word.startswith(("-p", "--load")) or word in ("-qp", "-f")]
    if load:
        attached = load[0].partition("=")[2] or (
            load[0][2:] if load[0].startswith("-p") and load[0] != "-p" else ""
        )
        return _load_files(system, call, [attached] if attached else names, quiet=quiet)
    code = 0
    for name in names:
        key, equals, value = name.partition("=")
        if equals:
            problem = _set_key(system, key.strip(), value.strip())
            if problem:
                if not ignore:
                    call.err(problem)
                    code = 255
            elif not quiet:
                call.out(value if only_value else f"{key} = {value}")
            continue
        path = system.disk.path(_key_path(key))
        if path.is_file():
            text = path.read_text(encoding="utf-8").strip()
            call.out(text if only_value else f"{key} = {text}")
        elif not ignore:
            shown = key.replace(".", "/")
            call.err(f"sysctl: cannot stat /proc/sys/{shown}: No such file or directory")
            code = 255
    return code


def _load_files(system: System, call: Call, files: list[str], *, quiet: bool) -> int:
    code = 0
    for file in files or ["/etc/sysctl.conf"]:
        text = call.stdin.decode() if file == "-" else ""
        if file != "-":
            if not system.disk.exists(file):
                call.err(f'sysctl: cannot open "{file}": No such file or directory')
                return 255
            text = system.disk.text(file)
        for key, value, optional in _settings(text):
            problem = _set_key(system, key, value)
            if problem and not optional:
                call.err(problem)
                code = 255
            elif not problem and not quiet:
                call.out(f"{key} = {value}")
    return code


def swap_in_use(system: System) -> bool:
    """Return whether swap is on, by the guest's /proc/swaps."""
    return len(system.disk.text("/.guest/swaps").splitlines()) > 1


def _write_swaps(system: System, *, on: bool) -> None:
    head = system.disk.text("/.guest/swaps").splitlines()[0] + "\n"
    path = system.disk.path("/.guest/swaps")
    with system.life.guard():
        # In place: the file is bound over /proc/swaps.
        path.write_text(head + (SWAP_LINE if on else ""), encoding="utf-8")


def swapoff(system: System, call: Call) -> int:
    """Switch swap off."""
    if not call.words:
        call.err("swapoff: bad usage")
        return 1
    _write_swaps(system, on=False)
    return 0


def swapon(system: System, call: Call) -> int:
    """Show swap, or switch on what /etc/fstab names."""
    if "-a" in call.words or "--all" in call.words:
        named = any(
            line.split()[2:3] == ["swap"]
            for line in system.disk.text("/etc/fstab").splitlines()
            if not line.lstrip().startswith("#")
        )
        _write_swaps(system, on=named)
        return 0
    if swap_in_use(system) and "--noheadings" not in call.words:
        call.out("NAME      TYPE      SIZE USED PRIO")
    if swap_in_use(system):
        call.out("/dev/sda5 partition 975M   0B   -2")
    return 0
