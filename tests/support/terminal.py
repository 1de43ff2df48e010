"""Programs on a terminal of their own, with somebody who answers when they ask."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.programs import Result, Workstation

#: Called with the answers (a prompt's end and what to type, in order) and the program's words.
_TYPIST = """
import json, os, pty, sys
answers = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b""
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    shown += data
    if answers and shown.endswith(answers[0][0].encode()):
        typed = answers.pop(0)[1]
        os.write(terminal, typed.encode() + (b"" if typed == "\\x03" else b"\\n"))
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def on_terminal(
    home: Path,
    words: Sequence[str],
    *answers: tuple[str, str],
    environment: Mapping[str, str],
) -> Result:
    """Run a program on a terminal; `out` is all that was shown there.

    Each answer is the end of a prompt and what is typed after it, with Enter; Ctrl-C alone
    (\\x03) is typed without.
    """
    typist = [sys.executable, "-c", _TYPIST, json.dumps(answers), *words]
    result = Workstation(home, dict(environment)).run(*typist)
    return result._replace(out=result.out.replace("\r\n", "\n"))
