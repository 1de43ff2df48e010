"""`vcd cse ovdc list|info|enable|disable`: what org VDCs may be used for."""

from __future__ import annotations

import click

from cse_client.cli.options import org_option, timeout_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command
from cse_client.cli.validation import refuse_pks

__all__ = ["disable_command", "enable_command", "info_command", "list_command"]

_NATIVE, _TKG_PLUS = "native", "TKG+"


@shows("list", "ovdc", many=True)
@click.option("-p", "--pks-plans", is_flag=True, hidden=True)
@click.option("-A", "--all", "_everything", is_flag=True, hidden=True)
@command
def list_command(run: Run, pks_plans: bool, _everything: bool) -> None:
    """List org VDCs and the clusters they are enabled for.

    Requires a CSE server.
    """
    from cse_client.cli.records import ovdc_record
    from cse_client.cli.server_tables import OVDC_COLUMNS, OVDC_RUNTIME_COLUMNS, ovdc_row
    from cse_client.engines.servers import Provider

    if pks_plans:
        refuse_pks("-p/--pks-plans")
    found = run.require(Provider, "ovdc list").ovdcs()
    entities = not any(one.provider for one in found)
    columns = OVDC_RUNTIME_COLUMNS if entities else OVDC_COLUMNS
    rows = [ovdc_row(state) for state in found]
    records = [ovdc_record(state) for state in found]
    run.console.table(rows, columns, empty="No org VDCs were found.", records=records)


@shows("info", "ovdc")
@click.argument("vdc_name")
@org_option
@command
def info_command(run: Run, vdc_name: str, org: str) -> None:
    """Show which clusters an org VDC is enabled for.

    Requires a CSE server.
    """
    from cse_client.cli.records import ovdc_record
    from cse_client.cli.server_tables import document_pairs
    from cse_client.engines.servers import Provider

    provider = run.require(Provider, "ovdc info")
    state = provider.ovdc(vdc_name, org=org)
    document, record = dict(state.document), ovdc_record(state)
    if state.provider:
        run.console.properties(document_pairs(document), document, record=record)
        return
    import yaml

    # CSE 3's way
    run.console.passage(yaml.safe_dump(document, sort_keys=True), document, record=record)


@click.command("enable")
@click.argument("vdc_name")
@click.option(
    "-k",
    "--k8s-provider",
    type=click.Choice(["native", "ent-pks"]),
    help="Kubernetes provider. Default: native.",
)
@click.option("-n", "--native", is_flag=True, help="Native clusters (default).")
@click.option("-t", "--tkg-plus", is_flag=True, hidden=True)
@click.option("-p", "--pks-plan", default="", hidden=True)
@click.option("-d", "--pks-cluster-domain", default="", hidden=True)
@org_option
@timeout_option
@command
def enable_command(
    run: Run,
    vdc_name: str,
    k8s_provider: str | None,
    native: bool,
    tkg_plus: bool,
    pks_plan: str,
    pks_cluster_domain: str,
    org: str,
    timeout: float,
) -> None:
    """Enable cluster creation in an org VDC.

    Requires a CSE server and system administrator rights.
    """
    from cse_client.engines.servers import Provider

    if k8s_provider == "ent-pks":
        refuse_pks("--k8s-provider ent-pks")
    if pks_plan:
        refuse_pks("-p/--pks-plan")
    if pks_cluster_domain:
        refuse_pks("-d/--pks-cluster-domain")
    provider = run.require(Provider, "ovdc enable")
    runtimes = _runtimes(native or bool(k8s_provider), tkg_plus)
    with run.console.progress() as progress:
        task = provider.enable_ovdc(
            vdc_name,
            run.options(timeout),
            progress,
            org=org,
            runtimes=runtimes,
        )
    _report(run, vdc_name, task, runtimes, "enabled")


@click.command("disable")
@click.argument("vdc_name")
@click.option("-n", "--native", is_flag=True, help="Native clusters (default).")
@click.option("-t", "-p", "--tkg-plus", is_flag=True, hidden=True)
@click.option(
    "-f", "--force", is_flag=True, help="Also remove the policies from running VMs (CSE 3.0)."
)
@org_option
@timeout_option
@command
def disable_command(
    run: Run,
    vdc_name: str,
    native: bool,
    tkg_plus: bool,
    force: bool,
    org: str,
    timeout: float,
) -> None:
    """Disable cluster creation in an org VDC.

    Requires a CSE server and system administrator rights. Existing clusters are not affected.
    """
    from cse_client.engines.servers import Provider

    provider = run.require(Provider, "ovdc disable")
    runtimes = _runtimes(native, tkg_plus)
    with run.console.progress() as progress:
        task = provider.disable_ovdc(
            vdc_name,
            run.options(timeout),
            progress,
            org=org,
            runtimes=runtimes,
            force=force,
        )
    _report(run, vdc_name, task, runtimes, "disabled")


def _runtimes(native: bool, tkg_plus: bool) -> tuple[str, ...]:
    """Return which kinds of clusters are meant; native by default."""
    runtimes = [_NATIVE] if native or not tkg_plus else []
    return (*runtimes, _TKG_PLUS) if tkg_plus else tuple(runtimes)


def _report(run: Run, vdc: str, task: str, runtimes: tuple[str, ...], verb: str) -> None:
    from cse_client.cli.server_tables import show_task

    if task and not run.wait:
        show_task(run, task, f"VDC {vdc}", {"vdc": vdc})
        return
    kinds = " and ".join(runtimes)
    run.console.sentence(
        f"VDC {vdc} is {verb} for {kinds} clusters.",
        {"vdc": vdc, "state": verb, "task_href": task},
    )
