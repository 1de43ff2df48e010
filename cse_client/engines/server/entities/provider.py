"""The administrators' part of the entities protocol: the server itself, and org VDCs.

container-service-extension 3.0.5 and 3.1.4, container_service_extension/client/policy_based_ovdc.py
and client/cse_client/api_35/ovdc_api.py. CSE 3.0's model of an org VDC knows no organization, and
refuses what it does not know (def_/models.py `Ovdc`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cse_client import bounds, suggest
from cse_client.engines.server.administration import (
    check_control,
    control_server,
    need_administrator,
)
from cse_client.engines.server.documents import mapping, mappings, text
from cse_client.engines.server.entities.reading import EntityReader
from cse_client.engines.server.waiting import change_or_effect, follow_task
from cse_client.errors import WrongUsage
from cse_client.model import Progress, RunOptions, Vdc
from cse_client.model.hrefs import href_id
from cse_client.model.server import ComputePolicy, OvdcState

__all__ = ["EntityProvider"]

_NATIVE = "native"
#: A server's default page. Each VDC costs it several requests of its own, so a large page could
#: outlast the ten seconds that VCD gives it.
_PAGE = 25


class EntityProvider:
    """Implements `Provider` of `engines.base` for CSE 3.x."""

    def __init__(self, reader: EntityReader) -> None:
        self._reader = reader
        self._vcd = reader.vcd

    def check_control(self, action: str) -> None:
        """Refuse what `control` would refuse."""
        check_control(self._reader.root, self._vcd, self._reader.session, action)

    def control(self, action: str) -> str:
        """Enable, disable or stop the server; return its sentence."""
        return control_server(self._reader.root, self._vcd, self._reader.session, action)

    def server_config(self) -> Mapping[str, Any]:
        """Return the server's configuration, as far as it shows it (CSE 3.1).

        Raises:
            Refused: this user is no system administrator; the server itself does not look.
            WrongUsage: the server is a 3.0.
        """
        if self._reader.detection.version.startswith("3.0"):
            raise WrongUsage(
                f"CSE server {self._reader.detection.version} does not support `system config`, "
                "which came with CSE 3.1."
            )
        need_administrator(self._vcd, self._reader.session, "see the CSE server's configuration")
        said = self._reader.root.get("/system/config", "show the CSE server's configuration")
        return mapping(said, "the configuration")

    def reload_templates(self, options: RunOptions, progress: Progress) -> str:
        """Ask the server to reload its templates (CSE 3.1 at API 36); return the task's href."""
        self._need_3_1("template reload")
        need_administrator(self._vcd, self._reader.session, "reload the templates")
        deadline = self._vcd.clock.monotonic() + bounds.share(options.timeout)
        said = self._reader.root.change(
            "POST", "/templates/action/reload", "reload the templates", deadline=deadline
        )
        href = text(mapping(said or {}, "the answer"), "task_href")
        if href and options.wait:
            what = "reloading of the templates"
            follow_task(self._vcd, href, what=what, deadline=deadline, progress=progress)
        return href

    def ovdcs(self) -> Sequence[OvdcState]:
        """List the org VDCs and the kinds of clusters that may be made in them."""
        doing = "list the org VDCs"
        if self._reader.detection.version.startswith("3.0"):
            rows = mappings(self._reader.server.get("/ovdcs", doing), "the list of VDCs")
        else:
            pages = self._reader.pages(self._reader.server, "/orgvdcs", doing, size=_PAGE)
            rows = mappings(list(pages), "the list of VDCs")
        return [_state(row) for row in rows]

    def ovdc(self, name: str, *, org: str = "") -> OvdcState:
        """Return the kinds of clusters that may be made in one org VDC."""
        vdc, identity = self._vdc(name, org)
        return _state(self._ovdc(name, identity), name=vdc.name, org=vdc.org, id=identity)

    def enable_ovdc(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        org: str = "",
        runtimes: Sequence[str] = (_NATIVE,),
    ) -> str:
        """Enable cluster creation in an org VDC.

        Raises:
            Refused: the user is a tenant.
        """
        _only_native(runtimes)
        return self._set(name, org, options, progress, enabled=True)

    def disable_ovdc(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        org: str = "",
        runtimes: Sequence[str] = (_NATIVE,),
        force: bool = False,
    ) -> str:
        """Disable cluster creation in an org VDC; with `force` also where clusters exist."""
        _only_native(runtimes)
        return self._set(name, org, options, progress, enabled=False, force=force)

    def compute_policies(self, vdc: str, org: str) -> Sequence[ComputePolicy]:
        """Refuse: see `_no_policies`.

        Raises:
            WrongUsage: always.
        """
        raise _no_policies()

    def add_compute_policy(self, policy: str, vdc: str, org: str) -> str:
        """Refuse: see `_no_policies`.

        Raises:
            WrongUsage: always.
        """
        raise _no_policies()

    def remove_compute_policy(
        self,
        policy: str,
        vdc: str,
        org: str,
        options: RunOptions,
        progress: Progress,
        *,
        force: bool = False,
    ) -> str:
        """Refuse: see `_no_policies`.

        Raises:
            WrongUsage: always.
        """
        raise _no_policies()

    # Private

    def _set(
        self,
        name: str,
        org: str,
        options: RunOptions,
        progress: Progress,
        *,
        enabled: bool,
        force: bool = False,
    ) -> str:
        """Bring a VDC to being enabled or not; the server takes the whole new list of kinds."""
        need_administrator(self._vcd, self._reader.session, "change what an org VDC is used for")
        vdc, identity = self._vdc(name, org)
        before = _state(self._ovdc(name, identity)).runtimes
        if enabled == (_NATIVE in before):
            return ""
        after = [*before, _NATIVE] if enabled else [one for one in before if one != _NATIVE]
        body: dict[str, Any] = {
            "k8s_runtime": after,
            "ovdc_id": identity,
            "ovdc_name": vdc.name,
            "remove_cp_from_vms_on_disable": force,
        }
        if not self._reader.detection.version.startswith("3.0"):
            body["org_name"] = vdc.org
        deadline = self._vcd.clock.monotonic() + bounds.share(options.timeout)
        what = f"{'enabling' if enabled else 'disabling'} of VDC '{name}'"
        said = change_or_effect(
            self._vcd,
            lambda: self._reader.server.change(
                "PUT", f"/ovdc/{identity}", f"change VDC '{name}'", deadline=deadline, body=body
            ),
            lambda: enabled == (_NATIVE in _state(self._ovdc(name, identity)).runtimes),
            what=what,
            deadline=deadline,
            progress=progress,
            look=suggest.cse("ovdc info", name),
            wait=options.wait,
        )
        href = text(mapping(said or {}, "the change of the VDC"), "task_href")
        if href and options.wait:
            follow_task(self._vcd, href, what=what, deadline=deadline, progress=progress)
        return href

    def _need_3_1(self, what: str) -> None:
        if not self._reader.dialect.second_generation:
            raise WrongUsage(
                f"{self._reader.detection.release} does not support `{what}`, which came with "
                "CSE 3.1 at API 36."
            )

    def _ovdc(self, name: str, identity: str) -> Mapping[str, Any]:
        missing = f"VDC '{name}'"
        said = self._reader.server.get(f"/ovdc/{identity}", f"show {missing}", missing=missing)
        return mapping(said, missing)

    def _vdc(self, name: str, org: str) -> tuple[Vdc, str]:
        vdc = self._vcd.surroundings.vdc(name, org)
        return vdc, href_id(vdc.href)


def _state(
    document: Mapping[str, Any], *, name: str = "", org: str = "", id: str = ""
) -> OvdcState:
    runtimes = document.get("k8s_runtime")
    return OvdcState(
        name=text(document, "ovdc_name") or name,
        org=text(document, "org_name") or org,
        id=text(document, "ovdc_id") or id,
        runtimes=tuple(str(one) for one in runtimes) if isinstance(runtimes, list) else (),
        document=document,
    )


def _only_native(runtimes: Sequence[str]) -> None:
    others = [one for one in runtimes if one != _NATIVE]
    if others:
        raise WrongUsage(
            f"This client supports only native clusters, not {', '.join(others)}.",
            hint="Use --native.",
        )


def _no_policies() -> WrongUsage:
    return WrongUsage(
        "A CSE server 3 that is not in legacy mode does not manage the compute policies of org "
        "VDCs.",
        hint="A system administrator publishes sizing policies to VDCs in VCD's provider portal.",
    )
