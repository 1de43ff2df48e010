"""The container runtime's store with all images in it, as a template's disk carries it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ["StoreFailed", "fill_store"]

_SECONDS = 300

# A containerd of its own in namespaces of its own: it ends with this shell, its mounts too.
_IMPORT = """
set -e
mount -t proc proc /proc
mkdir -p "$1/state"
containerd --root "$2" --state "$1/state" --address "$1/socket" --config "$1/config.toml" \
  >"$1/log" 2>&1 &
for _ in $(seq 300); do
  ctr --address "$1/socket" version >"$1/ctr" 2>&1 && break
  kill -0 $! 2>/dev/null || break
  sleep 0.2
done
ctr --address "$1/socket" --namespace k8s.io images import "$3" >"$1/ctr" 2>&1 || {
  cat "$1/ctr"; tail -n 5 "$1/log"; exit 1; }
kill $!
wait $! || true
"""

_CONFIG = """version = 3
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime"]
"""


class StoreFailed(Exception):
    """containerd did not take the images; the message is its last output."""


def fill_store(store: Path, *, programs: Path, images: Path, work: Path) -> None:
    """Import a layout of images into a new containerd root folder; root only.

    Raises:
        StoreFailed: containerd or ctr ended with an error.
    """
    work.mkdir()
    (work / "config.toml").write_text(_CONFIG, encoding="utf-8")
    done = subprocess.run(
        [
            *("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child=SIGKILL"),
            *("bash", "-c", _IMPORT, "import", work, store, images),
        ],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise StoreFailed((done.stdout + done.stderr).strip())
