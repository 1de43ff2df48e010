"""Users, rights and sessions.

Names of rights are VCD's own (VMware Cloud Director Tenant Portal Guide, "Predefined Roles and
Their Rights"); only those that change an answer of the simulator are listed.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import NAMESPACE_OID, uuid4, uuid5

from cse_client.simulator.clock import Clock
from cse_client.simulator.vcd.errors import forbidden

__all__ = ["ROLES", "ApiToken", "Right", "Session", "Sessions", "User", "role_id"]


class Right:
    """Names of rights."""

    COMPOSE = "vApp: Create / Reconfigure"
    EDIT = "vApp: Edit Properties"
    POWER = "vApp: Power Operations"
    SNAPSHOT = "vApp: Snapshot Operations"
    DELETE = "vApp: Delete"
    SHARE = "vApp: Sharing"
    EXTRA_CONFIG = "vApp: Allow All Extra Config"
    CATALOG_EDIT = "vApp Template / Media: Edit"
    CATALOG_ADD = "Catalog: Add vApp from My Cloud"
    UPLOAD = "vApp Template / Media: Create / Upload"
    NETWORK_VIEW = "Organization vDC Network: View Properties"
    GATEWAY_VIEW = "Organization vDC Gateway: View"
    NAT_VIEW = "Organization vDC Gateway: View NAT"
    ADMIN_QUERIES = "Organization: Perform Administrator Queries"
    USER_VIEW = "General: Administrator View"
    POLICY_VIEW = "Organization vDC Compute Policy: View"
    API_TOKENS = "API Tokens: Manage"
    AFFINITY_EDIT = "Organization vDC: VM-VM Affinity Edit"


_AUTHOR = frozenset(
    (
        *(Right.COMPOSE, Right.EDIT, Right.POWER, Right.SNAPSHOT, Right.DELETE, Right.SHARE),
        *(Right.CATALOG_ADD, Right.POLICY_VIEW, Right.API_TOKENS),
    )
)

#: The administrator also has the ExtraConfig right, as CSE 4's rights bundle grants it.
_ADMINISTRATOR = _AUTHOR | {
    Right.EXTRA_CONFIG,
    Right.CATALOG_EDIT,
    Right.UPLOAD,
    Right.NETWORK_VIEW,
    Right.GATEWAY_VIEW,
    Right.NAT_VIEW,
    Right.ADMIN_QUERIES,
    Right.USER_VIEW,
    Right.AFFINITY_EDIT,
}
ROLES: Mapping[str, frozenset[str]] = {
    "Organization Administrator": _ADMINISTRATOR,
    "vApp Author": _AUTHOR,
    "Read Only": frozenset((Right.ADMIN_QUERIES,)),
    "System Administrator": _ADMINISTRATOR,
}


def role_id(name: str) -> str:
    """Return the id of a predefined role."""
    return str(uuid5(NAMESPACE_OID, name))


@dataclass
class User:
    """A user of the organization. `rights` may be changed while the simulator runs."""

    name: str
    password: str = field(repr=False)
    role: str
    rights: set[str]
    id: str = field(default_factory=lambda: str(uuid4()))

    @classmethod
    def of_role(cls, name: str, role: str) -> User:
        """Make a user with a fresh password and the rights of a role."""
        return cls(name, secrets.token_urlsafe(12), role, set(ROLES[role]))

    def may(self, right: str) -> bool:
        """Return whether the user has a right."""
        return right in self.rights

    def require(self, right: str) -> None:
        """Raise 403 unless the user has the right."""
        if right not in self.rights:
            raise forbidden(right)

    @property
    def is_provider(self) -> bool:
        """Whether this is a system administrator, who logs in to the organization `System`."""
        return self.role == "System Administrator"

    @property
    def sees_all(self) -> bool:
        """Whether vApps of other users are visible without being shared."""
        return Right.ADMIN_QUERIES in self.rights


@dataclass
class Session:
    """A login: its token, and when (by the simulator's clock) it began and was last used."""

    user: User
    token: str = field(repr=False)
    began: float
    used: float
    id: str = field(default_factory=lambda: str(uuid4()))
    #: Whether an API token was exchanged for it: it may not make another.
    of_token: bool = False


@dataclass
class ApiToken:
    """An API token; its refresh token is given out once."""

    name: str
    user: User
    refresh_token: str = field(default="", repr=False)
    id: str = field(default_factory=lambda: str(uuid4()))


class Sessions:
    """The open sessions. Idle time-out and lifetime are the provider's settings, in seconds."""

    def __init__(self, clock: Clock) -> None:
        self.idle_timeout = 30 * 60.0
        self.lifetime = 24 * 3600.0
        self._clock = clock
        self._open: dict[str, Session] = {}

    def open(self, user: User, *, jwt: bool) -> Session:
        """Log a user in and return the session with its token."""
        token = self._jwt(user) if jwt else secrets.token_hex(16)
        now = self._clock.monotonic()
        session = Session(user, token, now, now)
        self._open[token] = session
        return session

    def find(self, token: str) -> Session | None:
        """Return the live session of a token and mark it as used; None if there is none."""
        session = self._open.get(token)
        if session is None:
            return None
        now = self._clock.monotonic()
        if now - session.used > self.idle_timeout or now - session.began > self.lifetime:
            self._open.pop(token, None)
            return None
        session.used = now
        return session

    def close(self, token: str) -> None:
        """End one session."""
        self._open.pop(token, None)

    def expire_all(self) -> int:
        """End every session, as a restart of VCD does; return how many there were."""
        count = len(self._open)
        self._open.clear()
        return count

    def _jwt(self, user: User) -> str:
        """Make a token of a JWT's shape; it is only ever compared as a whole."""
        now = int(self._clock.now().timestamp())
        claims = {
            "sub": user.name,
            "iss": "vcd-simulator",
            "exp": now + int(self.lifetime),
            "iat": now,
            "jti": secrets.token_hex(16),
        }
        parts = [{"alg": "RS256"}, claims]
        encoded = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in parts
        ]
        return ".".join([*encoded, secrets.token_urlsafe(64)])
