"""What the direct engine does with node templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from cse_client import bounds, looked_at, suggest
from cse_client.clock import Clock
from cse_client.engines.direct.lock import ClusterLock, owner_of
from cse_client.engines.direct.node_templates import marks
from cse_client.engines.direct.node_templates.build import TemplateBuild
from cse_client.engines.direct.node_templates.request import BuildRequest, resolve_build
from cse_client.engines.direct.operations.delete import delete_vapp
from cse_client.errors import Conflict, CseError, Interrupted, NotFinished, NotFound
from cse_client.model import (
    Event,
    EventKind,
    Progress,
    RunOptions,
    Session,
    Template,
    VAppRecord,
    Vdc,
    footprint,
)
from cse_client.model.templates import (
    BootSpec,
    BuildSpec,
    BuiltTemplate,
    CheckResult,
    TemplateDetails,
    UploadedTemplate,
    UploadSpec,
)
from cse_client.vcd import tasks

if TYPE_CHECKING:
    from cse_client.vcd.client import VcdClient

__all__ = ["TemplateWork"]


class TemplateWork:
    """Implements `engines.base.TemplateWork` with one user's rights."""

    def __init__(
        self,
        vcd: VcdClient,
        session: Session,
        clock: Clock,
        templates: Callable[[], Sequence[Template]],
    ) -> None:
        self._vcd = vcd
        self._session = session
        self._clock = clock
        self._templates = templates

    def plan(self, spec: BuildSpec, progress: Progress) -> Sequence[str]:
        """Check everything that `build` checks and return its steps as sentences."""
        build = self._build(self._request(spec, progress), RunOptions(), progress)
        return [step.sentence for step in build.steps() if not step.done()]

    def build(self, spec: BuildSpec, options: RunOptions, progress: Progress) -> BuiltTemplate:
        """Build the template, or finish a build that was interrupted."""
        build: TemplateBuild | None = None
        try:
            build = self._build(self._request(spec, progress), options, progress)
            try:
                build.run()
            except Conflict as conflict:
                # A request of an earlier run may reach VCD between this run's check and its own.
                try:
                    request = self._request(spec, progress)
                except CseError:
                    raise conflict from None
                if request.vapp is None:
                    raise
                build = self._build(request, options, progress)
                build.run()
            return build.outcome()
        except (KeyboardInterrupt, NotFinished) as stop:
            advice = "Nothing was created."
            if build is not None and build.wrote_something:
                remove = suggest.cse("template delete", spec.name)
                advice = f"Run the same command again to resume, or remove what was made: {remove}"
            if isinstance(stop, NotFinished):
                stop.hint = stop.hint or advice
                raise
            raise Interrupted(
                f"Interrupted; template '{spec.name}' is not finished.", hint=advice
            ) from None

    def upload(self, spec: UploadSpec, options: RunOptions, progress: Progress) -> UploadedTemplate:
        """Upload an OVA file as a template; see `TemplateUpload.run`."""
        from cse_client.engines.direct.node_templates.upload import TemplateUpload

        upload = TemplateUpload(
            self._vcd, spec, options, self._session, clock=self._clock, progress=progress
        )
        return upload.run()

    def find(self, reference: str) -> Template:
        """Return a template, registered or not.

        Raises:
            NotFound: there is none, or none that is registered of a name without a catalog.
        """
        catalog, slash, item = reference.partition("/")
        if slash:
            found = self._vcd.surroundings.find_item(catalog, item)
            if found.facts.kubernetes:
                return found
            return next((one for one in self._vcd.templates.tkg(item) if one.id == found.id), found)
        known = list(self._templates())
        for one in known:
            if reference in (one.item, one.name, one.id):
                return one
        for one in self._vcd.templates.tkg(reference):
            return one
        raise NotFound(
            f"Template '{reference}' was not found.",
            hint="Specify it as CATALOG/ITEM; `"
            f"{suggest.cse('template list')}` lists the registered ones.",
        )

    def tkg_templates(self) -> Sequence[Template]:
        """List the templates of Tanzu Kubernetes Grid."""
        return self._vcd.templates.tkg()

    def details(self, template: Template) -> TemplateDetails:
        """Return what VCD tells of a template."""
        return self._vcd.templates.details(template)

    def check(self, template: Template) -> Sequence[CheckResult]:
        """Return what is known of a template's fitness for nodes, without a VM."""
        from cse_client.engines.direct.node_templates.examine import examine

        today = datetime.now(timezone.utc).date()
        return list(examine(template, self.details(template), today))

    def check_booted(
        self, template: Template, spec: BootSpec, options: RunOptions, progress: Progress
    ) -> Sequence[CheckResult]:
        """Return what a VM of the template reports; the VM is deleted in any case."""
        from cse_client.engines.direct.node_templates.boot import BootCheck

        check = BootCheck(
            self._vcd, self._session, template, spec, options, clock=self._clock, progress=progress
        )
        return check.run()

    def clusters_of(self, template: Template) -> Sequence[str]:
        """Return the clusters of the organization that record this template, sorted."""
        return sorted(
            record.name
            for record in self._vcd.cluster_records()
            if record.metadata.get(footprint.TEMPLATE_NAME) == template.name
            and record.metadata.get(footprint.TEMPLATE_REVISION, "0")
            in (str(template.revision), "")
        )

    def delete(
        self, reference: str, vdc: str, org: str, options: RunOptions, progress: Progress
    ) -> Sequence[str]:
        """Delete a template, and the vApp of an unfinished build of that name.

        Raises:
            NotFound: there is neither.
            Conflict: a command of this user on this machine is building it.
        """
        deadline = self._clock.monotonic() + bounds.share(options.timeout)
        place = self._vcd.surroundings.vdc(vdc, org)
        with self._alone(reference, place):
            template, build = self._remains(reference, place)
            if build is not None:
                with _reported(progress, f"Deleting vApp '{build.name}'"):
                    delete_vapp(self._vcd, build.href, deadline=deadline)
            if template is not None:
                with _reported(progress, f"Deleting template '{template.item}'"):
                    self._delete_template(template, deadline)
        return _named(template, build)

    def remains(self, reference: str, vdc: str, org: str) -> Sequence[str]:
        """Return what `delete` would delete.

        Raises:
            NotFound: nothing.
            Conflict: a command of this user on this machine is building it.
        """
        place = self._vcd.surroundings.vdc(vdc, org)
        with self._alone(reference, place):
            return _named(*self._remains(reference, place))

    @contextmanager
    def _alone(self, reference: str, place: Vdc) -> Iterator[None]:
        """Keep this user's other commands on this machine off a template."""
        name = reference.partition("/")[2] or reference
        lock = ClusterLock(
            self._vcd,
            self._session,
            name=marks.vapp_name(name),
            vdc_href=place.href,
            clock=self._clock,
            shown=f"template '{name}'",
        )
        lock.acquire_local()
        try:
            yield
        finally:
            lock.release_local()

    def _remains(self, reference: str, place: Vdc) -> tuple[Template | None, VAppRecord | None]:
        """Return the template, and the vApp of an unfinished build of its name; not both None."""
        absent: NotFound | None = None
        template: Template | None = None
        try:
            template = self.find(reference)
        except NotFound as error:
            absent = error
        name = reference.partition("/")[2] or reference
        record = self._vcd.find_vapp(place, marks.vapp_name(name))
        if record is not None:
            description = self._vcd.vapp(record.href).description
            record = record if footprint.build_in_description(description) else None
        if absent is not None and record is None:
            raise absent
        if template is not None:
            look = suggest.cse("template info", reference)
            looked_at.check("template", reference, template.href, look=look)
        if record is not None:
            look = suggest.vcd("vapp info", record.name)
            looked_at.check("vApp", record.name, record.href, place.href, look=look)
        return template, record

    def _delete_template(self, template: Template, deadline: float) -> None:
        task = tasks.change(self._vcd, lambda: self._vcd.templates.delete(template), deadline)
        if task is not None:
            tasks.wait(self._vcd, task, deadline=deadline)

    def _request(self, spec: BuildSpec, progress: Progress) -> BuildRequest:
        return resolve_build(self._vcd, spec, progress, owner=owner_of(self._session))

    def _build(
        self, request: BuildRequest, options: RunOptions, progress: Progress
    ) -> TemplateBuild:
        return TemplateBuild(
            self._vcd, request, options, self._session, clock=self._clock, progress=progress
        )


def _named(template: Template | None, build: VAppRecord | None) -> list[str]:
    named = [f"template {template.catalog}/{template.item}"] if template is not None else []
    return [*named, *([f"vApp {build.name}"] if build is not None else [])]


class _reported:  # noqa: N801 - a context manager
    """Report a step's beginning and end."""

    def __init__(self, progress: Progress, text: str) -> None:
        self._progress = progress
        self._text = text

    def __enter__(self) -> None:
        self._progress(Event(EventKind.STARTED, self._text))

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        end = EventKind.DONE if kind is None else EventKind.FAILED
        self._progress(Event(end, self._text))
