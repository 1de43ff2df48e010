"""Options of `cluster create` that a cluster's own network and the way out of it need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from cse_client.errors import CseError
    from cse_client.model.settings import ClusterSettings

__all__ = ["SettingOptions", "check_settings", "setting_options"]

#: It is recorded in metadata, completed by what the cluster itself uses.
_LONGEST_NO_PROXY = 1024

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class SettingOptions:
    """The options of `setting_options` as they were typed; empty: the default."""

    pod_cidr: str
    service_cidr: str
    http_proxy: str
    https_proxy: str
    no_proxy: str


def setting_options(function: F) -> F:
    """Add the settings of a new cluster that all its nodes share."""
    options = [
        click.option(
            "--pod-cidr",
            default="",
            metavar="CIDR",
            help="Network for the pods. Default: the CNI plugin's.",
        ),
        click.option(
            "--service-cidr",
            default="",
            metavar="CIDR",
            help="Network for the Services. Default: 10.96.0.0/12.",
        ),
        click.option("--http-proxy", default="", metavar="URL", help="The nodes' proxy for HTTP."),
        click.option(
            "--https-proxy", default="", metavar="URL", help="The nodes' proxy for HTTPS."
        ),
        click.option(
            "--no-proxy",
            default="",
            metavar="HOST,...",
            help="More hosts, domains and networks that nodes reach without a proxy.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def check_settings(options: SettingOptions) -> tuple[ClusterSettings, list[CseError]]:
    """Return the settings that were typed, and every problem with them."""
    from cse_client.errors import WrongUsage
    from cse_client.model.settings import (
        EXAMPLES,
        OPTIONS,
        ClusterSettings,
        setting_problem,
        setting_shown,
    )

    settings = ClusterSettings(**vars(options))
    problems: list[CseError] = []
    for name, value in settings.given().items():
        problem = setting_problem(name, value)
        if problem:
            problems.append(
                WrongUsage(
                    f"'{setting_shown(value)}' is not a valid value of {OPTIONS[name]}: {problem}.",
                    hint=f"For example: {OPTIONS[name]} {EXAMPLES[name]}",
                )
            )
    if len(settings.no_proxy) > _LONGEST_NO_PROXY:
        problems.append(
            WrongUsage(
                f"The value of --no-proxy has {len(settings.no_proxy)} characters; the maximum is"
                f" {_LONGEST_NO_PROXY}.",
                hint="Specify domains and networks instead of single hosts.",
            )
        )
    if settings.no_proxy and not settings.has_proxy:
        problems.append(
            WrongUsage(
                "--no-proxy requires --http-proxy or --https-proxy.",
                hint=f"For example: --https-proxy {EXAMPLES['https_proxy']}",
            )
        )
    return settings, problems
