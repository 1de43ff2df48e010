"""Everything that must be known before a build makes anything: the request, resolved against VCD.

All problems are reported at once. A vApp of the build's name is either this very build, interrupted
earlier (resumed), or somebody else's (refused).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cse_client import suggest
from cse_client.engines.direct.node_templates import marks
from cse_client.engines.direct.request_check import show_check
from cse_client.errors import (
    Conflict,
    NotFound,
    Refused,
    WrongUsage,
    raise_all,
)
from cse_client.model import (
    Event,
    EventKind,
    Network,
    Progress,
    StorageProfile,
    Template,
    TemplateVm,
    VApp,
    Vdc,
    footprint,
)
from cse_client.model.footprint import options_in_description, owner_in_description
from cse_client.model.hardware import Hardware
from cse_client.model.templates import BuildSpec
from cse_client.vcd import preflight
from cse_client.vcd.findings import Findings, Lot
from cse_client.vcd.room import check_capacity, check_storage
from cse_client.vcd.templates import Catalog

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["BuildRequest", "resolve_build"]

#: What a build makes, for messages.
_MADE = "VM"


@dataclass(frozen=True)
class BuildRequest:
    """What a template is built from and where it goes.

    `vapp` is set when there is one of this build already, and `captured` when it has made the
    template already; `metadata` is the vApp's.
    """

    spec: BuildSpec
    vdc: Vdc
    source: Template
    source_vm: TemplateVm
    network: Network
    catalog: Catalog
    options: str
    storage_profile: StorageProfile | None = None
    warnings: tuple[str, ...] = ()
    vapp: VApp | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    build_id: str = ""
    captured: Template | None = None


def resolve_build(
    vcd: VcdClient, spec: BuildSpec, progress: Progress, *, owner: str
) -> BuildRequest:
    """Resolve `spec` and check it against the cloud without writing anything.

    Raises the one problem found, or PreflightFailed with all of them.
    """
    found = show_check(lambda: _resolve(vcd, spec, owner), progress)
    if found.vapp is not None:
        note = f"Resuming the unfinished build of template '{spec.name}'."
        progress(Event(EventKind.NOTE, note))
    return found


def _resolve(vcd: VcdClient, spec: BuildSpec, owner: str) -> BuildRequest:
    vdc = vcd.surroundings.vdc(spec.vdc, spec.org)
    findings = Findings()
    source = findings.collect(
        lambda: vcd.surroundings.find_item(spec.source_catalog, spec.source_item)
    )
    catalog = findings.collect(lambda: _catalog(vcd, spec))
    options = ""
    if source is not None and catalog is not None:
        options = marks.options_of(spec, source.id, catalog.name)
    earlier = findings.collect(lambda: _earlier(vcd, spec, vdc, owner, options))
    vapp, metadata = earlier or (None, {})
    build_id = footprint.build_in_description(vapp.description) if vapp is not None else ""
    captured = None
    if catalog is not None:
        there = findings.collect(lambda: _refuse_taken(vcd, spec, catalog, build_id))
        captured = there[0] if there else None
    preflight.check_rights(vcd, vdc, findings)
    if source is not None:
        preflight.check_template(vcd, source, findings, accept_eulas=spec.accept_eulas)
    _check_network(vcd, spec, vdc, findings, present=vapp is not None)
    _check_room(vcd, spec, vdc, findings, present=vapp is not None)
    _check_sizes(spec, findings)
    raise_all(findings.problems, f"Template '{spec.name}' cannot be built")
    assert source is not None and catalog is not None  # noqa: S101  (problems above)
    assert findings.template_vm is not None and findings.network is not None  # noqa: S101
    return BuildRequest(
        spec=spec,
        vdc=vdc,
        source=source,
        source_vm=findings.template_vm,
        network=findings.network,
        catalog=catalog,
        options=options,
        storage_profile=findings.storage_profile,
        warnings=tuple(findings.warnings),
        vapp=vapp,
        metadata=metadata,
        build_id=build_id,
        captured=captured,
    )


def _catalog(vcd: VcdClient, spec: BuildSpec) -> Catalog:
    """Return the catalog that the template goes to.

    Without --catalog: the source's, if it is the organization's own and this user may add to it;
    else the only one of which both is true.

    Raises:
        NotFound, Refused, WrongUsage: there is none, or several.
    """
    if spec.catalog:
        found = vcd.templates.catalog(spec.catalog)
        if not found.capture_href:
            raise _no_right(found.name)
        return found
    own = [vcd.templates.opened(one) for one in vcd.templates.catalogs() if one.is_own]
    usable = [one for one in own if one.capture_href]
    for one in usable:
        if one.name == spec.source_catalog or len(usable) == 1:
            return one
    if usable:
        raise WrongUsage(
            "Specify the catalog for the template with --catalog: there are"
            f" {', '.join(one.name for one in usable)}.",
        )
    if own:
        raise _no_right(own[0].name)
    raise NotFound(
        "Your organization has no catalog for the template.",
        hint=f"To create one: {suggest.vcd('catalog create', 'templates')}",
    )


def _no_right(catalog: str) -> Refused:
    return Refused(
        f"You may not add templates to catalog '{catalog}'.",
        hint='The right "Catalog: Add vApp from My Cloud" is required, and the catalog must belong'
        " to your organization or be shared with you for changes.",
    )


def _earlier(
    vcd: VcdClient, spec: BuildSpec, vdc: Vdc, owner: str, options: str
) -> tuple[VApp | None, Mapping[str, str]]:
    """Return the vApp of this build that an earlier run has made, with its metadata.

    Raises:
        Conflict: it is not this build's.
    """
    name = marks.vapp_name(spec.name)
    record = vcd.find_vapp(vdc, name)
    if record is None:
        return None, {}
    vapp = vcd.vapp(record.href)
    remove = suggest.cse("template delete", spec.name, vdc=spec.vdc)
    if not footprint.build_in_description(vapp.description):
        raise Conflict(
            f"VDC '{vdc.name}' has a vApp '{name}' that is not a build of a template.",
            hint="Rename the vApp, or choose another name for the template.",
        )
    if owner_in_description(vapp.description) != owner:
        raise Conflict(
            f"Template '{spec.name}' is being built by {vapp.owner or 'another user'} in vApp"
            f" '{name}'.",
            hint=f"Wait until that build ends. If it no longer runs, remove it: {remove}",
        )
    if options and options_in_description(vapp.description) != options:
        raise Conflict(
            f"An unfinished build of template '{spec.name}' with other options is in vApp"
            f" '{name}'.",
            hint=f"Use the same options to resume it, or remove it: {remove}",
        )
    return vapp, vcd.vapp_metadata(vapp.href)


def _refuse_taken(
    vcd: VcdClient, spec: BuildSpec, catalog: Catalog, build_id: str
) -> tuple[Template | None]:
    """Return the template that this build has made already, if any, in a tuple.

    Raises:
        Conflict: the catalog has another template of that name.
    """
    try:
        found = vcd.surroundings.find_item(catalog.name, spec.name)
    except NotFound:
        return (None,)
    if build_id and footprint.build_in_description(found.description) == build_id:
        return (found,)
    raise Conflict(
        f"Catalog '{catalog.name}' already has a template '{spec.name}'.",
        hint="Choose another name, or delete it:"
        f" {suggest.cse('template delete', f'{catalog.name}/{spec.name}')}",
    )


def _check_network(
    vcd: VcdClient, spec: BuildSpec, vdc: Vdc, findings: Findings, *, present: bool
) -> None:
    network = preflight.usable_network(vcd, spec.network, vdc, findings)
    if network is None:
        return
    if not present:
        preflight.check_addresses(network, 1, findings, made=_MADE)
    preflight.check_dns(network, spec.settings, findings)
    if not spec.settings.has_proxy:
        without = "without it, the VM cannot reach the package source"
        preflight.check_egress(vcd, network, findings, without=without)


def _check_room(
    vcd: VcdClient, spec: BuildSpec, vdc: Vdc, findings: Findings, *, present: bool
) -> None:
    profile = preflight.find_profile(vcd, spec.storage_profile, vdc, findings)
    if spec.storage_profile:
        findings.storage_profile = profile
    if present:
        return
    hardware = Hardware(cpus=spec.cpus, memory_mb=spec.memory_mb, disk_mb=spec.disk_mb)
    lots = [Lot(1, hardware, findings.template_vm, profile)]
    check_storage(lots, findings, made=_MADE)
    check_capacity(vcd, vdc, lots, findings, made=_MADE)


def _first_disk(source: TemplateVm) -> int:
    """Return the size of the disk that --disk-size is about."""
    return source.disks[0][1] if source.disks else source.disk_mb


def _check_sizes(spec: BuildSpec, findings: Findings) -> None:
    source = findings.template_vm
    if source is None or not spec.disk_mb:
        return
    first = _first_disk(source)
    if spec.disk_mb < first:
        findings.problems.append(
            WrongUsage(
                f"--disk-size {spec.disk_mb} MB is smaller than the disk of the template"
                f" '{spec.source_item}' ({first} MB).",
                hint="Disks can only be enlarged.",
            )
        )


def with_vapp(request: BuildRequest, vapp: VApp | None, build_id: str) -> BuildRequest:
    """Return the request with the vApp that it has by now."""
    return replace(request, vapp=vapp, build_id=build_id)
