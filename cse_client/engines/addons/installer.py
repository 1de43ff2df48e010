"""Add-ons over any engine that gives a kubeconfig: install, look at, remove.

Everything is looked at before anything is written; what is called ready was seen to work. The
addresses of load balancers are checked against VCD and recorded in the cluster's vApp.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from cse_client import bounds, suggest
from cse_client.clock import SYSTEM_CLOCK, Clock
from cse_client.engines.addons.catalog import (
    MODULES,
    announced_by_nobody,
    check_version,
    known,
    proof_text,
    recorded_ranges,
    refuse_in_use,
    running,
    title,
)
from cse_client.engines.addons.ranges import parse_auto, parse_ranges
from cse_client.engines.addons.reservation import Reservation
from cse_client.engines.reserving import check, propose
from cse_client.errors import Conflict, NotFound, Refused, WrongUsage
from cse_client.kube.addons import contour, metallb
from cse_client.kube.addons.apply import (
    Record,
    Watch,
    apply_all,
    crds_of,
    read_manifest,
    read_record,
    remove_all,
)
from cse_client.kube.addons.fetch import Manifest, obtain, parse_checksum
from cse_client.kube.addons.objects import Object, Objects, Ref
from cse_client.kube.addons.ready import (
    balancers,
    used_addresses,
)
from cse_client.kube.addons.table import (
    ADDONS,
    CONTOUR,
    METALLB,
    Release,
    choose,
    minor_of,
)
from cse_client.kube.api import ClusterAPI
from cse_client.model import ClusterRef, Event, EventKind, Progress
from cse_client.model.addons import (
    AddonInfo,
    AddonOptions,
    AddonRemoval,
    AddressRange,
    ranges_text,
)
from cse_client.vcd.client import VcdClient

__all__ = ["Addons", "GivesKubeconfig"]


class GivesKubeconfig(Protocol):
    """What is needed of an engine."""

    def kubeconfig(self, ref: ClusterRef) -> str:
        """Return an administrator's kubeconfig."""


class Addons:
    """Add-ons of the clusters of one engine; `vcd` opens a session with VCD when needed."""

    def __init__(
        self,
        engine: GivesKubeconfig,
        vcd: Callable[[], VcdClient],
        progress: Progress,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._engine = engine
        self._vcd = vcd
        self._progress = progress
        self._clock = clock
        self._doing = ""

    # Commands

    def status(self, ref: ClusterRef) -> list[AddonInfo]:
        """Return how each add-on stands in a cluster; writes nothing."""
        with closing(self._connect(ref)) as api:
            objects, minor = Objects(api), minor_of(api.version())
            return [self._look(objects, addon, minor) for addon in ADDONS]

    def install(self, options: AddonOptions) -> AddonInfo:
        """Bring an add-on to the version and settings asked for, and see it work.

        Raises:
            WrongUsage, NotFound, PreflightFailed, Refused, Conflict: nothing was changed.
            TimedOut: it was applied, and does not work by the deadline.
        """
        asked = self._read_words(options)
        watch = Watch(bounds.share(options.timeout), self._clock)
        with closing(self._connect(options.ref)) as api:
            objects = Objects(api, lambda: watch.left)
            release = choose(options.addon, minor_of(api.version()), options.version)
            before = read_record(objects, options.addon)
            self._refuse_foreign(objects, options, before)
            if options.addon == METALLB:
                return self._install_metallb(objects, options, release, before, asked, watch)
            return self._install_contour(objects, options, release, before, watch)

    def check_removal(self, ref: ClusterRef, addon: str, *, purge: bool, force: bool) -> str:
        """Raise what `remove` would refuse; return the add-on's version, empty if unknown."""
        known(addon)
        with closing(self._connect(ref)) as api:
            record, _extra = self._removable(Objects(api), ref, addon, purge=purge, force=force)
        return "" if record is None else record.version

    def remove(
        self, ref: ClusterRef, addon: str, *, purge: bool, force: bool, timeout: float
    ) -> AddonRemoval:
        """Take an add-on out of a cluster.

        Raises:
            Refused: it is in use and not `force`.
        """
        known(addon)
        watch = Watch(bounds.share(timeout), self._clock)
        with closing(self._connect(ref)) as api:
            objects = Objects(api, lambda: watch.left)
            record, extra = self._removable(objects, ref, addon, purge=purge, force=force)
            self._say(f"Removing {addon}")
            removed, kept = remove_all(objects, record, extra, purge=purge, watch=watch)
            self._say("")
        if addon == METALLB:
            Reservation(self._vcd(), ref).release(watch.left)
        return AddonRemoval(
            ref.name, addon, tuple(str(one) for one in removed), tuple(str(one) for one in kept)
        )

    def _removable(
        self, objects: Objects, ref: ClusterRef, addon: str, *, purge: bool, force: bool
    ) -> tuple[Record | None, list[Ref]]:
        """Return what there is to remove: what a record names, and CRDs without one."""
        record = read_record(objects, addon)
        extra = list(crds_of(objects, MODULES[addon].GROUP)) if purge else []
        if record is None and not extra:
            raise NotFound(
                f"{title(addon)} was not installed into cluster '{ref.name}' by this client.",
                hint=f"Show its status: {suggest.cse('addon status', ref.name)}",
            )
        if not force and record is not None:
            refuse_in_use(objects, record, ref.name)
        return record, extra

    # Installing

    def _install_metallb(
        self,
        objects: Objects,
        options: AddonOptions,
        release: Release,
        before: Record | None,
        asked: tuple[AddressRange, ...],
        watch: Watch,
    ) -> AddonInfo:
        reservation = Reservation(self._vcd(), options.ref)
        ranges = self._ranges(objects, options, reservation, before, asked)
        manifest, content = self._manifest(release, options, watch)
        silent = announced_by_nobody(objects, options.cluster, release, content)
        if silent is not None and not options.force:
            raise silent
        if silent is not None:
            self._progress(Event(EventKind.WARNING, silent.message))
        reservation.reserve(ranges, watch.left)
        first, last = metallb.configuration(objects, release, ranges)
        wanted = Record(
            METALLB, release.version, manifest.sha256, {"addresses": ranges_text(ranges)}
        )
        self._say(f"Applying MetalLB {release.version}")
        changed = apply_all(
            objects, wanted, [*first, *content], last, force=options.force, watch=watch
        )
        self._say("Waiting for the controller and a speaker on every node")
        watch.until(lambda: running(objects, METALLB), "MetalLB did not become ready")
        self._say("Asking for an address with a probe Service")
        proof = metallb.probe(objects, ranges, watch)
        seen, unseen = proof_text(proof)
        if unseen:
            self._progress(Event(EventKind.WARNING, unseen))
        return self._info(objects, release, ranges_text(ranges), "", (seen,), changed)

    def _ranges(
        self,
        objects: Objects,
        options: AddonOptions,
        reservation: Reservation,
        before: Record | None,
        asked: tuple[AddressRange, ...],
    ) -> tuple[AddressRange, ...]:
        former = recorded_ranges(before)
        count = parse_auto(options.addresses)
        if not options.addresses or (count and sum(len(one) for one in former) == count):
            if not former:
                raise WrongUsage(
                    "MetalLB requires addresses to assign.",
                    hint=suggest.cse(
                        "addon install", options.cluster, "metallb", addresses="auto:4"
                    ),
                )
            asked, count = former, 0
        self._say("Checking the addresses")
        addresses = reservation.network_addresses()
        for what in addresses.plan.unknown:
            self._progress(Event(EventKind.WARNING, f"VCD does not show {what}: not checked."))
        ranges = propose(count, addresses) if count else asked
        check(ranges, addresses)
        if not options.force:
            lost = used_addresses(balancers(objects), former).items()
            still = set(used_addresses(balancers(objects), ranges))
            for address, services in lost:
                if address not in still:
                    raise Conflict(
                        f"{address} is used by Service {services[0]} and would no longer be"
                        " assigned.",
                        hint="Keep it in the range, or use --force: the Service gets another one.",
                    )
        return ranges

    def _install_contour(
        self,
        objects: Objects,
        options: AddonOptions,
        release: Release,
        before: Record | None,
        watch: Watch,
    ) -> AddonInfo:
        address = options.address or (before.settings.get("address", "") if before else "")
        self._check_envoy_address(objects, options, address)
        manifest, content = self._manifest(release, options, watch)
        wanted = Record(CONTOUR, release.version, manifest.sha256, {"address": address})
        content = contour.with_address(content, address)
        self._say(f"Applying Contour {release.version}")
        changed = apply_all(objects, wanted, content, [], force=options.force, watch=watch)
        self._say("Waiting for Contour and Envoy")
        watch.until(lambda: running(objects, CONTOUR), "Contour did not become ready")

        def look() -> tuple[str | None, str]:
            found = contour.address(objects)
            good = bool(found) and address in ("", found)
            return (found if good else None), f"Service {contour.ENVOY.namespace}/envoy has no" + (
                f" address {address}" if address else " address"
            )

        found = watch.until(look, "Envoy got no address")
        self._say(f"Asking Envoy at {found}")
        answers, seen = contour.answers(objects, found, watch)
        detail = f"Envoy answers at {found} ({seen})"
        if not answers:
            detail = f"Envoy at {found} cannot be reached from here ({seen})"
            self._progress(Event(EventKind.WARNING, f"{detail}."))
        return self._info(objects, release, "", found, (detail,), changed)

    def _check_envoy_address(self, objects: Objects, options: AddonOptions, address: str) -> None:
        record = read_record(objects, METALLB)
        if record is None and objects.get(metallb.CONTROLLER) is None and not options.force:
            raise Refused(
                f"Cluster '{options.cluster}' has no load balancer to assign an address to "
                "Contour.",
                hint="First: "
                + suggest.cse("addon install", options.cluster, "metallb", addresses="auto:4"),
            )
        if not address or record is None or options.force:
            return
        ranges = recorded_ranges(record)
        wanted = parse_ranges(address)[0].first
        if not any(wanted in one for one in ranges):
            raise Refused(
                f"{address} is not of the addresses that MetalLB gives out ({ranges_text(ranges)})."
            )
        others = [
            name
            for name in used_addresses(balancers(objects), ranges).get(address, [])
            if name != f"{contour.NAMESPACE}/{contour.ENVOY.name}"
        ]
        if others:
            raise Conflict(f"{address} is used by Service {others[0]} already.")

    def _manifest(
        self, release: Release, options: AddonOptions, watch: Watch
    ) -> tuple[Manifest, list[Object]]:
        self._say(f"Fetching the manifest of {release.addon} {release.version}")
        manifest = obtain(release, options.source, timeout=max(1.0, watch.left))
        return manifest, read_manifest(manifest.content, manifest.origin)

    def _refuse_foreign(
        self, objects: Objects, options: AddonOptions, before: Record | None
    ) -> None:
        if before is None and not options.force:
            controller = MODULES[options.addon].CONTROLLER
            if objects.get(controller) is not None:
                raise Conflict(
                    f"Cluster '{options.cluster}' has a {title(options.addon)} already, which"
                    " this client did not install.",
                    hint="To take it over, run the same command with --force.",
                )

    def _read_words(self, options: AddonOptions) -> tuple[AddressRange, ...]:
        """Check everything typed, before anybody is asked. Returns the ranges typed, if any."""
        known(options.addon)
        check_version(options)
        if options.source.checksum:
            parse_checksum(options.source.checksum)
        if options.addon == CONTOUR:
            if options.addresses:
                raise WrongUsage("--addresses is for metallb; contour takes --address.")
            if options.address:
                one = parse_ranges(options.address)
                if len(one) != 1 or len(one[0]) != 1:
                    raise WrongUsage("--address takes one address.")
            return ()
        if options.address:
            raise WrongUsage("--address is for contour; metallb takes --addresses.")
        if not options.addresses or parse_auto(options.addresses):
            return ()
        return parse_ranges(options.addresses)

    # Looking

    def _look(self, objects: Objects, addon: str, minor: int) -> AddonInfo:
        try:
            available = choose(addon, minor).version
        except Refused:
            available = ""
        record = read_record(objects, addon)
        if record is None:
            there = objects.get(MODULES[addon].CONTROLLER) is not None
            return AddonInfo(addon, available, state="not ours" if there else "not installed")
        lack = MODULES[addon].missing(objects)
        if addon == METALLB and not lack:
            lack = metallb.no_announcer(objects, record.version)
        detail = [lack] if lack else []
        state = "not ready" if lack else "ready"
        if not record.complete:
            state = "incomplete"
            detail.append("its installation did not come to its end")
        ranges = recorded_ranges(record)
        address = contour.address(objects) if addon == CONTOUR else ""
        if addon == CONTOUR and not address:
            state = "not ready" if state == "ready" else state
            detail.append("Envoy has no address")
        if ranges:
            used = len(used_addresses(balancers(objects), ranges))
            total = sum(len(one) for one in ranges)
            detail.append(f"{used} of {total} addresses in use")
        return AddonInfo(
            addon,
            available,
            record.version,
            state,
            ranges_text(ranges),
            address,
            tuple(detail),
        )

    def _info(
        self,
        objects: Objects,
        release: Release,
        addresses: str,
        address: str,
        detail: tuple[str, ...],
        changed: bool,
    ) -> AddonInfo:
        self._say("")
        record = read_record(objects, release.addon)
        installed = record.version if record else ""
        return AddonInfo(
            release.addon,
            release.version,
            installed,
            "ready",
            addresses,
            address,
            detail,
            changed,
            release.kubernetes,
        )

    # Small

    def _connect(self, ref: ClusterRef) -> ClusterAPI:
        return ClusterAPI(self._engine.kubeconfig(ref))

    def _say(self, text: str) -> None:
        """Begin a step; the one before is done. Without text: only that."""
        if self._doing:
            self._progress(Event(EventKind.DONE, self._doing))
        self._doing = text
        if text:
            self._progress(Event(EventKind.STARTED, text))
