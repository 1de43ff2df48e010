"""XML documents as VCD sends them, for a scripted one; `{base}` is its address."""

from __future__ import annotations

import json

from tests.support.scripted_vcd import Answer

NS = 'xmlns="http://www.vmware.com/vcloud/v1.5"'
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def page(records: str, next_page: str = "", total: int = 1) -> str:
    link = f'<Link rel="nextPage" href="{next_page}"/>' if next_page else ""
    return f'<QueryResultRecords {NS} {XSI} total="{total}">{link}{records}</QueryResultRecords>'


DOCUMENT = f"""<OrgVdcNetwork {NS} name="net1" href="{{base}}/api/network/1">
  <Link rel="down" type="application/vnd.vmware.vcloud.allocatedNetworkAddress+xml"
    href="{{base}}/api/network/1/allocatedAddresses/"/>
  <Configuration><IpScopes><IpScope><IsInherited>false</IsInherited>
    <Gateway>127.20.0.1</Gateway><Netmask>255.255.255.0</Netmask><Dns1>127.20.0.2</Dns1>
    <IpRanges><IpRange><StartAddress>127.20.0.10</StartAddress><EndAddress>127.20.0.19</EndAddress>
    </IpRange><IpRange><StartAddress>127.20.0.30</StartAddress>
    <EndAddress>127.20.0.30</EndAddress></IpRange></IpRanges>
  </IpScope></IpScopes><FenceMode>natRouted</FenceMode></Configuration>
  <EdgeGateway href="{{base}}/api/admin/edgeGateway/e1" name="edge"/></OrgVdcNetwork>"""
_EDGE = '<EdgeGatewayRecord name="edge" href="{base}/api/edgeGateway/e1" edgeGatewayType='
NSXT = f'{_EDGE}"NSXT_BACKED"/>'
NSXV = f'{_EDGE}"NSXV_BACKED"/>'


def rules(*rows: dict[str, object]) -> Answer:
    return Answer(json.dumps({"values": list(rows)}), 200, "application/json")
