"""A Kubernetes API server over TLS that answers what a test scripts."""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cse_client.guest.pki import ADMIN_GROUP, ClusterPKI, issue_client, load_pair
from cse_client.kube.kubeconfig.document import render_kubeconfig

NAME = "k8s.example.test"
Answer = tuple[int, object]


@dataclass
class Text:
    """An answer that is not JSON."""

    text: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class StubAPI:
    """A TLS server that demands a client certificate of its CA and answers from `answers`."""

    pki: ClusterPKI
    address: str
    port: int = 0
    answers: dict[str, Answer | Callable[[str, dict[str, list[str]], bytes], Answer]] = field(
        default_factory=dict
    )
    seen: list[tuple[str, str]] = field(default_factory=list)

    def kubeconfig(self, *, host: str = "", pki: ClusterPKI | None = None, ca: bytes = b"") -> str:
        signer = pki or self.pki
        issued = issue_client(
            signer,
            common_name="admin",
            organizations=[ADMIN_GROUP],
            lifetime=timedelta(hours=1),
        )
        return render_kubeconfig(
            cluster="demo",
            context="demo@org-vdc",
            user="admin",
            server=f"https://{host or self.address}:{self.port}",
            ca=ca or self.pki.ca_cert,
            cert=issued.cert,
            key=issued.key,
        )


def server_files(
    pki: ClusterPKI, folder: Path, *, end: datetime | None = None, name: str = NAME
) -> tuple[Path, Path]:
    """A serving certificate as kubeadm makes one, for 127.0.0.1 and a name."""
    ca, ca_key = load_pair(pki.ca_cert, pki.ca_key)
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(name)]
    cert = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ca.not_valid_before_utc)
        .not_valid_after(end or ca.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    paths = folder / "server.crt", folder / "server.key"
    paths[0].write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return paths


def _handler(api: StubAPI) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            api.seen.append((self.command, self.path))
            found = api.answers.get(parts.path, (404, status(404, "NotFound")))
            if callable(found):
                found = found(self.command, parse_qs(parts.query), body)
            code, content = found
            headers = {"Content-Type": "application/json"}
            if isinstance(content, Text):
                headers = {"Content-Type": "text/plain; charset=utf-8", **content.headers}
                content = content.text.encode()
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *_words: object) -> None:
            pass

    return Handler


def status(code: int, reason: str) -> dict[str, object]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": reason,
        "reason": reason,
        "code": code,
    }


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, _request: object, _address: object) -> None:
        """A refused handshake is what some tests want."""


@contextmanager
def serving(
    pki: ClusterPKI, folder: Path, *, signer: ClusterPKI | None = None, end: datetime | None = None
) -> Iterator[StubAPI]:
    """Serve `pki`'s API with a certificate of its CA, or of the `signer`'s, that ends then."""
    stub = StubAPI(pki, "127.0.0.1")
    server = QuietServer(("127.0.0.1", 0), _handler(stub))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_files(signer or pki, folder, end=end))
    context.load_verify_locations(cadata=pki.ca_cert.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    stub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield stub
    server.shutdown()
    server.server_close()
    thread.join()
