"""Making vApps and VMs: compose, recompose, instantiate."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import Template, Vdc
from cse_client.simulator.vcd.errors import VcdError, bad_request, duplicate_name, not_implemented
from cse_client.simulator.vcd.markup import local
from cse_client.simulator.vcd.people import Right, User
from cse_client.simulator.vcd.policies import refuse_other_sizes, wanted_policies
from cse_client.simulator.vcd.power import Target, switch_on
from cse_client.simulator.vcd.reading import child, children, last_part, text, truth
from cse_client.simulator.vcd.resources import (
    check_quotas,
    wanted_disk_mb,
    wanted_profile,
)
from cse_client.simulator.vcd.sections import (
    SECTIONS,
    allocate_addresses,
    apply_section,
    connect,
    network_configs,
    reconfigure,
)
from cse_client.simulator.vcd.tasks import Task
from cse_client.simulator.vcd.vapps import Nic, Status, VApp, Vm

__all__ = ["compose", "instantiate", "recompose"]

_LONGEST_NAME = 128


@dataclass
class _Wanted:
    """A VM to be made, with the body's sections for it."""

    vm: Vm
    template: Template
    sections: Sequence[etree._Element] = ()
    #: With the disk that it is to get, in MB: storage is reserved beforehand.
    disk_mb: int = 0


def compose(cloud: Cloud, user: User, vdc: Vdc, body: etree._Element) -> tuple[VApp, Task]:
    """Begin composing a vApp, with or without VMs."""
    vapp = _new_vapp(cloud, user, vdc, body)
    wanted = [_wanted(cloud, vapp, item) for item in children(body, "SourcedItem")]
    _check_new(cloud, vapp, wanted, body)
    return vapp, _begin_vapp(cloud, user, vapp, wanted, body, "vdcComposeVapp")


def instantiate(cloud: Cloud, user: User, vdc: Vdc, body: etree._Element) -> tuple[VApp, Task]:
    """Begin instantiating a template; its VM gets the body's sections, as VCD applies them."""
    vapp = _new_vapp(cloud, user, vdc, body)
    template = _template_of(cloud, child(body, "Source"))
    items = list(children(body, "SourcedItem"))
    wanted = [_wanted(cloud, vapp, item) for item in items] or [
        _from_template(cloud, vapp, template)
    ]
    _check_new(cloud, vapp, wanted, body)
    return vapp, _begin_vapp(cloud, user, vapp, wanted, body, "vdcInstantiateVapp")


def recompose(cloud: Cloud, user: User, vapp: VApp, body: etree._Element) -> Task:
    """Begin a recompose: new VMs, VMs to delete, VMs to change; then perhaps power on."""
    user.require(Right.COMPOSE)
    Target(vapp).refuse_if_busy(cloud)
    cloud.refuse_if_unavailable(vapp)
    parameters = child(body, "InstantiationParams")
    config = child(parameters, "NetworkConfigSection") if parameters is not None else None
    networks = network_configs(cloud, vapp, config) if config is not None else []
    doomed = [_doomed(vapp, one) for one in children(body, "DeleteItem")]
    changed = [(_member(vapp, one), one) for one in children(body, "ReconfigureItem")]
    _refuse_hot_changes(changed)
    changes = [reconfigure(cloud, user, vapp, vm, element) for vm, element in changed]
    before = (vapp.networks, vapp.network_descriptions)
    if config is not None:
        connect(vapp, networks, config)
    try:
        wanted = [_wanted(cloud, vapp, item) for item in children(body, "SourcedItem")]
        _check_new(cloud, vapp, wanted, body)
    except VcdError:
        vapp.networks, vapp.network_descriptions = before
        raise
    for one in wanted:
        cloud.put_vm(vapp, one.vm)
    everything = body.get("powerOn") == "true"
    power_on = everything or (_wants_power(body) and bool(wanted))
    if power_on:
        user.require(Right.POWER)
    # Without the attribute only what is instantiated here is meant.
    started = vapp.vms if everything else [one.vm for one in wanted]
    new_name = body.get("name")
    description = text(body, "Description")

    def effect(task: Task) -> None:
        _make(cloud, user, vapp, wanted, task)
        for vm in doomed:
            cloud.take_vm(vapp, vm)
        for change in changes:
            change()
        if new_name:
            vapp.name = new_name
        if description is not None:
            vapp.description = description
        if power_on:
            switch_on(cloud, vapp, [vm for vm in started if vm in vapp.vms])

    def regret() -> None:
        for one in wanted:
            if one.vm.status == Status.UNRESOLVED:
                cloud.take_vm(vapp, one.vm)

    texts = (
        f"Recomposing Virtual Application {vapp.name}({vapp.id})",
        f"Recomposed Virtual Application {vapp.name}({vapp.id})",
    )
    return cloud.tasks.start(
        "vdcRecomposeVapp",
        texts,
        vapp,
        user,
        effect,
        holds=[vapp, *vapp.vms],
        regret=regret,
        fails_itself=True,
        amount=max(1, len(wanted)),
    )


def _new_vapp(cloud: Cloud, user: User, vdc: Vdc, body: etree._Element) -> VApp:
    user.require(Right.COMPOSE)
    name = body.get("name") or ""
    if not name or len(name) > _LONGEST_NAME:
        raise bad_request("validation error on field 'name': String value has invalid length.")
    if not vdc.enabled:
        raise bad_request(f'The VDC "{vdc.name}" is disabled.')
    for other in cloud.vapps.values():
        if other.vdc is vdc and other.name == name:
            raise duplicate_name(name)
    now = cloud.clock.now()
    vapp = VApp(
        name=name,
        vdc=vdc,
        owner=user,
        description=text(body, "Description") or "",
        created=now,
        stored_since=now,
        deployment_lease=cloud.org.deployment_lease,
        storage_lease=cloud.org.storage_lease,
    )
    parameters = child(body, "InstantiationParams")
    for section in parameters if parameters is not None else ():
        if local(section) == "NetworkConfigSection":
            connect(vapp, network_configs(cloud, vapp, section), section)
    return vapp


def _begin_vapp(
    cloud: Cloud,
    user: User,
    vapp: VApp,
    wanted: Sequence[_Wanted],
    body: etree._Element,
    operation: str,
) -> Task:
    """Register the vApp as being made and start its task."""
    cloud.vapps[vapp.id] = vapp
    for one in wanted:
        cloud.put_vm(vapp, one.vm)
    power_on = _wants_power(body) and bool(wanted)
    if power_on:
        user.require(Right.POWER)

    def effect(task: Task) -> None:
        _make(cloud, user, vapp, wanted, task)
        vapp.state = None
        if power_on:
            switch_on(cloud, vapp, vapp.vms)

    def regret() -> None:
        # Where only powering on failed, everything was made and stays, powered off
        # (vmware-archive/ansible-module-vcloud-director, issue 202).
        if vapp.state is not None:
            vapp.state = Status.FAILED
        for one in wanted:
            if one.vm.status == Status.UNRESOLVED:
                cloud.take_vm(vapp, one.vm)

    texts = (
        f"Creating Virtual Application {vapp.name}({vapp.id})",
        f"Created Virtual Application {vapp.name}({vapp.id})",
    )
    return cloud.tasks.start(
        operation,
        texts,
        vapp,
        user,
        effect,
        holds=[vapp, *vapp.vms],
        regret=regret,
        fails_itself=True,
        amount=max(1, len(wanted)),
        # copying VMs takes its time, whatever the request is called
        lasts_as="vdcInstantiateVapp" if wanted else operation,
    )


def _wants_power(body: etree._Element) -> bool:
    """Return whether what is instantiated is powered on: both attributes default to true.

    vApp.xsd, VAppCreationParamsType: "Defaults to true".
    """
    return body.get("powerOn", "true") in ("true", "1") and body.get("deploy") != "false"


def _wanted(cloud: Cloud, vapp: VApp, item: etree._Element) -> _Wanted:
    source = child(item, "Source")
    template = _template_of(cloud, source)
    general = child(item, "VmGeneralParams")
    wanted = _from_template(cloud, vapp, template)
    vm = wanted.vm
    vm.name = text(general, "Name") or _name_of(source, template)
    vm.description = text(general, "Description") or ""
    # Unless the item says so, the template's CustomizeOnInstantiate decides (vApp.xsd,
    # VmGeneralParamsType and CustomizationSectionType).
    vm.needs_customization = truth(general, "NeedsCustomization", template.customize_on_instantiate)
    vm.local_id = text(item, "VAppScopedLocalId") or vm.local_id
    if not vm.customization.computer_name or vm.name != template.vm_name:
        vm.customization.computer_name = vm.name[:63]
    if not truth(general, "RegenerateBiosUuid", False):
        vm.bios_uuid = template.vm_id
    parameters = child(item, "InstantiationParams")
    wanted.sections = [
        one for one in (parameters if parameters is not None else ()) if local(one) in SECTIONS
    ]
    profile = wanted_profile(vapp.vdc, item)
    if profile is not None:
        vm.storage_profile_id = profile.id
    policies = wanted_policies(vapp.vdc, item)
    policies.apply(vm)
    for section in wanted.sections:
        refuse_other_sizes(policies.sizing, vm, section)
        wanted.disk_mb = max(wanted.disk_mb, wanted_disk_mb(vm, section))
    return wanted


def _template_of(cloud: Cloud, source: etree._Element | None) -> Template:
    """Return the template that a Source refers to."""
    href = source.get("href") or "" if source is not None else ""
    if "/vApp/" in href:
        raise not_implemented("a VM or a vApp instead of a template as the Source of new VMs")
    return cloud.template(last_part(href))[1]


def _name_of(source: etree._Element | None, template: Template) -> str:
    """Return the name of a VM whose item gives none by VmGeneralParams.

    Deprecated and still read: "Changing the name of the newly created VM by specifying name
    attribute" of the Source (vApp.xsd, SourcedCompositionItemParamType). It names a VM only where
    the source is one.
    """
    if source is None or "/vm-" not in (source.get("href") or ""):
        return template.vm_name
    return source.get("name") or template.vm_name


def _from_template(cloud: Cloud, vapp: VApp, template: Template) -> _Wanted:
    vm = Vm(
        name=template.vm_name,
        template=template,
        cpus=template.cpus,
        cores_per_socket=template.cores_per_socket,
        memory_mb=template.memory_mb,
        disk_mb=template.disk_mb,
        needs_customization=template.customize_on_instantiate,
        storage_profile_id=vapp.vdc.default_profile.id,
        linked_clone=vapp.vdc.fast_provisioning,
        created=cloud.clock.now(),
        customization=template.vm_customization(),
        properties=copy.deepcopy(template.properties),
        product_info=template.product_info,
        extra_config=dict(template.extra_config),
    )
    if template.has_nic:
        network = vapp.networks[0].name if len(vapp.networks) == 1 else "none"
        mode = "POOL" if network != "none" else "NONE"
        vm.nics = [Nic(index=0, network=network, mode=mode, mac=cloud.next_mac())]
    return _Wanted(vm, template)


def _check_new(cloud: Cloud, vapp: VApp, wanted: Sequence[_Wanted], body: etree._Element) -> None:
    """Refuse at once what VCD refuses at once: quotas, licenses, names, states."""
    accepted = text(body, "AllEULAsAccepted") == "true"
    names = {vm.name for vm in vapp.vms}
    for one in wanted:
        if one.template.status != Status.OFF:
            raise bad_request(
                f'The vApp template "{one.template.name}" is not resolved: it cannot be used.'
            )
        if one.template.expired:
            raise bad_request(f'The vApp template "{one.template.name}" has expired.')
        if one.template.eula and not accepted:
            raise bad_request(
                "The End User License Agreements of the template must be accepted"
                " (AllEULAsAccepted) before it can be deployed."
            )
        if one.vm.name in names:
            raise duplicate_name(one.vm.name)
        names.add(one.vm.name)
    check_quotas(cloud, vapp.vdc, [(one.vm, one.disk_mb or one.vm.disk_mb) for one in wanted])


def _make(cloud: Cloud, user: User, vapp: VApp, wanted: Sequence[_Wanted], task: Task) -> None:
    """Finish the new VMs; on failure leave behind what `task.doom.keep` says, or nothing."""
    doom = task.doom
    made: list[Vm] = []
    try:
        for one in wanted:
            if doom is not None and len(made) >= (doom.keep or 0):
                raise doom.error
            for section in one.sections:
                if not (cloud.new_vms_keep_sizes and local(section) == "VirtualHardwareSection"):
                    apply_section(cloud, user, vapp, one.vm, section)
            _fill_password(one.vm)
            allocate_addresses(vapp, one.vm)
            one.vm.status = Status.OFF
            made.append(one.vm)
        if doom is not None:
            raise doom.error
    except VcdError:
        asked = doom is not None and doom.keep is not None
        _leave_behind(cloud, vapp, wanted, made, keep=asked or cloud.failed_recompose_keeps)
        raise


def _fill_password(vm: Vm) -> None:
    import secrets

    custom = vm.customization
    if custom.password_enabled and custom.password_auto and not custom.password:
        custom.password = secrets.token_urlsafe(6)


def _leave_behind(
    cloud: Cloud, vapp: VApp, wanted: Sequence[_Wanted], made: Sequence[Vm], *, keep: bool
) -> None:
    """Roll back, or keep the VMs that were made and the one that failed (status -1)."""
    left = [one.vm for one in wanted if one.vm not in made]
    if not keep:
        left.extend(made)
    elif left:
        left[0].status = Status.FAILED
        left = left[1:]
    for vm in left:
        cloud.take_vm(vapp, vm)


def _member(vapp: VApp, reference: etree._Element) -> Vm:
    identifier = last_part(reference.get("href"))
    for vm in vapp.vms:
        if vm.id == identifier:
            return vm
    raise bad_request(f'The VM {identifier} does not belong to the vApp "{vapp.name}".')


def _doomed(vapp: VApp, reference: etree._Element) -> Vm:
    vm = _member(vapp, reference)
    if vm.deployed:
        raise bad_request(
            f'The requested operation could not be executed on VM "{vm.name}". Stop the VM and'
            " try again."
        )
    return vm


def _refuse_hot_changes(changed: Sequence[tuple[Vm, etree._Element]]) -> None:
    for vm, element in changed:
        if vm.on and child(element, "VirtualHardwareSection") is not None:
            raise bad_request(
                f'The VM "{vm.name}" is powered on: its hardware cannot be reconfigured.'
            )
