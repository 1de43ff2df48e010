"""Bringing a cluster to what a file declares, by the operations of the commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from cse_client import suggest
from cse_client.engines.base import Declaring, Planning, Protecting, Replacing
from cse_client.engines.declared.difference import (
    Difference,
    addon_changes,
    differences,
    refusals,
    uncompared,
)
from cse_client.engines.declared.reading import DeclaredFile
from cse_client.engines.upgrade_plans import checked_plan
from cse_client.errors import PreflightFailed, WrongUsage
from cse_client.model import (
    Cluster,
    ClusterRef,
    ClusterSpec,
    Event,
    EventKind,
    Progress,
    RunOptions,
)
from cse_client.model.addons import AddonInfo, AddonOptions, ManifestSource
from cse_client.model.declared import Change, Declared, WantedAddon
from cse_client.model.nodes import NodesSpec
from cse_client.model.upgrades import UpgradeSpec

if TYPE_CHECKING:
    from cse_client.engines.addons.installer import Addons

__all__ = ["Application", "Plan", "installed_addons"]


class _Engine(Declaring, Planning, Protecting, Replacing, Protocol):
    """What is needed of an engine."""

    def create(self, spec: ClusterSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Create the cluster, or resume its creation, and return it."""

    def cluster(self, ref: ClusterRef) -> Cluster:
        """Return everything known about one cluster."""

    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Scale the cluster to `spec.workers` workers and return it."""


@dataclass(frozen=True)
class Plan:
    """What there is to do; `creates`: the cluster is made, or its creation resumed."""

    creates: bool
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> list[Change]:
        """The changes, in their order."""
        return [one.change for one in self.differences]

    @property
    def removals(self) -> list[str]:
        """What is deleted, as clauses."""
        return [change.removes for change in self.changes if change.removes]


@dataclass(frozen=True)
class Application:
    """One run of `cluster apply`. `addons` opens the installer; `mirror` is where manifests are."""

    engine: _Engine
    addons: Callable[[Progress], Addons]
    file: DeclaredFile
    mirror: str = ""

    @property
    def spec(self) -> ClusterSpec:
        """What the file declares."""
        return self.file.declared.spec

    def plan(self, progress: Progress) -> Plan:
        """Return what there is to do; reads only.

        Raises:
            Refused, PreflightFailed: the file declares what cannot be changed.
        """
        if self.spec.pools:
            raise WrongUsage(
                "Other worker pools than 'default', with a size only, are not supported yet."
            )
        there = self.engine.declared(self.spec.ref)
        wanted = self.file.declared
        if there is None or there.is_new:
            return self._creation()
        problems = refusals(self.file, there)
        if len(problems) == 1:
            raise problems[0]
        if problems:
            text = f"{len(problems)} values cannot be changed; nothing was changed."
            raise PreflightFailed(text, problems)
        found = differences(self.file, there)
        if any(one.change.action == "upgrade" for one in found):
            checked_plan(self.engine, self._upgrade(RunOptions()))
        if wanted.addons:
            found += addon_changes(wanted.addons, self.addons(progress).status(self.spec.ref))
        return Plan(False, tuple(found), tuple(_warnings(self.file, there)))

    def carry_out(self, plan: Plan, options: RunOptions, progress: Progress) -> Cluster | None:
        """Do it; return the cluster as the last change of its nodes left it, None without one.

        Raises:
            CseError: what the operations raise; the changes before it are made.
        """
        if plan.creates:
            return self._create(options, progress)
        cluster: Cluster | None = None
        for one in plan.differences:
            cluster = self._do(one, options, progress) or cluster
        return cluster

    def _creation(self) -> Plan:
        if not self.spec.network:
            raise WrongUsage(
                f"Cluster '{self.spec.name}' does not exist, and {self.file.name} has no key"
                " 'spec.network', which a new cluster requires.",
            )
        wanted = self.file.declared
        found = [Difference(Change("create", f"cluster {self.spec.name}", "", _size(self.spec)))]
        if wanted.is_protected:
            change = Change("protect", f"cluster {self.spec.name}", "off", "on")
            found.append(Difference(change))
        found += addon_changes(wanted.addons, ())
        return Plan(True, tuple(found))

    def _create(self, options: RunOptions, progress: Progress) -> Cluster:
        cluster = self.engine.create(self.spec, options, progress)
        wanted = self.file.declared
        if wanted.is_protected and options.wait:
            self.engine.protect(self.spec.ref, options, progress)
        if wanted.addons and not options.wait:
            text = "The add-ons are not installed yet: apply the file again when the nodes are"
            progress(Event(EventKind.WARNING, f"{text} Ready."))
        elif wanted.addons:
            there = self.addons(progress).status(self.spec.ref)
            for one in addon_changes(wanted.addons, there):
                self._do(one, options, progress)
        return cluster

    def _do(self, one: Difference, options: RunOptions, progress: Progress) -> Cluster | None:
        ref = self.spec.ref
        if one.addon is not None:
            self._install(one.addon, options, progress)
            return None
        if one.change.action in ("protect", "unprotect"):
            self.engine.protect(ref, options, progress, on=one.change.action == "protect")
            return None
        if one.change.action == "upgrade":
            return self.engine.upgrade_to(self._upgrade(options), options, progress)
        nodes = NodesSpec(ref.name, 0, ref.vdc, ref.org, accept_eulas=self.spec.accept_eulas)
        if one.pool is not None:
            nodes = replace(nodes, workers=one.pool.size, force=options.force)
        else:
            nodes = replace(nodes, control_planes=self.spec.control_planes, force=options.force)
        return self.engine.resize(nodes, options, progress)

    def _upgrade(self, options: RunOptions) -> UpgradeSpec:
        spec = self.spec
        return UpgradeSpec(
            spec.name,
            spec.vdc,
            spec.org,
            template=spec.template,
            template_revision=spec.template_revision,
            force=options.force,
            rollback=options.rollback,
        )

    def _install(self, addon: WantedAddon, options: RunOptions, progress: Progress) -> None:
        ref = self.spec.ref
        info = self.addons(progress).install(
            AddonOptions(
                ref.name,
                addon.name,
                addresses=addon.addresses,
                address=addon.address,
                version=addon.version,
                source=ManifestSource(mirror=self.mirror, checksum=addon.checksum),
                timeout=options.timeout,
                vdc=ref.vdc,
                org=ref.org,
            )
        )
        text = f"{info.name} {info.installed} is installed: {'; '.join(info.detail)}."
        progress(Event(EventKind.NOTE, text))


def installed_addons(found: Sequence[AddonInfo]) -> tuple[WantedAddon, ...]:
    """Return the add-ons of a cluster that this client installed, as a file declares them."""
    return tuple(
        WantedAddon(info.name, info.installed, info.addresses, info.address)
        for info in found
        if info.installed
    )


def _warnings(file: DeclaredFile, there: Declared) -> list[str]:
    found = []
    if there.problems:
        found.append(
            f"cluster '{file.cluster}' was changed by another command or by hand:"
            f" {' and '.join(there.problems)}. To repair it:"
            f" {suggest.cse('cluster repair', file.cluster)}"
        )
    missing = uncompared(file, there)
    if missing:
        found.append(
            f"{', '.join(missing)} cannot be compared and is left as it is: the metadata of"
            f" cluster '{file.cluster}' cannot be read."
        )
    return found


def _size(spec: ClusterSpec) -> str:
    heads = f"{spec.control_planes} control plane{'' if spec.control_planes == 1 else 's'}"
    return f"{heads}, {spec.workers} worker{'' if spec.workers == 1 else 's'}"
