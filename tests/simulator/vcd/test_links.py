"""No address that an answer offers leads nowhere."""

from __future__ import annotations

import pytest

from cse_client.simulator import Simulator
from tests.simulator.client import Tenant, metadata_body
from tests.simulator.vcd.links import walk

#: What is offered and not there, and why.
EXCEPTIONS = {
    "GET /api/entity/": "a beginning: what it is for is /api/entity/URN",
    "GET /cloudapi": "a beginning: of the addresses of the newer API",
    "POST /api/admin/network/ID/action/reset": "where clients read the id of a vApp network",
    "GET /api/admin/extension/vimServer/ID": "there is no vCenter Server",
}
#: What records and documents name for everybody, and only administrators may read.
FORBIDDEN = {
    "author": (
        "GET /api/admin/edgeGateway/ID",
        "GET /api/admin/network/ID",
        "GET /api/admin/user/ID",
        "GET /api/query?type=edgeGateway",
    ),
}


@pytest.mark.parametrize("user", ["admin", "author", "administrator"])
@pytest.mark.parametrize(("release", "version"), [("10.3", "36.0"), ("10.6", "39.1")])
def test_every_address_leads_somewhere(user: str, release: str, version: str) -> None:
    with Simulator(guests=False, release=release) as simulator:
        tenant = Tenant(simulator, "author" if user == "author" else "admin", version).login()
        vapp = tenant.vapp("demo")
        tenant.done(tenant.add_vms(vapp, "on", power_on=True))
        tenant.done(tenant.add_vms(vapp, "off"))
        tenant.done(tenant.post(f"{vapp}/metadata", metadata_body(a="1"), "metadata"))
        tenant.vapp("empty")
        walker = Tenant(simulator, user, version).login()
        lost = walk(walker)
        for call in FORBIDDEN.get(user, ()):
            for one in [one for one in lost if one.startswith(call)]:
                assert lost.pop(one).startswith("403")
        assert {call: source for call, source in lost.items() if call not in EXCEPTIONS} == {}
        tenant.close()
        walker.close()
