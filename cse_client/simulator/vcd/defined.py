"""Runtime defined entities: interfaces, entity types, entities, who may see and change them.

States, and what leads from one to the next: vmware/go-vcloud-director, types/v56/openapi.go
(`DefinedEntity.State`) and govcd/defined_entity_test.go. Rights: VCD makes five for each type,
named `{vendor}:{nss}: ...` (container-service-extension, docs, "CSE:NATIVECLUSTER" rights). Access
levels and access controls: container-service-extension
3.1.4:container_service_extension/rde/acl_service.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Protocol
from uuid import uuid4

from cse_client.simulator.vcd.entities import Org
from cse_client.simulator.vcd.errors import VcdError, bad_request
from cse_client.simulator.vcd.json_schema import violations
from cse_client.simulator.vcd.markup import is_writable
from cse_client.simulator.vcd.people import User
from cse_client.simulator.vcd.tasks import Task

__all__ = [
    "FULL_CONTROL",
    "PRE_CREATED",
    "READ_ONLY",
    "READ_WRITE",
    "RESOLUTION_ERROR",
    "RESOLVED",
    "AccessControl",
    "Behavior",
    "DefinedEntities",
    "DefinedEntity",
    "Directory",
    "EntityType",
    "Interface",
    "Invocation",
]

PRE_CREATED, RESOLVED, RESOLUTION_ERROR = "PRE_CREATED", "RESOLVED", "RESOLUTION_ERROR"
READ_ONLY = "urn:vcloud:accessLevel:ReadOnly"
READ_WRITE = "urn:vcloud:accessLevel:ReadWrite"
FULL_CONTROL = "urn:vcloud:accessLevel:FullControl"
_RANK = {READ_ONLY: 1, READ_WRITE: 2, FULL_CONTROL: 3}
_RIGHT_OF = {READ_ONLY: "View", READ_WRITE: "Modify", FULL_CONTROL: "Full Access"}


@dataclass(frozen=True)
class Interface:
    """A defined interface."""

    vendor: str
    nss: str
    version: str
    name: str = ""
    readonly: bool = False

    @property
    def id(self) -> str:
        """The interface's URN."""
        return f"urn:vcloud:interface:{self.vendor}:{self.nss}:{self.version}"


@dataclass(frozen=True)
class Invocation:
    """A behavior of an entity, to be carried out for a user; `host` is what he called VCD."""

    entity: DefinedEntity
    user: User
    host: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


#: Carries a behavior out and returns the task that it began; called with the cloud's lock held.
Behavior = Callable[[Invocation], Task]


@dataclass
class EntityType:
    """A defined entity type. `hooks` name the behavior of each event, such as `PostCreate`."""

    vendor: str
    nss: str
    version: str
    name: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    interfaces: list[str] = field(default_factory=list)
    hooks: dict[str, str] = field(default_factory=dict)
    readonly: bool = False

    @property
    def id(self) -> str:
        """The type's URN."""
        return f"urn:vcloud:type:{self.vendor}:{self.nss}:{self.version}"

    def right(self, what: str) -> str:
        """Return the name of a right: View, Modify, Full Access, Administrator View ..."""
        return f"{self.vendor}:{self.nss}: {what}"


@dataclass
class AccessControl:
    """What a member may do with an entity. `member` is the URN of a user."""

    member: str
    level: str
    id: str = field(default_factory=lambda: f"urn:vcloud:accessControl:{uuid4()}")


@dataclass
class DefinedEntity:
    """An entity. `revision` counts the changes and is what its ETag shows.

    `creation` is the task of its making, which runs until the entity is resolved.
    """

    type: EntityType
    name: str
    entity: dict[str, Any]
    owner: User
    org_id: str
    org_name: str
    external_id: str | None = None
    state: str = PRE_CREATED
    message: str | None = None
    revision: int = 1
    access: list[AccessControl] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    creation: Task | None = None
    kind: str = "definedEntity"
    id: str = ""

    def __post_init__(self) -> None:
        """Make the URN, and give the owner full control."""
        one = self.type
        self.id = self.id or f"urn:vcloud:entity:{one.vendor}:{one.nss}:{one.version}:{uuid4()}"
        self.access.append(AccessControl(f"urn:vcloud:user:{self.owner.id}", FULL_CONTROL))

    @property
    def etag(self) -> str:
        """The entity tag of the present revision."""
        return f'"{self.id.rpartition(":")[2]}-{self.revision}"'

    def change(self, entity: Mapping[str, Any], name: str, external_id: str | None) -> None:
        """Take new contents.

        A resolved entity is checked at once; one in error keeps its state until it is resolved.

        Raises:
            VcdError: 400, the contents violate the type's schema, or no document can hold the name.
        """
        _refuse_name(name)
        if self.state == RESOLVED:
            wrong = violations(entity, self.type.schema)
            if wrong:
                raise VcdError(
                    400, "RDE_CANNOT_VALIDATE_AGAINST_SCHEMA", _invalid(self.type, wrong)
                )
        self.entity, self.name, self.external_id = dict(entity), name, external_id
        self.revision += 1

    def resolve(self) -> None:
        """Check the contents against the schema; the outcome is the state, never an error."""
        wrong = violations(self.entity, self.type.schema)
        self.state = RESOLUTION_ERROR if wrong else RESOLVED
        self.message = _invalid(self.type, wrong) if wrong else None
        self.revision += 1

    def share(self, member: str, level: str) -> AccessControl:
        """Give a member a level of access, instead of what he had."""
        for one in self.access:
            if one.member == member:
                one.level = level
                return one
        self.access.append(AccessControl(member, level))
        return self.access[-1]

    def level_of(self, user: User) -> str | None:
        """Return the access level that a user has been given."""
        urn = f"urn:vcloud:user:{user.id}"
        return next((one.level for one in self.access if one.member == urn), None)


def _refuse_name(name: str) -> None:
    """Raise 400 for a name that XML 1.0 (2.2, Char) cannot hold.

    JSON can hold it, but the entity's tasks name it as their owner in XML.
    """
    if not is_writable(name):
        raise bad_request("The name contains characters that are not allowed.")


def _invalid(kind: EntityType, wrong: list[str]) -> str:
    return f"Validation errors have occurred against the schema of {kind.id}: {'; '.join(wrong)}"


class Directory(Protocol):
    """The users that entities belong to: the organization's by name, and the provider's."""

    users: dict[str, User]
    providers: dict[str, User]
    org: Org


class DefinedEntities:
    """Everything of one cloud. Change it only while holding the cloud's lock.

    VCD comes with the interface of Kubernetes clusters and a type of its own
    (container-service-extension 3.1.4:container_service_extension/rde/constants.py).
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        kubernetes = Interface("vmware", "k8s", "1.0.0", "Kubernetes", readonly=True)
        # VCD's own clusters (Tanzu), whose rights nobody has been given.
        tanzu = EntityType(
            "vmware",
            "tkgcluster",
            "1.0.0",
            "TKG Cluster",
            interfaces=[kubernetes.id],
            readonly=True,
        )
        self.interfaces: dict[str, Interface] = {kubernetes.id: kubernetes}
        self.types: dict[str, EntityType] = {tanzu.id: tanzu}
        self.entities: dict[str, DefinedEntity] = {}
        #: What carries out the behaviors of interfaces, by the behavior's URN.
        self.behaviors: dict[str, Behavior] = {}

    def register(self, one: EntityType) -> None:
        """Add a type, and publish its rights to the organization, as a rights bundle does."""
        self.types[one.id] = one
        everything = ("View", "Modify", "Full Access")
        administrator = ("Administrator View", "Administrator Full access")
        given = {
            "Organization Administrator": everything + administrator,
            "System Administrator": everything + administrator,
            "vApp Author": everything,
            "Read Only": ("View",),
        }
        for user in (*self._directory.users.values(), *self._directory.providers.values()):
            user.rights.update(one.right(what) for what in given.get(user.role, ()))

    def may(self, user: User, entity: DefinedEntity, level: str) -> bool:
        """Return whether a user may look at (ReadOnly), change or wholly control an entity."""
        one = entity.type
        if user.may(one.right("Administrator Full access")):
            return True
        if level == READ_ONLY and user.may(one.right("Administrator View")):
            return True
        has = entity.level_of(user)
        return (
            has is not None and _RANK[has] >= _RANK[level] and user.may(one.right(_RIGHT_OF[level]))
        )

    def find(self, identifier: str, user: User, level: str = READ_ONLY) -> DefinedEntity:
        """Return an entity; raises 403 where there is none, or none for this user."""
        entity = self.entities.get(identifier)
        if entity is None or not self.may(user, entity, READ_ONLY):
            raise VcdError(
                403,
                "ACCESS_TO_RESOURCE_IS_FORBIDDEN",
                f'[ {uuid4()} ] No access to entity "{identifier}".',
            )
        if not self.may(user, entity, level):
            needed = entity.type.right(_RIGHT_OF[level])
            raise VcdError(
                403,
                "ACCESS_TO_RESOURCE_IS_FORBIDDEN",
                f"[ {uuid4()} ] Either you need some or all of the following rights [{needed}] to"
                f" perform operations on {identifier}, or the target entity is invalid.",
            )
        return entity

    def visible(self, user: User) -> list[DefinedEntity]:
        """Return what a user may look at, in the order of making."""
        return [one for one in self.entities.values() if self.may(user, one, READ_ONLY)]

    def type(self, identifier: str) -> EntityType:
        """Return an entity type; raises 404."""
        one = self.types.get(identifier)
        if one is None:
            raise VcdError(
                404, "NOT_FOUND", f"[ {uuid4()} ] The entity type {identifier} was not found."
            )
        return one

    def make(
        self,
        one: EntityType,
        user: User,
        name: str,
        entity: Mapping[str, Any],
        external_id: str | None = None,
    ) -> DefinedEntity:
        """Create an entity in the organization.

        Raises:
            VcdError: 403, the user lacks the right for it; 400, no document can hold the name.
        """
        user.require(one.right("Full Access"))
        _refuse_name(name)
        org = self._directory.org
        made = DefinedEntity(one, name, dict(entity), user, org.id, org.name, external_id)
        self.entities[made.id] = made
        return made

    @staticmethod
    def refuse_unresolved(entity: DefinedEntity) -> None:
        """Raise 400 for an entity that has not been resolved, well or not."""
        if entity.state == PRE_CREATED:
            raise VcdError(
                400,
                "RDE_ENTITY_NOT_RESOLVED",
                f"[ {uuid4()} ] The entity {entity.id} is not resolved.",
            )

    def remove(self, entity: DefinedEntity) -> None:
        """Delete an entity; raises 400 unless it has been resolved."""
        self.refuse_unresolved(entity)
        self.entities.pop(entity.id, None)
