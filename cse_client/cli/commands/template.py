"""`vcd cse template ...`."""

from __future__ import annotations

import click

from cse_client import suggest
from cse_client.cli.options import timeout_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command

__all__ = ["list_command", "register_command", "reload_command"]


@shows("list", "template", many=True)
@click.option("-t", "--tkg", is_flag=True, hidden=True)
@command
def list_command(run: Run, tkg: bool) -> None:
    """List the templates available for nodes.

    OS, Kubernetes and CNI are derived from the name of a CSE template, or were recorded by
    `template build` or `template register`. `Origin` shows which of them.
    """
    from cse_client.cli.records import template_record
    from cse_client.cli.server_tables import SERVED_TEMPLATE_COLUMNS, served_template_row
    from cse_client.cli.tables import TEMPLATE_COLUMNS, template_row
    from cse_client.engines.template_work import Building
    from cse_client.model.server import ServedTemplate

    if tkg:
        from cse_client.cli.target import tkg_sentence
        from cse_client.errors import WrongUsage

        raise WrongUsage(tkg_sentence("--tkg is an option for Tanzu Kubernetes Grid"))
    engine = run.engine()
    templates = list(engine.templates())
    if isinstance(engine, Building):
        templates += engine.template_work.tkg_templates()
    rows = [
        served_template_row(one) if isinstance(one, ServedTemplate) else template_row(one)
        for one in templates
    ]
    served = any(isinstance(one, ServedTemplate) for one in templates)
    columns = SERVED_TEMPLATE_COLUMNS if served else TEMPLATE_COLUMNS
    records = [template_record(one) for one in templates]
    run.console.table(rows, columns, empty="No templates were found.", records=records)
    if not rows and run.console.shows_tables:
        run.console.hint(
            "The provider can share CSE templates in a catalog. To build a template from a plain"
            f" Ubuntu: {suggest.cse('template build', help=True)}"
        )


@click.command("register")
@click.argument("catalog")
@click.argument("item")
@click.option(
    "--kubernetes-version",
    required=True,
    metavar="X.Y.Z",
    help="Version of kubeadm in the template.",
)
@click.option(
    "--os",
    "os_name",
    default="",
    metavar="NAME",
    help="Operating system, for example ubuntu-24.04.",
)
@click.option(
    "--cni", default="", metavar="NAME", help="CNI plugin, for example weave, antrea or calico."
)
@click.option("--cni-version", default="", metavar="VERSION", help="Version of the CNI plugin.")
@click.option(
    "--cni-manifest",
    default="",
    metavar="PATH",
    help="Path of the CNI plugin's manifest in the template.",
)
@click.option("--pod-cidr", default="", metavar="CIDR", help="Pod network.")
@click.option(
    "--keepalived",
    is_flag=True,
    help="The template contains keepalived, which holds a cluster's virtual address.",
)
@command
def register_command(
    run: Run,
    catalog: str,
    item: str,
    kubernetes_version: str,
    os_name: str,
    cni: str,
    cni_version: str,
    cni_manifest: str,
    pod_cidr: str,
    keepalived: bool,
) -> None:
    """Register a prepared VM template for use as nodes.

    CATALOG and ITEM are the names shown by `vcd catalog list CATALOG`. The template must contain
    kubeadm, kubelet and a container runtime. The options are stored in metadata, which every user
    of the catalog can read.

    \b
    Example
        vcd cse template register images ubuntu-24.04 --kubernetes-version 1.33.1
    """
    from cse_client.cli.tables import template_row
    from cse_client.cli.validation import check_register, raise_all
    from cse_client.engines.template_work import Registering
    from cse_client.model import TemplateFacts

    version = kubernetes_version[1:] if kubernetes_version.startswith("v") else kubernetes_version
    raise_all(check_register(version=version, cni_manifest=cni_manifest, pod_cidr=pod_cidr))
    facts = TemplateFacts(
        os=os_name,
        kubernetes=version,
        cni=cni,
        cni_version=cni_version,
        cni_manifest=cni_manifest,
        pod_cidr=pod_cidr,
        keepalived=keepalived,
    )
    template = run.require(Registering, "template register").register_template(catalog, item, facts)
    run.console.sentence(
        f"{template.catalog}/{template.item} is registered. To use it, specify "
        f"`--template {template.item}`.",
        template_row(template),
    )


@click.command("reload")
@timeout_option
@command
def reload_command(run: Run, timeout: float) -> None:
    """Reload the CSE server's templates.

    Requires a CSE server 3.1 and system administrator rights.
    """
    from cse_client.cli.server_tables import show_task
    from cse_client.engines.servers import Entities

    engine = run.require(Entities, "template reload")
    with run.console.progress() as progress:
        task = engine.reload_templates(run.options(timeout), progress)
    if task and not run.wait:
        show_task(run, task, "its templates", {})
        return
    run.console.sentence("The CSE server has reloaded its templates.", {"task_href": task})
