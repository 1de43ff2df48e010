"""Which resources a cluster of a given version serves, and in which API versions.

Taken from the API reference of each release and its deprecation guide
(kubernetes.io/docs/reference/using-api/deprecation-guide). A resource is stored once, whatever
version it is read in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ["Resource", "ResourceTable", "Served"]

_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_ONE_BY_ONE = tuple(verb for verb in _ALL if verb != "deletecollection")
_REVIEW = ("create",)
_ALWAYS = 999


_SHOWN = ("all",)
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Served:
    """An API version of a resource, served from minor release `since` to before `until`."""

    name: str
    since: int = 0
    until: int = _ALWAYS


@dataclass(frozen=True)
class Resource:
    """One resource; `versions` in order of preference."""

    group: str
    plural: str
    kind: str
    namespaced: bool
    versions: tuple[Served, ...] = (Served("v1"),)
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _ALL
    custom: bool = False
    singular: str = ""
    columns: tuple[tuple[str, str, str, int], ...] = field(default=(), compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """(group, plural): what the store and RBAC know it by."""
        return self.group, self.plural

    def api_version(self, version: str) -> str:
        """Return `apiVersion` as objects carry it."""
        return f"{self.group}/{version}" if self.group else version


def _core(
    plural: str,
    kind: str,
    short: str = "",
    sub: str = "",
    *,
    ns: bool = True,
    categories: tuple[str, ...] = (),
    verbs: tuple[str, ...] = _ALL,
) -> Resource:
    return Resource(
        "",
        plural,
        kind,
        ns,
        short=tuple(short.split()),
        subresources=tuple(sub.split()),
        categories=categories,
        verbs=verbs,
    )


def _in(
    group: str,
    plural: str,
    kind: str,
    short: str = "",
    sub: str = "",
    *,
    ns: bool = True,
    categories: tuple[str, ...] = (),
    versions: tuple[Served, ...] = (Served("v1"),),
    verbs: tuple[str, ...] = _ALL,
) -> Resource:
    return Resource(
        group,
        plural,
        kind,
        ns,
        versions,
        tuple(short.split()),
        categories,
        tuple(sub.split()),
        verbs,
    )


_OLD = Served("v1beta1", until=22)
_BETA = (Served("v1"), _OLD)

_BUILT_IN: tuple[Resource, ...] = (
    _core("namespaces", "Namespace", "ns", "status finalize", ns=False, verbs=_ONE_BY_ONE),
    _core("nodes", "Node", "no", "status proxy", ns=False),
    _core("persistentvolumes", "PersistentVolume", "pv", "status", ns=False),
    _core("configmaps", "ConfigMap", "cm"),
    _core("endpoints", "Endpoints", "ep"),
    _core("events", "Event", "ev"),
    _core("limitranges", "LimitRange", "limits"),
    _core("persistentvolumeclaims", "PersistentVolumeClaim", "pvc", "status"),
    _core(
        "pods",
        "Pod",
        "po",
        "status binding eviction log exec attach portforward proxy",
        categories=_SHOWN,
    ),
    _core("replicationcontrollers", "ReplicationController", "rc", "status", categories=_SHOWN),
    _core("resourcequotas", "ResourceQuota", "quota", "status"),
    _core("secrets", "Secret"),
    _core("serviceaccounts", "ServiceAccount", "sa", "token"),
    _core("services", "Service", "svc", "status proxy", categories=_SHOWN),
    _in("apps", "controllerrevisions", "ControllerRevision"),
    _in("apps", "daemonsets", "DaemonSet", "ds", "status", categories=_SHOWN),
    _in("apps", "deployments", "Deployment", "deploy", "status scale", categories=_SHOWN),
    _in("apps", "replicasets", "ReplicaSet", "rs", "status scale", categories=_SHOWN),
    _in("apps", "statefulsets", "StatefulSet", "sts", "status scale", categories=_SHOWN),
    _in("batch", "jobs", "Job", "", "status", categories=_SHOWN),
    _in(
        "batch",
        "cronjobs",
        "CronJob",
        "cj",
        "status",
        categories=_SHOWN,
        versions=(Served("v1", since=21), Served("v1beta1", until=25)),
    ),
    _in(
        "autoscaling",
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        "hpa",
        "status",
        categories=_SHOWN,
        versions=(Served("v2", since=23), Served("v1")),
    ),
    _in(
        "networking.k8s.io",
        "ingresses",
        "Ingress",
        "ing",
        "status",
        versions=(Served("v1", since=19), _OLD),
    ),
    _in(
        "networking.k8s.io",
        "ingressclasses",
        "IngressClass",
        ns=False,
        versions=(Served("v1", since=19), Served("v1beta1", since=18, until=22)),
    ),
    _in("networking.k8s.io", "networkpolicies", "NetworkPolicy", "netpol"),
    _in(
        "policy",
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        "pdb",
        "status",
        versions=(Served("v1", since=21), Served("v1beta1", until=25)),
    ),
    _in(
        "policy",
        "podsecuritypolicies",
        "PodSecurityPolicy",
        "psp",
        ns=False,
        versions=(Served("v1beta1", until=25),),
    ),
    _in(_RBAC, "clusterroles", "ClusterRole", ns=False, versions=_BETA),
    _in(_RBAC, "clusterrolebindings", "ClusterRoleBinding", ns=False, versions=_BETA),
    _in(_RBAC, "roles", "Role", versions=_BETA),
    _in(_RBAC, "rolebindings", "RoleBinding", versions=_BETA),
    _in(
        "certificates.k8s.io",
        "certificatesigningrequests",
        "CertificateSigningRequest",
        "csr",
        "status approval",
        ns=False,
        versions=(Served("v1", since=19), _OLD),
    ),
    _in("coordination.k8s.io", "leases", "Lease", versions=_BETA),
    _in(
        "discovery.k8s.io",
        "endpointslices",
        "EndpointSlice",
        versions=(Served("v1", since=21), Served("v1beta1", until=25)),
    ),
    _in(
        "events.k8s.io",
        "events",
        "Event",
        "ev",
        versions=(Served("v1", since=19), Served("v1beta1", until=25)),
    ),
    _in("storage.k8s.io", "storageclasses", "StorageClass", "sc", ns=False, versions=_BETA),
    _in("storage.k8s.io", "csidrivers", "CSIDriver", ns=False, versions=_BETA),
    _in("storage.k8s.io", "csinodes", "CSINode", ns=False, versions=_BETA),
    _in("storage.k8s.io", "volumeattachments", "VolumeAttachment", "", "status", ns=False),
    _in("scheduling.k8s.io", "priorityclasses", "PriorityClass", "pc", ns=False, versions=_BETA),
    _in(
        "node.k8s.io",
        "runtimeclasses",
        "RuntimeClass",
        ns=False,
        versions=(Served("v1", since=20), Served("v1beta1", until=25)),
    ),
    _in(
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        ns=False,
        versions=_BETA,
    ),
    _in(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        ns=False,
        versions=_BETA,
    ),
    _in(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "crd crds",
        "status",
        ns=False,
        categories=("api-extensions",),
        versions=_BETA,
    ),
    _in(
        "apiregistration.k8s.io",
        "apiservices",
        "APIService",
        "",
        "status",
        ns=False,
        categories=("api-extensions",),
        versions=_BETA,
    ),
    _in(
        "authentication.k8s.io",
        "tokenreviews",
        "TokenReview",
        ns=False,
        versions=_BETA,
        verbs=_REVIEW,
    ),
    _in(
        "authentication.k8s.io",
        "selfsubjectreviews",
        "SelfSubjectReview",
        ns=False,
        versions=(Served("v1", since=28),),
        verbs=_REVIEW,
    ),
    *(
        _in(
            "authorization.k8s.io",
            kind.lower() + "s",
            kind,
            ns=kind.startswith("Local"),
            versions=_BETA,
            verbs=_REVIEW,
        )
        for kind in (
            "LocalSubjectAccessReview",
            "SelfSubjectAccessReview",
            "SelfSubjectRulesReview",
            "SubjectAccessReview",
        )
    ),
)


class ResourceTable:
    """The resources of one cluster: the built-in ones of its version, and its CRDs'."""

    def __init__(self, minor: int) -> None:
        self._custom: dict[tuple[str, str], Resource] = {}
        self.be(minor)

    def be(self, minor: int) -> None:
        """Have the built-in resources of another minor release."""
        self.minor = minor
        self._built_in = {
            resource.key: resource for resource in _BUILT_IN if self._versions(resource)
        }

    def ends(self, resource: Resource, version: str) -> int:
        """Return the minor release that no longer serves a resource so, 0 where none is known."""
        ends = [one.until for one in resource.versions if one.name == version]
        return ends[0] if ends and ends[0] != _ALWAYS else 0

    def _versions(self, resource: Resource) -> list[str]:
        return [
            version.name
            for version in resource.versions
            if version.since <= self.minor < version.until
        ]

    def __iter__(self) -> Iterator[Resource]:
        yield from self._built_in.values()
        yield from self._custom.values()

    def find(self, group: str, plural: str) -> Resource | None:
        """Return the resource of that name."""
        return self._built_in.get((group, plural)) or self._custom.get((group, plural))

    def serving(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the resource when it is served in that API version."""
        found = self.find(group, plural)
        return found if found and version in self._versions(found) else None

    def is_built_in(self, group: str) -> bool:
        """Return whether the API server itself serves a group, in whatever version."""
        return any(one.group == group for one in self._built_in.values())

    def of_kind(self, group: str, kind: str) -> Resource | None:
        """Return the resource whose objects are of that kind."""
        for resource in self:
            if resource.group == group and resource.kind == kind:
                return resource
        return None

    def preferred(self, resource: Resource) -> str:
        """Return the API version in which objects are stored and shown when none is named."""
        return self._versions(resource)[0]

    def groups(self) -> dict[str, list[str]]:
        """Return each group's versions, the preferred one first; the core group is ''."""
        found: dict[str, list[str]] = {}
        for resource in self:
            known = found.setdefault(resource.group, [])
            known.extend(name for name in self._versions(resource) if name not in known)
        # Stable versions before betas, newer before older.
        for versions in found.values():
            versions.sort(key=lambda name: (("beta" in name) + 2 * ("alpha" in name), name[1:]))
            stable = [name for name in versions if "beta" not in name and "alpha" not in name]
            stable.sort(key=lambda name: -int(name[1:]))
            versions[: len(stable)] = stable
        return found

    def of_version(self, group: str, version: str) -> list[Resource]:
        """Return what one group version serves."""
        return [
            resource
            for resource in self
            if resource.group == group and version in self._versions(resource)
        ]

    def set_custom(self, resources: Iterable[Resource]) -> None:
        """Replace the resources that CRDs define."""
        self._custom = {resource.key: resource for resource in resources}
