"""systemd unit files: reading them as systemd does, and those that an image brings along."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from cse_client.simulator.guest.model import Image

__all__ = [
    "KUBELET_DROP_IN",
    "Command",
    "UnitFile",
    "builtin_unit",
    "builtin_unit_files",
    "seconds_of",
    "unit_name",
]

_SPANS = {
    "us": 1e-6, "ms": 0.001, "s": 1, "sec": 1, "second": 1, "seconds": 1, "": 1,
    "m": 60, "min": 60, "minute": 60, "minutes": 60, "h": 3600, "hr": 3600, "hour": 3600,
    "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
}  # fmt: skip


def seconds_of(text: str) -> float:
    """Return the length of a systemd time span such as "1min 30s", in seconds."""
    if text.strip() == "infinity":
        return float("inf")
    parts = re.findall(r"([0-9.]+)\s*([a-z]*)", text)
    return sum(float(number) * _SPANS.get(span, 0) for number, span in parts)


def unit_name(word: str) -> str:
    """Return the unit's full name: a word without a suffix is a service."""
    known = (".service", ".target", ".socket", ".timer", ".mount", ".path", ".slice", ".swap")
    return word if word.endswith(known) else word + ".service"


@dataclass(frozen=True)
class Command:
    """One Exec line: its words, and whether a failure counts."""

    words: tuple[str, ...]
    may_fail: bool = False


@dataclass
class UnitFile:
    """A parsed unit file. A key that occurs several times keeps all its values."""

    name: str
    text: str
    values: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str, text: str) -> UnitFile:
        """Read a unit file; lines that are not assignments are ignored, as systemd does."""
        unit = cls(name, text)
        section = ""
        for line in text.replace("\\\n", " ").splitlines():
            clean = line.strip()
            if not clean or clean[0] in "#;":
                continue
            if clean.startswith("[") and clean.endswith("]"):
                section = clean[1:-1]
                continue
            key, equals, value = clean.partition("=")
            if not equals:
                continue
            where = unit.values.setdefault((section, key.strip()), [])
            if value.strip():
                where.append(value.strip())
            else:
                where.clear()
        return unit

    def all(self, section: str, key: str) -> list[str]:
        """Return all values of a key."""
        return self.values.get((section, key), [])

    def get(self, section: str, key: str, default: str = "") -> str:
        """Return the last value of a key."""
        found = self.all(section, key)
        return found[-1] if found else default

    def words(self, section: str, key: str) -> list[str]:
        """Return a key's values as single words."""
        return [word for value in self.all(section, key) for word in value.split()]

    @property
    def kind(self) -> str:
        """The service's type."""
        return self.get("Service", "Type", "simple")

    def problem(self, *, systemd: int) -> str:
        """Return why this systemd refuses to load the unit, or ""."""
        if not self.name.endswith(".service"):
            return ""
        if not self.all("Service", "ExecStart") and self.kind != "oneshot":
            return "Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing."
        restart = self.get("Service", "Restart", "no")
        # Oneshot services may be restarted since systemd 244, but never after success.
        if self.kind == "oneshot" and restart != "no":
            if systemd < 244:  # noqa: PLR2004
                return (
                    "Service has Restart= setting other than no, which isn't allowed for"
                    " Type=oneshot services. Refusing."
                )
            if restart in ("always", "on-success"):
                return (
                    "Service has Restart= set to either always or on-success, which isn't"
                    " allowed for Type=oneshot services. Refusing."
                )
        if systemd < 239:  # noqa: PLR2004  # bare names are looked up since 239
            for line in self.all("Service", "ExecStart") + self.all("Service", "ExecStartPre"):
                if not line.lstrip("-@+!:").startswith("/"):
                    return f"Executable path is not absolute, ignoring: {line}"
        return ""

    def environment(self) -> dict[str, str]:
        """Return what Environment= sets."""
        found = {}
        for value in self.all("Service", "Environment"):
            for word in shlex.split(value):
                key, equals, content = word.partition("=")
                if equals:
                    found[key] = content
        return found

    def commands(self, key: str, environment: dict[str, str], host: str) -> list[Command]:
        """Return the commands of ExecStart and its like, variables and specifiers filled in."""
        stem = self.name.rsplit(".", 1)[0]
        specifiers = {"n": self.name, "N": stem, "p": stem.split("@")[0], "H": host, "%": "%"}
        specifiers["i"] = stem.partition("@")[2]
        found = []
        for line in self.all("Service", key):
            prefix = re.match(r"[-@+!:]*", line)
            marks = prefix.group() if prefix else ""
            words: list[str] = []
            for word in shlex.split(line[len(marks) :]):
                filled = re.sub(r"%([A-Za-z%])", lambda hit: specifiers.get(hit[1], hit[0]), word)
                words.extend(_expand(filled, environment))
            if words:
                found.append(Command(tuple(words), "-" in marks))
        return found


def _expand(word: str, environment: dict[str, str]) -> list[str]:
    """Fill in variables: $NAME as a word of its own is split, ${NAME} is not."""
    alone = re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", word)
    if alone:
        return environment.get(alone[1], "").split()
    filled = re.sub(
        r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", lambda hit: environment.get(hit[1], ""), word
    )
    return [filled.replace("$$", "$")]


def _service(description: str, command: str, more: str = "") -> str:
    return (
        f"[Unit]\nDescription={description}\nAfter=network-online.target\n\n"
        f"[Service]\nExecStart={command}\nRestart=always\n{more}\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


#: kubeadm's drop-in for the kubelet, without the command line that it puts together of these.
KUBELET_DROP_IN = """# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf\
 --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
"""

_PACKAGED = {
    "kubelet.service": _service(
        "kubelet: The Kubernetes Node Agent",
        "/usr/bin/kubelet",
        "StartLimitInterval=0\nRestartSec=10\n",
    ),
    "containerd.service": _service("containerd container runtime", "/usr/bin/containerd"),
    "keepalived.service": (
        "[Unit]\nDescription=Keepalive Daemon (LVS and VRRP)\nAfter=network-online.target\n"
        "ConditionFileNotEmpty=/etc/keepalived/keepalived.conf\n\n"
        "[Service]\nType=notify\nEnvironmentFile=-/etc/default/keepalived\n"
        "ExecStart=/usr/sbin/keepalived --dont-fork $DAEMON_ARGS\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    ),
}


def builtin_unit(name: str) -> str:
    """Return the unit file that a package brings along."""
    return _PACKAGED[name]


def _of_apt() -> dict[str, str]:
    """Return the units with which a new Ubuntu looks for updates by itself."""
    files = {
        f"{name}.service": f"[Unit]\nDescription={name}\n\n[Service]\nType=oneshot\n"
        "ExecStart=/usr/lib/apt/apt.systemd.daily\n"
        for name in ("apt-daily", "apt-daily-upgrade")
    }
    for name in ("apt-daily", "apt-daily-upgrade"):
        files[f"{name}.timer"] = (
            f"[Unit]\nDescription={name}\n\n[Timer]\nOnCalendar=daily\n\n"
            "[Install]\nWantedBy=timers.target\n"
        )
    files["unattended-upgrades.service"] = _service(
        "Unattended Upgrades Shutdown", "/usr/share/unattended-upgrades/unattended-upgrade-shutdown"
    )
    return files


def builtin_unit_files(image: Image) -> dict[str, str]:
    """Return the unit files in the image's /lib/systemd/system, by name."""
    files = {
        name: f"[Unit]\nDescription={name}\n"
        for name in (
            "basic.target", "multi-user.target", "network.target", "network-online.target",
            "local-fs.target", "sysinit.target", "time-sync.target", "timers.target",
        )
    }  # fmt: skip
    files["ssh.service"] = _service("OpenBSD Secure Shell server", "/usr/sbin/sshd -D")
    files["systemd-timesyncd.service"] = _service(
        "Network Time Synchronization", "/lib/systemd/systemd-timesyncd"
    )
    if image.packages:
        files.update(_of_apt())
    else:
        files.update({name: _PACKAGED[name] for name in ("kubelet.service", "containerd.service")})
        if image.keepalived:
            files["keepalived.service"] = _PACKAGED["keepalived.service"]
    if image.runtime == "docker":
        files["docker.service"] = _service(
            "Docker Application Container Engine", "/usr/bin/dockerd -H fd://"
        )
    if image.os == "ubuntu-16.04":
        files["networking.service"] = _service("Raise network interfaces", "/sbin/ifup -a")
    else:
        for name in ("systemd-networkd", "systemd-resolved", "cloud-init", "cloud-final"):
            files[f"{name}.service"] = _service(name, f"/lib/systemd/{name}")
    if image.tools:
        files["open-vm-tools.service"] = _service(
            "Service for virtual machines hosted on VMware", "/usr/bin/vmtoolsd"
        )
        files["vmtoolsd.service"] = files["open-vm-tools.service"]
    return files
