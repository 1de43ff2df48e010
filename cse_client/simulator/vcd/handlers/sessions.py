"""The session and the API tokens of whoever asks, as the newer API shows them."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

from cse_client.simulator.http import Response
from cse_client.simulator.vcd.errors import no_access
from cse_client.simulator.vcd.login import session_document
from cse_client.simulator.vcd.openapi import answer, page, since
from cse_client.simulator.vcd.people import ApiToken, Right, role_id
from cse_client.simulator.vcd.routes import Call, route

_SESSIONS = "/cloudapi/1.0.0/sessions"
_TOKENS = "/cloudapi/1.0.0/tokens"


@route("GET", f"{_SESSIONS}/current")
def _current(call: Call) -> Response:
    return answer(call, session_document(call.cloud, call.session))


@route("DELETE", f"{_SESSIONS}/current")
def _log_out(call: Call) -> Response:
    """End the caller's session: "Logout Current Session", since 36.0."""
    since(call, 36, 0)
    call.cloud.sessions.close(call.session.token)
    return Response(204)


def _token_document(call: Call, one: ApiToken) -> dict[str, Any]:
    org = call.cloud.org_of(one.user)
    return {
        "id": f"urn:vcloud:token:{one.id}",
        "name": one.name,
        "token": None,
        "owner": {"name": one.user.name, "id": f"urn:vcloud:user:{one.user.id}"},
        "org": {"name": org.name, "id": f"urn:vcloud:org:{org.id}"},
        "softwareId": None,
        "type": "REFRESH",
    }


def _token(call: Call) -> ApiToken:
    since(call, 36, 1)
    one = call.cloud.api_tokens.get(call.ids["token"])
    if one is None or one.user is not call.user:
        raise no_access("token", call.ids["token"])
    return one


@route("GET", _TOKENS)
def _tokens(call: Call) -> Response:
    since(call, 36, 1)
    own = [one for one in call.cloud.api_tokens.values() if one.user is call.user]
    firsts = ("id", "name", "owner", "org", "type", "softwareId")
    return page(call, own, lambda one: _token_document(call, one), firsts)


@route("GET", f"{_TOKENS}/urn:vcloud:token:{{token}}")
def _one_token(call: Call) -> Response:
    return answer(call, _token_document(call, _token(call)))


@route("DELETE", f"{_TOKENS}/urn:vcloud:token:{{token}}")
def _revoke(call: Call) -> Response:
    del call.cloud.api_tokens[_token(call).id]
    return Response(204)


@route("GET", "/cloudapi/1.0.0/roles/urn:vcloud:role:{role}/rights")
def _rights_of_role(call: Call) -> Response:
    """List the rights of the caller's own role (go-vcloud-director: govcd/roles.go, GetRights).

    A right that was taken from one user is taken from his role here: the simulator has no role of
    which another user would notice that.
    """
    call.user.require(Right.USER_VIEW)
    if call.ids["role"] != role_id(call.user.role):
        raise no_access("role", call.ids["role"])
    rights = sorted(call.user.rights)

    def document(name: str) -> dict[str, Any]:
        return {"name": name, "id": f"urn:vcloud:right:{uuid5(NAMESPACE_OID, name)}"}

    return page(call, rights, document, ("name", "id"))
