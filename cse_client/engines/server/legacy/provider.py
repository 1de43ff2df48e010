"""The administrators' part of the legacy protocol: the server itself, org VDCs, their policies."""

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
from cse_client.engines.server.extension import Extension
from cse_client.engines.server.legacy import documents
from cse_client.engines.server.waiting import change_or_effect, follow_task
from cse_client.errors import WrongUsage
from cse_client.model import Progress, RunOptions, Session, Vdc
from cse_client.model.hrefs import href_id
from cse_client.model.server import ComputePolicy, OvdcState
from cse_client.vcd.client import VcdClient

__all__ = ["LegacyProvider"]

#: Seconds in which a change without a task must have been accepted.
_SMALL_CHANGE_SECONDS = 60.0


_NATIVE, _NONE = "native", "none"


class LegacyProvider:
    """Implements `Provider` of `engines.base` for CSE 2.6.1."""

    def __init__(self, vcd: VcdClient, session: Session, server: Extension) -> None:
        self._vcd = vcd
        self._session = session
        self._server = server

    def check_control(self, action: str) -> None:
        """Refuse what `control` would refuse."""
        check_control(self._server, self._vcd, self._session, action)

    def control(self, action: str) -> str:
        """Enable, disable or stop the server; return its sentence."""
        return control_server(self._server, self._vcd, self._session, action)

    def ovdcs(self) -> Sequence[OvdcState]:
        """List the org VDCs with their Kubernetes provider; one request."""
        rows = self._server.get("/ovdcs", "list the org VDCs")
        return [documents.ovdc(row) for row in mappings(rows, "the list of VDCs")]

    def ovdc(self, name: str, *, org: str = "") -> OvdcState:
        """Return the Kubernetes provider of one org VDC."""
        vdc, identity = self._find(name, org)
        said = self._server.get(f"/ovdc/{identity}", f"show VDC '{name}'", missing=f"VDC '{name}'")
        return documents.ovdc(
            mapping(said, f"VDC '{name}'"), name=vdc.name, org=vdc.org, id=identity
        )

    def enable_ovdc(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        org: str = "",
        runtimes: Sequence[str] = ("native",),
    ) -> str:
        """Make `native` the Kubernetes provider of an org VDC.

        Raises:
            Refused: the user is a tenant.
        """
        _only_native(runtimes, force=False)
        return self._set_provider(name, org, _NATIVE, options, progress)

    def disable_ovdc(
        self,
        name: str,
        options: RunOptions,
        progress: Progress,
        *,
        org: str = "",
        runtimes: Sequence[str] = ("native",),
        force: bool = False,
    ) -> str:
        """Take the Kubernetes provider from an org VDC.

        Raises:
            Refused: the user is a tenant.
        """
        _only_native(runtimes, force=force)
        return self._set_provider(name, org, _NONE, options, progress)

    def compute_policies(self, vdc: str, org: str) -> Sequence[ComputePolicy]:
        """List the compute policies of an org VDC."""
        self._need_administrator("see an org VDC's compute policies")
        _vdc, identity = self._find(vdc, org)
        rows = self._server.get(
            f"/ovdc/{identity}/compute-policies", f"list the compute policies of VDC '{vdc}'"
        )
        return [
            ComputePolicy(text(row, "name"), text(row, "id"), text(row, "href"))
            for row in mappings(rows, "the list of policies")
        ]

    def add_compute_policy(self, policy: str, vdc: str, org: str) -> str:
        """Add a compute policy to an org VDC; return the server's sentence."""
        said = self._change_policy(policy, vdc, org, "add", force=False)
        return text(said, "message") or f"Policy '{policy}' was added to VDC '{vdc}'."

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
        """Take a compute policy from an org VDC; with `force` from its VMs, too."""
        said = self._change_policy(policy, vdc, org, "remove", force=force)
        what = f"removal of compute policy '{policy}' from VDC '{vdc}'"
        return self._ended(said, what, options, progress)

    # Private

    def _set_provider(
        self, name: str, org: str, provider: str, options: RunOptions, progress: Progress
    ) -> str:
        self._need_administrator("change what an org VDC is used for")
        vdc, identity = self._find(name, org)
        body = {
            "ovdc_id": identity,
            "ovdc_name": vdc.name,
            "org_name": vdc.org,
            "k8s_provider": provider,
        }
        verb = "disabling" if provider == _NONE else "enabling"
        deadline = self._deadline(options)
        said = change_or_effect(
            self._vcd,
            lambda: self._server.change(
                "PUT",
                f"/ovdc/{identity}",
                f"change VDC '{name}'",
                deadline=deadline,
                body=body,
            ),
            lambda: self.ovdc(name, org=org).provider == provider,
            what=f"{verb} of VDC '{name}'",
            deadline=deadline,
            progress=progress,
            look=suggest.cse("ovdc info", name),
            wait=options.wait,
        )
        answer = mapping(said or {}, "the change of the VDC")
        return self._ended(answer, f"{verb} of VDC '{name}'", options, progress)

    def _change_policy(
        self, policy: str, vdc: str, org: str, action: str, *, force: bool
    ) -> Mapping[str, Any]:
        self._need_administrator("change an org VDC's compute policies")
        _vdc, identity = self._find(vdc, org)
        deadline = self._vcd.clock.monotonic() + _SMALL_CHANGE_SECONDS
        body = {
            "ovdc_id": identity,
            "compute_policy_name": policy,
            "action": action,
            "remove_compute_policy_from_vms": force,
        }

        def reached() -> bool:
            there = any(one.name == policy for one in self.compute_policies(vdc, org))
            return there == (action == "add")

        said = change_or_effect(
            self._vcd,
            lambda: self._server.change(
                "PUT",
                f"/ovdc/{identity}/compute-policies",
                f"{action} compute policy '{policy}'",
                deadline=deadline,
                body=body,
                missing=f"compute policy '{policy}'",
            ),
            reached,
            what=f"change of the compute policies of VDC '{vdc}'",
            deadline=deadline,
            look=suggest.cse("ovdc compute-policy list", org=org, vdc=vdc),
        )
        return mapping(said or {}, "the change of the policies")

    def _ended(
        self, answer: Mapping[str, Any], what: str, options: RunOptions, progress: Progress
    ) -> str:
        """Follow the task of an answer, unless nobody waits; return its href."""
        href = text(answer, "task_href")
        if href and options.wait:
            follow_task(
                self._vcd, href, what=what, deadline=self._deadline(options), progress=progress
            )
        return href

    def _deadline(self, options: RunOptions) -> float:
        return self._vcd.clock.monotonic() + bounds.share(options.timeout)

    def _find(self, name: str, org: str) -> tuple[Vdc, str]:
        """Return an org VDC and its uuid, which is what the server's addresses hold."""
        vdc = self._vcd.surroundings.vdc(name, org)
        return vdc, href_id(vdc.href)

    def _need_administrator(self, what: str) -> None:
        need_administrator(self._vcd, self._session, what)


def _only_native(runtimes: Sequence[str], *, force: bool) -> None:
    """Refuse what came with CSE 3.

    Raises:
        WrongUsage: always.
    """
    others = [one for one in runtimes if one != _NATIVE]
    if others:
        raise WrongUsage(f"This CSE server makes native clusters only, not {', '.join(others)}.")
    if force:
        raise WrongUsage("This CSE server knows no --force for org VDCs: it came with CSE 3.0.")
