"""Somebody who may edit a vApp in VCD and writes its metadata with plain HTTP."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.request
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from tests.support.simulator import Cloud, Control

_NAMESPACE = "http://www.vmware.com/vcloud/v1.5"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


class Editor:
    """One user's session, by default the organization administrator's."""

    def __init__(self, cloud: Cloud, user: str = "") -> None:
        self._cloud = cloud
        self._control = Control(cloud)
        context = ssl.create_default_context(cafile=cloud.ca)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        name, password = (user, cloud.others[user]) if user else (cloud.user, cloud.password)
        basic = base64.b64encode(f"{name}@{cloud.org}:{password}".encode()).decode()
        answer = self._send(
            "POST",
            "/cloudapi/1.0.0/sessions",
            {"Authorization": f"Basic {basic}", "Accept": "application/json;version=36.0"},
        )
        self._token = answer.headers["X-VMWARE-VCLOUD-ACCESS-TOKEN"]

    def metadata(self, vapp: str) -> dict[str, str]:
        """Return a vApp's GENERAL metadata."""
        entries = self._vapp(vapp)["metadata"]
        return {key.partition(":")[2]: value for key, value in entries.items()}

    def write(self, vapp: str, values: Mapping[str, str]) -> None:
        """Merge entries into a vApp's metadata and wait for VCD's task."""
        entries = "".join(
            f"<MetadataEntry><Key>{escape(key)}</Key>"
            f'<TypedValue xsi:type="MetadataStringValue"><Value>{escape(value)}</Value>'
            "</TypedValue></MetadataEntry>"
            for key, value in values.items()
        )
        body = f'<Metadata xmlns="{_NAMESPACE}" xmlns:xsi="{_XSI}">{entries}</Metadata>'
        self._change("POST", f"{self._path(vapp)}/metadata", body)

    def remove(self, vapp: str, key: str) -> None:
        """Delete one entry."""
        self._change("DELETE", f"{self._path(vapp)}/metadata/{key}", "")

    def restore(self, vapp: str, values: Mapping[str, str]) -> None:
        """Bring a vApp's metadata back to what it was."""
        now = self.metadata(vapp)
        for key in now.keys() - values.keys():
            self.remove(vapp, key)
        changed = {key: value for key, value in values.items() if now.get(key) != value}
        if changed:
            self.write(vapp, changed)

    def delete_vm(self, vapp: str, name: str) -> None:
        """Power a VM off and delete it."""
        path = f"/api/vApp/vm-{self._vapp(vapp)['vms'][name]['id']}"
        body = f'<UndeployVAppParams xmlns="{_NAMESPACE}"/>'
        self._change("POST", f"{path}/action/undeploy", body, kind="undeployVAppParams")
        self._change("DELETE", path, "")

    def _vapp(self, name: str) -> Any:
        return self._control.get("state")["vapps"][name]

    def _path(self, vapp: str) -> str:
        return f"/api/vApp/vapp-{self._vapp(vapp)['id']}"

    def _headers(self, kind: str = "metadata") -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/*+xml;version=36.0",
            "Content-Type": f"application/vnd.vmware.vcloud.{kind}+xml",
        }

    def _change(self, method: str, path: str, body: str, kind: str = "metadata") -> None:
        answer = self._send(method, path, self._headers(kind), body)
        task = etree.fromstring(answer.read())
        while task.get("status") in ("queued", "preRunning", "running"):
            time.sleep(0.05)
            href = (task.get("href") or "").partition(self._cloud.host)[2]
            task = etree.fromstring(self._send("GET", href, self._headers()).read())
        assert task.get("status") == "success", etree.tostring(task)

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> Any:
        url = f"https://{self._cloud.host}{path}"
        request = urllib.request.Request(
            url, body.encode() or None, headers=dict(headers), method=method
        )
        return self._opener.open(request, timeout=60)


def spec(**values: object) -> dict[str, str]:
    """Return the record of what was asked for, as metadata."""
    return {"cse.client.spec": json.dumps(values, separators=(",", ":"))}
