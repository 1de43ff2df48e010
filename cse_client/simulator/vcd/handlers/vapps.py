"""vApps: making, reading, power, lease, access, deletion."""

from __future__ import annotations

from collections.abc import Callable

from lxml import etree

from cse_client.simulator.http import Response
from cse_client.simulator.vcd import compose, power
from cse_client.simulator.vcd.documents import common, sections, vapps
from cse_client.simulator.vcd.errors import bad_request, duplicate_name, not_implemented
from cse_client.simulator.vcd.handlers.current import of_composition
from cse_client.simulator.vcd.people import Right
from cse_client.simulator.vcd.reading import child, children, last_part, text, truth
from cse_client.simulator.vcd.routes import Call, route
from cse_client.simulator.vcd.sections import connect, network_configs
from cse_client.simulator.vcd.tasks import Task
from cse_client.simulator.vcd.vapps import VApp

__all__ = ["begin_deploy", "begin_undeploy", "capped_lease"]

_VAPP = "/api/vApp/vapp-{vapp}"
_LEVELS = ("ReadOnly", "Change", "FullControl")


def _vapp(call: Call) -> VApp:
    return call.cloud.vapp(call.ids["vapp"], call.user)


@route("POST", "/api/vdc/{vdc}/action/composeVApp")
def _compose(call: Call) -> Response:
    vdc = call.cloud.vdc(call.ids["vdc"])
    body = call.body("ComposeVAppParams", current=of_composition(call, None))
    vapp, _task = compose.compose(call.cloud, call.user, vdc, body)
    return call.created(vapps.vapp(call.view, vapp), "vApp", call.view.href(vapp))


@route("POST", "/api/vdc/{vdc}/action/instantiateVAppTemplate")
def _instantiate(call: Call) -> Response:
    vdc = call.cloud.vdc(call.ids["vdc"])
    body = call.body("InstantiateVAppTemplateParams", current=of_composition(call, None))
    vapp, _task = compose.instantiate(call.cloud, call.user, vdc, body)
    return call.created(vapps.vapp(call.view, vapp), "vApp", call.view.href(vapp))


@route("POST", f"{_VAPP}/action/recomposeVApp")
def _recompose(call: Call) -> Response:
    vapp = _vapp(call)
    body = call.body("RecomposeVAppParams", current=of_composition(call, vapp))
    return call.accepted(compose.recompose(call.cloud, call.user, vapp, body))


@route("GET", _VAPP)
def _read(call: Call) -> Response:
    vapp = _vapp(call)
    looked_at = [*vapp.tasks, *(task for vm in vapp.vms for task in vm.tasks)]
    for task in {task.id: task for task in looked_at}.values():
        call.cloud.tasks.look(task)
    return call.xml(vapps.vapp(call.view, vapp), "vApp")


@route("PUT", _VAPP)
def _rename(call: Call) -> Response:
    """Change name and description."""
    vapp = _vapp(call)
    call.user.require(Right.EDIT)
    call.cloud.tasks.refuse_if_busy(vapp)
    body = call.body("VApp", current=of_composition(call, vapp))
    name, description = body.get("name"), text(body, "Description")
    for other in call.cloud.vapps.values():
        if other is not vapp and other.vdc is vapp.vdc and other.name == name:
            raise duplicate_name(name or "")

    def effect(_task: Task) -> None:
        vapp.name = name or vapp.name
        if description is not None:
            vapp.description = description

    return call.accepted(_update(call, vapp, effect, "vappUpdate"))


def _update(call: Call, vapp: VApp, effect: Callable[[Task], None], operation: str) -> Task:
    label = f"Virtual Application {vapp.name}({vapp.id})"
    texts = (f"Updating {label}", f"Updated {label}")
    return call.cloud.tasks.start(
        operation,
        texts,
        vapp,
        call.user,
        effect,
        holds=[vapp],
    )


@route("DELETE", _VAPP)
def _delete(call: Call) -> Response:
    vapp = _vapp(call)
    task = power.delete_vapp(call.cloud, call.user, vapp, force=call.flag("force"))
    return call.accepted(task)


@route("POST", f"{_VAPP}/power/action/{{action*}}")
def _power(call: Call) -> Response:
    target = power.Target(_vapp(call))
    return call.accepted(_act(call, target))


def _act(call: Call, target: power.Target) -> Task:
    action = call.ids["action"].rstrip("/")
    if action not in ("powerOn", "powerOff", "reset", "reboot", "suspend", "shutdown"):
        raise not_implemented(f"the power action {action}")
    return power.power(call.cloud, call.user, target, action)


def begin_deploy(call: Call, target: power.Target) -> Task:
    """Begin the deployment that a DeployVAppParams asks for."""
    body = call.body("DeployVAppParams")
    if body.get("powerOn") == "false":
        call.user.require(Right.POWER)
        target.refuse_if_busy(call.cloud)

        def effect(_task: Task) -> None:
            for vm in target.vms:
                vm.deployed = True

        texts = (f"Deploying {target.label}", f"Deployed {target.label}")
        return call.cloud.tasks.start(
            "vappDeploy", texts, target.entity, call.user, effect, holds=target.holds()
        )
    force = body.get("forceCustomization") == "true"
    return power.power(call.cloud, call.user, target, "deploy", force_customization=force)


def begin_undeploy(call: Call, target: power.Target) -> Task:
    """Begin the undeployment that an UndeployVAppParams asks for."""
    action = text(call.body("UndeployVAppParams"), "UndeployPowerAction") or "default"
    if action not in ("default", "powerOff", "suspend", "shutdown", "force"):
        raise bad_request(f"The undeploy power action {action} is unknown.")
    return power.undeploy(call.cloud, call.user, target, action)


@route("POST", f"{_VAPP}/action/deploy")
def _deploy(call: Call) -> Response:
    return call.accepted(begin_deploy(call, power.Target(_vapp(call))))


@route("POST", f"{_VAPP}/action/undeploy")
def _undeploy(call: Call) -> Response:
    return call.accepted(begin_undeploy(call, power.Target(_vapp(call))))


@route("GET", f"{_VAPP}/leaseSettingsSection")
def _lease(call: Call) -> Response:
    return call.xml(sections.lease(call.view, None, _vapp(call)), "leaseSettingsSection")


@route("PUT", f"{_VAPP}/leaseSettingsSection")
def _set_lease(call: Call) -> Response:
    """Set the leases; the organization's limits cap them, and 0 is for ever only without one."""
    vapp = _vapp(call)
    call.user.require(Right.EDIT)
    call.cloud.tasks.refuse_if_busy(vapp)
    body = call.body(
        "LeaseSettingsSection", current=lambda _scope: sections.lease(call.view, None, vapp)
    )
    org = call.cloud.org
    deployment = capped_lease(text(body, "DeploymentLeaseInSeconds"), org.longest_deployment_lease)
    storage = capped_lease(text(body, "StorageLeaseInSeconds"), org.longest_storage_lease)

    def effect(_task: Task) -> None:
        now = call.cloud.clock.now()
        if deployment is not None:
            vapp.deployment_lease = deployment
            vapp.deployed_since = now if vapp.deployed else None
        if storage is not None:
            vapp.storage_lease = storage
            vapp.stored_since = now
        vapp.expired = False

    return call.accepted(_update(call, vapp, effect, "vappUpdateLease"))


def capped_lease(value: str | None, longest: int) -> int | None:
    """Return the lease of a request within the organization's limit; None where it has none."""
    if value is None:
        return None
    seconds = int(value)
    if seconds < 0:
        raise bad_request(f"The lease {value} is invalid.")
    if longest and (seconds == 0 or seconds > longest):
        return longest
    return seconds


@route("GET", f"{_VAPP}/networkConfigSection")
def _network_config(call: Call) -> Response:
    section = vapps.network_config_section(call.view, _vapp(call))
    return call.xml(section, "networkConfigSection")


@route("PUT", f"{_VAPP}/networkConfigSection")
def _set_network_config(call: Call) -> Response:
    vapp = _vapp(call)
    call.user.require(Right.EDIT)
    call.cloud.tasks.refuse_if_busy(vapp, *vapp.vms)
    body = call.body(
        "NetworkConfigSection",
        current=lambda _scope: vapps.network_config_section(call.view, vapp),
    )
    networks = network_configs(call.cloud, vapp, body)
    names = {network.name for network in networks}
    for vm in vapp.vms:
        for nic in vm.nics:
            if nic.network not in (*names, "none"):
                raise bad_request(f'The network "{nic.network}" is in use by VM "{vm.name}".')

    def effect(_task: Task) -> None:
        connect(vapp, networks, body)

    return call.accepted(_update(call, vapp, effect, "vdcUpdateVappNetworkSection"))


@route("GET", f"{_VAPP}/owner")
def _owner(call: Call) -> Response:
    vapp = _vapp(call)
    return call.xml(common.owner(call.view, call.view.href(vapp), vapp.owner), "owner")


@route("GET", f"{_VAPP}/productSections")
def _product_sections(call: Call) -> Response:
    vapp = _vapp(call)
    root = sections.product_list(call.view, None, call.view.href(vapp), edit=False)
    return call.xml(root, "productSections")


@route("GET", f"{_VAPP}/controlAccess")
def _access(call: Call) -> Response:
    return call.xml(common.control_access(call.view, _vapp(call)), "controlAccess")


@route("POST", f"{_VAPP}/action/controlAccess")
def _share(call: Call) -> Response:
    vapp = _vapp(call)
    call.user.require(Right.SHARE)
    body = call.body(
        "ControlAccessParams", current=lambda _scope: common.control_access(call.view, vapp)
    )
    everyone = ""
    if truth(body, "IsSharedToEveryone", False):
        everyone = _level(text(body, "EveryoneAccessLevel"))
    vapp.access = _access_settings(call, child(body, "AccessSettings"))
    vapp.everyone = everyone
    return call.xml(common.control_access(call.view, vapp), "controlAccess")


def _level(value: str | None) -> str:
    if value not in _LEVELS:
        raise bad_request(f"The access level {value} is unknown.")
    return value


def _access_settings(call: Call, settings: etree._Element | None) -> dict[str, str]:
    access = {}
    known = {user.id for user in call.cloud.users.values()}
    for setting in children(settings, "AccessSetting"):
        subject = child(setting, "Subject")
        identifier = last_part(subject.get("href") if subject is not None else "")
        if identifier not in known:
            raise bad_request(f"The subject {identifier} is unknown.")
        access[identifier] = _level(text(setting, "AccessLevel"))
    return access
