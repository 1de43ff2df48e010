"""VMs: reading, power, sections, reconfiguration, deletion."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable

from cse_client.simulator.http import Response
from cse_client.simulator.vcd import power, snapshots
from cse_client.simulator.vcd.documents import machines, sections
from cse_client.simulator.vcd.errors import bad_request, not_implemented
from cse_client.simulator.vcd.handlers.current import of_vm
from cse_client.simulator.vcd.handlers.vapps import begin_deploy, begin_undeploy
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.reading import child, text
from cse_client.simulator.vcd.routes import Call, route
from cse_client.simulator.vcd.sections import (
    allocate_addresses,
    apply_section,
    check_section,
    reconfigure,
)
from cse_client.simulator.vcd.tasks import Task
from cse_client.simulator.vcd.vapps import Status, VApp, Vm

__all__ = ["begin_update", "editable"]

_VM = "/api/vApp/vm-{vm}"
#: A picture of one black pixel.
_PICTURE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
_POWER = ("powerOn", "powerOff", "reset", "reboot", "suspend", "shutdown")


def _find(call: Call) -> tuple[VApp, Vm]:
    return call.cloud.vm(call.ids["vm"], call.user)


def editable(call: Call, right: str = Right.EDIT) -> tuple[VApp, Vm]:
    """Return a VM that may be changed now."""
    vapp, vm = _find(call)
    call.user.require(right)
    power.Target(vapp, vm).refuse_if_busy(call.cloud)
    return vapp, vm


def begin_update(call: Call, vm: Vm, effect: Callable[[Task], None]) -> Response:
    """Begin a change of a VM and answer with its task."""
    label = f"Virtual Machine {vm.name}({vm.id})"
    # An update of a VM also keeps its vApp from being recomposed or deleted: those ask for both.
    task = call.cloud.tasks.start(
        "vappUpdateVm",
        (f"Updating {label}", f"Updated {label}"),
        vm,
        call.user,
        effect,
        holds=[vm],
    )
    return call.accepted(task)


@route("GET", _VM)
def _read(call: Call) -> Response:
    vapp, vm = _find(call)
    for task in list(vm.tasks):
        call.cloud.tasks.look(task)
    return call.xml(machines.vm(call.view, vapp, vm), "vm")


@route("GET", f"{_VM}/screen")
def _screen(call: Call) -> Response:
    """Show the console (API reference, GET-Thumbnail: image/png); what is refused is assumed."""
    _vapp, vm = _find(call)
    if not vm.on:
        raise bad_request(f"The VM {vm.name} must be powered on for its console.")
    return Response(200, _PICTURE, "image/png")


@route("PUT", _VM)
def _rename(call: Call) -> Response:
    """Change name and description only."""
    vapp, vm = editable(call)
    body = call.body("Vm", current=of_vm(call, vapp, vm))
    name, description = body.get("name"), text(body, "Description")

    def effect(_task: Task) -> None:
        vm.name = name or vm.name
        if description is not None:
            vm.description = description

    return begin_update(call, vm, effect)


@route("POST", f"{_VM}/action/reconfigureVm")
def _reconfigure(call: Call) -> Response:
    """Change the sections that the body holds, and no others."""
    vapp, vm = editable(call, Right.COMPOSE)
    body = call.body("Vm", current=of_vm(call, vapp, vm))
    change = reconfigure(call.cloud, call.user, vapp, vm, body)
    return begin_update(call, vm, lambda _task: change())


@route("DELETE", _VM)
def _delete(call: Call) -> Response:
    vapp, vm = _find(call)
    task = power.delete_vm(call.cloud, call.user, vapp, vm, force=call.flag("force"))
    return call.accepted(task)


@route("POST", f"{_VM}/power/action/{{action*}}")
def _power(call: Call) -> Response:
    action = call.ids["action"].rstrip("/")
    if action not in _POWER:
        raise not_implemented(f"the power action {action}")
    target = power.Target(*_find(call))
    return call.accepted(power.power(call.cloud, call.user, target, action))


@route("POST", f"{_VM}/action/deploy")
def _deploy(call: Call) -> Response:
    return call.accepted(begin_deploy(call, power.Target(*_find(call))))


@route("POST", f"{_VM}/action/undeploy")
def _undeploy(call: Call) -> Response:
    return call.accepted(begin_undeploy(call, power.Target(*_find(call))))


@route("POST", f"{_VM}/action/customizeAtNextPowerOn")
def _customize(call: Call) -> Response:
    _vapp, vm = editable(call, Right.COMPOSE)
    if vm.status == Status.ON:
        raise bad_request(f'The VM "{vm.name}" must be powered off to be customized.')
    vm.needs_customization = True
    return Response(204)


@route("POST", f"{_VM}/action/createSnapshot")
def _create_snapshot(call: Call) -> Response:
    target = power.Target(*_find(call))
    body = call.body("CreateSnapshotParams")
    return call.accepted(snapshots.create(call.cloud, call.user, target, body))


@route("POST", f"{_VM}/action/revertToCurrentSnapshot")
def _revert_to_snapshot(call: Call) -> Response:
    return call.accepted(snapshots.revert(call.cloud, call.user, power.Target(*_find(call))))


@route("POST", f"{_VM}/action/removeAllSnapshots")
def _remove_snapshots(call: Call) -> Response:
    return call.accepted(snapshots.remove_all(call.cloud, call.user, power.Target(*_find(call))))


@route("GET", f"{_VM}/snapshotSection")
def _snapshot(call: Call) -> Response:
    _vapp, vm = _find(call)
    return call.xml(
        machines.snapshot_section(call.view.href(vm), None, vm.snapshot), "snapshotSection"
    )


@route("GET", f"{_VM}/guestCustomizationSection")
def _customization(call: Call) -> Response:
    _vapp, vm = _find(call)
    edit = call.user.may(Right.EDIT)
    href = call.view.href(vm)
    root = sections.customization(call.view, None, vm.customization, vm.id, href, edit=edit)
    return call.xml(root, "guestCustomizationSection")


@route("GET", f"{_VM}/guestcustomizationstatus")
def _customization_status(call: Call) -> Response:
    _vapp, vm = _find(call)
    root = sections.customization_status(call.view.href(vm), vm.gc_status)
    return call.xml(root, "guestcustomizationstatussection")


@route("GET", f"{_VM}/networkConnectionSection")
def _network_connections(call: Call) -> Response:
    _vapp, vm = _find(call)
    edit = call.user.may(Right.EDIT)
    href = call.view.href(vm)
    root = sections.network_connections(call.view, None, vm.nics, vm.primary_nic, href, edit=edit)
    return call.xml(root, "networkConnectionSection")


@route(
    "PUT",
    f"{_VM}/guestCustomizationSection",
    f"{_VM}/networkConnectionSection",
    f"{_VM}/virtualHardwareSection",
)
def _set_section(call: Call) -> Response:
    """Replace a section as a whole."""
    vapp, vm = editable(call)
    part = call.request.path.rstrip("/").rsplit("/", 1)[-1]
    tag = part[0].upper() + part[1:]
    body = call.body(tag, current=lambda _scope: child(machines.vm(call.view, vapp, vm), tag))
    check_section(vapp, vm, body)

    def effect(_task: Task) -> None:
        apply_section(call.cloud, call.user, vapp, vm, body)
        allocate_addresses(vapp, vm)

    return begin_update(call, vm, effect)


@route("GET", f"{_VM}/productSections")
def _properties(call: Call) -> Response:
    _vapp, vm = _find(call)
    href = call.view.href(vm)
    edit = call.user.may(Right.EDIT)
    root = sections.product_list(call.view, vm, href, edit=edit)
    return call.xml(root, "productSections")


@route("PUT", f"{_VM}/productSections")
def _set_properties(call: Call) -> Response:
    vapp, vm = editable(call)
    current = sections.product_list(call.view, vm, call.view.href(vm), edit=True)
    body = call.body("ProductSectionList", current=lambda _scope: current)
    section = child(body, "ProductSection")

    def effect(_task: Task) -> None:
        if section is None:
            vm.properties = {}
        else:
            apply_section(call.cloud, call.user, vapp, vm, section)

    return begin_update(call, vm, effect)
