"""A guest's shell for single functions of the scripts: real bash over a private file system."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

SCRIPTS = files("cse_client.guest").joinpath("scripts")
DATA = """
CSE_ID='cluster-1 mstr-ab12' NODE=mstr-ab12 CLUSTER=demo MINTED=0 SSH_KEY= T_HOST=20 T_RUNTIME=20
T_IMAGES=30 T_WAIT=20 ENDPOINT= SANS= POD_CIDR= CNI_CIDR= SERVICE_CIDR= CNI=weave CNI_VERSION=2.6.5
CNI_MANIFEST= SETTINGS= MIRRORS= REPO= NTP= DNS= CA= HTTP_P= HTTPS_P= NO_P=
API_HOST=127.0.0.1 API_PORT=1 T_CERT=7200
"""
MOUNTS = ("var/lib", "var/log", "run", "root", "etc")


def can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    run = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False)
    return run.returncode == 0


@dataclass
class Guest:
    """A folder that stands in for a guest's disk, and commands that do next to nothing."""

    folder: Path

    def command(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def run(
        self,
        code: str,
        *,
        kind: str = "control-plane",
        end: int = 0,
        data: str = "",
        until: str = "\nstart\n",
    ) -> str:
        """Source the functions, then run `code`; returns the log that this run added.

        `data` are more assignments; the text `until` is where the functions end.
        """
        sources = [
            DATA,
            data,
            *(SCRIPTS.joinpath(name).read_text() for name in ("base.sh", "common.sh")),
        ]
        parts = {"worker": ("joining", "worker"), "template": ("packages", "template")}.get(
            kind, (kind,)
        )
        steps = "\n".join(SCRIPTS.joinpath(f"{part}.sh").read_text() for part in parts)
        sources += [steps[: steps.rindex(until)], code]
        script = self.folder / "script.sh"
        script.write_text("\n".join(sources))
        binds = [f"mount --bind {self.folder / name} /{name}" for name in MOUNTS]
        # The log's length first, so that a second run's lines can be told from the first's.
        before = len(self.log())
        run = subprocess.run(
            [
                *("unshare", "-Urm", "--propagation", "private", "bash", "-ec"),
                "\n".join([*binds, f"exec bash {script}"]),
            ],
            env={"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert (run.returncode, run.stdout) == (end, ""), run.stderr + self.log()
        return self.log()[before:]

    def log(self) -> str:
        path = self.folder / "var/log/cse-bootstrap.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def guestinfo(self) -> dict[str, str]:
        path = self.folder / "run/guestinfo"
        lines = path.read_text().splitlines() if path.exists() else []
        return dict(line.split(" ", 1) for line in lines)
