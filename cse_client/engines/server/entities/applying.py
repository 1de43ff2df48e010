"""`cluster apply`: create or update the cluster that a file describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cse_client import suggest
from cse_client.engines.server.entities import files
from cse_client.engines.server.entities.checks import EntityChecks, collect
from cse_client.engines.server.entities.documents import Found
from cse_client.engines.server.entities.following import idle
from cse_client.engines.server.entities.reading import EntityReader, ambiguous
from cse_client.engines.server.entities.updates import EntityUpdates
from cse_client.engines.server.vdcs import check_network_and_profiles
from cse_client.errors import WrongUsage, raise_all
from cse_client.model import ClusterRef, Event, EventKind, Progress, RunOptions
from cse_client.model.server import ServedCluster
from cse_client.yamlplaces import Path, Position

__all__ = ["FileApplication"]


class FileApplication:
    """Brings clusters to what files describe."""

    def __init__(self, reader: EntityReader, checks: EntityChecks, updates: EntityUpdates) -> None:
        self._reader = reader
        self._checks = checks
        self._updates = updates
        self._dialect = reader.dialect

    def apply(
        self,
        document: Any,
        options: RunOptions,
        progress: Progress,
        *,
        identity: str = "",
        org: str = "",
        positions: Mapping[Path, Position] | None = None,
    ) -> ServedCluster:
        """Make the cluster that a file describes, or bring the one that is there to it.

        `identity` is the cluster's id; without it, the cluster is the one of the file's name, VDC
        and organization, which default to `org` and the session's. What the file does not state of
        an existing cluster stays as it is, and nothing is sent where the cluster is so already.
        `positions` are those of the file's values.

        Raises:
            WrongUsage: the file does not describe a cluster of this server's kind.
        """
        problems = files.check_file(self._dialect, document, positions or {})
        if identity:
            raise_all(problems)
            return self._update(
                self._reader.find(ClusterRef(identity)), document, options, progress
            )
        defaults = (org or self._reader.own_org(), self._reader.session.vdc, self._reader.site())
        body: dict[str, Any] = {}
        if isinstance(document, dict) and not problems:
            body = files.completed(self._dialect, document, defaults)
            problems = files.check_metadata(self._dialect, body)
        raise_all(problems)
        ref = files.cluster_of(self._dialect, body)
        if org and org != ref.org:
            raise WrongUsage(f"The file is for organization '{ref.org}', not for '{org}'.")
        suggest.aim_at(
            vdc="" if ref.vdc == self._reader.session.vdc else ref.vdc,
            org="" if ref.org == self._reader.own_org() else ref.org,
        )
        there = self._reader.named(ref)
        if len(there) > 1:
            raise ambiguous(ref.name, there)
        if there:
            return self._update(there[0], document, options, progress)
        return self._create(ref, body, options, progress)

    def _create(
        self,
        ref: ClusterRef,
        body: Mapping[str, Any],
        options: RunOptions,
        progress: Progress,
    ) -> ServedCluster:
        """Create a cluster, once the names in the file's document are known to exist."""
        raise_all(files.check_new(self._dialect, body))
        network = str(body["spec"]["settings"][self._dialect.network])
        groups = (self._dialect.control_plane, "workers", "nfs")
        profiles = [self._dialect.group(body, group).get(self._dialect.storage) for group in groups]
        keys = (f"spec.settings.{self._dialect.network}: NAME", f"{self._dialect.storage}: NAME")
        names = [str(profile or "") for profile in profiles]
        problems = check_network_and_profiles(
            self._reader.vcd, network, names, ref.vdc, ref.org, hints=keys
        )
        distribution = body["spec"][self._dialect.distribution]
        template = distribution[self._dialect.template]
        revision = distribution.get(self._dialect.revision)
        collect(problems, lambda: self._checks.choose_template(template, revision))
        raise_all(problems)
        return self._updates.create(ref, body, options, progress)

    def _update(
        self, one: Found, document: Mapping[str, Any], options: RunOptions, progress: Progress
    ) -> ServedCluster:
        """Bring a cluster that is there to what a file states."""
        body = files.merged(self._dialect, one, document)
        if not one.busy and files.fulfilled(one, body):
            return self._reader.shown(one)
        files.refuse_upgrade(idle(one), body)
        if self._dialect.second_generation:
            self._checks.check_template_change(one, body)
        going = files.leaving(one, body)
        if going:
            text = (
                f"{going} of the {len(one.names('workers'))} workers of cluster '{one.name}' will "
                "be deleted, because the file sets their number."
            )
            progress(Event(EventKind.WARNING, text))
        return self._updates.update(one, body, f"update of cluster '{one.name}'", options, progress)
