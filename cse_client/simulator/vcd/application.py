"""One request from arrival to answer: version, login, handler, errors."""

from __future__ import annotations

import importlib
import json
import re
import sys
import traceback
import uuid
from collections.abc import Callable
from email.utils import format_datetime

from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd import login, oauth, uploads
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.documents import common
from cse_client.simulator.vcd.errors import VcdError, not_found, not_implemented
from cse_client.simulator.vcd.markup import serialize
from cse_client.simulator.vcd.people import Session
from cse_client.simulator.vcd.routes import Call, find
from cse_client.simulator.vcd.versions import key

__all__ = ["VcdApplication"]

for _module in (
    "organization",
    "catalogs",
    "vapps",
    "vms",
    "hardware",
    "metadata",
    "tasks",
    "gateways",
    "policies",
    "affinity",
    "defined_entities",
    "defined_types",
    "sessions",
    "administration",
    # last: what is left of the addresses below vApps, VMs and templates
    "parts",
):
    importlib.import_module(f"cse_client.simulator.vcd.handlers.{_module}")

_NOT_IMPLEMENTED = 501
_VERSION = re.compile(r"version=([0-9][0-9A-Za-z.-]*)")


def _request_id(request: Request) -> str:
    """Return a fresh id of a request, behind the client's own.

    API reference: up to 128 of letters, digits and hyphens of X-VMWARE-VCLOUD-CLIENT-REQUEST-ID, a
    hyphen, a random UUID; anything else is not repeated.
    """
    fresh = str(uuid.uuid4())
    given = request.headers.get("x-vmware-vcloud-client-request-id", "")
    return f"{given[:128]}-{fresh}" if re.fullmatch("[A-Za-z0-9-]+", given) else fresh


class VcdApplication:
    """Answers every request below /api, /cloudapi, /oauth and /network.

    `extension`, when set, is asked first for paths below /api/cse; it returns None for requests
    that it leaves to VCD.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.extension: Callable[[Request, Session], Response | None] | None = None

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        try:
            response = self._answer(request)
        except VcdError as error:
            if error.status == _NOT_IMPLEMENTED:
                # said aloud, too: a test must not mistake it for VCD's answer
                print(f"simulator: {error.message}", file=sys.stderr, flush=True)  # noqa: T201
            response = self.refusal(request, error)
        except Exception as error:  # noqa: BLE001  (a defect must be answered, and seen)
            traceback.print_exc(file=sys.stderr)
            text = f"The simulator failed: {type(error).__name__}: {error}"
            response = self.refusal(request, VcdError(500, "INTERNAL_SERVER_ERROR", text))
        if not request.path.startswith("/transfer/"):  # which has none (vcd-cli issue 249)
            response.headers.setdefault("X-VMWARE-VCLOUD-REQUEST-ID", _request_id(request))
            response.headers.setdefault("X-VMWARE-VCLOUD-REQUEST-EXECUTION-TIME", "1")
        # RFC 9110, 6.6.1: a server that has a clock says the time with every answer
        response.headers.setdefault("Date", format_datetime(self.cloud.clock.now(), usegmt=True))
        return response

    def refusal(self, request: Request, error: VcdError) -> Response:
        """Render an error in the language of the API that was asked."""
        if error.status == 401:  # noqa: PLR2004
            # Recorded: an empty body [vcloud-rest, wrong_login].
            return Response(401, b"", "", {"WWW-Authenticate": 'BASIC realm="vCloud"'})
        if request.path.startswith(("/cloudapi", "/oauth")):
            body = {"minorErrorCode": error.minor, "message": error.message, "stackTrace": None}
            return Response(error.status, json.dumps(body).encode(), "application/json")
        content_type = "application/vnd.vmware.vcloud.error+xml"
        return Response(error.status, serialize(common.error(error)), content_type)

    def _answer(self, request: Request) -> Response:
        if request.path.rstrip("/") == "/api/versions":
            return login.versions(self.cloud, request)
        if request.path.startswith("/oauth/"):
            return self.cloud.transact(lambda: oauth.answer(self.cloud, request))
        if request.path.startswith("/transfer/"):
            login.authenticate(self.cloud, request)
            return self.cloud.transact(lambda: uploads.receive(self.cloud, request))
        version_text = self._version(request)
        version = key(version_text)
        early = login.answer(self.cloud, request, version)
        if early is not None:
            return early
        session = login.authenticate(self.cloud, request)
        if request.path.startswith("/api/cse") and self.extension is not None:
            answer = self.extension(request, session)
            if answer is not None:
                return answer
        return self._handle(request, session, version, version_text)

    def _version(self, request: Request) -> str:
        """Return the API version that the Accept header asks for; 406 if it is not served."""
        accept = request.headers.get("accept", "")
        match = _VERSION.search(accept)
        release = self.cloud.release
        if match is None:
            if request.path.startswith("/network"):
                return release.current[0]
            raise release.not_acceptable()
        version = match.group(1)
        if not release.serves(version):
            raise release.not_acceptable()
        in_json = "json" in accept and "xml" not in accept
        if in_json and request.path.startswith("/api/") and "/api/cse" not in request.path:
            # Real servers speak JSON here since API 32.
            raise not_implemented(f"{request.method} {request.path} in JSON")
        return version

    def _handle(
        self, request: Request, session: Session, version: tuple[int, int], version_text: str
    ) -> Response:
        if request.path.startswith("/api/cse"):
            raise not_found(request.path)
        found = find(request.method, request.path)
        if found is None:
            raise not_implemented(f"{request.method} {request.path}")
        handler, ids = found
        call = Call(self.cloud, request, session, version, version_text, ids)
        return self.cloud.transact(lambda: handler(call))
