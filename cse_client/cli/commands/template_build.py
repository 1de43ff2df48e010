"""`vcd cse template build`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cse_client import suggest
from cse_client.cli.cluster_settings import SettingOptions, check_settings, way_out_options
from cse_client.cli.options import (
    as_object,
    cpu_option,
    disk_size_option,
    memory_option,
    org_option,
    plan_option,
    storage_profile_option,
    timeout_option,
    vdc_option,
)
from cse_client.cli.output import plans
from cse_client.cli.run import Run, command
from cse_client.cli.text import duration

if TYPE_CHECKING:
    from cse_client.errors import CseError
    from cse_client.model.templates import BuildSpec, BuiltTemplate

__all__ = ["build_command"]


@dataclass(frozen=True)
class BuildOptions:
    """What the template is to be like, as it was typed; empty or None: the default."""

    name: str
    source: str
    network: str
    kubernetes: str
    cni: str
    catalog: str
    cpu: int | None
    memory: int | None
    disk_size: int | None
    storage_profile: str
    package_source: str
    vdc: str
    org: str
    accept_eulas: bool
    timeout: float


@dataclass(frozen=True)
class WayOut:
    """The options of `way_out_options`."""

    http_proxy: str
    https_proxy: str
    no_proxy: str
    registry_mirror: tuple[str, ...]
    registry_ca: str | None


@plans("build")
@click.argument("name")
@click.option(
    "--from",
    "source",
    default="",
    metavar="CATALOG/ITEM",
    help="Template with Ubuntu 22.04 or newer.  [required]",
)
@click.option(
    "-n",
    "--network",
    default="",
    metavar="NAME",
    help="Org VDC network with access to the package source.  [required]",
)
@click.option(
    "--kubernetes",
    default="",
    metavar="X.Y[.Z]",
    help="Version of Kubernetes, for example 1.37.  [required]",
)
@click.option(
    "--cni",
    default="",
    metavar="PLUGIN",
    help="CNI plugin: flannel, calico, cilium, or a manifest's FILE or URL. Default: flannel.",
)
@click.option(
    "--catalog",
    default="",
    metavar="NAME",
    help="Catalog for the template. Default: your organization's, if there is only one.",
)
@cpu_option("Virtual CPUs. Default: the source's.")
@memory_option("Memory. Default: the source's.")
@disk_size_option("Size of the disk, for example 40G. Default: the source's.")
@storage_profile_option("Storage profile for the VM.")
@click.option(
    "--package-source",
    default="",
    metavar="URL",
    help="Mirror of https://pkgs.k8s.io/core:/stable: (the part before /vX.Y/deb/).",
)
@way_out_options
@vdc_option
@org_option
@click.option("--keep", is_flag=True, help="Keep the VM after a failure.")
@timeout_option
@plan_option
@click.option("--accept-eulas", is_flag=True, help="Accept the source's license agreements.")
@command
@as_object(BuildOptions, "options")
@as_object(WayOut, "way_out")
def build_command(
    run: Run, options: BuildOptions, way_out: WayOut, keep: bool, dry_run: bool
) -> None:
    """Build a node template from a plain Ubuntu template, or resume a build.

    Creates a VM from the template, installs containerd, Kubernetes and the images of the CNI
    plugin in it, and captures it in a catalog. The VM is deleted at the end. To resume an
    interrupted build, run the same command again.

    \b
    Example
        vcd cse template build t1 --from images/ubuntu -n net1 --kubernetes 1.37
    """
    from cse_client.engines.template_work import Building
    from cse_client.errors import WrongUsage

    spec = _spec(options, way_out)
    if not run.wait:
        raise WrongUsage(
            "`template build` cannot run in the background: this client captures the VM at the"
            " end.",
            hint="Omit -n / --no-wait of `vcd`.",
        )
    work = run.require(Building, "template build").template_work
    if dry_run:
        with run.console.progress() as progress:
            steps = list(work.plan(spec, progress))
        run.console.plan(steps, template=spec.name)
        return

    from time import monotonic

    began = monotonic()
    with run.console.progress() as progress:
        built = work.build(spec, run.options(options.timeout, rollback=not keep), progress)
    _report(run, built, spec, monotonic() - began)


def _spec(options: BuildOptions, way_out: WayOut) -> BuildSpec:
    """Return what was asked for; raise every problem with the options at once."""
    from cse_client.cli.template_words import (
        check_kubernetes,
        check_package_source,
        check_template_name,
        read_cni,
        split_item,
    )
    from cse_client.cli.validation import check_sizes, collect, raise_all
    from cse_client.errors import WrongUsage
    from cse_client.model.cni import DEFAULT_CNI, KNOWN
    from cse_client.model.templates import DEFAULT_SOURCE, BuildSpec

    problems: list[CseError] = check_template_name(options.name)
    lists = {
        "--from": (options.source, suggest.vcd("catalog list")),
        "--network": (options.network, suggest.vcd("network list")),
    }
    for option, (value, lister) in lists.items():
        if not value:
            problems.append(
                WrongUsage(f"Missing option '{option}'.", hint=f"`{lister}` lists what there is.")
            )
    catalog, item = "", ""
    if options.source:
        catalog, item = collect(
            problems, lambda: split_item(options.source, "--from"), (catalog, item)
        )
    kubernetes, wrong = check_kubernetes(options.kubernetes)
    problems += wrong
    source = (options.package_source or DEFAULT_SOURCE).rstrip("/")
    problems += check_package_source(source)
    cni = collect(problems, lambda: read_cni(options.cni or DEFAULT_CNI), KNOWN[DEFAULT_CNI])
    problems += check_sizes(cpus=options.cpu, memory_mb=options.memory, timeout=options.timeout)
    settings, wrong = check_settings(SettingOptions(**vars(way_out)))
    raise_all([*problems, *wrong])
    return BuildSpec(
        name=options.name,
        source_catalog=catalog,
        source_item=item,
        network=options.network,
        kubernetes=kubernetes,
        cni=cni,
        catalog=options.catalog,
        cpus=options.cpu,
        memory_mb=options.memory,
        disk_mb=options.disk_size,
        storage_profile=options.storage_profile,
        vdc=options.vdc,
        org=options.org,
        package_source=source,
        settings=settings,
        accept_eulas=options.accept_eulas,
    )


def _report(run: Run, built: BuiltTemplate, spec: BuildSpec, seconds: float) -> None:
    from cse_client.cli.tables import template_row

    template = built.template
    facts = template.facts
    run.console.sentence(
        f"Template {template.catalog}/{template.item} is built: Kubernetes {facts.kubernetes},"
        f" {spec.cni.title}, {duration(seconds)}.",
        template_row(template),
    )
    if built.lease_ends is not None:
        run.console.warning(
            f"VCD will delete the template when its lease ends on"
            f" {built.lease_ends:%Y-%m-%d}; renew it in VCD."
        )
    if not run.console.as_json:
        create = suggest.cse(
            "cluster create",
            "demo",
            network=spec.network,
            template=template.item,
            cpu=built.cpus,
            memory=built.memory_mb,
        )
        run.console.hint(f"Next: {create}")
