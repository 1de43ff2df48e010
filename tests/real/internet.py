"""What machines reach outside of the cloud: names, package repositories and an image registry."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingUDPServer
from urllib.parse import unquote, urlsplit

from tests.real.build.plain import ARCHIVE_HOST, HOSTS

__all__ = ["Answer", "Registry", "folders", "internet"]

#: An address for documentation (RFC 5737): in the cloud's namespace it belongs to these servers.
_ADDRESS = "198.51.100.1"
_INTERNET, _IPV4, _NO_SUCH_NAME = 1, 1, 3
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"

#: Status, content type, headers and content.
Answer = tuple[int, str, dict[str, str], bytes]
Site = Callable[[str], Answer]

_NOT_FOUND: Answer = (404, "text/plain", {}, b"not found\n")


def folders(places: Mapping[str, Path], texts: Mapping[str, str] | None = None) -> Site:
    """Return a site of files: the folder served below each path, which ends with /, and texts."""

    def answer(path: str) -> Answer:
        if texts and path in texts:
            return 200, "text/plain", {}, texts[path].encode()
        for prefix, folder in places.items():
            file = (folder / path.removeprefix(prefix)).resolve()
            if path.startswith(prefix) and folder.resolve() in file.parents and file.is_file():
                return 200, "application/octet-stream", {}, file.read_bytes()
        return _NOT_FOUND

    return answer


class Registry:
    """A registry (OCI distribution, reading only) with the images of layouts in tar files."""

    def __init__(self, *layouts: Path) -> None:
        self._blobs: dict[str, tuple[Path, int, int]] = {}
        self._images: dict[str, str] = {}
        for layout in layouts:
            with tarfile.open(layout) as archive:
                for member in archive:
                    if member.name.startswith("blobs/sha256/"):
                        digest = "sha256:" + member.name.rpartition("/")[2]
                        self._blobs[digest] = (layout, member.offset_data, member.size)
                index = archive.extractfile("index.json")
                assert index is not None
                for one in json.load(index)["manifests"]:
                    name = one["annotations"]["io.containerd.image.name"]
                    self._images[name.partition("/")[2]] = one["digest"]

    def __call__(self, path: str) -> Answer:
        """Answer below /v2/."""
        if path.rstrip("/") == "/v2":
            return 200, "application/json", {}, b"{}"
        name, _, reference = path.removeprefix("/v2/").rpartition("/")
        name, _, kind = name.rpartition("/")
        digest = self._images.get(f"{name}:{reference}", reference)
        if digest not in self._blobs:
            return _NOT_FOUND
        layout, offset, size = self._blobs[digest]
        with layout.open("rb") as file:
            file.seek(offset)
            content = file.read(size)
        what = _MANIFEST if kind == "manifests" else "application/octet-stream"
        return 200, what, {"Docker-Content-Digest": digest}, content


@contextmanager
def internet(plain: Path, sites: Mapping[str, Site]) -> Iterator[None]:
    """Serve sites by host over HTTPS, and the names of their hosts, in this thread's network.

    `plain` is the folder of the plain machine, which has its Debian packages and the certificate.
    """
    served = {ARCHIVE_HOST: folders({"/debian/": plain / "archive"}), **sites}
    assert set(served) <= set(HOSTS)
    subprocess.run(["ip", "addr", "replace", f"{_ADDRESS}/32", "dev", "lo"], check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(plain / "server.crt", plain / "server.key")
    with ExitStack() as stack:
        web = stack.enter_context(ThreadingHTTPServer((_ADDRESS, 443), _web(served)))
        web.socket = context.wrap_socket(web.socket, server_side=True)
        # On all addresses: each network's gateway is its name server.
        names = stack.enter_context(ThreadingUDPServer(("0.0.0.0", 53), _names(set(served))))  # noqa: S104
        for server in (web, names):
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield


def _web(sites: Mapping[str, Site]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            host = self.headers.get("Host", "").partition(":")[0]
            path = unquote(urlsplit(self.path).path)
            site = sites.get(host)
            status, kind, headers, content = site(path) if site is not None else _NOT_FOUND
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            pass

    return Handler


def _names(hosts: set[str]) -> type[BaseRequestHandler]:
    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            data, server = self.request
            server.sendto(_resolve(data, hosts), self.client_address)

    return Handler


def _resolve(query: bytes, hosts: set[str]) -> bytes:
    """Return the answer to a DNS query (RFC 1035): the servers' address for each of `hosts`."""
    end, labels = 12, []
    while query[end]:
        labels.append(query[end + 1 : end + 1 + query[end]].decode("ascii", "replace"))
        end += query[end] + 1
    question = query[12 : end + 5]
    kind, of = struct.unpack("!HH", question[-4:])
    known = ".".join(labels).lower() in hosts
    found = known and (kind, of) == (_IPV4, _INTERNET)
    flags = 0x8180 | (0 if known else _NO_SUCH_NAME)
    head = query[:2] + struct.pack("!HHHHH", flags, 1, int(found), 0, 0)
    record = struct.pack("!HHHIH", 0xC00C, _IPV4, _INTERNET, 60, 4) + socket.inet_aton(_ADDRESS)
    return head + question + (record if found else b"")
