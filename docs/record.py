"""Record a session on the simulator as docs/images/demo.svg, for the README: `make recording`.

Every command really runs, on a terminal of 80 columns; only the typing and the name of the home
directory are made up, and long pauses are shortened. The picture is an SVG that plays without
scripts, follows the reader's color scheme, and shows its last frame where nothing moves.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import pyte
from pyte.screens import Char

TARGET = Path(__file__).parent / "images" / "demo.svg"
TITLE = "A Kubernetes cluster on VMware Cloud Director: created, used, scaled and deleted"
COLUMNS, ROWS = 80, 22
#: Before the recording: what the commands below use.
PREPARATIONS = (
    "vcd profile extension add cse_client.cse",
    "vcd login {host} {org} {user} --password {password}",
    "vcd cse template build k8s-1.37 --from images/ubuntu-24.04-server --network net1"
    " --kubernetes 1.37",
)
#: What is recorded, and what is typed when a command asks.
COMMANDS: Sequence[tuple[str, str]] = (
    ("vcd cse cluster create demo --network net1 --nodes 2 --template k8s-1.37", ""),
    ("vcd cse cluster config demo --save --set-current", ""),
    ("kubectl get nodes", ""),
    ("vcd cse cluster resize demo --nodes 3", ""),
    ("vcd cse cluster delete demo", "y"),
)
HOME = b"/home/alice"
PROMPT = "\x1b[32m$\x1b[0m "
#: Seconds: of one typed piece, before and after a command, at most between two changes, at the end.
TYPING, BEFORE, AFTER, LONGEST, END = 0.08, 0.5, 1.6, 0.6, 5.0
#: How much faster than real it plays, and the least time of a frame.
SPEED, SHORTEST = 2.0, 0.12
WIDTH, HEIGHT, MARGIN = 8.43, 19, 14


@dataclass
class Recording:
    """A terminal, and its screens with the time at which each was shown."""

    now: float = 0.0
    frames: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    def show(self, output: bytes, seconds: float = 0.0) -> None:
        """Show output, `seconds` after what was before."""
        self.now += min(seconds, LONGEST) if seconds else 0
        self._stream.feed(output)
        screen = tuple(self._line(row) for row in range(ROWS))
        if self.frames and self.now - self.frames[-1][0] < SHORTEST:
            self.frames[-1] = (self.frames[-1][0], screen)
        elif not self.frames or self.frames[-1][1] != screen:
            self.frames.append((self.now, screen))

    def rest(self, seconds: float) -> None:
        """Let a screen stand."""
        self.now += seconds

    def _line(self, row: int) -> str:
        cells = [self._screen.buffer[row][column] for column in range(COLUMNS)]
        while cells and cells[-1].data == " ":
            cells.pop()
        return "".join(_spans(cells))


def _spans(cells: Sequence[Char]) -> Iterator[str]:
    """Yield the parts of a line that look alike, as SVG."""
    start = 0
    for end in range(1, len(cells) + 1):
        if end == len(cells) or _look(cells[end]) != _look(cells[start]):
            part = escape("".join(cell.data for cell in cells[start:end]), quote=False)
            look = _look(cells[start])
            yield f'<tspan class="{look}">{part}</tspan>' if look else part
            start = end


def _look(cell: Char) -> str:
    """Return the classes of a cell; a blank looks like anything."""
    color = "" if cell.fg == "default" else cell.fg.replace("bright", "").replace("brown", "yellow")
    return " ".join(part for part in (color, "bold" if cell.bold else "") if part)


STYLE = """
svg{font:14px ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
text{white-space:pre;fill:#24292f}
.back{fill:#f6f8fa;stroke:#d0d7de}
.bold{font-weight:600}
.green{fill:#116329}.red{fill:#a40e26}.yellow{fill:#7d4e00}.blue{fill:#0550ae}
.cyan{fill:#1b6c72}.magenta{fill:#8250df}.black,.white{fill:#57606a}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
.back{fill:#0d1117;stroke:#30363d}
.green{fill:#56d364}.red{fill:#ff7b72}.yellow{fill:#e3b341}.blue{fill:#79c0ff}
.cyan{fill:#56d4dd}.magenta{fill:#d2a8ff}.black,.white{fill:#8b949e}
}
"""


def svg(recording: Recording) -> str:
    """Return the picture: the screens below each other, and a window that jumps from one to one."""
    frames, total = recording.frames, recording.now + END
    width, height = round(COLUMNS * WIDTH), ROWS * HEIGHT
    ids: dict[str, str] = {}
    definitions: list[str] = []
    strip = []
    for number, (_when, screen) in enumerate(frames):
        last = max((row for row, line in enumerate(screen) if line), default=0)
        body = "".join(
            _use(_line_id(line, ids, definitions), row * HEIGHT)
            for row, line in enumerate(screen[:last])
            if line
        )
        if body and body not in ids:
            ids[body] = f"g{len(ids)}"
            definitions.append(f'<g id="{ids[body]}">{body}</g>')
        top = number * height
        strip.append(
            (_use(ids[body], top) if body else "")
            + (
                _use(_line_id(screen[last], ids, definitions), top + last * HEIGHT)
                if screen[last]
                else ""
            )
        )
    steps = "".join(
        f"{100 * when / total:.2f}%{{transform:translateY(-{number * height}px)}}"
        for number, (when, _screen) in enumerate(frames)
    )
    end = (len(frames) - 1) * height
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 2 * MARGIN} {height + 2 * MARGIN}" \
width="{width + 2 * MARGIN}" height="{height + 2 * MARGIN}" role="img">
<title>{escape(TITLE)}</title>
<desc>{escape(chr(10).join(command for command, _answer in COMMANDS))}</desc>
<style>{STYLE}@keyframes film{{{steps}}}
.film{{animation:film {total:.1f}s step-end infinite}}
@media (prefers-reduced-motion:reduce){{.film{{animation:none}}}}
</style>
<defs>
{chr(10).join(definitions)}
</defs>
<rect class="back" x=".5" y=".5" width="{width + 2 * MARGIN - 1}" \
height="{height + 2 * MARGIN - 1}" rx="8"/>
<svg x="{MARGIN}" y="{MARGIN}" width="{width}" height="{height}" overflow="hidden">
<g class="film" transform="translate(0,-{end})">
{chr(10).join(strip)}
</g>
</svg>
</svg>
"""


def _line_id(line: str, ids: dict[str, str], definitions: list[str]) -> str:
    key = f"line {line}"
    if key not in ids:
        ids[key] = f"l{len(ids)}"
        definitions.append(f'<text id="{ids[key]}" y="14" xml:space="preserve">{line}</text>')
    return ids[key]


def _use(name: str, y: int) -> str:
    return f'<use href="#{name}"' + (f' y="{y}"' if y else "") + "/>"


def type_and_run(recording: Recording, command: str, answer: str, where: Path) -> None:
    """Show a command as it is typed, and what it prints on a terminal while it runs."""
    recording.show(PROMPT.encode())
    recording.rest(BEFORE)
    for start in range(0, len(command), 2):
        recording.show(command[start : start + 2].encode(), TYPING)
    recording.rest(BEFORE)
    recording.show(b"\r\n")
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(where)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.execvp("bash", ["bash", "-c", f"exec {command}"])  # noqa: S606
    before = time.monotonic()
    seen = b""
    while True:
        output = _read(terminal)
        if not output:
            break
        now = time.monotonic()
        shown = output.replace(str(where).encode(), HOME)
        recording.show(shown, (now - before) / SPEED)
        seen, before = seen + output, now
        if answer and seen.endswith(b": "):
            recording.rest(AFTER)
            os.write(terminal, f"{answer}\n".encode())
            answer = ""
    _pid, status = os.waitpid(process, 0)
    if status:
        sys.exit(f"{command} failed:\n{seen.decode(errors='replace')}")
    recording.rest(AFTER)


def _read(terminal: int) -> bytes:
    """Return what a program has printed; empty at its end."""
    select.select([terminal], [], [])
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def simulator(folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    """Start a simulator, and return it with what it says of itself."""
    ready = folder / "ready.json"
    process = subprocess.Popen(
        [
            *(
                sys.executable,
                "-m",
                "cse_client.simulator",
                "--port",
                "0",
                "--time",
                "seconds:0.05",
            ),
            *("--guest-speed", "10", "--ready-file", str(ready)),
        ],
        stdout=subprocess.DEVNULL,
    )
    while not (ready.exists() and ready.stat().st_size):
        if process.poll() is not None:
            sys.exit("The simulator did not start.")
        time.sleep(0.1)
    return process, json.loads(ready.read_text())


def main() -> None:
    """Record the session and write the picture."""
    with tempfile.TemporaryDirectory(prefix="cse-recording.") as name:
        folder = Path(name)
        process, facts = simulator(folder)
        try:
            os.environ.update(
                HOME=name,
                PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                TERM="xterm",
                REQUESTS_CA_BUNDLE=facts["ca"],
                NO_PROXY="127.0.0.0/8",
            )
            for unwanted in ("KUBECONFIG", "NO_COLOR", "XDG_STATE_HOME", "COLUMNS", "LINES"):
                os.environ.pop(unwanted, None)
            for command in PREPARATIONS:
                subprocess.run(command.format(**facts), shell=True, cwd=folder, check=True)  # noqa: S602
            recording = Recording()
            for command, answer in COMMANDS:
                type_and_run(recording, command, answer, folder)
            recording.show(PROMPT.encode())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(svg(recording), encoding="utf-8")
    print(f"{TARGET}: {len(recording.frames)} frames, {TARGET.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
