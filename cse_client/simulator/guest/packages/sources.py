"""apt's configuration on a guest's disk: package sources of both forms, and options.

Sources: sources.list(5) for one-line and deb822 entries, apt.conf(5), apt-transport-http(1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cse_client.simulator.guest.disk import Disk
from cse_client.simulator.guest.packages.database import paragraphs

__all__ = ["Source", "option", "sources"]


@dataclass(frozen=True)
class Source:
    """One place that packages come from; a suite that ends with / has no components."""

    uri: str
    suite: str
    components: tuple[str, ...] = ()
    signed_by: str = ""
    trusted: bool = False

    @property
    def root(self) -> str:
        """The address of the folder with InRelease."""
        base = self.uri.rstrip("/")
        if self.suite.endswith("/"):
            return (base + "/" + self.suite.strip("/")).rstrip("/")
        return f"{base}/dists/{self.suite}"

    @property
    def label(self) -> str:
        """The place as apt's messages name it."""
        base = self.uri.rstrip("/")
        # a flat repository's suite is shown as nothing, and the blank before it stays
        return f"{base} {'' if self.suite == '/' else self.suite}"

    @property
    def list_name(self) -> str:
        """The name of its file in /var/lib/apt/lists (apt-pkg, `URItoFileName`)."""
        bare = self.root.partition("://")[2]
        return re.sub(r"[\\|{}\[\]<>\"^~_=!@#$%&*]", lambda hit: f"%{ord(hit[0]):x}", bare).replace(
            "/", "_"
        )


def sources(disk: Disk) -> list[Source]:
    """Return the sources that a disk names, in apt's order."""
    found = _one_line(disk.text("/etc/apt/sources.list"))
    folder = "/etc/apt/sources.list.d"
    for name in disk.names(folder):
        text = disk.text(f"{folder}/{name}")
        if name.endswith(".list"):
            found += _one_line(text)
        elif name.endswith(".sources"):
            found += _deb822(text)
    return list(dict.fromkeys(found))


def _one_line(text: str) -> list[Source]:
    found = []
    for line in text.splitlines():
        entry = re.fullmatch(
            r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+\S+)*)\s*", line.partition("#")[0]
        )
        if entry is None:
            continue
        options = dict(word.partition("=")[::2] for word in (entry[1] or "").split())
        found.append(
            Source(
                entry[2],
                entry[3],
                tuple(entry[4].split()),
                options.get("signed-by", ""),
                options.get("trusted") == "yes",
            )
        )
    return found


def _deb822(text: str) -> list[Source]:
    found = []
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for fields in paragraphs(bare):
        values = {key.lower(): value for key, value in fields.items()}
        if "deb" not in values.get("types", "").split() or values.get("enabled") == "no":
            continue
        for uri in values.get("uris", "").split():
            for suite in values.get("suites", "").split():
                found.append(
                    Source(
                        uri,
                        suite,
                        tuple(values.get("components", "").split()),
                        values.get("signed-by", ""),
                        values.get("trusted") == "yes",
                    )
                )
    return found


def option(disk: Disk, words: Sequence[str], name: str) -> str:
    """Return the value of a configuration option: of the command line, else of apt.conf.d."""
    found = ""
    folder = "/etc/apt/apt.conf.d"
    texts = [disk.text(f"{folder}/{one}") for one in disk.names(folder)]
    for text in [*texts, disk.text("/etc/apt/apt.conf")]:
        for hit in re.finditer(rf'^\s*{re.escape(name)}\s+"([^"]*)"\s*;', text, re.M | re.I):
            found = hit[1]
    for index, word in enumerate(words):
        given = words[index + 1] if word in ("-o", "--option") and index + 1 < len(words) else ""
        if word.startswith("-o") and len(word) > len("-o"):
            given = word[2:].lstrip("=") if not word.startswith("-o=") else word[3:]
        if word.startswith("--option="):
            given = word.partition("=")[2]
        key, equals, value = given.partition("=")
        if equals and key.lower() == name.lower():
            found = value
    return found
