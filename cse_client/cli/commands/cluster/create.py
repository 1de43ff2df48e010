"""`vcd cse cluster create`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from cse_client import suggest
from cse_client.cli.cluster_settings import SettingOptions, check_settings, setting_options
from cse_client.cli.hardware_options import HardwareOptions, check_hardware, hardware_options
from cse_client.cli.node_options import print_new_cluster
from cse_client.cli.options import (
    accept_eulas_option,
    as_object,
    break_lock_option,
    cpu_option,
    disable_rollback_option,
    memory_option,
    org_option,
    plan_option,
    storage_profile_option,
    template_option,
    template_revision_option,
    timeout_option,
    vdc_option,
)
from cse_client.cli.output import Output, ShowingCommand
from cse_client.cli.run import Run, command
from cse_client.cli.text import numbered

if TYPE_CHECKING:
    from cse_client.errors import CseError
    from cse_client.model import ClusterSpec

__all__ = ["create_command"]


@dataclass(frozen=True)
class CreateOptions:
    """What the cluster is to be like, as it was typed; empty or None: the default."""

    name: str
    network: str
    nodes: int
    control_planes: int
    template: str
    template_revision: int | None
    ssh_key: str | None
    cpu: int | None
    memory: int | None
    storage_profile: str
    endpoint: str
    vip: str
    vdc: str
    org: str
    enable_nfs: bool
    strict: bool
    seal: bool
    accept_eulas: bool
    timeout: float


class NamedCommand(ShowingCommand):
    """A command whose only argument is a name: `-demo` is explained, not only refused."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Explain an unknown option instead of a name: it cannot be a name either."""
        arguments = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not self._lacks_name(ctx, arguments, error.option_name):
                raise
            raise click.UsageError(
                f"{error.format_message()} (A cluster name begins with a letter, not with a dash.)",
                ctx,
            ) from None

    def _lacks_name(self, ctx: click.Context, arguments: list[str], option: str) -> bool:
        """Return whether nothing but a word with one dash could be the name."""
        if option.startswith("--"):
            return False
        others = list(arguments)
        others.remove(next(word for word in arguments if word.startswith(option)))
        try:
            values, _left, _order = self.make_parser(ctx).parse_args(others)
        except click.UsageError:
            return False
        return not isinstance(values.get("name"), str)


@click.command(
    "create",
    cls=NamedCommand,
    schema="cluster-file",
    note=" With --dry-run: json and yaml print the file for `cluster apply`.",
)
@click.argument("name")
@click.option(
    "-n", "--network", default="", metavar="NAME", help="Org VDC network for the nodes.  [required]"
)
@click.option(
    "-N", "--nodes", type=int, default=2, metavar="COUNT", help="Number of workers. Default: 2."
)
@click.option(
    "--control-planes",
    type=int,
    default=1,
    metavar="1|3|5",
    help="Number of control planes; several require a virtual address. Default: 1.",
)
@template_option(
    help="Template: NAME, NAME_revN, CATALOG/NAME or ID. Default: see `vcd cse template list`."
)
@template_revision_option(help="Revision of the template. Default: the newest.")
@click.option(
    "-k", "--ssh-key", metavar="FILE", help="SSH public key for logging in to the nodes as root."
)
@cpu_option("Virtual CPUs per node. Default: the template's.")
@memory_option("Memory per node. Default: the template's.")
@storage_profile_option("Storage profile for the nodes.")
@hardware_options
@click.option(
    "--endpoint",
    default="",
    metavar="HOST[:PORT]",
    help="Name or address at which the cluster's API can be reached from outside.",
)
@click.option(
    "--vip",
    default="",
    metavar="ADDRESS|auto|none",
    help="Virtual address of the cluster's API, outside the network's pools. Default: auto.",
)
@setting_options
@vdc_option
@org_option
@click.option("--enable-nfs", is_flag=True, help="Add an NFS node (requires a CSE server).")
@disable_rollback_option
@timeout_option
@break_lock_option
@plan_option
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option(
    "--seal", is_flag=True, help="Remove the CA key from VCD after creation; see `cluster seal`."
)
@accept_eulas_option
@command
@as_object(CreateOptions, "options")
@as_object(HardwareOptions, "hardware")
@as_object(SettingOptions, "settings")
def create_command(
    run: Run,
    options: CreateOptions,
    hardware: HardwareOptions,
    settings: SettingOptions,
    dry_run: bool,
    disable_rollback: bool,
    break_lock: bool,
) -> None:
    """Create a cluster, or resume a creation that was interrupted.

    Only NAME and --network are required; on a terminal, you can choose the network from a list. It
    must be routed or direct, and have access to the Internet. To resume an interrupted creation,
    run the same command again.

    \b
    Example
        vcd cse cluster create demo --network net1 --ssh-key ~/.ssh/id_rsa.pub
    """
    if not dry_run and not Output.of(click.get_current_context()).is_default:
        from cse_client.errors import WrongUsage

        raise WrongUsage("-o FORMAT and --query require --dry-run.")
    if not options.network:
        from cse_client.cli.networks import ask_for_network
        from cse_client.model import ClusterRef

        if run.console.can_ask():
            # no question while there are other problems
            _spec(replace(options, network="any"), hardware, settings)
        ref = ClusterRef(options.name, options.vdc, options.org)
        options = replace(options, network=ask_for_network(run, ref))
    spec = _spec(options, hardware, settings)
    if dry_run:
        _dry_run(run, spec)
        return

    from time import monotonic

    run.when_interrupted = (
        f"{suggest.RESUME} To remove what was created: {suggest.cse('cluster delete', spec.name)}"
    )
    how = run.options(options.timeout, rollback=not disable_rollback, break_lock=break_lock)
    engine = run.engine(needs_server=spec.nfs)
    began = monotonic()
    with run.console.progress() as progress:
        cluster = engine.create(spec, how, progress)
    print_new_cluster(run, cluster, monotonic() - began)


def _spec(options: CreateOptions, hardware: HardwareOptions, typed: SettingOptions) -> ClusterSpec:
    """Return what was asked for; raise every problem with the options at once."""
    from cse_client.cli.validation import (
        check_control_planes,
        check_endpoint,
        check_sizes,
        check_vip,
        check_workers,
        node_source,
        raise_all,
    )
    from cse_client.errors import WrongUsage
    from cse_client.model import ClusterSpec
    from cse_client.model.names import check_name

    problems: list[CseError] = check_name(options.name)
    if not options.network:
        problems.append(
            WrongUsage(
                "Missing option '-n' / '--network'.",
                hint=f"`{suggest.vcd('network list')}` shows the networks of the VDC.",
            )
        )
    problems += check_workers(options.nodes)
    problems += check_control_planes(options.control_planes)
    if options.endpoint:
        problems += check_endpoint(options.endpoint)
    problems += check_vip(options.vip)
    problems += check_sizes(cpus=options.cpu, memory_mb=options.memory, timeout=options.timeout)
    template, revision, ssh_key, wrong = node_source(
        options.template, options.template_revision, options.ssh_key
    )
    problems += wrong
    settings, wrong = check_settings(typed)
    node_options, others = check_hardware(hardware)
    raise_all([*problems, *wrong, *others])
    return ClusterSpec(
        name=options.name,
        network=options.network,
        workers=options.nodes,
        control_planes=options.control_planes,
        template=template,
        template_revision=revision,
        ssh_key=ssh_key,
        cpus=options.cpu,
        memory_mb=options.memory,
        storage_profile=options.storage_profile,
        vdc=options.vdc,
        org=options.org,
        endpoint=options.endpoint,
        vip=options.vip,
        seal=options.seal,
        strict=options.strict,
        accept_eulas=options.accept_eulas,
        nfs=options.enable_nfs,
        settings=settings,
        node_options=node_options,
    )


def _dry_run(run: Run, spec: ClusterSpec) -> None:
    from cse_client.cli.cluster_files import file_yaml, needs_records, show_needs
    from cse_client.engines.base import Planning
    from cse_client.engines.declared.writing import document_of
    from cse_client.model.declared import Declared

    engine = run.require(Planning, "cluster create --dry-run")
    with run.console.progress() as progress:
        plan = engine.plan_create(spec, progress)
    output = Output.of(click.get_current_context())
    if not output.is_table:
        document = document_of(Declared(plan.spec))
        if output.format == "yaml" and not output.query:
            run.console.text(file_yaml(document))
        else:
            run.console.documented(document, document)
        return
    if run.console.as_json:
        needs = needs_records(plan.needs)
        run.console.document({"cluster": spec.name, "plan": list(plan.steps), "resources": needs})
        return
    if not plan.steps:
        run.console.sentence(f"Cluster {spec.name} is complete; there is nothing to do.", {})
    for line in numbered(plan.steps):
        run.console.sentence(line, {})
    show_needs(run, plan.needs)
