"""What is in the way of an upgrade: everything that can be known before the first change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from cse_client import suggest
from cse_client.content import plain
from cse_client.engines.direct.existing import ExistingCluster
from cse_client.engines.direct.members import see_members
from cse_client.engines.direct.operations.leaving import name_stuck
from cse_client.engines.direct.quorum import growth_problems
from cse_client.engines.direct.upgrade_targets import release_of, skew_problems
from cse_client.errors import ClusterUnreachable, CseError, PreflightFailed, Refused
from cse_client.guest.pki import ClusterPKI
from cse_client.kube.addons.table import ADDONS
from cse_client.kube.addons.table import RELEASES as ADDON_RELEASES
from cse_client.kube.api import ClusterAPI
from cse_client.kube.drain import find_stuck_pods
from cse_client.kube.requested import requested_deprecated
from cse_client.model import KubeNode, Template, footprint
from cse_client.versions import version_key

__all__ = ["Findings", "find_obstacles"]

#: A certificate that ends sooner could end in the middle of it.
_LEAST_VALIDITY = timedelta(days=2)


@dataclass
class Findings:
    """Sentences: what refuses an upgrade, and what to think of besides.

    `cures` are hints for some of the obstacles.
    """

    obstacles: list[str] = field(default_factory=list)
    cures: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, problem: CseError) -> None:
        """Add a problem as an obstacle."""
        found = problem.problems if isinstance(problem, PreflightFailed) else [problem]
        self.obstacles += [one.message for one in found]
        self.cures.update({one.message: one.hint for one in found if one.hint})

    def refusals(self) -> list[CseError]:
        """Return the obstacles as errors."""
        return [Refused(text, hint=self.cures.get(text, "")) for text in self.obstacles]


def find_obstacles(
    cluster: ExistingCluster,
    pki: ClusterPKI,
    api: ClusterAPI,
    template: Template,
    release: str,
    resolve: Callable[[], object],
    *,
    force: bool,
) -> Findings:
    """Look at everything; `resolve` checks that new nodes can be made, and raises what is wrong.

    Raises:
        SessionInvalid, VcdFault: VCD cannot be asked.
        ClusterUnreachable: the cluster's API stopped answering.
    """
    found = Findings()
    nodes = api.nodes()
    for problem in skew_problems(template, release, [node.kubelet_version for node in nodes]):
        found.add(problem)
    for problem in _machine_problems(cluster, nodes):
        found.add(problem)
    if cluster.virtual_address:
        found.obstacles += _control_plane_problems(cluster, pki, template)
    _collect(found, resolve)
    _look_at_pods(cluster, api, found, force=force)
    _look_at_api(api, template, found, force=force)
    found.obstacles += _certificate_problems(api)
    _look_at_addons(cluster, api, template, found)
    return found


def _collect(found: Findings, look: Callable[[], object]) -> None:
    try:
        look()
    except CseError as problem:
        if getattr(problem, "unanswered", False):
            raise
        found.add(problem)


def _machine_problems(cluster: ExistingCluster, nodes: Sequence[KubeNode]) -> Iterator[CseError]:
    repair = f"Repair the cluster: {suggest.cse('cluster repair', cluster.name)}"
    listed = f"List the nodes: {suggest.cse('node list', cluster.name)}"
    known = {node.name: node for node in nodes}
    for vm in (*cluster.control_planes, *cluster.workers):
        node = known.pop(vm.name, None)
        if not vm.is_on:
            yield Refused(f"VM {vm.name} is not powered on ({vm.status}).", hint=repair)
        elif node is None:
            yield Refused(f"VM {vm.name} is not a node of the cluster.", hint=listed)
        elif not node.ready:
            why = f" ({plain(node.reason)})" if node.reason else ""
            yield Refused(f"Node {vm.name} is not Ready{why}.", hint=listed)
    for name in known:
        yield Refused(f"Node {plain(name)} has no VM in the cluster's vApp.", hint=repair)


def _control_plane_problems(
    cluster: ExistingCluster, pki: ClusterPKI, template: Template
) -> Iterator[str]:
    if not template.facts.keepalived:
        register = suggest.cse("template register", help=True)
        yield (
            f"Template '{template.item}' is not known to contain keepalived, which holds the"
            f" cluster's virtual address; if it does, register it with --keepalived: {register}"
        )
    try:
        members = see_members(cluster, pki)
    except CseError as unknown:
        yield unknown.message
        return
    for problem in growth_problems(members):
        yield problem.message
    names = {one.name for one in members.voters}
    heads = {vm.name for vm in cluster.control_planes}
    if names != heads:
        yield (
            f"The members of etcd ({', '.join(sorted(map(plain, names)))}) are not the control"
            f" planes ({', '.join(sorted(heads))})."
        )


def _look_at_pods(
    cluster: ExistingCluster, api: ClusterAPI, found: Findings, *, force: bool
) -> None:
    leaving = [*cluster.workers, *(cluster.control_planes if cluster.virtual_address else [])]
    names = [vm.name for vm in leaving]
    stuck = find_stuck_pods(api, names)
    if stuck:
        (found.warnings if force else found.obstacles).append(f"{name_stuck(stuck)}.")


def _look_at_api(api: ClusterAPI, template: Template, found: Findings, *, force: bool) -> None:
    """Look at which APIs clients have used; the API server forgets none until it restarts."""
    after = version_key(release_of(template))[:2]
    try:
        requested = requested_deprecated(api)
    except ClusterUnreachable as unknown:
        found.warnings.append(
            "It was not checked whether clients use APIs that Kubernetes"
            f" {release_of(template)} does not serve: {unknown.clause}."
        )
        return
    for one in requested:
        # without a release that removes it, Kubernetes' own components use it, too
        removed = version_key(one.removed_in)[:2]
        if not removed:
            continue
        text = (
            f"Clients have used the API {plain(one.name)} since the API server started, and"
            f" Kubernetes {plain(one.removed_in)} does not serve it"
        )
        if removed > after or force:
            found.warnings.append(f"{text}.")
        else:
            found.obstacles.append(
                f"{text}; update these clients and restart kube-apiserver, or use --force."
            )


def _certificate_problems(api: ClusterAPI) -> Iterator[str]:
    end = api.certificate_end()
    if end is not None and end - api.now() < _LEAST_VALIDITY:
        renew = suggest.cse("cluster renew", suggest.cluster())
        yield f"The API server's certificate ends on {end:%Y-%m-%d}; renew it first: {renew}"


def _look_at_addons(
    cluster: ExistingCluster, api: ClusterAPI, template: Template, found: Findings
) -> None:
    after = version_key(release_of(template))
    for addon in ADDONS:
        path = f"/api/v1/namespaces/kube-system/configmaps/cse-addon-{addon}"
        record = api.read(path, "ConfigMap", f"read the record of {addon}")
        version = str(((record or {}).get("data") or {}).get("version", ""))
        release = next(
            (one for one in ADDON_RELEASES if (one.addon, one.version) == (addon, version)), None
        )
        if release is None or (len(after) > 1 and release.first <= after[1] <= release.last):
            continue
        install = suggest.cse("addon install", cluster.name, addon)
        found.warnings.append(
            f"Add-on {addon} {version} is for Kubernetes {release.kubernetes}; upgrade it"
            f" afterwards: {install}"
        )
    name, version = (
        cluster.metadata.get(key, "") for key in (footprint.CNI, footprint.CNI_VERSION)
    )
    facts = template.facts
    if facts.cni and (facts.cni.lower(), facts.cni_version) != (name.lower(), version):
        there = plain(f"{name} {version}".strip()) or "network plug-in"
        found.warnings.append(
            f"The cluster keeps its {there}; template '{template.item}' was made for"
            f" {facts.cni} {facts.cni_version}. Check that it supports Kubernetes"
            f" {release_of(template)}."
        )
