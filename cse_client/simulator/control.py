"""The control endpoint below /simulator/: how tests look inside and inject faults.

JSON in, JSON out, no VCD login; it is reachable on loopback only, like the rest. A key that is not
known is refused with 400, so that a misspelt switch cannot pass for a test.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from cse_client.simulator import bulk, dump
from cse_client.simulator.cse.server import CseServer, Misbehavior
from cse_client.simulator.faults import Faults, Rule
from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.entities import ComputePolicy
from cse_client.simulator.vcd.networks import NatRule, OrgNetwork
from cse_client.simulator.vcd.vapps import Status, VApp, Vm

__all__ = ["Control"]

_BAD_REQUEST, _NOT_FOUND = 400, 404
Values = dict[str, Any]


class Control:
    """Answers requests below /simulator/.

    - `GET state` the whole state, comparable before and after
    - `GET journal`, `DELETE journal` the requests that came
    - `GET faults`, `POST faults` (a rule of `faults`), `DELETE faults`, `DELETE faults/ID`
    - `POST clock` `{"advance": seconds, "error": seconds}`; by the latter the time of day is wrong
    - `POST sessions` `{"expire": true, "idle_timeout": s, "lifetime": s}`
    - `POST org` lease defaults, limits, `expired_vapps_are_deleted`, `failed_recompose_keeps`,
      `new_vms_keep_sizes`
    - `POST catalogs/NAME` `owner`, `everyone` (the level that it is shared at)
    - `POST vdcs/NAME` `vm_quota`, `cpu_limit_mhz`, `memory_limit_mb`, `enabled`,
      `fast_provisioning`, `storage` `{"gold": {"limit_mb": n, "enabled": b}}`, `policies`
      `{"NAME": {"cpus": n, "memory_mb": n, "placement": b}}` (null takes it away)
    - `POST networks/NAME` `dns`, `pool`, `fence`, `egress` (the SNAT rule), `backing`, `dhcp`
      (pairs of addresses), `cidr` (guests cannot run outside of 127.0.0.0/8), `proxy` (HOST:PORT),
      `registries` (host to the PEM of its CA, "" for a well-known one)
    - `POST templates/NAME` `eula`, `has_nic`, `customization_enabled`, `customize_on_instantiate`,
      `status`, `remove`, `image` (fields of `guest.Image`);
      `like` names a template of which NAME becomes a copy first, in a new `catalog` if one is
      named (`foreign`: shared by another organization)
    - `POST users/NAME` `{"rights": {"NAME OF RIGHT": true|false}}`
    - `POST vapps` `{"count": n, ...}` many cluster-like vApps at once (see `bulk`)
    - `POST guests` `{"vm": REGEX, "faults": {...}}` for guests that start from now on; also
      `speed`, `customization_timeout`, `boot_delay`
    - `POST cse` what the CSE server does wrong (fields of `cse.server.Misbehavior`), `DELETE cse`
    - `GET guests/NAME` console, processes and the `kill_at` that has not struck yet;
      `POST guests/NAME` `faults`, `crash`, `read` (the text of a file)
    """

    def __init__(self, cloud: Cloud, faults: Faults, cse: CseServer | None = None) -> None:
        self.cloud = cloud
        self._cse = cse
        self.faults = faults
        faults.attach(cloud)

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        noun, _, name = request.path[len("/simulator/") :].partition("/")
        try:
            values = json.loads(request.body) if request.body else {}
            answer = self._answer(request.method, noun, name, values)
        except (_Unknown, FileNotFoundError) as error:
            return _json(_NOT_FOUND, {"error": str(error)})
        except (ValueError, TypeError, KeyError, AttributeError, re.error) as error:
            return _json(_BAD_REQUEST, {"error": f"{type(error).__name__}: {error}"})
        return _json(200, answer)

    def _answer(self, method: str, noun: str, name: str, values: Values) -> Any:
        reads: dict[str, Callable[[], Any]] = {
            "state": self._state,
            "journal": self.faults.journal.read,
            "faults": lambda: [vars(rule) for rule in self.faults.rules],
            "guests": lambda: self._guest(name),
        }
        writes: dict[str, Callable[[], Any]] = {
            "faults": lambda: self._add_rule(values),
            "clock": lambda: self._advance(**values),
            "sessions": lambda: self._sessions(**values),
            "org": lambda: self._org(values),
            "vdcs": lambda: self._vdc(name, values),
            "networks": lambda: self._network(name, **values),
            "templates": lambda: self._template(name, values),
            "catalogs": lambda: self._catalog(name, values),
            "users": lambda: self._rights(name, **values),
            "vapps": lambda: bulk.make_vapps(self.cloud, **values),
            "guests": lambda: self._guests(name, values),
            "cse": lambda: self._misbehave(values),
        }
        deletes: dict[str, Callable[[], Any]] = {
            "journal": self.faults.journal.clear,
            "faults": lambda: self.faults.remove(name),
            "guests": self.cloud.guest_faults.clear,
            "cse": self._behave,
        }
        table = {"GET": reads, "POST": writes, "DELETE": deletes}.get(method, {})
        action = table.get(noun)
        if action is None:
            raise _Unknown(f"no {method} /simulator/{noun}")
        answer = action()
        return {"ok": True} if answer is None else answer

    def _state(self) -> Values:
        with self.cloud.lock:
            self.cloud.settle()
            return dump.state(self.cloud)

    def _add_rule(self, values: Values) -> Values:
        rule = Rule.read(values)
        self.faults.rules.append(rule)
        return {"id": rule.id}

    def _misbehave(self, values: Values) -> None:
        if self._cse is None:
            raise ValueError("there is no CSE server (--cse)")
        self._cse.misbehavior = Misbehavior(**values)

    def _behave(self) -> None:
        if self._cse is not None:
            self._cse.misbehavior = self._cse.usual

    def _advance(self, advance: float | None = None, error: float | None = None) -> Values:
        if advance is None and error is None:
            raise ValueError("neither advance nor error is given")
        if error is not None:
            self.cloud.clock.error = error
        self.cloud.clock.advance(advance or 0.0)
        self.cloud.tick()
        return {"now": self.cloud.clock.now().isoformat()}

    def _sessions(
        self,
        expire: bool = False,
        idle_timeout: float | None = None,
        lifetime: float | None = None,
    ) -> Values:
        sessions = self.cloud.sessions
        if idle_timeout is not None:
            sessions.idle_timeout = idle_timeout
        if lifetime is not None:
            sessions.lifetime = lifetime
        return {"ended": sessions.expire_all() if expire else 0}

    def _org(self, values: Values) -> None:
        rest = dict(values)
        for key in ("failed_recompose_keeps", "new_vms_keep_sizes"):
            if key in rest:
                setattr(self.cloud, key, bool(rest.pop(key)))
        _assign(
            self.cloud.org,
            rest,
            "deployment_lease",
            "storage_lease",
            "longest_deployment_lease",
            "longest_storage_lease",
            "template_storage_lease",
            "longest_template_storage_lease",
            "expired_vapps_are_deleted",
        )

    def _vdc(self, name: str, values: Values) -> None:
        vdc = _named(self.cloud.vdcs.values(), name)
        rest = dict(values)
        for label, changes in rest.pop("storage", {}).items():
            _assign(_named(vdc.storage, label), changes, "limit_mb", "enabled", "is_default")
        for label, changes in rest.pop("policies", {}).items():
            vdc.policies = [one for one in vdc.policies if one.name != label or changes]
            if changes and all(one.name != label for one in vdc.policies):
                vdc.policies.append(ComputePolicy(label))
            if changes:
                policy = _named(vdc.policies, label)
                _assign(policy, changes, "cpus", "memory_mb", "placement")
        switches = ("vm_quota", "cpu_limit_mhz", "memory_limit_mb", "enabled")
        _assign(vdc, rest, *switches, "fast_provisioning")

    def _network(
        self,
        name: str,
        dns: list[str] | None = None,
        pool: list[str] | None = None,
        fence: str | None = None,
        egress: bool | None = None,
        backing: str | None = None,
        dhcp: list[list[str]] | None = None,
        cidr: str | None = None,
        proxy: str | None = None,
        registries: dict[str, str] | None = None,
    ) -> None:
        network: OrgNetwork = _named(self.cloud.networks.values(), name)
        with self.cloud.lock:
            if cidr is not None:
                network.cidr = cidr
            if dns is not None:
                network.dns = tuple(dns)
            if pool is not None:
                first, last = pool
                network.pool = (first, last)
            if dhcp is not None:
                network.dhcp = [(first, last) for first, last in dhcp]
            if fence is not None:
                network.fence = fence
            if proxy is not None:
                network.proxy = proxy
            if registries is not None:
                network.registries = registries
            if backing is not None and network.edge is not None:
                network.edge.backing = backing
            if egress is not None:
                _set_egress(network, egress)

    def _template(self, name: str, values: Values) -> None:
        rest = dict(values)
        with self.cloud.lock:
            if "like" in rest:
                where = {key: rest.pop(key) for key in ("catalog", "foreign") if key in rest}
                bulk.copy_template(self.cloud, str(rest.pop("like")), name, **where)
            for catalog, item in list(self.cloud.items()):
                if item.name != name or item.template is None:
                    continue
                image = {**item.template.image, **rest.pop("image", {})}
                _check_image(image)
                remove = rest.pop("remove", False)
                switches = ("eula", "has_nic", "customization_enabled", "status")
                sizes = ("cpus", "memory_mb", "disk_mb")
                _assign(item.template, rest, *switches, "customize_on_instantiate", *sizes)
                item.template.image = image
                if remove:
                    catalog.items.remove(item)
                return
        raise _Unknown(f"no template {name}")

    def _catalog(self, name: str, values: Values) -> None:
        _assign(_named(self.cloud.catalogs.values(), name), values, "owner", "everyone")

    def _rights(self, name: str, rights: Mapping[str, bool]) -> list[str]:
        user = self.cloud.users.get(name)
        if user is None:
            raise _Unknown(f"no user {name}")
        for right, given in rights.items():
            (user.rights.add if given else user.rights.discard)(right)
        return sorted(user.rights)

    def _guests(self, name: str, values: Values) -> Any:
        if name:
            return self._guest_action(name, **values)
        rest = dict(values)
        if "faults" in rest:
            faults = rest.pop("faults")
            for key in faults:
                _check_fault(key)
            self.cloud.guest_faults.append([rest.pop("vm", ".*"), faults, rest.pop("times", None)])
        _assign(self.cloud.guest_options, rest, "speed", "customization_timeout", "boot_delay")
        return None

    def _find_vm(self, name: str) -> tuple[VApp, Vm]:
        for vapp, vm in list(self.cloud.vms.values()):
            if name in (vm.name, vm.id):
                return vapp, vm
        raise _Unknown(f"no VM {name}")

    def _guest(self, name: str) -> Values:
        _vapp, vm = self._find_vm(name)
        if vm.guest is None or not hasattr(vm.guest, "console"):
            return {"running": vm.on, "console": "", "processes": []}
        return {
            "running": vm.guest.running,
            "console": vm.guest.console(),
            "processes": vm.guest.processes(),
            "kill_at": vm.guest.faults.kill_at,
        }

    def _guest_action(
        self, name: str, faults: Values | None = None, crash: bool = False, read: str = ""
    ) -> Values | None:
        """Set faults of one guest; `crash` is what a failing host does to it."""
        _vapp, vm = self._find_vm(name)
        for key, value in (faults or {}).items():
            _check_fault(key)
            setattr(vm.guest.faults, key, value)
        if crash:
            vm.guest.power_off()
            with self.cloud.lock:
                vm.status = Status.OFF
                vm.tools_running = False
        return {"text": vm.guest.read_file(read).decode()} if read else None


def _check_image(values: Values) -> None:
    """Raise ValueError for an image that the guests could only fail to boot from."""
    from cse_client.simulator.guest import Image

    Image.read(values)


def _check_fault(key: str) -> None:
    from cse_client.simulator.guest import Faults

    if key not in {one.name for one in dataclasses.fields(Faults)}:
        raise ValueError(f"guests have no fault {key!r}")


def _set_egress(network: OrgNetwork, wanted: bool) -> None:
    edge = network.edge
    if edge is None:
        network.direct_egress = wanted
        return
    others = [rule for rule in edge.nat if rule.internal != network.cidr]
    if wanted:
        out = NatRule(f"{network.name} out", "SNAT", edge.external_address, network.cidr)
        others.append(out)
    edge.nat = others


def _assign(target: Any, values: Mapping[str, Any], *allowed: str) -> None:
    unknown = set(values) - set(allowed)
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(allowed)}")
    for key, value in values.items():
        setattr(target, key, value)


def _named(entities: Any, name: str) -> Any:
    for entity in entities:
        if entity.name == name:
            return entity
    raise _Unknown(f"nothing is called {name}")


def _json(status: int, answer: Any) -> Response:
    return Response(status, json.dumps(answer).encode(), "application/json")


class _Unknown(Exception):
    """Raised for what does not exist; 404."""
