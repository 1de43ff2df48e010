"""A user's commands in front of a simulated CSE server: what goes over the wire, what is shown.

The YAML files beside this one hold the stories; CSE_STORY=show prints what really came, in their
form.

What chance decides is replaced before anything is compared: hosts, ids, VMs' random names (by their
order of appearance), addresses and seconds. Looks at a running task or a changing entity, whose
number depends on the machine, count as one.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from tests.support.programs import Result, Workstation, clean_environment
from tests.support.simulator import Cloud, Control, log_in, start_simulator, stop_simulator
from tests.support.waiting import until

__all__ = ["Stage", "Step", "await_versions", "chapter", "kubectl", "offer_an_upgrade"]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NODE = re.compile(r"\b(mstr|node|nfsd)-[a-z0-9]{4}\b")
#: How changes are followed, as often as it takes.
_LOOKS = re.compile(r"GET (/api/task/ID|/cloudapi/1\.0\.0/entities/urn:\S+:ID)")


@dataclass(frozen=True)
class Step:
    """One command and what it must do.

    `wire` names each request as `METHOD path?query`; a JSON body's keys follow in brackets. `out`
    is the whole standard output, `err` the other one without the lines of what is going on
    (`•`). `{node-1}` in `words` is the first worker's name.
    """

    words: str
    wire: Sequence[str] = ()
    out: str = ""
    err: str = ""
    code: int = 0


def chapter(book: str, name: str) -> list[Step]:
    """Return the steps of a chapter of a YAML file in this folder."""
    text = (Path(__file__).parent / f"{book}.yaml").read_text(encoding="utf-8")
    return [Step(**step) for step in yaml.safe_load(text)[name]]


class Stage:
    """A simulator with a CSE server, and somebody logged in to it.

    `accept` is what every request to the server has to ask for.
    """

    def __init__(self, folder: Path, *options: str, accept: str) -> None:
        self.accept = accept
        self.process, self.cloud = start_simulator(folder, *options)
        self.control = Control(self.cloud)
        self.home = folder / "home"
        self.workstation = Workstation(
            self.home, {**clean_environment(self.home), **self.cloud.environment()}
        )
        self.names: dict[str, str] = {}
        self.log_in(self.cloud)

    def log_in(self, cloud: Cloud) -> None:
        """Begin a session."""
        log_in(cloud, self.home)
        self.control.ask("DELETE", "journal")

    def log_in_as_provider(self) -> None:
        """Begin a session of the system administrator."""
        provider = replace(self.cloud, org="System", user="administrator")
        log_in(provider, self.home, password=self.cloud.others["administrator"])

    def close(self) -> None:
        """End the simulator."""
        stop_simulator(self.process)

    def run(self, *words: str) -> Result:
        """Run a line of `vcd` and return how it ended."""
        return self.workstation.vcd(*words)

    def play(self, step: Step) -> None:
        """Run a step's command and compare; with CSE_STORY=show only print what came."""
        words = step.words
        for name, alias in self.names.items():
            words = words.replace(f"{{{alias}}}", name)
        self.control.ask("DELETE", "journal")
        result = self.run(*words.split())
        wire = self.wire()
        out, err = self.plain(result.out), self.plain(result.err)
        kept = [line.strip() for line in err.splitlines() if not line.startswith(" •")]
        err = "".join(f"{line}\n" for line in kept)
        if os.environ.get("CSE_STORY") == "show":
            sys.stdout.write(_as_yaml(Step(step.words, wire, out, err, result.code)))
            return
        assert wire == list(step.wire), step.words
        assert self.accepts() <= {self.accept}, step.words
        assert (out, err, result.code) == (step.out, step.err, step.code), step.words

    def wire(self) -> list[str]:
        """Return the requests since the journal was cleared."""
        seen: list[str] = []
        for one in self.control.get("journal")["requests"]:
            text = f"{one['method']} {one['path']}{'?' if one['query'] else ''}{one['query']}"
            text = self.plain(text)
            if one["keys"]:
                text += f" [{' '.join(one['keys'])}]"
            if not (_LOOKS.fullmatch(text) and seen[-1:] == [text]):
                seen.append(text)
        return seen

    def accepts(self) -> set[str]:
        """Return the Accept headers of what was asked of the server and of its entities.

        But for the question who is there, which names the session's version.
        """
        asked = self.control.get("journal")["requests"]
        there = ("/api/cse/", "/cloudapi/1.0.0/entities/")
        return {
            one["accept"]
            for one in asked
            if one["path"].startswith(there) and one["path"] != "/api/cse/system"
        }

    def plain(self, text: str) -> str:
        """Replace what chance decides."""
        text = text.replace(self.cloud.host, "HOST")
        text = _NODE.sub(lambda found: self._alias(found.group()), _UUID.sub("ID", text))
        text = re.sub(r"\b127\.\d+\.(\d+\.\d+)\b", r"127.N.\1", text)
        text = re.sub(r"\b\d+(m \d+)?s\b", "Ns", text)
        text = re.sub(r"(?m)^(python  +)[0-9.]+$", r"\1N", text)
        # columns and rulers are as wide as the names were
        return re.sub(r"-{3,}", "---", re.sub(r"(?<=\S)  +", "  ", text))

    def _alias(self, name: str) -> str:
        if name not in self.names:
            kind = name.partition("-")[0]
            number = sum(alias.startswith(kind) for alias in self.names.values()) + 1
            self.names[name] = f"{kind}-{number}"
        return self.names[name]


def _as_yaml(step: Step) -> str:
    lines = [f"- words: {step.words}", "  wire:", *(f"  - {one}" for one in step.wire)]
    for key, text in (("out", step.out), ("err", step.err)):
        if text.strip():
            lines += [f"  {key}: |", *(f"    {line}".rstrip() for line in text.splitlines())]
        elif text:
            lines.append(f"  {key}: {json.dumps(text)}")
    if step.code:
        lines.append(f"  code: {step.code}")
    return "\n".join(lines) + "\n"


_VERSIONS = "jsonpath={.items[*].status.nodeInfo.kubeletVersion}"


def kubectl(stage: Stage, kubeconfig: str, *words: str) -> str:
    """Run the real kubectl with a kubeconfig that a command printed."""
    path = stage.home / "printed.yaml"
    path.write_text(kubeconfig)
    return stage.workstation.kubectl("--kubeconfig", str(path), *words).checked()


def await_versions(stage: Stage, cluster: str, *versions: str) -> None:
    """Wait until a cluster's kubelets say these versions: one that restarts takes a moment."""
    kubeconfig = stage.run("cse", "cluster", "config", cluster).out
    until(
        lambda: (
            kubectl(stage, kubeconfig, "get", "nodes", "-o", _VERSIONS).split() == list(versions)
        ),
        f"not {versions}",
    )


def offer_an_upgrade(stage: Stage) -> None:
    """Make of the catalog's other template one that clusters can be upgraded to."""
    newer = {
        "os": "ubuntu-16.04",
        "kubernetes": "1.19.3",
        "runtime": "docker",
        "cni": "weave",
        "cni_version": "2.6.5",
        "cni_manifest": "/root/weave_v2-6-5.yml",
    }
    stage.control.set("templates/ubuntu-24.04_k8-1.33_antrea-2.3_rev1", image=newer)
