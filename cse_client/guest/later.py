"""Something that a node does later, once: a block in its customization script.

VCD runs the script again on a forced customization. The block stands before the script's own lines:
the CA keys can be read from it at every moment (`stored_scripts.recover_pki`).
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from cse_client.errors import WrongUsage
from cse_client.guest.script_format import MAX_SCRIPT_BYTES, packed, quoted, script_source
from cse_client.guest.stored_scripts import finished_script, is_ours, is_sealed
from cse_client.model.support import NEWEST_MINOR

__all__ = [
    "Upgrade",
    "new_upgrade",
    "renewal",
    "task_of",
    "with_task",
    "with_upgrade",
    "without_task",
]

_BEGIN, _END = "# cse-client task", "# cse-client task end"
_TASK = re.compile(rf"^{_BEGIN} ((?:renew|upgrade)-[0-9a-f]+)\n.*?^{_END}\n", re.M | re.S)
#: Seconds that each of apt's commands may take.
_APT_SECONDS = 900


@dataclass(frozen=True)
class Upgrade:
    """The upgrade of a control plane where it is: the task's name and its data.

    `version` is Kubernetes' (X.Y.Z), `package_source` as in `model.templates.BuildSpec`.
    """

    task: str
    node: str
    version: str
    package_source: str


def renewal() -> str:
    """Return the name of a new task: to renew the certificates that kubeadm issued."""
    return f"renew-{secrets.token_hex(4)}"


def new_upgrade() -> str:
    """Return the name of a new task: to upgrade Kubernetes."""
    return f"upgrade-{secrets.token_hex(4)}"


def with_task(script: str, task: str) -> str | None:
    """Return a control plane's script, as found in VCD, with a task; None where it is not ours.

    Another task in it is left out.
    """
    if not is_ours(script):
        return None
    return _fitting(_with_block(script, task, ["(", script_source("renew"), ") || true"]))


def with_upgrade(script: str, upgrade: Upgrade) -> str | None:
    """Return a control plane's script, as found in VCD, with an upgrade; None where it is not ours.

    There is no room for both, so what only the node's bootstrap needs is left out for good
    (`stored_scripts.finished_script`): an upgrade is for a node that has finished it.

    Raises:
        WrongUsage: a value cannot stand in a script.
        CseError: the script is damaged.
    """
    if not is_ours(script):
        return None
    script = without_task(script)
    if not is_sealed(script):
        script = finished_script(script)
    return _fitting(_with_block(script, upgrade.task, _upgrade_block(upgrade)))


def without_task(script: str) -> str:
    """Return a script without its task, as it was before `with_task`."""
    return _TASK.sub("", script.replace("\r\n", "\n"))


def task_of(script: str) -> str:
    """Return the name of the task in a script; empty where there is none."""
    found = _TASK.search(script.replace("\r\n", "\n"))
    return found.group(1) if found else ""


def _with_block(script: str, task: str, block: list[str]) -> str:
    head, separator, rest = without_task(script).partition("\n")
    text = "\n".join([f"{_BEGIN} {task}", f"TASK={task}", *block, _END]) + "\n"
    return f"{head}{separator}{text}{rest}"


def _upgrade_block(upgrade: Upgrade) -> list[str]:
    if not re.fullmatch(r"1\.[0-9]{1,3}\.[0-9]{1,3}", upgrade.version):
        raise WrongUsage(f"{upgrade.version!r} is not a version of Kubernetes.")
    data = {
        "TASK": upgrade.task,
        "CSE_ID": f"{upgrade.task} {upgrade.node}",
        "NODE": upgrade.node,
        "KUBE": upgrade.version,
        "SOURCE": upgrade.package_source,
        "NEWEST": str(NEWEST_MINOR),
        "T_APT": str(_APT_SECONDS),
    }
    assignments = [f"{name}={quoted(name, value)}" for name, value in data.items()]
    sources = [script_source(name) for name in ("later", "base", "packages", "upgrade")]
    payload = packed([*assignments, *sources])
    return [
        "(",
        "task_payload() { cat <<'CSE_TASK'",
        *payload,
        "CSE_TASK",
        "}",
        script_source("task"),
        ") || true",
    ]


def _fitting(script: str) -> str | None:
    return script if len(script.encode()) <= MAX_SCRIPT_BYTES else None
