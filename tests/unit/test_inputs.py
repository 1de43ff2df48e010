"""Files, pipes and what is neither, as a shell hands them to a command."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cse_client import inputs
from cse_client.inputs import read_file

READ = (
    "import sys; from pathlib import Path; from cse_client.inputs import read_file;"
    "sys.stdout.buffer.write(read_file(Path(sys.argv[1]), 100_000))"
)


@pytest.mark.parametrize(
    "line",
    [
        "{read} file",
        "{read} <(cat file)",
        # the writer is gone before the reader begins
        "exec 3< <(cat file); sleep 0.3; {read} /dev/fd/3",
        "{read} <(head -c 3 file; sleep 0.3; tail -c +4 file)",
        "cat file | {read} /dev/stdin",
        "{read} /dev/stdin < file",
        "cat file | {read} /proc/self/fd/0",
        "ln -s file link; {read} link",
    ],
)
def test_what_a_shell_can_hand_over(tmp_path: Path, line: str) -> None:
    content = os.urandom(90_000)
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "read.py").write_text(READ)
    words = ["bash", "-c", line.format(read=f"{sys.executable} read.py")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == content


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [a_pipe, a_socket, a_device])
def test_what_may_never_end_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "it")
    with pytest.raises(OSError) as caught:
        read_file(tmp_path / "it", 10)
    assert caught.value.errno in (errno.EINVAL, errno.ENXIO)


def test_a_pipe_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "PATIENCE", 0.2)
    ours, theirs = os.pipe()
    try:
        with pytest.raises(OSError, match="it did not end within 0 seconds"):
            read_file(Path(f"/dev/fd/{ours}"), 10)
        os.write(theirs, b"x" * 50)
        assert read_file(Path(f"/dev/fd/{ours}"), 10) == b"x" * 10
    finally:
        os.close(ours)
        os.close(theirs)
