"""`vcd cse version` and `vcd cse system info|enable|disable|stop`."""

from __future__ import annotations

import click

from cse_client.cli.options import yes_option
from cse_client.cli.output import shows
from cse_client.cli.run import Question, Run, command
from cse_client.model import Progress

__all__ = [
    "config_command",
    "disable_command",
    "enable_command",
    "info_command",
    "stop_command",
    "version_command",
]


@shows("version", "version")
@command
def version_command(run: Run) -> None:
    """Show the version of this client."""
    import platform

    from cse_client import DESCRIPTION, PRODUCT, __version__

    run.console.sentence(
        f"{PRODUCT}, {DESCRIPTION}, version {__version__}",
        {
            "product": PRODUCT,
            "description": DESCRIPTION,
            "version": __version__,
            "python": platform.python_version(),
        },
    )


@shows("info", "system")
@command
def info_command(run: Run) -> None:
    """Show the version, the engine in use, VCD and the session.

    With a CSE server, product, description and version are those of the server, and the status
    that it reports to administrators is added.
    """
    from cse_client.cli.records import system_record
    from cse_client.cli.tables import plain
    from cse_client.model.server import ServedSystem

    info = run.engine().system_info()
    if isinstance(info, ServedSystem):
        from cse_client.cli.server_tables import system_object

        value = system_object(info)
    else:
        value = plain(info)
    pairs = [(key.replace("_", " "), text) for key, text in value.items()]
    run.console.properties(pairs, value, record=system_record(info))


@click.command("enable")
@command
def enable_command(run: Run) -> None:
    """Enable the CSE server, so that it accepts requests.

    Requires system administrator rights.
    """
    _control(run, "enable")


@click.command("disable")
@command
def disable_command(run: Run) -> None:
    """Disable the CSE server, so that it rejects requests.

    Requires system administrator rights. A disabled server can be enabled again, or stopped.
    """
    _control(run, "disable")


@click.command("stop")
@yes_option
@command
def stop_command(run: Run, yes: bool) -> None:
    """Stop the CSE server.

    Requires system administrator rights. The server must be disabled first. It completes the
    operations in progress before it stops.
    """
    _control(run, "stop", ask=not yes)


@shows("config", "server-config")
@command
def config_command(run: Run) -> None:
    """Show the CSE server's configuration.

    Requires a CSE server 3.1 and system administrator rights. Secrets are not shown.
    """
    from cse_client.cli.tables import plain
    from cse_client.engines.servers import Entities

    document = plain(run.require(Entities, "system config").server_config())
    import yaml

    run.console.passage(yaml.safe_dump(document, sort_keys=True), document)


def _control(run: Run, action: str, *, ask: bool = False) -> None:
    from cse_client.engines.servers import Provider

    if ask:
        run.need_terminal("Stopping the CSE server")
    provider = run.require(Provider, f"system {action}")

    def look(_progress: Progress) -> Question:
        provider.check_control(action)
        return Question(
            "Stop the CSE server? It can only be started again on its host.",
            declined="The CSE server was not stopped.",
        )

    if ask:
        run.confirm("Stopping the CSE server", look)
    message = provider.control(action)
    run.console.sentence(message, {"message": message})
