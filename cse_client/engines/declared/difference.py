"""The difference between what a file declares and what an existing cluster is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cse_client.content import plain
from cse_client.engines.declared.fields import FIELDS, Field
from cse_client.engines.declared.pools import pool_changes, pool_refusals
from cse_client.engines.declared.reading import DeclaredFile
from cse_client.engines.declared.templates import is_same_template, template_text
from cse_client.errors import CseError, Refused
from cse_client.kube.addons.table import METALLB
from cse_client.model import ClusterSpec
from cse_client.model.addons import AddonInfo
from cse_client.model.declared import Change, Declared, WantedAddon
from cse_client.model.endpoints import AUTO
from cse_client.model.pools import Pool
from cse_client.model.settings import setting_shown
from cse_client.model.ssh_keys import parse_public_key
from cse_client.plurals import counted

__all__ = ["Difference", "addon_changes", "differences", "refusals"]

#: What is decided again whenever nodes are made, and so is never different.
_PASSING = ("accept_eulas",)
#: What can be changed, see `differences`.
_CHANGEABLE = ("control_planes", "template")
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Difference:
    """One change, and what it is carried out with.

    `begun`: an operation on the same thing is unfinished; it is this change, or in its way.
    """

    change: Change
    pool: Pool | None = None
    addon: WantedAddon | None = None
    begun: bool = False


def refusals(file: DeclaredFile, there: Declared) -> list[CseError]:
    """Return why a cluster cannot become what a file declares: what cannot be changed, by name."""
    found: list[CseError] = []
    for field in FIELDS:
        if field.name in _CHANGEABLE or not _differs(field, file, there):
            continue
        now = _shown(field, there.spec)
        is_now = f"has {now}" if now else "was created without it"
        found.append(
            Refused(
                f"{file.places.at(field.path)} is {_shown(field, file.declared.spec)}, and cluster"
                f" '{file.cluster}' {is_now}; it cannot be changed.",
                hint=_hint(field),
            )
        )
    return [*found, *pool_refusals(file, there)]


def uncompared(file: DeclaredFile, there: Declared) -> list[str]:
    """Return the keys that the file states and that cannot be compared."""
    return [
        ".".join(field.path)
        for field in FIELDS
        if file.states(field) and field.name in there.unknown
    ]


def differences(file: DeclaredFile, there: Declared) -> list[Difference]:
    """Return the changes of nodes and of protection, in the order in which they are made."""
    found = [
        _upgrade(file, there)
        for field in FIELDS
        if field.name == "template" and _is_upgrade(field, file, there)
    ]
    if ("spec", "controlPlane", "count") in file.stated:
        found += _heads(there, file.declared.spec.control_planes)
    found += [
        Difference(one.change, pool=one.pool, begun=one.begun) for one in pool_changes(file, there)
    ]
    if ("spec", "deletionProtection") in file.stated:
        found += _protection(file, there)
    return sorted(found, key=lambda one: not one.begun)


def addon_changes(
    wanted: Sequence[WantedAddon], installed: Iterable[AddonInfo]
) -> Iterator[Difference]:
    """Yield the add-ons to install or change; others are left as they are."""
    known = {info.name: info for info in installed}
    # an ingress controller gets its address from the load balancer
    for addon in sorted(wanted, key=lambda one: one.name != METALLB):
        there = known.get(addon.name)
        now = "" if there is None or not there.installed else _addon_text(there)
        if there is not None and now and _same_addon(addon, there):
            continue
        stated = " ".join(filter(None, (addon.version, addon.addresses, addon.address)))
        if there is not None and now and there.state in ("incomplete", "not ready"):
            now = f"{now} ({there.state})"
        change = Change("install", f"add-on {addon.name}", now, stated or "installed")
        yield Difference(change, addon=addon)


def _differs(field: Field, file: DeclaredFile, there: Declared) -> bool:
    if not file.states(field) or field.name in (*there.unknown, *_PASSING):
        return False
    return not _same(field.name, field.of(file.declared.spec), field.of(there.spec), file, there)


def _same(name: str, wanted: Any, now: Any, file: DeclaredFile, there: Declared) -> bool:
    if name == "vip" and wanted == AUTO:
        return True
    if name == "template":
        return is_same_template(file.declared.spec, there.spec)
    if name == "ssh_key":
        return bool(now) and parse_public_key(now).same_key(parse_public_key(wanted))
    if name == "settings.no_proxy":
        # the record has what is always reached without a proxy, too
        return set(wanted.split(",")) <= set(now.split(","))
    return bool(wanted == now)


def _is_upgrade(field: Field, file: DeclaredFile, there: Declared) -> bool:
    begun = "template" in there.unfinished
    return _differs(field, file, there) or (begun and file.states(field))


def _upgrade(file: DeclaredFile, there: Declared) -> Difference:
    now, wanted = template_text(there.spec), template_text(file.declared.spec)
    current = f"{now} (begun)" if is_same_template(file.declared.spec, there.spec) else now
    removes = f"upgrades all nodes to template {plain(wanted, _LONGEST_SHOWN)}"
    change = Change("upgrade", f"cluster {file.cluster}", current, wanted, removes)
    return Difference(change, begun="template" in there.unfinished)


def _protection(file: DeclaredFile, there: Declared) -> Iterator[Difference]:
    """Yield the change of the protection, or the end of one that a killed command has made."""
    now, then = there.is_protected, file.declared.is_protected
    if now == then and "deletion_protection" not in there.unfinished:
        return
    current = f"{_on(now)} (begun)" if now == then else _on(now)
    action = "protect" if then else "unprotect"
    yield Difference(Change(action, f"cluster {file.cluster}", current, _on(then)))


def _heads(there: Declared, wanted: int) -> Iterator[Difference]:
    now = there.spec.control_planes
    begun = "control_planes" in there.unfinished
    if now == wanted and not begun:
        return
    gone = now - wanted
    removes = f"deletes {counted(gone, 'control plane')}" if gone > 0 else ""
    text = f"{now} (begun)" if now == wanted else str(now)
    yield Difference(Change("resize", "control planes", text, str(wanted), removes), begun=begun)


def _same_addon(wanted: WantedAddon, there: AddonInfo) -> bool:
    if there.state in ("incomplete", "not ready"):
        return False
    if wanted.version not in ("", there.installed) or wanted.address not in ("", there.address):
        return False
    from cse_client.engines.addons.ranges import parse_auto, parse_ranges

    if not wanted.addresses:
        return True
    has = parse_ranges(there.addresses) if there.addresses else ()
    count = parse_auto(wanted.addresses)
    if count:
        return sum(map(len, has)) == count
    return parse_ranges(wanted.addresses) == has


def _addon_text(there: AddonInfo) -> str:
    return " ".join(filter(None, (there.installed, there.addresses, there.address)))


def _shown(field: Field, spec: ClusterSpec) -> str:
    value = field.of(spec)
    if value in ("", None):
        return ""
    if field.name == "ssh_key":
        return parse_public_key(value).fingerprint
    group, _, name = field.name.rpartition(".")
    if group == "settings":
        return plain(setting_shown(name, value), _LONGEST_SHOWN)
    return plain(str(field.form.write(value)), _LONGEST_SHOWN)


def _hint(field: Field) -> str:
    if field.path[1] in ("nodes", "controlPlane"):
        return "Remove the key from the file, or create another cluster."
    return "Write the cluster's own value, or remove the key; another value requires a new cluster."


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"
