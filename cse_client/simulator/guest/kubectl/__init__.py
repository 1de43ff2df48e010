"""A small kubectl inside guests: real TLS, with the credentials of the kubeconfig it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cse_client.simulator.guest.kubeclient import BadKubeconfig, Unreachable
from cse_client.simulator.guest.kubectl.session import Failure, KubectlWords, open_session
from cse_client.simulator.guest.kubectl.verbs import VERBS

if TYPE_CHECKING:
    from cse_client.simulator.guest.exchange import Call
    from cse_client.simulator.guest.system import System

__all__ = ["kubectl"]


def kubectl(system: System, call: Call) -> int:
    """Run kubectl; failures print kubectl's words and exit 1."""
    try:
        words = KubectlWords.parse(call.words)
        verb = words.plain[0] if words.plain else ""
        if verb == "version":
            return _version(system, call, words)
        handler = VERBS.get(verb)
        if handler is None:
            call.err(f'error: unknown command "{verb}" for "kubectl" (or not simulated)')
            return 1
        session = open_session(system, call, words)
        try:
            return handler(session, words.plain[1:])
        finally:
            session.client.close()
    except Failure as error:
        call.err(str(error))
        return 1
    except BadKubeconfig as error:
        call.err(f"error: {error}")
        return 1
    except Unreachable as error:
        text = str(error)
        if "connection refused" in text:
            host = text.rsplit("dial tcp ", maxsplit=1)[-1].split(": connect", maxsplit=1)[0]
            call.err(
                f"The connection to the server {host} was refused - did you specify the right host"
                " or port?"
            )
        else:
            call.err(f"Unable to connect to the server: {text}")
        return 1


def _version(system: System, call: Call, words: KubectlWords) -> int:
    version = f"v{system.image.kubernetes}"
    if "client" in words.options:
        if system.image.minor >= 28:  # noqa: PLR2004
            call.out(f"Client Version: {version}")
        else:
            call.out(f'Client Version: version.Info{{Major:"1", GitVersion:"{version}"}}')
        return 0
    session = open_session(system, call, words)
    try:
        _, found = session.client.request("GET", "/version")
    finally:
        session.client.close()
    call.out(f"Client Version: {version}\nServer Version: {found.get('gitVersion')}")
    return 0
