"""kubeadm's flags: which exist for which command in which release.

From the releases' `--help`. A flag that a release does not know is refused, as kubeadm refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Flags", "UnknownFlag", "parse"]

_ALWAYS = 999

# name: (takes a value, since minor, until before minor)
_Known = dict[str, tuple[bool, int, int]]


_SHORT = {
    "f": "force",
    "h": "help",
    "k": "experimental-kustomize",
    "o": "output",
    "v": "v",
    "y": "yes",
}


def _flags(valued: str, plain: str = "", **ranges: tuple[int, int]) -> _Known:
    found: _Known = {}
    for words, takes in ((valued, True), (plain, False)):
        for name in words.split():
            since, until = ranges.get(name.replace("-", "_"), (0, _ALWAYS))
            found[name] = (takes, since, until)
    return found


_GLOBAL = _flags(
    "rootfs v log-file log-file-max-size log-dir vmodule log-backtrace-at",
    "add-dir-header skip-headers skip-log-headers logtostderr alsologtostderr one-output help",
    one_output=(19, _ALWAYS),
    log_dir=(0, 26),
    logtostderr=(0, 26),
    alsologtostderr=(0, 26),
    log_file=(0, 26),
    log_file_max_size=(0, 26),
)

_INIT = _flags(
    "apiserver-advertise-address apiserver-bind-port apiserver-cert-extra-sans cert-dir"
    " certificate-key config control-plane-endpoint cri-socket feature-gates"
    " ignore-preflight-errors image-repository kubernetes-version node-name patches"
    " experimental-patches experimental-kustomize pod-network-cidr service-cidr"
    " service-dns-domain skip-phases token token-ttl",
    "dry-run skip-certificate-key-print skip-token-print upload-certs",
    patches=(22, _ALWAYS),
    experimental_patches=(19, 23),
    experimental_kustomize=(16, 22),
)

_JOIN = _flags(
    "apiserver-advertise-address apiserver-bind-port certificate-key config cri-socket"
    " discovery-file discovery-token discovery-token-ca-cert-hash ignore-preflight-errors"
    " node-name patches experimental-patches experimental-kustomize skip-phases"
    " tls-bootstrap-token token",
    "control-plane discovery-token-unsafe-skip-ca-verification dry-run",
    patches=(22, _ALWAYS),
    experimental_patches=(19, 23),
    experimental_kustomize=(16, 22),
    dry_run=(23, _ALWAYS),
)

_RESET = _flags(
    "cert-dir cri-socket ignore-preflight-errors kubeconfig skip-phases config",
    "force dry-run cleanup-tmp-dir",
    config=(30, _ALWAYS),
    dry_run=(23, _ALWAYS),
    cleanup_tmp_dir=(27, _ALWAYS),
)

_TOKEN = _flags(
    "kubeconfig config ttl usages groups description certificate-key output",
    "print-join-command dry-run",
)

_CONFIG = _flags(
    "kubeconfig config kubernetes-version image-repository cri-socket feature-gates output"
    " old-config new-config component-configs"
)

_VERSION = _flags("output")

_CERTS = _flags("cert-dir config kubeconfig")

_UPGRADE = _flags(
    "config kubeconfig ignore-preflight-errors patches skip-phases",
    "allow-experimental-upgrades allow-release-candidate-upgrades certificate-renewal dry-run"
    " etcd-upgrade force print-config yes",
    skip_phases=(32, _ALWAYS),
)

_COMMANDS = {
    "init": _INIT,
    "join": _JOIN,
    "reset": _RESET,
    "token": _TOKEN,
    "config": _CONFIG,
    "version": _VERSION,
    "certs": _CERTS,
    "upgrade": _UPGRADE,
}


class UnknownFlag(Exception):
    """The command line holds what this kubeadm does not know."""


@dataclass
class Flags:
    """A kubeadm command line: its command words and flags."""

    command: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """Return a flag's value."""
        return self.values.get(name, default)

    def on(self, name: str) -> bool:
        """Return whether a switch is on."""
        return self.values.get(name, "false") == "true"

    def list(self, name: str) -> list[str]:
        """Return a comma-separated flag's values."""
        return [word.strip() for word in self.get(name).split(",") if word.strip()]

    @property
    def help(self) -> bool:
        """Only the usage is wanted."""
        return self.on("help")


def parse(words: list[str], minor: int) -> Flags:
    """Read a command line as kubeadm 1.`minor` does.

    Raises:
        UnknownFlag: in pflag's words.
    """
    flags = Flags()
    known = dict(_GLOBAL)
    for word in words:
        if word in _COMMANDS:
            known.update(_COMMANDS[word])
            break
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if not word.startswith("-") or word == "-":
            flags.command.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            short = name[:1]
            if short not in _SHORT:
                raise UnknownFlag(f"unknown shorthand flag: {short!r} in {word}")
            name = _SHORT[short]
            rest = word[2:].lstrip("=")
            equals, value = ("=", rest) if rest else ("", "")
        takes, since, until = known.get(name, (False, _ALWAYS, 0))
        if not since <= minor < until:
            shown = (
                f"unknown flag: --{name}"
                if word.startswith("--")
                else (f"unknown shorthand flag: {word[1]!r} in {word}")
            )
            raise UnknownFlag(shown)
        if not takes:
            flags.values[name] = value if equals else "true"
            continue
        if not equals:
            if index >= len(words):
                raise UnknownFlag(f"flag needs an argument: --{name}")
            value = words[index]
            index += 1
        old = flags.values.get(name)
        repeatable = name in ("ignore-preflight-errors", "apiserver-cert-extra-sans", "skip-phases",
                              "discovery-token-ca-cert-hash")  # fmt: skip
        flags.values[name] = f"{old},{value}" if old and repeatable else value
    return flags
