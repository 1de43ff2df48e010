"""Options that several commands share, spelled as CSE spells them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from cse_client import suggest
from cse_client.cli.progress import MODES
from cse_client.cli.validation import parse_disk_size, parse_duration
from cse_client.errors import WrongUsage

__all__ = [
    "DISK_SIZE",
    "DURATION",
    "ENGINES",
    "PATIENCE",
    "PROGRESS",
    "TYPED",
    "accept_eulas_option",
    "as_object",
    "break_lock_option",
    "cpu_option",
    "disable_rollback_option",
    "disk_size_option",
    "dry_run_option",
    "kubeconfig_option",
    "memory_option",
    "org_option",
    "org_unless_format",
    "placement_policy_option",
    "plan_option",
    "progress_option",
    "runtime_option",
    "sizing_policy_option",
    "storage_profile_option",
    "timeout_option",
    "vdc_option",
    "with_options",
    "yes_option",
]

#: The values of --engine, CSE_ENGINE and the profile's key cse_engine.
ENGINES = ("auto", "direct", "server")

#: Where --progress is kept in the contexts' shared `meta`.
PROGRESS = "cse_client.progress"

#: Where the group `cse` leaves the words after it, in the contexts' shared `meta`.
TYPED = "cse_client.typed"

_LONGEST_PATIENCE = 7 * 86400.0

F = TypeVar("F", bound=Callable[..., Any])


# click made ParamType generic in one of its 8.x versions
class Duration(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Seconds, typed as `90`, `90s`, `20m`, `1h30m` or `30d`."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds; complain as click's own types do."""
        if isinstance(value, (int, float)):
            return float(value)
        try:
            return parse_duration(str(value))
        except WrongUsage as error:
            self.fail(f"{error.message} {error.hint}", param, ctx)


DURATION = Duration()


class DiskSize(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """The size of a disk in MB, typed as `40G`, `40Gi`, `1T`, `40960M` or `40960`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return MB; complain as click's own types do."""
        if isinstance(value, int):
            return value
        try:
            return parse_disk_size(str(value))
        except WrongUsage as error:
            self.fail(f"{error.message} {error.hint}", param, ctx)


DISK_SIZE = DiskSize()


class Patience(Duration):
    """A duration that somebody may wait for."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds; complain of more than a week."""
        seconds = super().convert(value, param, ctx)
        if seconds > _LONGEST_PATIENCE:
            self.fail(f"'{value}' is too long; the maximum is 7d.", param, ctx)
        return seconds


PATIENCE = Patience()


def vdc_option(function: F) -> F:
    """Add -v/--vdc."""
    return click.option(
        "-v", "--vdc", default="", metavar="NAME", help="Org VDC. Default: the VDC in use."
    )(function)


def org_unless_format(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Return an organization; refuse `-o json` where -o is not the output's format.

    Raises:
        click.UsageError: such a value was typed after -o.
    """
    from cse_client.cli.output import FORMATS

    typed = list(ctx.meta.get(TYPED, ()))
    short = f"-o{value}" in typed or ("-o", value) in zip(typed, typed[1:])
    if value not in FORMATS or "-o" not in param.opts or not short:
        return value
    raise click.UsageError(
        f"-o is the organization for this command, which has no option for the output format."
        f" To get JSON, begin with `{suggest.for_json()}`. An organization with the name '{value}'"
        " can be given with --org.",
        ctx,
    )


def org_option(function: F) -> F:
    """Add -o/--org."""
    return click.option(
        "-o",
        "--org",
        default="",
        metavar="NAME",
        callback=org_unless_format,
        help="Organization. Default: the organization in use.",
    )(function)


def kubeconfig_option(function: F) -> F:
    """Add --kubeconfig."""
    return click.option(
        "--kubeconfig",
        default="",
        metavar="FILE",
        help="Your kubeconfig file. Default: $KUBECONFIG, or ~/.kube/config.",
    )(function)


def timeout_option(function: F) -> F:
    """Add the options of a command that may take a while: --timeout, and --progress."""
    return click.option(
        "--timeout",
        type=PATIENCE,
        default=3600.0,
        metavar="TIME",
        show_default=False,
        help="Timeout for the whole operation, for example 90s, 20m or 1h. Default: 1h.",
    )(progress_option(function))


def progress_option(function: F) -> F:
    """Add --progress, which the console reads."""

    def keep(ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
        ctx.meta[PROGRESS] = value or "auto"
        return value

    return click.option(
        "--progress",
        type=click.Choice(MODES),
        default=None,
        envvar="CSE_PROGRESS",
        callback=keep,
        expose_value=False,
        help="Progress on stderr: a spinner on a terminal (auto), lines (plain), or one JSON object"
        " a line (json). Environment variable: CSE_PROGRESS.",
    )(function)


def break_lock_option(function: F) -> F:
    """Add --break-lock."""
    return click.option(
        "--break-lock",
        is_flag=True,
        help="Break the lock left by another administrator's command that is no longer running.",
    )(function)


def cpu_option(text: str) -> Callable[[F], F]:
    """Add -c/--cpu, with the help `text`."""
    return click.option("-c", "--cpu", type=int, metavar="COUNT", help=text)


def memory_option(text: str) -> Callable[[F], F]:
    """Add -m/--memory."""
    return click.option("-m", "--memory", type=int, metavar="MB", help=text)


def disk_size_option(text: str) -> Callable[[F], F]:
    """Add --disk-size."""
    return click.option("--disk-size", type=DISK_SIZE, metavar="SIZE", help=text)


def storage_profile_option(text: str) -> Callable[[F], F]:
    """Add -s/--storage-profile."""
    return click.option("-s", "--storage-profile", default="", metavar="NAME", help=text)


def sizing_policy_option(text: str) -> Callable[[F], F]:
    """Add --sizing-policy."""
    return click.option("--sizing-policy", default="", metavar="NAME", help=text)


def placement_policy_option(text: str) -> Callable[[F], F]:
    """Add --placement-policy."""
    return click.option("--placement-policy", default="", metavar="NAME", help=text)


def template_option(help: str) -> Callable[[F], F]:
    """Add -t/--template, which CSE's client calls --template-name as well."""
    return click.option(
        "-t", "--template", "--template-name", "template", default="", metavar="NAME", help=help
    )


def template_revision_option(help: str = "Revision of the template.") -> Callable[[F], F]:
    """Add -r/--template-revision."""
    return click.option("-r", "--template-revision", type=int, metavar="N", help=help)


def accept_eulas_option(function: F) -> F:
    """Add --accept-eulas."""
    return click.option(
        "--accept-eulas", is_flag=True, help="Accept the template's license agreements."
    )(function)


def disable_rollback_option(function: F) -> F:
    """Add --disable-rollback."""
    return click.option(
        "--disable-rollback", is_flag=True, help="Do not clean up after a failure."
    )(function)


def yes_option(function: F) -> F:
    """Add -y/--yes."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")(function)


def dry_run_option(function: F) -> F:
    """Add --dry-run."""
    return click.option("--dry-run", is_flag=True, help="Only show what would be done.")(function)


def plan_option(function: F) -> F:
    """Add --dry-run of a command that creates something."""
    return click.option(
        "--dry-run",
        is_flag=True,
        help="Check everything and print the plan, without changing anything.",
    )(function)


def with_options(function: F, options: Sequence[Callable[[Any], Any]]) -> F:
    """Add options, which the help lists in this order."""
    for option in reversed(options):
        function = option(function)
    return function


class Runtime(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A kind of cluster as CSE 3 calls it; only `native` is ours, and the others are explained."""

    name = "runtime"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return `native`; complain of everything else."""
        if value != "native":
            self.fail(
                f"'{value}' is not supported: this client manages native clusters only, not "
                "clusters of Tanzu Kubernetes Grid.",
                param,
                ctx,
            )
        return str(value)


def runtime_option(function: F) -> F:
    """Add -k/--k8-runtime of CSE 3, which tells clusters of one name apart; only native is ours."""
    return click.option(
        "-k",
        "--k8-runtime",
        type=Runtime(),
        metavar="[native]",
        expose_value=False,
        help="Kind of cluster. Only native clusters are supported.",
    )(function)


def as_object(kind: type, parameter: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Pass a command some of its options as one object, as the keyword argument `parameter`.

    `kind` is a dataclass whose fields have the names of these options.
    """
    names = [field.name for field in dataclasses.fields(kind)]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def gathering(*args: Any, **options: Any) -> None:
            found = kind(**{name: options.pop(name) for name in names})
            function(*args, **options, **{parameter: found})

        return gathering

    return decorate
