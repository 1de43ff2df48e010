"""A Kubernetes client inside a guest: real TLS with the credentials of a kubeconfig.

Certificates are judged by the guest's own clock, as a real client there would.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import http.client
import json
import os
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509

from cse_client.simulator.guest.certs import alternative_names, not_after, not_before
from cse_client.simulator.guest.disk import Disk

__all__ = ["BadKubeconfig", "Credentials", "KubeClient", "Unreachable", "render_kubeconfig"]

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadKubeconfig(Exception):
    """A kubeconfig cannot be used."""


class Unreachable(Exception):
    """The API server did not answer, or is not who it should be; the text is as Go's."""


@dataclass(frozen=True)
class Credentials:
    """What a kubeconfig's current context holds. `certificate` and `key` are PEM, may be empty."""

    server: str
    authority: bytes
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    insecure: bool = False

    @classmethod
    def read(cls, disk: Disk, path: str, context: str = "") -> Credentials:
        """Read a kubeconfig of the guest.

        Raises:
            BadKubeconfig: with client-go's words.
        """
        if not disk.exists(path):
            raise BadKubeconfig(f"stat {path}: no such file or directory")
        return cls.parse(disk, disk.text(path), path, context)

    @classmethod
    def parse(cls, disk: Disk, text: str, path: str, context: str = "") -> Credentials:
        """Read a kubeconfig's text; relative files are sought beside `path`."""
        try:
            config = yaml.load(text, Loader=_LOADER)  # noqa: S506  # a safe loader
        except yaml.YAMLError as error:
            raise BadKubeconfig(f"error loading config file {path!r}: yaml: {error}") from error
        if not isinstance(config, dict):
            raise BadKubeconfig("invalid configuration: no configuration has been provided")
        wanted = context or config.get("current-context") or ""
        chosen = _named(config, "contexts", wanted).get("context") or {}
        if not chosen:
            raise BadKubeconfig(
                f"invalid configuration: context was not found for specified context: {wanted}"
                if wanted
                else "invalid configuration: no configuration has been provided"
            )
        cluster = _named(config, "clusters", chosen.get("cluster")).get("cluster") or {}
        user = _named(config, "users", chosen.get("user")).get("user") or {}
        if not cluster.get("server"):
            raise BadKubeconfig("invalid configuration: no server found for cluster")
        folder = path.rsplit("/", 1)[0]
        return cls(
            server=str(cluster["server"]),
            authority=_bytes(disk, cluster, "certificate-authority", folder),
            certificate=_bytes(disk, user, "client-certificate", folder),
            key=_bytes(disk, user, "client-key", folder),
            token=str(user.get("token") or ""),
            insecure=bool(cluster.get("insecure-skip-tls-verify")),
        )


def _named(config: dict[str, Any], kind: str, name: Any) -> dict[str, Any]:
    for entry in config.get(kind) or []:
        if isinstance(entry, dict) and entry.get("name") == name:
            return entry
    return {}


def _bytes(disk: Disk, section: dict[str, Any], key: str, folder: str) -> bytes:
    data = section.get(f"{key}-data")
    if data:
        try:
            return base64.b64decode(data, validate=False)
        except (binascii.Error, TypeError) as error:
            raise BadKubeconfig(f"illegal base64 data in {key}-data") from error
    path = section.get(key)
    if not path:
        return b""
    full = path if str(path).startswith("/") else f"{folder}/{path}"
    try:
        return disk.read(str(full))
    except OSError as error:
        raise BadKubeconfig(
            f"unable to read {key} {full}: open {full}: no such file or directory"
        ) from error


def render_kubeconfig(
    server: str, authority: bytes, user: str, *, cluster: str = "kubernetes", **user_fields: str
) -> str:
    """Return a kubeconfig file; `user_fields` with dashes as underscores."""
    context = f"{user}@{cluster}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {
                    "certificate-authority-data": base64.b64encode(authority).decode(),
                    "server": server,
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "current-context": context,
        "preferences": {},
        "users": [
            {
                "name": user,
                "user": {key.replace("_", "-"): value for key, value in user_fields.items()},
            }
        ],
    }
    return str(yaml.safe_dump(config, sort_keys=False))


class KubeClient:
    """Speaks to one API server.

    Args:
        credentials: where and as whom.
        now: the guest's clock.
        timeout: real seconds per request.
        gate: called before each request; raises when the guest is off.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        now: Callable[[], datetime],
        timeout: float = 10.0,
        gate: Callable[[], None] = lambda: None,
    ) -> None:
        self.credentials = credentials
        self._now = now
        self._timeout = timeout
        self._gate = gate
        parts = urlsplit(credentials.server)
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self._context: ssl.SSLContext | None = None
        self._connection: http.client.HTTPSConnection | None = None

    def _tls(self) -> ssl.SSLContext:
        if self._context is not None:
            return self._context
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False  # compared below, with Go's words
        if self.credentials.insecure:
            made.verify_mode = ssl.CERT_NONE
        else:
            made.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
            try:
                made.load_verify_locations(cadata=self.credentials.authority.decode())
            except (ssl.SSLError, ValueError) as error:
                raise Unreachable("unable to load root certificates: no PEM data found") from error
        if self.credentials.certificate:
            self._load_pair(made)
        self._context = made
        return made

    def _load_pair(self, context: ssl.SSLContext) -> None:
        """Give the context our certificate; OpenSSL takes files only, so through memory files."""
        handles = []
        try:
            for data in (self.credentials.certificate, self.credentials.key):
                handle = os.memfd_create("pem", os.MFD_CLOEXEC)
                handles.append(handle)
                os.write(handle, data)
            names = [f"/proc/self/fd/{handle}" for handle in handles]
            context.load_cert_chain(names[0], names[1])
        except ssl.SSLError as error:
            raise Unreachable("tls: failed to find any PEM data in certificate input") from error
        finally:
            for handle in handles:
                os.close(handle)

    def _connect(self) -> http.client.HTTPSConnection:
        where = f"{self.host}:{self.port}"
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=self._timeout, context=self._tls()
        )
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise Unreachable("x509: certificate signed by unknown authority") from error
        except ssl.SSLError as error:
            raise Unreachable(f"remote error: tls: {error.reason}") from error
        except socket.gaierror as error:
            raise Unreachable(f"dial tcp: lookup {self.host}: no such host") from error
        except ConnectionRefusedError as error:
            raise Unreachable(f"dial tcp {where}: connect: connection refused") from error
        except OSError as error:
            raise Unreachable(f"dial tcp {where}: i/o timeout") from error
        if not self.credentials.insecure:
            self._check_server(connection)
        sock = connection.sock
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _check_server(self, connection: http.client.HTTPSConnection) -> None:
        certificate = x509.load_der_x509_certificate(
            connection.sock.getpeercert(binary_form=True) or b""
        )
        now = self._now()
        form = "%Y-%m-%dT%H:%M:%SZ"
        problem = ""
        if now > not_after(certificate):
            problem = f"is after {not_after(certificate).strftime(form)}"
        elif now < not_before(certificate):
            problem = f"is before {not_before(certificate).strftime(form)}"
        if problem:
            connection.close()
            raise Unreachable(
                "x509: certificate has expired or is not yet valid: current time"
                f" {now.strftime(form)} {problem}"
            )
        names = alternative_names(certificate)
        if self.host not in names:
            connection.close()
            raise Unreachable(f"x509: certificate is valid for {', '.join(names)}, not {self.host}")

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
    ) -> tuple[int, dict[str, Any]]:
        """Make a request; returns (HTTP status, document).

        Raises:
            Unreachable: no answer, or not from the server that the CA vouches for.
        """
        self._gate()
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = content_type
        if self.credentials.token:
            headers["Authorization"] = f"Bearer {self.credentials.token}"
        for attempt in (1, 2):
            fresh = self._connection is None
            connection = self._connection or self._connect()
            self._connection = connection
            try:
                connection.request(method, path, body=data, headers=headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if fresh or attempt == 2:  # noqa: PLR2004
                    if isinstance(error, ssl.SSLError):
                        raise Unreachable(f"remote error: tls: {error.reason}") from error
                    raise Unreachable("EOF") from error
                continue
            return answer.status, _document(content)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the connection; the next request makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {"message": content.decode("utf-8", "replace")}
    return found if isinstance(found, dict) else {"items": found}


def message_of(status: int, document: dict[str, Any]) -> str:
    """Return an API error in one line, as kubectl shows it."""
    reason = document.get("reason") or {401: "Unauthorized", 403: "Forbidden"}.get(status, "")
    text = str(document.get("message") or reason or f"HTTP {status}")
    if status == 401:  # noqa: PLR2004
        return "Unauthorized"
    return re.sub(r"\s+", " ", text)
