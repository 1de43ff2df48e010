"""Which ssh key root gets on new nodes when the user names none.

The key was recorded in the vApp's metadata when the cluster was made, and whoever may edit the vApp
may have changed it since. So what is recorded has to be a public key by the same rule as what is
typed, and one that a node has already; anything else needs the user's decision (`--ssh-key`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cse_client.engines.direct.metadata import recorded_ssh_key
from cse_client.errors import Refused
from cse_client.guest import stored_scripts
from cse_client.model import VApp, footprint, node_kind
from cse_client.model.ssh_keys import InvalidPublicKey, PublicKey, parse_public_key

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["inherited_key", "own_key", "show_key"]

_HINT = "Specify a key for the new nodes: add --ssh-key FILE."


def inherited_key(
    vcd: VcdClient, vapp: VApp, metadata: Mapping[str, str]
) -> tuple[PublicKey | None, str]:
    """Return the recorded key (None: there is none), and a warning where nothing vouches for it.

    Raises:
        Refused: the record is not a public key, or none of the nodes has this key.
    """
    text = recorded_ssh_key(metadata)
    if not text:
        return None, ""
    recorded = parse_recorded(vapp.name, text)
    of_nodes = [
        script_key
        for vm in vapp.vms
        if node_kind(vm.name)
        and (script_key := stored_scripts.recover_ssh_key(vcd.customization_script(vm.href)))
        is not None
    ]
    if not of_nodes:
        return recorded, (
            f"Root's ssh key on the new nodes is the one in the cluster's metadata,"
            f" {show_key(recorded)}; there is no node to compare it with."
        )
    known = [key for key in map(_parsed, of_nodes) if key is not None]
    if any(recorded.same_key(key) for key in known):
        return recorded, ""
    theirs = ", ".join(dict.fromkeys(show_key(key) for key in known)) or "no key"
    raise Refused(
        f"The ssh key in the metadata of cluster '{vapp.name}', {show_key(recorded)}, is not that"
        f" of its nodes ({theirs}): somebody may have changed it to become root on new nodes.",
        hint=_HINT,
    )


def own_key(vcd: VcdClient, vm_href: str) -> PublicKey | None:
    """Return the key that a VM's script has for root; None where it has none or does not say."""
    return _parsed(stored_scripts.recover_ssh_key(vcd.customization_script(vm_href)) or "")


def parse_recorded(name: str, text: str) -> PublicKey:
    """Return the key recorded for cluster `name`.

    Raises:
        Refused: it is not a public key.
    """
    try:
        return parse_public_key(text)
    except InvalidPublicKey as wrong:
        raise Refused(
            f"The ssh key in the metadata of cluster '{name}' ({footprint.SSH_KEY}) {wrong}.",
            hint=_HINT,
        ) from None


def show_key(key: PublicKey) -> str:
    """Return how a key is named in messages; its comment is the editor's own text, so left out."""
    return f"{key.type} {key.fingerprint}"


def _parsed(line: str) -> PublicKey | None:
    try:
        return parse_public_key(line)
    except InvalidPublicKey:
        return None
