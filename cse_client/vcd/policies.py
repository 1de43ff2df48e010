"""The VM sizing and placement policies that an org VDC offers.

`vdcs/URN/computePolicies` is there for tenants, of cloudapi 2.0.0 from API version 35.0 on and of
1.0.0 from 33.0 on (go-vcloud-director:govcd/vdccomputepolicy_v2.go, openapi_endpoints.go). A vGPU
policy takes the place of a placement policy (terraform-provider-vcd: vapp_vm,
`placement_policy_id`).
"""

from __future__ import annotations

from cse_client.bounds import OutOfBounds, Pages
from cse_client.errors import Refused, VcdFault
from cse_client.model import Vdc, VmPolicy
from cse_client.model.hrefs import href_id
from cse_client.vcd.errors import Action, out_of_bounds
from cse_client.vcd.transport import Transport
from cse_client.versions import version_key

__all__ = ["vm_policies"]

_SINCE, _SECOND_SINCE = (33, 0), (35, 0)
_RIGHT = "Organization vDC Compute Policy: View"
_PAGE_SIZE = 128


def vm_policies(transport: Transport, vdc: Vdc) -> list[VmPolicy]:
    """List the policies of an org VDC; one request for every 128.

    Raises:
        Refused: this user may not see them, or the session's API version does not know them.
    """
    version = version_key(transport.session.api_version)
    if version < _SINCE:
        raise Refused(
            "VM sizing and placement policies require VMware Cloud Director 10.0 (API version"
            f" 33.0) or later; this session uses API version {transport.session.api_version}."
        )
    generation = "2.0.0" if version >= _SECOND_SINCE else "1.0.0"
    place = f"{transport.cloudapi}/{generation}/vdcs/urn:vcloud:vdc:{href_id(vdc.href)}"
    action = Action(f"list the compute policies of VDC '{vdc.name}'", right=_RIGHT)
    policies: list[VmPolicy] = []
    pages, number, count = Pages(), 1, 1
    while number <= count:
        url = f"{place}/computePolicies?page={number}&pageSize={_PAGE_SIZE}"
        try:
            pages.visit(url)
        except OutOfBounds as error:
            raise out_of_bounds(error, action, transport.session) from None
        answer = transport.get_json(url, action)
        values = answer.get("values")
        if not isinstance(values, list):
            raise VcdFault(f"Cannot {action.doing}: the answer has no list of policies.")
        base = f"{transport.cloudapi}/{generation}/vdcComputePolicies"
        policies.extend(_policy(policy, base) for policy in values if isinstance(policy, dict))
        count = _whole(answer.get("pageCount"))
        number += 1
    return sorted(policies, key=lambda policy: policy.name)


def _policy(document: dict[str, object], base: str) -> VmPolicy:
    identifier = str(document.get("id") or "")
    return VmPolicy(
        name=str(document.get("name") or ""),
        id=identifier,
        href=f"{base}/{identifier}",
        is_sizing=document.get("isSizingOnly") is True,
        cpus=_whole(document.get("cpuCount")),
        memory_mb=_whole(document.get("memory")),
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
