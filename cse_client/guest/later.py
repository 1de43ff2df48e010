"""Something that a node does later, once: a block in its customization script.

VCD runs the script again on a forced customization. The block stands before the script's own lines,
which stay as they are: the CA keys can be read from it at every moment (`render.recover_pki`).
"""

from __future__ import annotations

import re
import secrets

from cse_client.guest.render import MAX_SCRIPT_BYTES, is_ours, script_source

__all__ = ["renewal", "with_task", "without_task"]

_BEGIN, _END = "# cse-client task", "# cse-client task end"
_TASK = re.compile(rf"^{_BEGIN} renew-[0-9a-f]+\n.*?^{_END}\n", re.M | re.S)


def renewal() -> str:
    """Return the name of a new task: to renew the certificates that kubeadm issued."""
    return f"renew-{secrets.token_hex(4)}"


def with_task(script: str, task: str) -> str | None:
    """Return a control plane's script, as found in VCD, with a task; None where it is not ours.

    Another task in it is left out.
    """
    if not is_ours(script):
        return None
    head, separator, rest = without_task(script).partition("\n")
    source = script_source("renew")
    block = f"{_BEGIN} {task}\nTASK={task}\n(\n{source}\n) || true\n{_END}\n"
    whole = f"{head}{separator}{block}{rest}"
    return whole if len(whole.encode()) <= MAX_SCRIPT_BYTES else None


def without_task(script: str) -> str:
    """Return a script without its task, as it was before `with_task`."""
    return _TASK.sub("", script.replace("\r\n", "\n"))
