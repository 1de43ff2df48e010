"""Commands that messages suggest: they work when pasted, and they act on the right thing.

A command line says where it acts (`--vdc`, `--org`, `--engine`, `--kubeconfig`), and a suggestion
that leaves this out acts somewhere else: it deletes the healthy cluster of the same name in the VDC
in use. So every suggestion is made here. `aim` is called once a run with what was typed; from then
on each suggestion repeats what the suggested command accepts of it. Everything is quoted for a
POSIX shell, whatever characters a name holds.

The first argument of each function is the command, in our own words; the following ones are names
and other values, and may come from anywhere.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Union

__all__ = [
    "RESUME",
    "Target",
    "again",
    "aim",
    "aim_at",
    "called_as",
    "cluster",
    "cse",
    "for_json",
    "is_program",
    "keep_server",
    "kubectl",
    "lacks_vcd_cli",
    "program",
    "program_name",
    "quote",
    "vcd",
    "without_server",
]

Value = Union[str, int, bool, None, Sequence[str]]

_EXTENSION = ("vcd", "cse")

#: What to do about an operation that ended early and can be resumed.
RESUME = "Run the same command again to resume."

_ENTITY = "urn:vcloud:entity:"

#: Which of a target's options a command accepts; a group stands for those of its commands that are
#: not named themselves.
_ACCEPTED: Mapping[str, tuple[str, ...]] = {
    "addon": ("vdc", "org"),
    "cluster": ("vdc", "org"),
    "cluster apply": ("vdc", "org"),
    "cluster config": ("vdc", "org", "kubeconfig"),
    "cluster delete": ("vdc", "org", "kubeconfig"),
    "doctor": ("vdc",),
    "login": (),
    "logout": (),
    "completion": (),
    "node": ("vdc", "org"),
    "ovdc": ("org",),
    "pool": ("vdc", "org"),
    "ovdc list": (),
    "ovdc compute-policy": ("vdc", "org"),
    "system": (),
    "template": (),
    "template build": ("vdc", "org"),
    "template check": ("vdc", "org"),
    "template delete": ("vdc", "org"),
    "version": (),
}

#: Commands that accept `--id URN` instead of a cluster's name.
_BY_ID = frozenset(
    f"cluster {name}"
    for name in (
        "config",
        "delete",
        "info",
        "share",
        "share-list",
        "unshare",
        "upgrade",
        "upgrade-plan",
        "wait",
    )
)

#: vcd-cli's own commands take no VDC and no organization: they act in those in use.
_IN_USE: Mapping[str, tuple[str, ...]] = {
    "catalog create": ("org",),
    "catalog list": ("org",),
    "login": (),
    "network list": ("org", "vdc"),
    "org list": (),
    "org use": (),
    "profile extension add": (),
    "profile extension delete": (),
    "task list": (),
    "task wait": (),
    "user list": ("org",),
    "vapp info": ("org", "vdc"),
    "vdc info": ("org",),
    "vdc list": ("org",),
    "vdc use": ("org",),
    "vm info": ("org", "vdc"),
}


def _no_context() -> str:
    return ""


@dataclass(frozen=True)
class Target:
    """What was typed of where a command acts; empty where nothing was typed.

    `cluster` is the cluster's name or id. `root` holds vcd's own options of the run and `typed` the
    words after `vcd cse`. `context` tells the name that the cluster's context has in kubeconfigs of
    this client, empty if unknown. `needs_server`: no other engine than a CSE server's can do this.
    """

    cluster: str = ""
    vdc: str = ""
    org: str = ""
    engine: str = ""
    kubeconfig: str = ""
    root: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    context: Callable[[], str] = _no_context
    needs_server: bool = False


#: Commands that no engine takes part in.
_WITHOUT_ENGINE = frozenset(("doctor", "login", "logout", "version"))

# one command line a process; threads of a run suggest for the same one
_target = Target()
_program: tuple[str, ...] = _EXTENSION
_suggested: set[str] = set()


def called_as(program: Sequence[str]) -> None:
    """Let suggestions begin with the words that this program was called by."""
    global _program  # noqa: PLW0603 - one program a process
    _program = tuple(program)


def program_name() -> str:
    """Return how this program is called, such as `vcd cse`."""
    return shell_line(_program)


def for_json() -> str:
    """Return how a command line begins whose result is printed as JSON, such as `vcd -j cse`."""
    name = program_name()
    if _program == _EXTENSION:
        return f"{_program[0]} -j {_program[1]}"
    return f"{name} -j"


def aim(target: Target) -> None:
    """Let all suggestions from now on act where this run does."""
    global _target  # noqa: PLW0603 - one run a process
    _target = target


def aim_at(*, vdc: str = "", org: str = "") -> None:
    """Let suggestions act in a VDC and an organization that a file named, not an option."""
    aim(replace(_target, vdc=vdc or _target.vdc, org=org or _target.org))


def keep_server() -> None:
    """Let no suggestion leave the CSE server out: nothing else can do what was typed."""
    aim(replace(_target, needs_server=True))


def without_server() -> str:
    """Return this run's command line for the direct engine; empty where that cannot do it."""
    return "" if _target.needs_server else again(engine="direct")


def cse(command: str, *words: str, **options: Value) -> str:
    """Return a command line of this program, such as `cse("cluster resize", name, nodes=3)`.

    An option's `_` becomes `-`; True makes a flag of it, a sequence repeats it, and nothing comes
    of None, False and what is empty. The first word may be a cluster's id instead of its name
    where the command has `--id`; so may the option `name`.
    """
    arguments = list(words)
    given = {name: value for name, value in options.items() if _is_said(value)}
    if command in _BY_ID:
        if str(given.get("name", "")).startswith(_ENTITY):
            given["id"] = given.pop("name")
        elif arguments and arguments[0].startswith(_ENTITY):
            given["id"] = arguments.pop(0)
    for name in _accepted(command, given):
        value = getattr(_target, name)
        if value:
            given.setdefault(name, value)
    wanted = "" if command in _WITHOUT_ENGINE else _target.engine
    engine = ["--engine", wanted] if wanted else []
    return _line([*_program, *engine, *command.split()], arguments, given)


def cluster() -> str:
    """Return the cluster that was typed, or a word to replace."""
    return _target.cluster or "NAME"


def again(*, engine: str = "", yes: bool = False, **options: Value) -> str:
    """Return the command line of this run, with another engine, `--yes`, or more options."""
    words = list(_target.typed)
    extension = _program == _EXTENSION
    if engine or not extension:
        # the options of this program itself stand before the first command
        while words and words[0].startswith("-"):
            del words[: 2 if words[0] == "--engine" else 1]
        engine = engine or _target.engine
        words[:0] = ["--engine", engine] if engine else []
    end = words.index("--") if "--" in words else len(words)
    asked = not {"-y", "--yes"} & set(words[:end])
    words[end:end] = _options({"yes": yes and asked, **options})
    first, *rest = _program
    before = [first, *_target.root, *rest] if extension else [*_program, *_target.root]
    return shell_line([*before, *(words or ["..."])])


def vcd(command: str, *words: str, **options: Value) -> str:
    """Return a command line of vcd-cli's own, after what brings it to the right VDC."""
    before = []
    for name in _IN_USE[command]:
        value = getattr(_target, name)
        if value and command != f"{name} use":
            before.append(_line(["vcd", name, "use"], [value], {}))
    return " && ".join([*before, _line(["vcd", *command.split()], list(words), options)])


def lacks_vcd_cli(text: str) -> bool:
    """Return whether a text suggests a command of vcd-cli's own, and there is no vcd-cli here."""
    if _program == _EXTENSION or not any(f"vcd {command}" in text for command in _IN_USE):
        return False
    from shutil import which

    return which("vcd") is None


def kubectl(command: str, *words: str, in_cluster: bool = False, **options: Value) -> str:
    """Return a kubectl command line.

    With `in_cluster` it names the context of this run's cluster, since the current one may be of
    another cluster. It fails where that context was never saved.
    """
    given: dict[str, Value] = {"kubeconfig": _target.kubeconfig}
    if in_cluster:
        given["context"] = _target.context()
    given.update(options)
    return shell_line(["kubectl", *_options(given), *command.split(), *_arguments(words)])


def program(command: str, *words: str, **options: Value) -> str:
    """Return the command line of any other program, such as `program("rmdir", path)`."""
    return _line(command.split(), list(words), options)


def shell_line(words: Sequence[str]) -> str:
    """Return words as one line for a POSIX shell."""
    _suggested.update(words[:1])
    return " ".join(quote(word) for word in words)


def is_program(word: str) -> bool:
    """Return whether a command line that was made here begins with this word."""
    return word in _suggested


def quote(word: str) -> str:
    """Return a word as a shell reads it, in characters that can be printed and pasted.

    Control characters and the like are written as bash and zsh read them: `$'\\x1b'`.
    """
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(_escaped(character) for character in word) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    try:
        data = character.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = character.encode("utf-8", "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in data)


def _accepted(command: str, given: Mapping[str, Value]) -> Sequence[str]:
    """Return which options of a target a command accepts: its own entry, or its group's."""
    words = command.split()
    for length in range(len(words), 0, -1):
        found = _ACCEPTED.get(" ".join(words[:length]))
        if found is not None:
            break
    else:
        raise KeyError(command)
    if command == "cluster config" and "save" not in given:
        return [name for name in found if name != "kubeconfig"]
    return found


def _is_said(value: Value) -> bool:
    return value is not None and value is not False and value not in ("", ())


def _line(command: list[str], words: list[str], options: Mapping[str, Value]) -> str:
    arguments = _arguments(words)
    if arguments[:1] == ["--"]:
        return shell_line([*command, *_options(options), *arguments])
    return shell_line([*command, *arguments, *_options(options)])


def _arguments(words: Sequence[str]) -> list[str]:
    """Return words so that none of them is taken for an option."""
    dashed = any(word.startswith("-") for word in words)
    return ["--", *words] if dashed else list(words)


def _options(options: Mapping[str, Value]) -> list[str]:
    made = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            made.append(option)
        elif _is_said(value):
            values = value if isinstance(value, (list, tuple)) else [value]
            for one in values:
                text = str(one)
                made += [f"{option}={text}"] if text.startswith("-") else [option, text]
    return made
