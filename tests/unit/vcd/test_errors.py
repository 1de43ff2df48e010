"""From VCD's words to ours, over a real socket where a socket matters."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cse_client.errors import (
    Conflict,
    CseError,
    NotFound,
    Refused,
    SessionInvalid,
    VcdFault,
)
from cse_client.model import Session
from cse_client.vcd import errors
from cse_client.vcd.client import VcdClient
from cse_client.vcd.errors import Action, EntityBusy
from tests.support.clock import FakeClock
from tests.support.scripted_vcd import Answer, ScriptedVcd

ID = "7c1e0000-1111-2222-3333-444455556666"
HOLDER = "99990000-1111-2222-3333-444455556666"
SESSION = Session("vcd.example.com", "acme", "bob", "36.0", "very-secret-token", verify=False)


def error_body(message: str, code: str, major: int = 400) -> bytes:
    text = message.replace('"', "&quot;")
    return (
        '<Error xmlns="http://www.vmware.com/vcloud/v1.5" '
        f'majorErrorCode="{major}" minorErrorCode="{code}" message="{text}"/>'
    ).encode()


def told(status: int, message: str, code: str, action: Action | None = None) -> CseError:
    body = error_body(f"[ {ID} ] {message}", code, status)
    return errors.from_reply(
        status, body, "application/xml", "", action or Action("make the vApp demo"), SESSION
    )


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "DUPLICATE_NAME", "The VCD entity demo already exists.", Conflict),
        (
            400,
            "BAD_REQUEST",
            "The requested operation will exceed the VDC's storage quota.",
            Refused,
        ),
        (400, "OPERATION_LIMITS_EXCEEDED", "Too many operations.", Refused),
        (400, "BAD_REQUEST", "validation error on field 'id'", VcdFault),
        (403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", "No access to entity.", Refused),
        (404, "NOT_FOUND", "nothing here", NotFound),
        (409, "CONFLICT", "in the way", Conflict),
        (500, "INTERNAL_SERVER_ERROR", "Unable to perform this action.", VcdFault),
    ],
)
def test_each_refusal_has_its_class_and_keeps_vcds_words(
    status: int, code: str, message: str, kind: type[CseError]
) -> None:
    error = told(status, message, code)
    assert type(error) is kind
    assert error.message.endswith(f"{message.rstrip('.')} (request {ID}).")
    assert "[ " not in error.message


def test_a_busy_entity_names_the_task_that_holds_it() -> None:
    error = told(
        400,
        "The entity Ref: com.vmware.vcloud.entity.vm:1 is busy completing an operation "
        f"VAPP_UPDATE_VM. VAPP_UPDATE_VM(com.vmware.vcloud.entity.task:{HOLDER})",
        "BUSY_ENTITY",
    )
    assert isinstance(error, EntityBusy)
    assert error.task_id == HOLDER


def test_a_vague_refusal_with_a_task_in_it_is_busy_and_without_one_is_a_fault() -> None:
    vague = "Unable to perform this action. Contact your cloud administrator."
    text = f"{vague} VDC_RECOMPOSE_VAPP(com.vmware.vcloud.entity.task:{HOLDER})"
    assert isinstance(told(400, text, "BAD_REQUEST"), EntityBusy)
    fault = told(500, vague, "INTERNAL_SERVER_ERROR")
    assert isinstance(fault, VcdFault)
    assert (fault.status, fault.code, fault.request_id) == (500, "INTERNAL_SERVER_ERROR", ID)
    assert not fault.repeatable
    assert not fault.outcome_unknown


def test_a_forbidden_thing_is_missing_where_that_is_what_403_means() -> None:
    error = told(
        403,
        "No access to entity.",
        "ACCESS_TO_RESOURCE_IS_FORBIDDEN",
        Action("x", missing="the vApp demo"),
    )
    assert isinstance(error, NotFound)
    assert error.message.startswith("The vApp demo does not exist, or is hidden from you: ")


def test_a_refusal_names_the_right_and_who_grants_it() -> None:
    error = told(403, "No.", "ACCESS_TO_RESOURCE_IS_FORBIDDEN", Action("x", right="vApp: Delete"))
    assert '"vApp: Delete"' in error.hint
    assert "organization administrator" in error.hint
    assert "deleted" not in error.hint


def test_a_thing_without_access_may_be_gone() -> None:
    text = 'No access to entity "(com.vmware.vcloud.entity.vapp:1)".'
    error = told(403, text, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", Action("x", right="vApp: Delete"))
    assert isinstance(error, Refused)
    assert error.hint.startswith("it may have been deleted meanwhile; otherwise the right")


def test_nothing_secret_survives_in_a_message() -> None:
    pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----"
    blob = "QUJD" * 60
    text, request_id = errors.clean(f"[ {ID} ] bad value {pem} and Bearer abc.def-1 and {blob}!")
    assert request_id == ID
    assert text == "bad value <key removed> and Bearer <removed> and <data removed>!"
    cut, _request = errors.clean("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE cut off")
    assert "MHcC" not in cut


def test_an_endless_text_is_shortened() -> None:
    assert len(errors.clean("word " * 1000)[0]) < 750


def test_an_expired_session_says_what_to_type() -> None:
    error = errors.from_reply(401, b"", "", "", Action("read"), SESSION)
    assert isinstance(error, SessionInvalid)
    assert error.hint == (
        "Log in again: vcd login vcd.example.com acme bob --no-verify-ssl-certs --disable-warnings"
    )
    assert error.exit_code == 4


def test_a_refused_version_names_those_on_offer_and_the_line_to_type() -> None:
    text = (
        "The request has invalid accept header: Invalid API version requested. Supported API "
        "versions are: [40.0.0-alpha, 37.3, 37.10, 38.0, 36.3 [D], 39.0] ([D] indicates deprecated)"
    )
    error = errors.from_reply(
        406, error_body(text, "NOT_ACCEPTABLE", 406), "application/xml", "", Action("x"), SESSION
    )
    assert isinstance(error, SessionInvalid)
    assert error.message == (
        "VCD at vcd.example.com does not serve API version 36.0; "
        "it offers 39.0, 38.0, 37.10, 37.3, 36.3."
    )
    assert error.hint.endswith(
        "vcd login vcd.example.com acme bob --no-verify-ssl-certs --disable-warnings --version 39.0"
    )


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("<html>Bad Gateway</html>", "text/html; charset=utf-8", "HTTP 502 and text/html"),
        ("", "", "HTTP 502 with an empty body"),
        ("plain words", "text/plain", "HTTP 502 and text/plain"),
    ],
)
def test_a_proxys_answer_is_called_that(
    scripted: ScriptedVcd, clock: FakeClock, body: str, kind: str, words: str
) -> None:
    scripted.answer("GET /api/session", Answer(body, 502, kind))
    with pytest.raises(VcdFault, match=words) as caught:
        VcdClient.open(scripted.session(), clock=clock)
    assert caught.value.status == 502


def test_a_login_page_instead_of_xml_is_no_answer(scripted: ScriptedVcd, clock: FakeClock) -> None:
    scripted.answer("GET /api/session", Answer("<html><p>Hello", 200, "text/html"))
    with pytest.raises(
        VcdFault, match=r"does not answer like VMware Cloud Director \(an HTML page without a title"
    ):
        VcdClient.open(scripted.session(), clock=clock)


def test_a_406_without_a_list_is_completed_from_the_version_document(
    scripted: ScriptedVcd, clock: FakeClock
) -> None:
    scripted.answer("GET /api/session", Answer("", 406, ""))
    scripted.answer(
        "GET /api/versions",
        """<SupportedVersions xmlns="http://www.vmware.com/vcloud/versions">
        <VersionInfo deprecated="true"><Version>37.3</Version></VersionInfo>
        <VersionInfo deprecated="false"><Version>39.1</Version></VersionInfo>
        <AlphaVersion><Version>40.0.0-alpha</Version></AlphaVersion></SupportedVersions>""",
    )
    with pytest.raises(SessionInvalid, match=r"it offers 39\.1, 37\.3") as caught:
        VcdClient.open(scripted.session(), clock=clock)
    assert caught.value.hint == f"Log in again: vcd cse login {scripted.base} acme bob"


def test_a_refused_connection_names_the_host(clock: FakeClock) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
    session = Session(host, "acme", "bob", "36.0", "very-secret-token")
    with pytest.raises(VcdFault, match=f"{host} cannot be reached: the connection was") as caught:
        VcdClient.open(session, clock=clock)
    assert "very-secret-token" not in repr(caught.value) + str(caught.value) + caught.value.hint
    assert len(clock.slept) == 2


def test_an_unknown_host_name_is_said_to_be_one(clock: FakeClock) -> None:
    session = Session("no-such-host.invalid", "acme", "bob", "36.0", "t")
    with pytest.raises(VcdFault, match=r"no-such-host\.invalid cannot be resolved"):
        VcdClient.open(session, clock=clock)


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[int]:
    """A TLS server with a certificate that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_an_unknown_certificate_is_not_tried_again_and_says_what_helps(
    tls_port: int, clock: FakeClock
) -> None:
    session = Session(f"127.0.0.1:{tls_port}", "acme", "bob", "36.0", "t")
    with pytest.raises(VcdFault, match=r"cannot be verified: self.signed certificate") as caught:
        VcdClient.open(session, clock=clock)
    assert caught.value.hint == (
        f"Specify the file of its CA: vcd cse login 127.0.0.1:{tls_port} acme bob --ca-file FILE"
    )
    assert clock.slept == []
