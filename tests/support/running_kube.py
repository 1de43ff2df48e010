"""A simulated cluster behind a real socket, with its PKI and nodes, as tests need it."""

from __future__ import annotations

import base64
import ipaddress
import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cse_client.simulator.clock import Clock
from cse_client.simulator.kube import KubeAPI

HOST = "127.0.0.1"


def _name(cn: str, groups: tuple[str, ...] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, cn)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Authority:
    """A cluster's CA, made for a test."""

    def __init__(self, days: float = 3650) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name, now = _name("kubernetes"), datetime.now(timezone.utc)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return _pem(self.key)

    def issue(
        self,
        cn: str,
        *groups: str,
        hours: float = 48,
        start: float = -24,
        server: bool = False,
    ) -> tuple[bytes, bytes]:
        """Return a certificate and its key (PEM)."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(timezone.utc)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(cn, groups))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(hours=start))
            .not_valid_after(now + timedelta(hours=hours))
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if server:
            names = [x509.IPAddress(ipaddress.ip_address(HOST))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)


def heartbeat(clock: Clock, ready: str = "True") -> list[dict[str, Any]]:
    now = clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        {
            "type": "Ready",
            "status": ready,
            "reason": "KubeletReady" if ready == "True" else "KubeletNotReady",
            "message": "kubelet is posting ready status",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
    ]


@dataclass
class Running:
    """A started cluster."""

    api: KubeAPI
    clock: Clock
    authority: Authority
    server: tuple[bytes, bytes]
    port: int = 0
    folder: Path = field(default_factory=Path)

    def start(self) -> None:
        self.api.start(
            host=HOST,
            port=self.port,
            server_cert=self.server[0],
            server_key=self.server[1],
            client_ca=self.authority.pem,
            signing_key=self.authority.key_pem,
        )
        self.port = self.api.address[1]

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    def kubeconfig(
        self,
        cn: str = "kubernetes-admin",
        *groups: str,
        authority: Authority | None = None,
        user: dict[str, Any] | None = None,
        **issue: Any,
    ) -> Path:
        """Write a kubeconfig (JSON is YAML); admin when no group is given."""
        if user is None:
            groups = groups or (("system:masters",) if cn == "kubernetes-admin" else ())
            certificate, key = (authority or self.authority).issue(cn, *groups, **issue)
            user = {
                "client-certificate-data": base64.b64encode(certificate).decode(),
                "client-key-data": base64.b64encode(key).decode(),
            }
        ca = base64.b64encode(self.authority.pem).decode()
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "c",
                    "cluster": {"server": self.url, "certificate-authority-data": ca},
                }
            ],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = self.folder / f"kubeconfig-{cn.replace(':', '-')}-{time.monotonic_ns()}"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def node(self, name: str, ready: str = "True", **labels: str) -> None:
        """Register a node as its kubelet does."""
        address = f"127.20.0.{10 + len(self.get('/api/v1/nodes')['items'])}"
        status, answer = self.api.request(
            "POST",
            "/api/v1/nodes",
            {
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
                "status": {
                    "addresses": [
                        {"type": "InternalIP", "address": address},
                        {"type": "Hostname", "address": name},
                    ],
                    "capacity": {"cpu": "2", "memory": "2Gi", "pods": "110"},
                    "nodeInfo": {
                        "kubeletVersion": "v1.33.1",
                        "osImage": "Ubuntu 24.04",
                        "kernelVersion": "6.8.0",
                        "containerRuntimeVersion": "containerd://1.7.27",
                        "architecture": "amd64",
                        "operatingSystem": "linux",
                    },
                    "conditions": heartbeat(self.clock, ready),
                },
            },
            user=f"system:node:{name}",
            groups=["system:nodes"],
        )
        assert status == 201, answer

    def beat(self, name: str, ready: str = "True") -> tuple[int, dict[str, Any]]:
        """Send a heartbeat as the node's kubelet."""
        return self.api.request(
            "PATCH",
            f"/api/v1/nodes/{name}/status",
            {"status": {"conditions": heartbeat(self.clock, ready)}},
            user=f"system:node:{name}",
            groups=["system:nodes"],
            content_type="application/strategic-merge-patch+json",
        )

    def get(self, path: str) -> dict[str, Any]:
        status, answer = self.api.request("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, answer = self.api.request("POST", path, body)
        assert status == 201, answer
        return answer


def make(version: str, folder: Path) -> Running:
    clock, authority = Clock(), Authority()
    api = KubeAPI(version=version, clock=clock)
    return Running(api, clock, authority, authority.issue("kube-apiserver", server=True), 0, folder)
