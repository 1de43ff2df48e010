"""`vcd cse cluster export`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from cse_client.cli.options import org_option, vdc_option
from cse_client.cli.output import shows
from cse_client.cli.run import Run, command
from cse_client.model import ClusterRef

if TYPE_CHECKING:
    from cse_client.model.declared import Declared, WantedAddon

__all__ = ["export_command"]


@shows("export", "cluster-file")
@click.argument("name")
@vdc_option
@org_option
@command
def export_command(run: Run, name: str, vdc: str, org: str) -> None:
    """Print the file that describes a cluster.

    It is for `vcd cse cluster apply`, and has the sizes and settings that were requested last, the
    SSH public key, and the add-ons that this client installed; it contains no private keys and no
    passwords. Its default format is YAML.

    \b
    Example
        vcd cse cluster export demo > demo.yaml
    """
    from cse_client.cli.cluster_files import file_yaml
    from cse_client.cli.validation import check_existing_name
    from cse_client.engines.base import Declaring
    from cse_client.engines.declared.writing import document_of
    from cse_client.errors import Conflict

    check_existing_name(name)
    ref = ClusterRef(name, vdc, org)
    engine = run.require(Declaring, "cluster export")
    found = engine.declared(ref, required=True)
    assert found is not None  # noqa: S101 - required
    if found.is_new:
        raise Conflict(
            f"Cluster '{name}' is not finished yet.",
            hint="Finish it with the command that created it.",
        )
    _warn(run, found)
    document = document_of(replace(found, addons=_addons(run, ref)))
    run.console.passage(file_yaml(document), document)


def _addons(run: Run, ref: ClusterRef) -> tuple[WantedAddon, ...]:
    """Return the add-ons that the cluster has; none where its API cannot be asked."""
    from cse_client.cli.profile import read_session
    from cse_client.engines.addons.installer import Addons
    from cse_client.engines.declared.applying import installed_addons
    from cse_client.errors import CseError
    from cse_client.model import silent
    from cse_client.vcd.client import VcdClient

    addons = Addons(run.engine(), lambda: VcdClient.open(read_session()[0]), silent)
    try:
        return installed_addons(addons.status(ref))
    except CseError as error:
        run.console.warning(f"The add-ons are omitted: {error.clause}.")
        return ()


def _warn(run: Run, found: Declared) -> None:
    from cse_client.engines.declared.fields import FIELDS

    lost = [".".join(field.path) for field in FIELDS if field.name in found.unknown]
    if lost:
        run.console.warning(
            f"{', '.join(lost)} is omitted: the metadata of the cluster cannot be read."
        )
    for problem in found.problems:
        run.console.warning(f"The file has the sizes that were requested, but {problem}.")
