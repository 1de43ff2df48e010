"""Worker pools: groups of a cluster's workers that are made alike, and marked alike in Kubernetes.

Syntax of labels and taints: kubernetes:staging/src/k8s.io/apimachinery/pkg/util/validation. Which
labels a kubelet may give its own node: kubernetes:staging/src/k8s.io/kubelet/pkg/apis
(well_known_labels.go); the admission plugin NodeRestriction and the kubelet itself refuse others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = [
    "DEFAULT_POOL",
    "EFFECTS",
    "MOST_POOLS",
    "POOL_LABEL",
    "Pool",
    "PoolSpec",
    "PoolState",
    "Taint",
    "administrators_labels",
    "label_problem",
    "may_be_set_by_kubelet",
    "pool_name_problem",
    "pool_problems",
    "set_by_client",
    "taint_problem",
]

#: The pool of a cluster that was created without any, and of workers that name none.
DEFAULT_POOL = "default"
#: The label of every node of a pool; its value is the pool's name.
POOL_LABEL = "cse-client/pool"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
#: All of them are recorded in the metadata of one vApp.
MOST_POOLS = 20
MOST_LABELS = 30
MOST_TAINTS = 20

_POOL_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_SUBDOMAIN = re.compile(
    r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII
)
_LONGEST_SUBDOMAIN = 253
#: What a kubelet sets by itself, from its machine.
_OWN = ("hostname", "os", "arch")
#: Labels of Kubernetes that a kubelet may set, and domains in which it may set any.
_FOR_KUBELETS = (
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
)
_DOMAINS_FOR_KUBELETS = ("node.kubernetes.io", "kubelet.kubernetes.io")
#: Domains that Kubernetes reserves for administrators: no kubelet may set a label in them.
_ROLE, _RESTRICTED = "node-role.kubernetes.io", "node-restriction.kubernetes.io"
_HEADS = ("control-plane", "master")


@dataclass(frozen=True)
class Taint:
    """A taint of nodes; `effect` is one of EFFECTS."""

    key: str
    effect: str
    value: str = ""

    def __str__(self) -> str:
        """Return it as kubectl writes it."""
        return (
            f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"
        )


@dataclass(frozen=True)
class Pool:
    """A worker pool: how many workers it has, what they are made of and marked with.

    Empty or None: as the cluster was made. `template` is a name, NAME_revN, CATALOG/NAME or an id,
    as for a cluster; `template_id` is the template of that name which was taken before.
    """

    name: str
    size: int = 0
    template: str = ""
    template_revision: int | None = None
    template_id: str = ""
    cpus: int | None = None
    memory_mb: int | None = None
    disk_mb: int | None = None
    sizing_policy: str = ""
    placement_policy: str = ""
    storage_profile: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()


@dataclass(frozen=True)
class PoolState(Pool):
    """A pool, and how many workers it has; `ready` is None where Kubernetes did not answer."""

    workers: int = 0
    ready: int | None = None


@dataclass(frozen=True)
class PoolSpec:
    """Which pool of which cluster is meant, and as what it is wanted.

    `force` and `max_parallel` are those of a removal of workers, see `NodesSpec`. `max_surge` is
    how many workers are replaced at a time.
    """

    cluster: str
    pool: Pool
    vdc: str = ""
    org: str = ""
    accept_eulas: bool = False
    keep_healthy: bool = False
    force: bool = False
    max_parallel: int = 0
    max_surge: int = 1


def pool_problems(pools: Sequence[Pool]) -> Iterator[str]:
    """Yield what is wrong with the names, labels and taints of a cluster's pools, as clauses."""
    names = [pool.name for pool in pools]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"two pools have the name '{name}'"
    if len(pools) > MOST_POOLS:
        yield f"there are {len(pools)} pools, and a cluster has {MOST_POOLS} at most"
    for pool in pools:
        problem = pool_name_problem(pool.name)
        if problem:
            yield f"'{pool.name}' is not a name of a pool: {problem}"
        yield from _mark_problems(pool)


def _mark_problems(pool: Pool) -> Iterator[str]:
    if len(pool.labels) > MOST_LABELS:
        yield f"pool '{pool.name}' has {len(pool.labels)} labels; the maximum is {MOST_LABELS}"
    if len(pool.taints) > MOST_TAINTS:
        yield f"pool '{pool.name}' has {len(pool.taints)} taints; the maximum is {MOST_TAINTS}"
    for key, value in pool.labels.items():
        problem = label_problem(key, value)
        if problem:
            yield f"pool '{pool.name}' cannot have the label '{key}={value}': {problem}"
    seen: set[tuple[str, str]] = set()
    for taint in pool.taints:
        problem = taint_problem(taint)
        if not problem and (taint.key, taint.effect) in seen:
            problem = "it has another one with that key and effect"
        seen.add((taint.key, taint.effect))
        if problem:
            yield f"pool '{pool.name}' cannot have the taint '{taint}': {problem}"


def pool_name_problem(name: str) -> str:
    """Return why a pool cannot have this name, a clause; empty when it can."""
    if _POOL_NAME.fullmatch(name):
        return ""
    return (
        "it must have 1 to 40 lowercase letters, digits and dashes, begin with a letter and not end"
        " with a dash"
    )


def label_problem(key: str, value: str) -> str:
    """Return why a pool's nodes cannot have this label, a clause; empty when they can."""
    problem = _key_problem(key) or _value_problem(value)
    if problem:
        return problem
    domain, _, name = key.rpartition("/")
    if domain == POOL_LABEL.partition("/")[0]:
        return f"labels of the domain '{domain}' are set by cse-client itself"
    if domain in ("kubernetes.io", "beta.kubernetes.io") and name in _OWN:
        return "every node sets it by itself"
    if domain == _ROLE and name in _HEADS:
        return "it marks control planes"
    if not _is_of_kubernetes(domain) or may_be_set_by_kubelet(key) or set_by_client(key):
        return ""
    return (
        f"the domain '{domain}' is reserved for Kubernetes, which allows nodes only"
        f" {' and '.join(_DOMAINS_FOR_KUBELETS)} and the labels of zones and regions"
    )


def taint_problem(taint: Taint) -> str:
    """Return why a pool's nodes cannot have this taint, a clause; empty when they can."""
    problem = _key_problem(taint.key) or _value_problem(taint.value)
    if problem:
        return problem
    if taint.effect not in EFFECTS:
        return f"its effect must be {', '.join(EFFECTS[:-1])} or {EFFECTS[-1]}"
    if taint.key.startswith("node.kubernetes.io/"):
        return "Kubernetes sets and removes the taints of the domain 'node.kubernetes.io' itself"
    return ""


def may_be_set_by_kubelet(key: str) -> bool:
    """Return whether a kubelet may give its own node this label when it registers."""
    domain = key.rpartition("/")[0]
    if not _is_of_kubernetes(domain) or key in _FOR_KUBELETS:
        return True
    return any(domain == one or domain.endswith(f".{one}") for one in _DOMAINS_FOR_KUBELETS)


def administrators_labels(pool: Pool) -> dict[str, str]:
    """Return the labels of a pool that its nodes may not give themselves."""
    return {key: value for key, value in pool.labels.items() if set_by_client(key)}


def set_by_client(key: str) -> bool:
    """Return whether only an administrator may set this label, through the cluster's API."""
    return key.rpartition("/")[0] == _ROLE or _is_restricted(key)


def _is_restricted(key: str) -> bool:
    domain = key.rpartition("/")[0]
    return domain == _RESTRICTED or domain.endswith(f".{_RESTRICTED}")


def _is_of_kubernetes(domain: str) -> bool:
    return any(domain == one or domain.endswith(f".{one}") for one in ("kubernetes.io", "k8s.io"))


def _key_problem(key: str) -> str:
    domain, slash, name = key.rpartition("/")
    if slash and not (len(domain) <= _LONGEST_SUBDOMAIN and _SUBDOMAIN.fullmatch(domain)):
        return f"'{domain}' is not a DNS name"
    if not _LABEL_NAME.fullmatch(name):
        return (
            f"the key '{name}' must have 1 to 63 letters, digits, '-', '_' and '.', and begin and"
            " end with a letter or digit"
        )
    return ""


def _value_problem(value: str) -> str:
    if not value or _LABEL_NAME.fullmatch(value):
        return ""
    return (
        f"the value '{value}' must have at most 63 letters, digits, '-', '_' and '.', and begin and"
        " end with a letter or digit"
    )
