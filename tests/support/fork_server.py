"""Run the program `cse` again and again in forks of one process that has imported it.

Imports are most of what a short command costs, and the tests run thousands. This script imports the
product, listens, and forks for each request: the fork gets the arguments, the environment, the
working directory and the three streams that a program would have got, and then does what the
installed `cse` does. Nothing but imports happened before the fork, so that no command sees another.

What forks hide, because it differs from a new process:

- Everything is imported already: a module that uses another one without importing it finds it.
- The script in `bin`, the start of the interpreter and its end, except functions of `atexit`.
- stdout and stderr are files, which nobody closes or reads slowly.
- Forks of one server share the seed of hashes, and so the order of sets.

So tests of signals, terminals and pipes start the installed program, those of the files in
`_AS_EXTENSION` (`programs.py`) start `vcd`, `tests/unit/test_forked.py` compares both, and with
CSE_TEST_PROGRAM=installed no test forks.

Usage: `python fork_server.py LISTENER`, a descriptor of a listening Unix socket; the server ends
when its stdin does. It imports nothing of the tests.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import inspect
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

STREAMS = 3
#: These do something when they are imported, or are not a part of the program.
_LEFT_OUT = ("cse_client.__main__", "cse_client.cse", "cse_client.simulator")
#: What functions import, and what it imports when it is first used.
_LATER = (
    *("_strptime", "coverage", "cryptography.hazmat.backends.openssl.backend", "difflib"),
    *("httpcore", "httpcore2", "jmespath", "lightkube", "lightkube.resources.core_v1"),
    *("lightkube.config.client_adapter", "lightkube.core.exceptions", "tabulate", "truststore"),
    *("websockets.client", "websockets.sync.client"),
)


def import_program() -> None:
    """Import what `cse` may import, and coverage, as far as they are installed."""
    import cse_client

    for module in pkgutil.walk_packages(cse_client.__path__, "cse_client."):
        if not module.name.startswith(_LEFT_OUT):
            importlib.import_module(module.name)
    for name in _LATER:
        with suppress(ImportError):
            importlib.import_module(name)
    # It keeps where all modules lie, which coverage asks for when it starts.
    inspect.stack()


def serve(listener: socket.socket) -> list[str]:
    """Fork for each request; return only in a fork, with the words of its command line."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    # Ctrl-C reaches the whole group; the tests then end this process by its stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listener.fileno(), woken, 0], [], [])
        if 0 in ready:
            os._exit(0)
        if woken in ready:
            os.read(woken, 4096)
            _report(running)
        if listener.fileno() not in ready:
            continue
        asking, _ = listener.accept()
        _, streams, _, _ = socket.recv_fds(asking, 1, STREAMS)
        request = json.loads(asking.makefile("rb").read())
        process = os.fork()
        if not process:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            for other in (asking, listener, *running.values()):
                other.close()
            os.close(woken)
            os.close(wake)
            return _prepared(request)
        for stream in streams:
            os.close(stream)
        asking.sendall(b"%d\n" % process)
        running[process] = asking


def _report(running: dict[int, socket.socket]) -> None:
    """Send the exit codes of the forks that have ended."""
    while running:
        process, status = os.waitpid(-1, os.WNOHANG)
        if not process:
            return
        with running.pop(process) as asking, suppress(BrokenPipeError):
            asking.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _prepared(request: dict[str, object]) -> list[str]:
    """Make this process one that was started as requested; return its command line."""
    os.chdir(str(request["folder"]))
    environment = request["environment"]
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    tempfile.tempdir = None
    if "COVERAGE_PROCESS_START" in environment or "COVERAGE_PROCESS_CONFIG" in environment:
        _measure()
    words = request["words"]
    assert isinstance(words, list)
    return words


def _measure() -> None:
    """Begin to measure coverage."""
    inorout = sys.modules["coverage.inorout"]
    # Every process would list all files of the product at its end, for those that none executes:
    # half of what measuring a short command costs. The process that runs the tests lists them.
    inorout.InOrOut.find_possibly_unexecuted_files = lambda _self: iter(())
    sys.modules["coverage"].process_startup()


def end(code: int) -> NoReturn:
    """End this fork as the interpreter would end, but keep all modules: the longest part of it."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    # what coverage has measured is written by one of them
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    # as for the installed program, not the folder of this script
    sys.path[0] = str(Path(sys.executable).parent)
    import_program()
    gc.collect()
    gc.freeze()
    sys.argv = serve(socket.socket(fileno=int(sys.argv[1])))
    from cse_client.program import main

    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, int):
            end(ended.code)
        raise
