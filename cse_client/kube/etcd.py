"""A cluster's etcd, from outside: its JSON gateway, through a port forwarded to an etcd pod.

etcd 3.4 and newer serve the gateway on the port for clients (etcd's documentation, "gRPC gateway"):
a POST of JSON for each gRPC call, 64-bit numbers as strings, bytes in base64, a stream as one JSON
object a line. The certificate of a kubeadm cluster's etcd is valid for `localhost`, and its clients
are those whose certificate its own CA has signed (kubeadm: cmd/kubeadm/app/phases/certs).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cse_client import bounds
from cse_client.content import plain
from cse_client.errors import ClusterUnreachable, CseError
from cse_client.kube.credentials import Credentials
from cse_client.kube.forward import Forward, forward_port
from cse_client.kube.tls import client_context

__all__ = ["Etcd", "EtcdFault", "EtcdMember", "EtcdStatus", "Snapshot", "open_etcd"]

_PORT = 2379
_NAMESPACE = "kube-system"
_OK, _NOT_FOUND = 200, 404
_PIECE = 64 * 1024
_MOST_MEMBERS = 100
_MOST_ERRORS = 100
_LONGEST_REASON = 200
#: Characters of one line of a snapshot: etcd sends pieces of 32 KiB in base64.
_LONGEST_LINE = 4 * 1024 * 1024
#: etcd's documentation recommends 8 GiB at most for its database.
_MOST_SNAPSHOT = 64 * 1024**3
_DIGEST = hashlib.sha256().digest_size


class EtcdFault(CseError):
    """etcd answered with an error; `code` is that of gRPC, 0 where there is none."""

    def __init__(self, message: str, *, hint: str = "", code: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.code = code


@dataclass(frozen=True)
class EtcdMember:
    """A member of the etcd cluster. `name` is empty for one that was added and never started."""

    id: int
    name: str
    peer_urls: tuple[str, ...] = ()
    client_urls: tuple[str, ...] = ()
    learner: bool = False


@dataclass(frozen=True)
class EtcdStatus:
    """What one member says of itself: `size` is that of its database in bytes; ids as members'.

    `problems` are its alarms and errors in etcd's own text (etcd: etcdserver/api/v3rpc/
    maintenance.go), such as `memberID:9372538179322589801 alarm:NOSPACE`.
    """

    version: str
    size: int
    member: int
    leader: int
    problems: tuple[str, ...] = ()


class Snapshot:
    """A snapshot that is being read: `size` bytes in all. Iterate once, to the end.

    What comes is a file for `etcdutl snapshot restore`: the database and after it the SHA-256 that
    etcd computed, which has been verified when the iteration ends.
    """

    def __init__(self, lines: Iterator[Mapping[str, Any]]) -> None:
        self._lines = lines
        self._first, left = _piece(next(lines, {}))
        # the last message is the checksum, which is not counted
        self.size = left + len(self._first) + _DIGEST
        if not self._first or self.size > _MOST_SNAPSHOT:
            raise EtcdFault(f"etcd announced a snapshot of {self.size} bytes, which is not read.")

    def __iter__(self) -> Iterator[bytes]:
        """Yield the snapshot piece by piece.

        Raises:
            EtcdFault: it ended early, or its checksum is another one.
            ClusterUnreachable: the connection broke.
        """
        digest = hashlib.sha256()
        tail = b""
        got = 0
        piece = self._first
        while True:
            got += len(piece)
            if got > self.size:
                raise EtcdFault("etcd sent more than it had announced of the snapshot.")
            yield piece
            data = tail + piece
            digest.update(data[:-_DIGEST])
            tail = data[-_DIGEST:]
            line = next(self._lines, None)
            if line is None:
                break
            piece, _left = _piece(line)
        if got < self.size:
            raise EtcdFault(f"The snapshot ended after {got} of {self.size} bytes.")
        if digest.digest() != tail:
            raise EtcdFault("The snapshot was damaged on its way: its checksum does not match.")


class Etcd:
    """One etcd member, asked over a stream to it; see `open_etcd`."""

    def __init__(self, forward: Forward, connection: http.client.HTTPConnection, timeout: float):
        self._forward = forward
        self._http = connection
        self._timeout = timeout

    def members(self) -> tuple[EtcdMember, ...]:
        """Return the members of the etcd cluster, in etcd's order.

        Raises:
            EtcdFault: etcd answered with an error, or with what makes no sense.
            ClusterUnreachable: it did not answer.
        """
        found = self._ask("cluster/member/list", {}).get("members")
        if not isinstance(found, list) or not found or len(found) > _MOST_MEMBERS:
            raise _senseless("no members")
        return tuple(_member(one) for one in found)

    def status(self) -> EtcdStatus:
        """Return what this member says of itself; raises as `members` does."""
        found = self._ask("maintenance/status", {})
        header = found.get("header")
        version = found.get("version")
        errors = found.get("errors") or []
        if not isinstance(version, str) or not isinstance(header, dict):
            raise _senseless("no version")
        if not isinstance(errors, list) or len(errors) > _MOST_ERRORS:
            raise _senseless("errors that are not a list")
        return EtcdStatus(
            version=plain(version, 40),
            size=_number(found.get("dbSize", "0")),
            member=_number(header.get("member_id", "0")),
            leader=_number(found.get("leader", "0")),
            problems=tuple(plain(str(one), _LONGEST_REASON) for one in errors),
        )

    def remove(self, member: int) -> None:
        """Remove a member from the etcd cluster; raises as `members` does.

        EtcdFault has `code` 5 where there is no such member, and 9 where the others would be no
        healthy majority (etcd: api/v3rpc/rpctypes).
        """
        self._ask("cluster/member/remove", {"ID": str(member)})

    def move_leader(self, member: int) -> None:
        """Make another member the leader; only the leader can be asked. Raises as `members` does.

        EtcdFault has `code` 9 where this one is not the leader, or the other one cannot be.
        """
        self._ask("maintenance/transfer-leadership", {"targetID": str(member)})

    def snapshot(self) -> Snapshot:
        """Return a snapshot to read; nothing else can be asked until it is read."""
        response = self._send("maintenance/snapshot", {})
        return Snapshot(self._lines(response))

    # Private

    def _ask(self, call: str, body: Mapping[str, Any]) -> dict[str, Any]:
        def work() -> bytes:
            with self._explained():
                response = self._send(call, body)
                return bounds.gather(iter(lambda: response.read(_PIECE), b""))

        return _object(bounds.within(2 * self._timeout, work, peer="etcd"))

    def _send(self, call: str, body: Mapping[str, Any]) -> http.client.HTTPResponse:
        with self._explained():
            content = json.dumps(body).encode()
            headers = {"Content-Type": "application/json"}
            self._http.request("POST", f"/v3/{call}", content, headers)
            response = self._http.getresponse()
            if response.status != _OK:
                raise _fault(response.status, response.read(_PIECE))
            return response

    def _lines(self, response: http.client.HTTPResponse) -> Iterator[Mapping[str, Any]]:
        while True:
            bounds.sleep(0)  # ends the command where its time is up
            with self._explained():
                line = response.readline(_LONGEST_LINE + 1)
            if not line:
                return
            if len(line) > _LONGEST_LINE:
                raise _senseless("too long a line")
            message = _object(line)
            if "error" in message:
                raise _fault(0, line)
            result = message.get("result")
            if not isinstance(result, dict):
                raise _senseless("no result")
            yield result

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            raise _silence(self._forward, error) from None


@contextlib.contextmanager
def open_etcd(
    access: Credentials,
    pod: str,
    *,
    ca: bytes,
    certificate: bytes,
    key: bytes,
    timeout: float,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Etcd]:
    """Give the etcd member in `pod`; `access` is that of the cluster's API.

    `ca` is etcd's, `certificate` and `key` those of a client of etcd, all in PEM. `timeout`
    (seconds) bounds each wait.

    Raises:
        ClusterUnreachable: the API server or etcd does not answer.
    """
    context = client_context(ca, certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    with forward_port(access, _NAMESPACE, pod, _PORT, timeout=timeout, environ=environ) as forward:
        forward.socket.settimeout(timeout)
        try:
            stream = context.wrap_socket(forward.socket, server_hostname="localhost")
        except OSError as error:
            raise _silence(forward, error) from None
        connection = http.client.HTTPConnection("localhost", _PORT, timeout=timeout)
        connection.sock = stream
        # a lost connection is an error, and not a reason to look for an etcd on this machine
        connection.auto_open = 0
        try:
            yield Etcd(forward, connection, timeout)
        finally:
            with contextlib.suppress(OSError):
                connection.close()


def _silence(forward: Forward, error: Exception) -> ClusterUnreachable:
    if isinstance(error, (TimeoutError, socket.timeout)):
        return ClusterUnreachable("The cluster's etcd does not answer.", reason="timed out")
    why = forward.error or plain(str(error), _LONGEST_REASON) or type(error).__name__
    return ClusterUnreachable(f"The connection to the cluster's etcd failed: {why}.")


def _fault(status: int, content: bytes) -> EtcdFault:
    try:
        found = bounds.load_json(content)
    except ValueError:
        found = None
    inner = found.get("error") if isinstance(found, dict) else None
    if isinstance(inner, dict):  # in a stream
        found = inner
    if not isinstance(found, dict):
        found = {}
    if status == _NOT_FOUND and not found:
        return EtcdFault("The cluster's etcd is older than 3.4 and cannot be asked from outside.")
    text = found.get("message") or found.get("error") or f"HTTP status {status}"
    code = found.get("code", found.get("grpc_code", 0))
    return EtcdFault(
        f"The cluster's etcd refused: {plain(str(text), _LONGEST_REASON)}.",
        code=code if isinstance(code, int) else 0,
    )


def _senseless(what: str) -> EtcdFault:
    return EtcdFault(f"The cluster's etcd gave an answer that makes no sense ({what}).")


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = bounds.load_json(content)
    except ValueError:
        raise _senseless("not JSON") from None
    if not isinstance(found, dict):
        raise _senseless("not an object")
    return found


def _member(found: object) -> EtcdMember:
    if not isinstance(found, dict):
        raise _senseless("no member")
    name = found.get("name", "")
    return EtcdMember(
        id=_number(found.get("ID")),
        name=plain(name, _LONGEST_REASON) if isinstance(name, str) else "",
        peer_urls=_texts(found.get("peerURLs", [])),
        client_urls=_texts(found.get("clientURLs", [])),
        learner=found.get("isLearner") is True,
    )


def _texts(found: object) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise _senseless("no list of addresses")
    return tuple(plain(str(one), _LONGEST_REASON) for one in found[:_MOST_MEMBERS])


def _number(found: object) -> int:
    """Return a 64-bit number, which comes as a string."""
    try:
        number = int(found) if isinstance(found, (str, int)) else -1
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 64:
        raise _senseless("no number")
    return number


def _piece(result: Mapping[str, Any]) -> tuple[bytes, int]:
    """Return the bytes of one message of a snapshot, and how many of the database are left."""
    blob = result.get("blob", "")
    try:
        data = base64.b64decode(blob, validate=True) if isinstance(blob, str) else b""
    except ValueError:
        raise _senseless("a snapshot that is not base64") from None
    # what is zero is left out
    return data, _number(result.get("remaining_bytes", "0"))
