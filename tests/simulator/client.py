"""A small client that speaks plain HTTP to the simulator, and the bodies that it sends."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from cse_client.simulator import Simulator

V = "{http://www.vmware.com/vcloud/v1.5}"


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str] | http.client.HTTPMessage
    body: bytes

    @property
    def xml(self) -> Any:
        return etree.fromstring(self.body)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.xml.get("minorErrorCode") or ""

    @property
    def message(self) -> str:
        return self.xml.get("message") or ""


@dataclass
class Tenant:
    """A client of one user. `version` is the API version that it asks for."""

    simulator: Simulator
    user: str = "admin"
    version: str = "36.0"
    token: str = ""
    connection: http.client.HTTPSConnection | None = field(default=None, repr=False)

    def login(self) -> Tenant:
        """Log in; `administrator` is the system administrator."""
        provider = self.user == "administrator"
        org = "System" if provider else "acme"
        answer = self.send(
            "POST",
            "/cloudapi/1.0.0/sessions" + ("/provider" if provider else ""),
            accept="application/json",
            headers={"Authorization": basic(f"{self.user}@{org}", self.password())},
        )
        assert answer.status == 200, answer
        self.token = answer.headers["X-VMWARE-VCLOUD-ACCESS-TOKEN"]
        return self

    def password(self) -> str:
        if self.user == "administrator":
            return self.simulator.cloud.providers[self.user].password
        return self.simulator.password(self.user)

    def send(
        self,
        method: str,
        path: str,
        body: str | bytes = b"",
        content_type: str = "",
        accept: str = "application/*+xml",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        host = self.simulator.host
        path = path.removeprefix(f"https://{host}") or "/"
        sent = {"Accept": f"{accept};version={self.version}"}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if content_type:
            if "/" not in content_type:
                content_type = f"application/vnd.vmware.vcloud.{content_type}+xml"
            sent["Content-Type"] = content_type
        sent.update(headers or {})
        if self.connection is None:
            context = ssl.create_default_context(cafile=str(self.simulator.ca))
            self.connection = http.client.HTTPSConnection(host, context=context, timeout=30)
        try:
            self.connection.request(method, path, body or None, sent)
            response = self.connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except OSError:
            self.connection.close()
            self.connection = None
            raise

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()

    def get(self, path: str, status: int = 200) -> Any:
        answer = self.send("GET", path)
        assert answer.status == status, (path, answer)
        return answer.xml

    def post(self, path: str, body: str = "", kind: str = "") -> Answer:
        return self.send("POST", path, body, kind)

    def control(self, method: str, path: str, values: Any = None) -> Any:
        body = json.dumps(values) if values is not None else ""
        answer = self.send(method, f"/simulator/{path}", body, "application/json")
        assert answer.status == 200, answer
        return answer.json

    def query(self, text: str) -> list[Any]:
        root = self.get(f"/api/query?{text}")
        return [one for one in root if etree.QName(one).localname != "Link"]

    def one(self, kind: str, name: str) -> str:
        """Return the href of the entity of this name."""
        found = self.query(f"type={kind}&filter=name=={name}")
        assert len(found) == 1, (kind, name, found)
        return found[0].get("href") or ""

    def task(self, answer: Answer | Any) -> Any:
        """Return the task that an answer began, as it is now."""
        if isinstance(answer, Answer):
            assert answer.status in (201, 202), (answer.status, answer.body)
            answer = answer.xml
        href = answer.get("href") or ""
        if not answer.tag.endswith("}Task"):
            href = answer.find(f"{V}Tasks/{V}Task").get("href")
        return self.get(href)

    def done(self, answer: Answer | Any) -> Any:
        task = self.task(answer)
        assert task.get("status") == "success", etree.tostring(task)
        return task

    def network(self, name: str = "net1") -> str:
        vdc = self.get(self.one("orgVdc", "vdc1"))
        for one in vdc.iterfind(f"{V}AvailableNetworks/{V}Network"):
            if one.get("name") == name:
                return str(one.get("href"))
        raise AssertionError(name)

    def compose(
        self, name: str, network: str = "net1", description: str = "", items: str = ""
    ) -> Answer:
        body = compose_body(name, network, self.network(network), description, items)
        vdc = self.one("orgVdc", "vdc1")
        return self.post(f"{vdc}/action/composeVApp", body, "composeVAppParams")

    def vapp(self, name: str, network: str = "net1") -> str:
        """Compose an empty vApp and return its href."""
        answer = self.compose(name, network)
        self.done(answer)
        return answer.headers["Location"]

    def template_vm(self, item: str = "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2") -> str:
        entity = self.query(f"type=catalogItem&filter=name=={item}")[0].get("entity")
        template = self.get(entity)
        return str(template.find(f"{V}Children/{V}Vm").get("href"))

    def add_vms(self, vapp: str, *names: str, power_on: bool = False, **parts: Any) -> Answer:
        source = self.template_vm()
        items = "".join(sourced_item(source, name, **parts) for name in names)
        body = recompose_body(items, power_on=power_on)
        return self.post(f"{vapp}/action/recomposeVApp", body, "recomposeVAppParams")


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


NAMESPACES = (
    'xmlns="http://www.vmware.com/vcloud/v1.5"'
    ' xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


def compose_body(name: str, network: str, href: str, description: str = "", items: str = "") -> str:
    return (
        f'<ComposeVAppParams {NAMESPACES} name="{name}"><Description>{description}</Description>'
        "<InstantiationParams><NetworkConfigSection><ovf:Info/>"
        f'<NetworkConfig networkName="{network}"><Configuration><ParentNetwork href="{href}"/>'
        "<FenceMode>bridged</FenceMode></Configuration></NetworkConfig></NetworkConfigSection>"
        f"</InstantiationParams>{items}</ComposeVAppParams>"
    )


def recompose_body(items: str = "", rest: str = "", *, power_on: bool = False) -> str:
    flag = "true" if power_on else "false"
    return (
        f'<RecomposeVAppParams {NAMESPACES} deploy="{flag}" powerOn="{flag}">{items}'
        f"<AllEULAsAccepted>false</AllEULAsAccepted>{rest}</RecomposeVAppParams>"
    )


def sourced_item(
    source: str,
    name: str,
    *,
    network: str = "net1",
    mode: str = "POOL",
    address: str = "",
    script: str = "true",
) -> str:
    manual = f"<IpAddress>{address}</IpAddress>" if address else ""
    return (
        f'<SourcedItem><Source href="{source}"/><VmGeneralParams><Name>{name}</Name>'
        "<NeedsCustomization>true</NeedsCustomization></VmGeneralParams><InstantiationParams>"
        "<NetworkConnectionSection><ovf:Info/>"
        "<PrimaryNetworkConnectionIndex>0</PrimaryNetworkConnectionIndex>"
        f'<NetworkConnection network="{network}"><NetworkConnectionIndex>0'
        f"</NetworkConnectionIndex>{manual}<IsConnected>true</IsConnected>"
        f"<IpAddressAllocationMode>{mode}</IpAddressAllocationMode></NetworkConnection>"
        "</NetworkConnectionSection><GuestCustomizationSection><ovf:Info/><Enabled>true</Enabled>"
        f"<CustomizationScript>{script}</CustomizationScript><ComputerName>{name}</ComputerName>"
        "</GuestCustomizationSection></InstantiationParams></SourcedItem>"
    )


def metadata_body(**values: str) -> str:
    entries = "".join(
        f"<MetadataEntry><Key>{key.replace('_', '.')}</Key><TypedValue"
        f' xsi:type="MetadataStringValue"><Value>{value}</Value></TypedValue></MetadataEntry>'
        for key, value in values.items()
    )
    return f"<Metadata {NAMESPACES}>{entries}</Metadata>"


@contextlib.contextmanager
def pyvcloud_client(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> Iterator[Any]:
    """Log pyvcloud's own client in as the administrator."""
    from pyvcloud.vcd.client import BasicLoginCredentials, Client

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(simulator.ca))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = Client(simulator.host, log_file=str(folder / "pyvcloud.log"))
    try:
        client.set_credentials(BasicLoginCredentials("admin", "acme", simulator.password()))
        yield client
        client._session.close()
    finally:
        for handler in client._logger.handlers:
            handler.close()
