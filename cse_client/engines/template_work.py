"""The capabilities of engines that work with node templates, see `base`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:  # every command loads this module, and few load all of these
    from cse_client.model import (
        Progress,
        RunOptions,
        Template,
        TemplateFacts,
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

__all__ = ["Building", "Registering", "TemplateWork"]


@runtime_checkable
class Registering(Protocol):
    """Registering templates for use as nodes."""

    def register_template(self, catalog: str, item: str, facts: TemplateFacts) -> Template:
        """Register a prepared vApp template for use as nodes and return it."""


class TemplateWork(Protocol):
    """Building, showing, checking and deleting node templates."""

    def plan(self, spec: BuildSpec, progress: Progress) -> Sequence[str]:
        """Return what `build` would do, one sentence a step, after the same checks."""

    def build(self, spec: BuildSpec, options: RunOptions, progress: Progress) -> BuiltTemplate:
        """Build a template, or resume a build that was interrupted."""

    def upload(self, spec: UploadSpec, options: RunOptions, progress: Progress) -> UploadedTemplate:
        """Upload an OVA file as a template."""

    def find(self, reference: str) -> Template:
        """Return a template, registered or not, by CATALOG/ITEM, name or id."""

    def tkg_templates(self) -> Sequence[Template]:
        """List the templates of Tanzu Kubernetes Grid."""

    def details(self, template: Template) -> TemplateDetails:
        """Return what VCD tells of a template."""

    def check(self, template: Template) -> Sequence[CheckResult]:
        """Return what is known of a template's fitness for nodes, without a VM."""

    def check_booted(
        self, template: Template, spec: BootSpec, options: RunOptions, progress: Progress
    ) -> Sequence[CheckResult]:
        """Return what a short-lived VM of the template reports."""

    def clusters_of(self, template: Template) -> Sequence[str]:
        """Return the names of the clusters that were created from a template."""

    def remains(self, reference: str, vdc: str, org: str) -> Sequence[str]:
        """Return what `delete` would delete."""

    def delete(
        self, reference: str, vdc: str, org: str, options: RunOptions, progress: Progress
    ) -> Sequence[str]:
        """Delete a template and what an unfinished build of it left; return what was deleted."""


@runtime_checkable
class Building(Protocol):
    """Making node templates."""

    @property
    def template_work(self) -> TemplateWork:
        """What can be done with node templates."""
