"""The `vcd cse` commands: what `extensions: [cse_client.cse]` in ~/.vcd-cli/profiles.yaml names."""

from __future__ import annotations

import sys

from vcd_cli.vcd import vcd

from cse_client.commands import cse, options_before, stop_early

__all__ = ["cse"]

if options_before(sys.argv[1:])[-1:] == ["cse"]:
    stop_early(sys.argv[1:])
vcd.add_command(cse)
