"""Programs on a terminal of their own, with somebody who answers when they ask."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.programs import Result, Workstation

#: Called with the answers (a prompt's end, what to type, and what to run before, in order) and the
#: program's words.
_TYPIST = """
import json, os, pty, select, subprocess, sys
answers = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown, again = b"", b""
while True:
    if again and not select.select([terminal], [], [], 10)[0]:
        os.write(terminal, again)
        continue
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    # the echo of a key says nothing about whether it was noticed
    again = b"" if data.strip(b"^CD\\b\\r\\n") else again
    shown = (shown + data).replace(b"^C^C", b"^C")
    if answers and shown.endswith(answers[0][0].encode()):
        _, typed, meanwhile = answers.pop(0)
        if meanwhile:
            subprocess.run(meanwhile, check=True)
        alone = typed in ("\\x03", "\\x04")
        os.write(terminal, typed.encode() + (b"" if alone else b"\\n"))
        again = typed.encode() if alone else b""
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def on_terminal(
    home: Path,
    words: Sequence[str],
    *answers: tuple[str, str],
    environment: Mapping[str, str],
    meanwhile: Sequence[str] = (),
) -> Result:
    """Run a program on a terminal; `out` is all that was shown there.

    Each answer is the end of a prompt and what is typed after it, with Enter; Ctrl-C (\\x03) and
    Ctrl-D (\\x04) alone are typed without, and once more where nothing has happened: a signal that
    comes just before readline waits is noticed with the next key only. `meanwhile` is a program
    that runs between the last prompt and its answer.
    """
    last = len(answers) - 1
    asked = [
        (*answer, list(meanwhile) if number == last else [])
        for number, answer in enumerate(answers)
    ]
    typist = [sys.executable, "-c", _TYPIST, json.dumps(asked), *words]
    result = Workstation(home, dict(environment)).run(*typist)
    return result._replace(out=result.out.replace("\r\n", "\n"))
