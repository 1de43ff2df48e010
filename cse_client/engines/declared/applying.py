"""Bringing a cluster to what a file declares, by the operations of the commands."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from cse_client import suggest
from cse_client.engines.base import Declaring, Planning, Pooling, Protecting, Replacing
from cse_client.engines.declared.difference import (
    Difference,
    addon_changes,
    differences,
    refusals,
    uncompared,
)
from cse_client.engines.declared.reading import DeclaredFile
from cse_client.engines.upgrade_plans import checked_plan
from cse_client.errors import (
    CseError,
    NotFinished,
    PreflightFailed,
    Replaced,
    SessionInvalid,
    VcdFault,
)
from cse_client.model import (
    Cluster,
    ClusterRef,
    ClusterSpec,
    Event,
    EventKind,
    Progress,
    RunOptions,
    silent,
)
from cse_client.model.addons import AddonInfo, AddonOptions, ManifestSource
from cse_client.model.declared import Change, Declared, WantedAddon
from cse_client.model.nodes import NodesSpec
from cse_client.model.pools import Pool, PoolSpec
from cse_client.model.upgrades import UpgradeSpec
from cse_client.plurals import counted

if TYPE_CHECKING:
    from cse_client.engines.addons.installer import Addons

__all__ = ["Application", "Plan", "installed_addons"]


class _Engine(Declaring, Planning, Pooling, Protecting, Replacing, Protocol):
    """What is needed of an engine."""

    def create(self, spec: ClusterSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Create the cluster, or resume its creation, and return it."""

    def cluster(self, ref: ClusterRef) -> Cluster:
        """Return everything known about one cluster."""

    def resize(self, spec: NodesSpec, options: RunOptions, progress: Progress) -> Cluster:
        """Scale the cluster to `spec.workers` workers and return it."""


@dataclass(frozen=True)
class Plan:
    """What there is to do; `creates`: the cluster is made, or its creation resumed.

    With `problems`, nothing can be done.
    """

    creates: bool
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[CseError, ...] = ()

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

    def plan(self, progress: Progress, *, thorough: bool = True, asks: bool = False) -> Plan:
        """Return what there is to do; reads only.

        Unless `thorough`, what the only change checks by itself is not checked before, but where it
        `asks` for a confirmation first. All that would be refused is in the plan's `problems`.

        Raises:
            SessionInvalid, VcdFault: nothing could be compared.
        """
        there = self.engine.declared(self.spec.ref)
        wanted = self.file.declared
        if there is None or there.is_new:
            return self._creation()
        problems = refusals(self.file, there)
        found = differences(self.file, there)
        warnings = _warnings(self.file, there)
        if wanted.addons and any(one.begun and _upgrades_cluster(one) for one in found):
            # its control plane may be off
            warnings.append(
                "the add-ons are compared once the upgrade has ended: apply the file again then."
            )
        elif wanted.addons:
            with _adding_to(problems):
                installed = self.addons(progress).status(self.spec.ref)
                found += addon_changes(wanted.addons, installed)
        is_asked = asks and any(one.change.removes for one in found)
        if thorough or problems or len(found) > 1 or is_asked:
            # a change alone is checked by its own operation
            problems += self._problems_of(found, there, progress if thorough else silent)
        return Plan(False, tuple(found), tuple(warnings), tuple(_distinct(problems)))

    def carry_out(self, plan: Plan, options: RunOptions, progress: Progress) -> Cluster | None:
        """Do it; return the cluster as the last change of its nodes left it, None without one.

        Raises:
            CseError: what the operations raise; the changes before it are made.
        """
        if plan.creates:
            return self._create(options, progress)
        cluster: Cluster | None = None
        total = len(plan.differences)
        for number, one in enumerate(plan.differences, 1):
            if total > 1:
                text = f"Change {number} of {total}: {one.change.action} {one.change.object}"
                progress(Event(EventKind.NOTE, text))
            with _about(one):
                cluster = self._do(one, options, progress) or cluster
        return cluster

    def _creation(self) -> Plan:
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
        if one.pool is not None:
            return self._change_pool(one, one.pool, options, progress)
        if _upgrades_cluster(one):
            return self.engine.upgrade_to(self._upgrade(options), options, progress).cluster
        return self.engine.resize(self._heads_spec(options), options, progress)

    def _heads_spec(self, options: RunOptions) -> NodesSpec:
        return replace(self._sized(Pool(""), options), control_planes=self.spec.control_planes)

    def _sized(self, pool: Pool, options: RunOptions) -> NodesSpec:
        ref = self.spec.ref
        return NodesSpec(
            ref.name,
            pool.size,
            ref.vdc,
            ref.org,
            accept_eulas=self.spec.accept_eulas,
            force=options.force,
            pool=pool.name,
        )

    def _change_pool(
        self, one: Difference, pool: Pool, options: RunOptions, progress: Progress
    ) -> Cluster | None:
        action, spec = one.change.action, self._pool_spec(pool, options)
        if action == "create":
            return self.engine.create_pool(spec, options, progress)
        if action == "update":
            return self.engine.update_pool(spec, options, progress)
        if action == "upgrade":
            return self.engine.upgrade_pool(spec, options, progress)
        if action == "delete":
            self.engine.delete_pool(spec, options, progress)
            return None
        return self.engine.resize_pool(self._sized(pool, options), options, progress)

    def _pool_spec(self, pool: Pool, options: RunOptions) -> PoolSpec:
        ref = self.spec.ref
        return PoolSpec(
            ref.name,
            pool,
            ref.vdc,
            ref.org,
            accept_eulas=self.spec.accept_eulas,
            force=options.force,
        )

    def _problems_of(
        self, found: Sequence[Difference], there: Declared, progress: Progress
    ) -> list[CseError]:
        """Return what the operations would refuse, before the first of them changes anything.

        Not what depends on an earlier one: an unfinished operation refuses all others, an upgrade
        makes other templates fit, and a new pool allows the last old one to go.

        Raises:
            SessionInvalid, VcdFault: nothing could be checked.
        """
        if any(one.begun for one in found):
            return []
        problems: list[CseError] = []
        for one in found:
            if not self._depends(one, found):
                with _adding_to(problems), _about(one):
                    self._plan_of(one, progress)
        if not problems:
            problems += self._without_room(found, there)
        return problems

    def _without_room(self, found: Sequence[Difference], there: Declared) -> Sequence[CseError]:
        """Return why there is no room for all changes together, each of which fits alone."""
        growing = [
            one
            for one in found
            if one.change.action in ("create", "resize") and not one.change.removes
        ]
        if len(growing) < 2 or any(map(_upgrades_cluster, found)):  # noqa: PLR2004
            return ()
        pools = [one.pool for one in growing if one.pool is not None]
        heads = self.spec.control_planes - there.spec.control_planes
        return self.engine.room_problems(
            self.spec.ref, pools, heads if len(pools) < len(growing) else 0
        )

    @staticmethod
    def _depends(one: Difference, found: Sequence[Difference]) -> bool:
        """Return whether an earlier change decides what can be said of this one."""
        actions = [(other.change.action, other.pool is not None) for other in found]
        upgraded, created = ("upgrade", False) in actions, ("create", True) in actions
        if one.pool is None:
            return False
        return (upgraded and bool(one.pool.template)) or (created and one.change.action == "delete")

    def _plan_of(self, one: Difference, progress: Progress) -> None:
        """Let the engine check one change; reads only."""
        options = RunOptions()
        if one.pool is None:
            if one.change.action == "upgrade":
                checked_plan(self.engine, self._upgrade(options))
            elif one.change.action == "resize":
                self.engine.plan_resize(self._heads_spec(options), options, progress)
        elif one.change.action == "resize":
            self.engine.plan_resize(self._sized(one.pool, options), options, progress)
        else:
            spec = self._pool_spec(one.pool, options)
            self.engine.plan_pool(one.change.action, spec, options, progress)

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


@contextlib.contextmanager
def _about(one: Difference) -> Iterator[None]:
    """Let what refuses a change of a pool name that pool.

    Raises:
        CseError: what the change raised.
    """
    try:
        yield
    except (NotFinished, Replaced, SessionInvalid, VcdFault):
        raise
    except CseError as error:
        if one.pool is not None:
            for problem in _each(error):
                problem.pool = problem.pool or one.pool.name
        raise


@contextlib.contextmanager
def _adding_to(problems: list[CseError]) -> Iterator[None]:
    """Add what is refused to the problems.

    Raises:
        SessionInvalid, VcdFault: nothing else can be checked.
    """
    try:
        yield
    except (SessionInvalid, VcdFault):
        raise
    except CseError as error:
        problems += _each(error)


def _each(error: CseError) -> Sequence[CseError]:
    return error.problems if isinstance(error, PreflightFailed) else [error]


def _upgrades_cluster(one: Difference) -> bool:
    return one.change.action == "upgrade" and one.pool is None


def _distinct(problems: Iterable[CseError]) -> Iterator[CseError]:
    """Yield each problem once: several changes may be refused for the same reason."""
    seen: set[str] = set()
    for one in problems:
        if one.message not in seen:
            yield one
        seen.add(one.message)


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
    return f"{counted(spec.control_planes, 'control plane')}, {counted(spec.workers, 'worker')}"
