"""Which handler of 2.6.1 answers which path.

Source: container-service-extension 2.6.1:container_service_extension/request_processor.py. The
first part of the path may be singular or plural, in any case; an unknown path is 404, a verb that
the path does not have 405, everything but `system` 400 while the server is disabled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cse_client.simulator.cse.calls import VcdCalls
from cse_client.simulator.cse.errors import Refusal, reply
from cse_client.simulator.cse.legacy import Caller, LegacyProtocol
from cse_client.simulator.cse.payload import Payload, read_payload
from cse_client.simulator.cse.provider import Provider, Release, ServerState
from cse_client.simulator.http import Request, Response
from cse_client.simulator.vcd.cloud import Cloud
from cse_client.simulator.vcd.people import Session

__all__ = ["LegacyDialect", "Route", "find_route"]

_OK, _ACCEPTED = 200, 202
_BAD_REQUEST, _NOT_FOUND, _NOT_ALLOWED, _NOT_ACCEPTABLE = 400, 404, 405, 406
_FIRST = 3
#: Kind of thing and number of parts where an unknown path, too, is answered as a wrong verb.
_NO_VERB = (("cluster", 3), ("cluster", 4))

Handler = Callable[[Caller, Payload], object]
Route = tuple[str, str, Handler, int]


class LegacyDialect:
    """The protocol by names: 2.6.1's, which 3.x speaks in legacy mode.

    3.x insists on its API version there, which 2.6.1 ignores; other differences are not imitated.
    """

    def __init__(self, cloud: Cloud, release: Release) -> None:
        self.stopped = False
        self.state = ServerState()
        self._served = release.served or ((release.api,) if release.api else ())
        clusters = LegacyProtocol(cloud, release.version)
        provider = Provider(cloud, self.state, release)
        self._routes: tuple[Route, ...] = (
            ("GET", "cluster", clusters.cluster_list, _OK),
            ("POST", "cluster", clusters.cluster_create, _ACCEPTED),
            ("GET", "cluster/{cluster_name}", clusters.cluster_info, _OK),
            ("PUT", "cluster/{cluster_name}", clusters.cluster_resize, _ACCEPTED),
            ("DELETE", "cluster/{cluster_name}", clusters.cluster_delete, _ACCEPTED),
            ("GET", "cluster/{cluster_name}/config", clusters.cluster_config, _OK),
            ("GET", "cluster/{cluster_name}/upgrade-plan", clusters.upgrade_plan, _OK),
            ("POST", "cluster/{cluster_name}/action/upgrade", clusters.cluster_upgrade, _ACCEPTED),
            ("POST", "node", clusters.node_create, _ACCEPTED),
            ("DELETE", "node", clusters.node_delete, _ACCEPTED),
            ("GET", "node/{node_name}", clusters.node_info, _OK),
            ("GET", "template", clusters.template_list, _OK),
            ("GET", "ovdc", provider.ovdc_list, _OK),
            ("GET", "ovdc/{ovdc_id}", provider.ovdc_info, _OK),
            ("PUT", "ovdc/{ovdc_id}", provider.ovdc_update, _ACCEPTED),
            ("GET", "ovdc/{ovdc_id}/compute-policies", provider.policy_list, _OK),
            ("PUT", "ovdc/{ovdc_id}/compute-policies", provider.policy_update, _OK),
            ("GET", "system", provider.system_info, _OK),
            ("PUT", "system", provider.system_update, _OK),
        )

    def answer(self, request: Request, session: Session, vcd: VcdCalls, *, stuck: bool) -> Response:
        """Answer a request; raises Refusal."""
        handler, place, status = find_route(self._routes, request, _FIRST)
        if self.state.now != ServerState.RUNNING and not _about_system(request):
            raise Refusal(
                _BAD_REQUEST, "CSE service is disabled. Contact the System Administrator."
            )
        version = request.headers.get("accept", "").partition("version=")[2].strip()
        if self._served and version not in self._served and not _about_system(request):
            raise Refusal(
                _NOT_ACCEPTABLE,
                f"Invalid api version specified. Expected api version '{list(self._served)}'.",
            )
        payload = read_payload(request, place)
        body = handler(Caller(session.user, vcd, stuck), payload)
        # No request is in progress after this one: the process ends.
        self.stopped = self.state.now == ServerState.STOPPING
        return reply(body, status)


def _about_system(request: Request) -> bool:
    return request.path.lower().startswith("/api/cse/system")


def find_route(
    routes: Sequence[Route], request: Request, first: int
) -> tuple[Handler, dict[str, str], int]:
    """Return handler, names in the path and status of success.

    `first` is the number of the path's part with the kind of thing: 3 in /api/cse/clusters.

    Raises:
        Refusal: 404 or 405.
    """
    parts = request.path.split("/")[first:]
    if not parts or not parts[0]:
        raise Refusal(_NOT_FOUND, "Invalid url - not found")
    kind = parts[0].lower()
    parts[0] = kind[:-1] if kind.endswith("s") else kind
    known = False
    for verb, pattern, handler, status in routes:
        wanted = pattern.split("/")
        if len(wanted) != len(parts):
            continue
        pairs = list(zip(wanted, parts))
        if any(want != part for want, part in pairs if not want.startswith("{")):
            continue
        known = True
        if verb == request.method:
            place = {want[1:-1]: part for want, part in pairs if want.startswith("{")}
            return handler, place, status
    if known or (parts[0], len(parts)) in _NO_VERB:
        raise Refusal(_NOT_ALLOWED, "Method not allowed")
    raise Refusal(_NOT_FOUND, "Invalid url - not found")
