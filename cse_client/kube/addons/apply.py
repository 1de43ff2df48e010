"""Bringing a manifest into a cluster and taking it out again, with a record of what is ours.

The record is the ConfigMap `cse-addon-NAME` in `kube-system`: version, checksum, settings, and
every object that was applied. It is written before the first object, so that whatever was applied
can be found again, and goes last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cse_client import bounds, suggest
from cse_client.clock import Clock, backoff
from cse_client.errors import ClusterUnreachable, CseError, TimedOut
from cse_client.kube.addons.objects import Object, Objects, Ref, Unserved
from cse_client.kube.answers import WebhookDown
from cse_client.yamldocs import BadYaml, Bounds, read_yaml_documents

__all__ = [
    "LABELS",
    "Record",
    "Watch",
    "apply_all",
    "crds_of",
    "read_manifest",
    "read_record",
    "remove_all",
    "write_record",
]

LABELS: Mapping[str, str] = {"app.kubernetes.io/managed-by": "cse-client"}
#: Contour's manifest, the largest of those known here, has 10,000 lines and 30 levels.
_BOUNDS = Bounds(size=bounds.MOST_BYTES, depth=64, values=200_000)
_RECORDS = "kube-system"
_CRD = "CustomResourceDefinition"
_FIRST = (
    "Namespace",
    _CRD,
    "PodSecurityPolicy",
    "ServiceAccount",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
)
_LAST = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation")
#: Why an API that answered a moment ago may not do so now.
_PASSING = ("timed out", "not ready", "closed")
#: An upgrade that drops these would drop what others keep in them.
_NEVER_PRUNED = ("Namespace", _CRD, "Secret")

T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """What is installed. `complete` once everything was applied."""

    addon: str
    version: str
    sha256: str
    settings: Mapping[str, str] = field(default_factory=dict)
    objects: tuple[Ref, ...] = ()
    complete: bool = False


class Watch:
    """A deadline, `timeout` seconds from now, and a way to wait until then."""

    def __init__(self, timeout: float, clock: Clock) -> None:
        self._clock = clock
        self._end = clock.monotonic() + timeout

    @property
    def left(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self._end - self._clock.monotonic())

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline."""
        self._clock.sleep(min(seconds, self.left))

    def until(self, look: Callable[[], tuple[T | None, str]], what: str) -> T:
        """Call `look` until its first value is there; its second says what is missing.

        Raises:
            TimedOut: `what` did not happen by the deadline; says what was missing last.
        """
        for pause in backoff(0.1, 2.0, 1.5):
            found, missing = look()
            if found is not None:
                return found
            if self.left <= 0:
                raise TimedOut(
                    f"{what} by the deadline: {missing}.",
                    hint=f"{suggest.RESUME} Allow more time with --timeout.",
                )
            self._clock.sleep(min(pause, self.left))
        raise AssertionError("unreachable")

    def patiently(self, work: Callable[[], T], what: str) -> T:
        """Do what a webhook has to allow, which may not be up yet, or an API that is overloaded.

        `work` may be done twice.

        Raises:
            TimedOut: it is not by the deadline.
        """

        def attempt() -> tuple[tuple[T] | None, str]:
            try:
                return (work(),), ""
            except (WebhookDown, Unserved) as error:
                return None, error.message.rstrip(".")
            except ClusterUnreachable as error:
                if error.reason not in _PASSING:
                    raise
                return None, error.message.rstrip(".")

        return self.until(attempt, what)[0]


def read_manifest(content: bytes, origin: str) -> list[Object]:
    """Return the objects of a manifest of several documents, in the order to apply them.

    Raises:
        CseError: it is not YAML or too large, or holds what is not a Kubernetes object.
    """
    try:
        documents = read_yaml_documents(content, _BOUNDS)
    except BadYaml as error:
        raise CseError(f"The manifest {origin} cannot be used: {error}.") from None
    found: list[Object] = []
    for document in documents:
        found.extend(_flat(document, origin))
    if not found:
        raise CseError(f"The manifest {origin} contains no objects.")
    return sorted(found, key=lambda one: _rank(str(one["kind"])))


def _flat(document: Any, origin: str) -> list[Object]:
    if document is None:
        return []
    if isinstance(document, dict) and document.get("kind") == "List":
        items = document.get("items") or []
        if isinstance(items, list):
            return [obj for item in items for obj in _flat(item, origin)]
    if not _is_object(document):
        raise CseError(f"The manifest {origin} holds something that is not a Kubernetes object.")
    return [_without_ca_bundles(document)]


def _is_object(document: Any) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return False
    metadata = document["metadata"]
    named = (document.get("apiVersion"), document.get("kind"), metadata.get("name"))
    namespace = metadata.get("namespace")
    if not all(isinstance(text, str) and text for text in named):
        return False
    return namespace is None or isinstance(namespace, str)


def _without_ca_bundles(obj: Object) -> Object:
    """Leave out CA bundles, which the add-on's own controller fills in and renews.

    MetalLB's manifests (0.13, 0.14) carry one that stands for nothing in a CRD's conversion
    webhook; applied, it would take the real one away again.
    """
    clients: list[Object] = []
    if obj["kind"] == _CRD:
        clients = [_below(obj, "spec", "conversion", "webhook", "clientConfig")]
    elif obj["kind"] in _LAST and isinstance(hooks := obj.get("webhooks"), list):
        clients = [_below(hook, "clientConfig") for hook in hooks]
    for client in clients:
        client.pop("caBundle", None)
    return obj


def _below(value: Any, *keys: str) -> Object:
    """Return the mapping at a path of keys; an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _rank(kind: str) -> int:
    if kind in _FIRST:
        return _FIRST.index(kind)
    return len(_FIRST) + (1 if kind in _LAST else 0)


def record_ref(addon: str) -> Ref:
    """Name the record of an add-on."""
    return Ref("v1", "ConfigMap", _RECORDS, f"cse-addon-{addon}")


def read_record(objects: Objects, addon: str) -> Record | None:
    """Return what is installed by us, or None.

    Raises:
        CseError: the record is damaged.
    """
    found = objects.get(record_ref(addon))
    if found is None:
        return None
    data = found.get("data") or {}
    try:
        refs = tuple(Ref(*one) for one in json.loads(data["objects"]))
        settings = {str(k): str(v) for k, v in json.loads(data["settings"]).items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CseError(
            f"The record of {addon} in the cluster ({record_ref(addon)}) is damaged.",
            hint=f"Delete it and install {addon} again: "
            + suggest.kubectl(
                "delete configmap", f"cse-addon-{addon}", in_cluster=True, namespace=_RECORDS
            ),
        ) from None
    return Record(
        addon,
        str(data.get("version", "")),
        str(data.get("sha256", "")),
        settings,
        refs,
        data.get("complete") == "true",
    )


def write_record(objects: Objects, record: Record) -> None:
    """Write the record of an add-on."""
    ref = record_ref(record.addon)
    refs = [[one.api_version, one.kind, one.namespace, one.name] for one in record.objects]
    objects.apply(
        {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": dict(LABELS)},
            "data": {
                "version": record.version,
                "sha256": record.sha256,
                "settings": json.dumps(dict(record.settings), sort_keys=True),
                "objects": json.dumps(refs),
                "complete": "true" if record.complete else "false",
            },
        },
        force=True,
    )


def apply_all(
    objects: Objects,
    wanted: Record,
    manifest: Sequence[Object],
    extra: Sequence[Object],
    *,
    force: bool,
    watch: Watch,
) -> bool:
    """Apply a manifest and our own objects on top; take out what an older version had and this not.

    Returns whether anything changed. Raises Conflict, TimedOut and what Objects raises.
    """
    before = read_record(objects, wanted.addon)
    refs = tuple(Ref.of(obj) for obj in (*manifest, *extra))
    final = replace(wanted, objects=refs, complete=True)
    old = before.objects if before is not None else ()
    gone = [one for one in old if one.same not in {ref.same for ref in refs}]
    kept = tuple(one for one in gone if one.kind in _NEVER_PRUNED)
    final = replace(final, objects=refs + kept)
    same = before == final
    if not same:
        union = refs + tuple(gone)
        write_record(objects, replace(final, objects=union, complete=False))
    changed = not same
    for obj in manifest:
        # a finished job is taken away by its time to live; it did its work
        if same and obj["kind"] == "Job":
            continue
        changed |= _apply_one(objects, obj, force, watch)
    _establish(objects, [Ref.of(obj) for obj in manifest if obj["kind"] == _CRD], watch)
    for obj in extra:
        changed |= _apply_one(objects, obj, force, watch)
    for ref in reversed(gone):
        if ref not in kept:
            objects.delete(ref)
    if not same:
        write_record(objects, final)
    return changed


def _apply_one(objects: Objects, obj: Object, force: bool, watch: Watch) -> bool:
    ref = Ref.of(obj)
    before = objects.get(ref)
    after = watch.patiently(lambda: objects.apply(obj, force=force), f"{ref} was not applied")
    return before is None or _meant(before) != _meant(after)


def _meant(obj: Object) -> Object:
    """Return what is wanted of an object: a new revision alone is not a change.

    An API server writes some objects again although nothing changes, Namespaces in which we own
    nothing and PodSecurityPolicies for example; status is its controllers'.
    """
    metadata = {k: v for k, v in obj["metadata"].items() if k not in _BOOKKEEPING}
    return {**obj, "metadata": metadata, "status": None}


def _establish(objects: Objects, crds: Iterable[Ref], watch: Watch) -> None:
    for ref in crds:

        def look(ref: Ref = ref) -> tuple[bool | None, str]:
            found = objects.get(ref) or {}
            conditions = (found.get("status") or {}).get("conditions") or ()
            good = any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
            return (True if good else None), f"{ref} is not established"

        watch.until(look, f"{ref} was not established")


def crds_of(objects: Objects, group: str) -> list[Ref]:
    """Return the CRDs of an API group that the cluster has."""
    for version in ("apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1"):
        if objects.serves(version, _CRD):
            return [
                Ref.of(one) for one in objects.list(version, _CRD) if one["spec"]["group"] == group
            ]
    return []


def remove_all(
    objects: Objects, record: Record | None, extra: Iterable[Ref], *, purge: bool, watch: Watch
) -> tuple[list[Ref], list[Ref]]:
    """Delete what a record names and `extra`; wait until it is gone; the record goes last.

    Returns what was removed, and the CRDs that stay because `purge` is false.
    """
    refs = list(dict.fromkeys([*(record.objects if record else ()), *extra]))
    crds = [one for one in refs if one.kind == _CRD]
    # webhooks first: they would refuse changes once their pods are gone; namespaces last
    order = [one for one in refs if one.kind in _LAST]
    order += [one for one in reversed(refs) if one.kind not in (*_LAST, "Namespace", _CRD)]
    order += [one for one in refs if one.kind == "Namespace"] + (crds if purge else [])
    removed = [one for one in order if objects.delete(one)]

    def look() -> tuple[bool | None, str]:
        left = [one for one in removed if objects.get(one) is not None]
        names = ", ".join(str(one) for one in left[:3])
        return (None if left else True), f"still there: {names}"

    watch.until(look, "The objects of the add-on were not deleted")
    if record is not None:
        objects.delete(record_ref(record.addon))
    return removed, ([] if purge else [one for one in crds if objects.get(one) is not None])
