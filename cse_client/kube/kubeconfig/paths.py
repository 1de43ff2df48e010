"""Which kubeconfig files count, as kubectl chooses them.

A file that was named; else those of KUBECONFIG; else ~/.kube/config
(kubernetes/client-go:tools/clientcmd/config.go, loader.go).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cse_client import suggest
from cse_client.errors import WrongUsage
from cse_client.kube.kubeconfig.lock import cannot

__all__ = ["distinct", "files_of", "make_folder"]

#: client-go's RecommendedConfigPathEnvVar and RecommendedHomeFile.
VARIABLE = "KUBECONFIG"
_HOME_FILE = "~/.kube/config"


def files_of(explicit: str, environ: Mapping[str, str]) -> list[Path]:
    """Return the kubeconfig files that count, in kubectl's order.

    Raises:
        WrongUsage: KUBECONFIG is set and names no file.
    """
    if explicit:
        return [Path(explicit).expanduser()]
    listed = environ.get(VARIABLE, "")
    if not listed:
        return [Path(_HOME_FILE).expanduser()]
    names = dict.fromkeys(name for name in listed.split(os.pathsep) if name)
    if not names:
        raise WrongUsage(
            f"The variable {VARIABLE} is set to '{listed}', which names no file.",
            hint=f"{suggest.program('unset', VARIABLE)}, or specify the file: --kubeconfig FILE",
        )
    return [Path(name) for name in names]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be entered
        return False


def make_folder(files: Sequence[Path]) -> None:
    """Make the folder of the file that would have to be made."""
    if any(_exists(path) for path in files):
        return
    folder = Path(os.path.realpath(files[-1])).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise cannot("made", folder, error) from None


def distinct(files: Sequence[Path]) -> list[Path]:
    """Return each file once, by the first of its names."""
    found: list[Path] = []
    for path in files:
        if not any(_is_same(path, one) for one in found):
            found.append(path)
    return found


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
