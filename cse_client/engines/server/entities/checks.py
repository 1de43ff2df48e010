"""What is looked at before a CSE server 3.x is asked to change something.

Only what the server itself would notice after it has accepted, and what costs a request or two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cse_client import suggest
from cse_client.engines.lookup import unknown_nodes
from cse_client.engines.server.entities import documents
from cse_client.engines.server.entities.dialects import part
from cse_client.engines.server.entities.documents import Found
from cse_client.engines.server.entities.reading import EntityReader
from cse_client.errors import (
    Conflict,
    CseError,
    NotFound,
    Refused,
    WrongUsage,
)
from cse_client.model import CONTROL_PLANE, NFS, ClusterRef

__all__ = ["EntityChecks", "collect"]


class EntityChecks:
    """Checks before changes, by what `reader` reads."""

    def __init__(self, reader: EntityReader) -> None:
        self._reader = reader

    def check_removal(self, one: Found, going: Sequence[str]) -> None:
        """Refuse to remove nodes that are not there, or that the server chooses itself.

        Raises:
            NotFound, Refused, WrongUsage: see above.
        """
        present = {node.name: node.kind for node in documents.cluster(one).nodes}
        unknown = [name for name in going if name not in present]
        if unknown:
            raise unknown_nodes(one.name, unknown)
        workers = [name for name in going if present[name] != NFS]
        for name in workers:
            if present[name] == CONTROL_PLANE:
                raise Refused(f"Node {name} is the control plane of cluster '{one.name}'.")
        if workers:
            fewer = len(one.names("workers")) - len(workers)
            raise WrongUsage(
                f"A CSE server 3.x chooses itself which workers go, so {', '.join(workers)} cannot"
                " be deleted by name.",
                hint=suggest.cse("cluster resize", one.name, nodes=fewer),
            )

    def check_name(self, ref: ClusterRef) -> list[CseError]:
        """Look whether the name is free. At API 35 the server looks itself before it accepts."""
        if not self._reader.dialect.second_generation or not self._reader.named(ref):
            return []
        return [
            Conflict(
                f"Cluster '{ref.name}' already exists{self._reader.where(ref)}.",
                hint=suggest.cse("cluster info", ref.name),
            )
        ]

    def check_upgrade(self, one: Found, template: str, revision: str) -> None:
        """Look whether the server offers the upgrade: at API 36 it notices after accepting."""
        offered = self._reader.upgrade_plan(ClusterRef(one.id))
        if not any((to.template, to.revision) == (template, revision) for to in offered):
            named = ", ".join(f"{to.template} {to.revision}" for to in offered)
            plan = f"its upgrade plan has: {named}" if named else "its upgrade plan is empty"
            raise WrongUsage(
                f"Cluster '{one.name}' cannot be upgraded to {template} {revision}; {plan}.",
                hint=suggest.cse("cluster upgrade-plan", one.name),
            )

    def check_template_change(self, one: Found, body: Mapping[str, Any]) -> None:
        """Look whether the server offers the upgrade that a body wishes, if it wishes one."""
        said = part(body, "spec", self._reader.dialect.distribution)
        there = one.dialect.template_of(one.entity)
        name = str(said.get(self._reader.dialect.template) or there[0])
        revision = str(said.get(self._reader.dialect.revision) or there[1])
        if (name, revision) != there:
            self.check_upgrade(one, name, revision)

    def choose_template(self, template: str, revision: int | None) -> tuple[str, int]:
        """Return name and revision of the wanted template.

        None named: the server's default one (CSE 3.1 has no default), or the only one there is.
        No revision: the newest.
        """
        offered = self._reader.templates()
        names = list(dict.fromkeys(one.name for one in offered))
        listed = ", ".join(sorted(names)) or "none"
        if template and template not in names:
            raise NotFound(
                f"The CSE server has no template '{template}'; available: {listed}.",
                hint=f"`{suggest.cse('template list')}` lists them.",
            )
        for one in offered:
            if not template and one.is_default:
                return one.name, one.revision
        if not template and len(names) != 1:
            raise WrongUsage(
                "Missing option '-t' / '--template': this CSE server has no default template; "
                f"available: {listed}.",
                hint=f"`{suggest.cse('template list')}` lists them.",
            )
        chosen = template or names[0]
        revisions = sorted(one.revision for one in offered if one.name == chosen)
        if revision is None:
            return chosen, revisions[-1]
        if revision not in revisions:
            raise NotFound(
                f"The CSE server's template '{chosen}' has no revision {revision}; "
                f"available: {', '.join(map(str, revisions))}.",
                hint=f"`{suggest.cse('template list')}` lists them.",
            )
        return chosen, revision


def collect(problems: list[CseError], find: Callable[[], Any]) -> Any:
    """Return what was found, or add what went wrong to the problems and return None."""
    try:
        return find()
    except (NotFound, WrongUsage) as problem:
        problems.append(problem)
        return None
