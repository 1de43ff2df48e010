"""kubectl's command line, and the session with the API server behind it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cse_client.simulator.guest.kubeclient import BadKubeconfig, Credentials, KubeClient, message_of

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["Failure", "KubectlWords", "Session", "open_session"]

_VALUED = frozenset(
    [
        "kubeconfig",
        "server",
        "s",
        "request-timeout",
        "namespace",
        "n",
        "filename",
        "f",
        "output",
        "o",
        "selector",
        "l",
        "field-selector",
        "field-manager",
        "patch",
        "p",
        "type",
        "subresource",
        "context",
        "cluster",
        "user",
        "token",
        "as",
        "as-group",
        "for",
        "timeout",
        "from-literal",
        "from-file",
        "certificate-authority",
        "client-certificate",
        "client-key",
        "overwrite-none",
        "v",
        "group",
        "clusterrole",
        "clusterrole-none",
        "user-none",
        "verb",
        "resource",
        "dry-run-none",
        "serviceaccount",
        "sort-by",
        "template",
        "grace-period",
        "cascade-none",
        "replicas",
    ]
) - {"overwrite-none", "clusterrole-none", "user-none", "dry-run-none", "cascade-none"}
_SHORT = {"s": "server", "n": "namespace", "f": "filename", "o": "output", "l": "selector",
          "p": "patch", "A": "all-namespaces", "k": "kustomize", "w": "watch"}  # fmt: skip


class Failure(Exception):
    """kubectl ends with exit code 1; the text is what it prints."""


@dataclass
class KubectlWords:
    """A kubectl command line: plain words and options (repeated ones keep all values)."""

    plain: list[str] = field(default_factory=list)
    options: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def parse(cls, words: list[str]) -> KubectlWords:
        """Read a command line.

        Raises:
            Failure: a value is missing.
        """
        found = cls()
        index = 0
        while index < len(words):
            word = words[index]
            index += 1
            if not word.startswith("-") or word == "-":
                found.plain.append(word)
                continue
            name, equals, value = word.lstrip("-").partition("=")
            if not word.startswith("--"):
                name = word[1]
                rest = word[2:].lstrip("=")
                equals, value = ("=", rest) if rest else ("", "")
            name = _SHORT.get(name, name)
            if not equals and name in _VALUED:
                if index >= len(words):
                    raise Failure(f"error: flag needs an argument: --{name}")
                value = words[index]
                index += 1
            found.options.setdefault(name, []).append(value if equals or value else "true")
        return found

    def get(self, name: str, default: str = "") -> str:
        """Return an option's last value."""
        return self.options.get(name, [default])[-1]

    def on(self, name: str) -> bool:
        """Return whether a switch is on."""
        return self.get(name, "false") == "true"


@dataclass
class Session:
    """One kubectl run against an API server."""

    system: System
    call: Call
    words: KubectlWords
    client: KubeClient

    @property
    def namespace(self) -> str:
        """The namespace in force."""
        return self.words.get("namespace", "default")

    def ask(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Make a request.

        Raises:
            Failure: the server returned an error; the text is kubectl's.
        """
        status, found = self.client.request(method, path, body, content_type=content_type)
        if status >= 400:  # noqa: PLR2004
            raise Failure(self.explain(status, found))
        return found

    @staticmethod
    def explain(status: int, found: dict[str, Any]) -> str:
        """Return kubectl's line for an API error."""
        if status == 401:  # noqa: PLR2004
            return "error: You must be logged in to the server (Unauthorized)"
        reason = found.get("reason") or ""
        text = message_of(status, found)
        return f"Error from server ({reason}): {text}" if reason else f"Error from server: {text}"

    def input_text(self) -> list[str]:
        """Return the texts of all -f files.

        Raises:
            Failure: there is none.
        """
        texts = []
        for name in self.words.options.get("filename", []):
            if name in ("-", "/dev/stdin"):
                texts.append(self.call.stdin.decode("utf-8", "replace"))
                continue
            path = name if name.startswith("/") else os.path.join(self.call.folder, name)  # noqa: PTH118
            if not self.system.disk.exists(path):
                raise Failure(f'error: the path "{name}" does not exist')
            texts.append(self.system.disk.text(path))
        if not texts:
            raise Failure("error: must specify one of -f and -k")
        return texts


def _kubeconfig_path(call: Call, words: KubectlWords, system: System) -> str:
    path = words.get("kubeconfig") or call.kubeconfig.split(":")[0]
    if path:
        return path if path.startswith("/") else os.path.join(call.folder, path)  # noqa: PTH118
    if call.home and system.disk.exists(f"{call.home}/.kube/config"):
        return f"{call.home}/.kube/config"
    return ""


def open_session(system: System, call: Call, words: KubectlWords) -> Session:
    """Return a session with the credentials that kubectl would take; raises BadKubeconfig."""
    path = _kubeconfig_path(call, words, system)
    if path:
        if not system.disk.exists(path):
            raise BadKubeconfig(f"stat {path}: no such file or directory")
        credentials = Credentials.read(system.disk, path, words.get("context"))
    else:
        # Without any configuration kubectl tries port 8080 of this host, in vain.
        raise Failure(
            "The connection to the server localhost:8080 was refused - did you specify the right"
            " host or port?"
        )
    if words.get("server"):
        credentials = replace(credentials, server=words.get("server"))
    if words.get("token"):
        credentials = replace(credentials, token=words.get("token"))
    limit = words.get("request-timeout", "0").rstrip("s")
    seconds = float(limit) if limit.replace(".", "", 1).isdigit() and float(limit) else 30.0
    client = KubeClient(credentials, now=system.now, timeout=seconds, gate=system.life.check)
    return Session(system, call, words, client)
