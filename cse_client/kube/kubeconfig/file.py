"""The user's kubeconfig: putting a cluster in, taking it out, leaving everything else alone.

Which file is read and written follows kubectl (`paths`; kubernetes/client-go:
tools/clientcmd/config.go, loader.go): of several the first to hold an entry is the one to change,
and a new entry goes into the first file that exists, or the last of the list.

Files are edited as YAML nodes, not as Python values, so everybody else's entries keep their order,
their quoting, and fields that nobody here has heard of. Comments are lost, as with kubectl. Entries
of ours carry a mark in `extensions`, which kubectl keeps; only marked entries are ever removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cse_client import suggest
from cse_client.errors import Conflict, CseError, WrongUsage
from cse_client.kube.kubeconfig import tree
from cse_client.kube.kubeconfig.lock import (
    PRIVATE,
    cannot,
    check_writable,
    locked,
    replace_file,
)
from cse_client.kube.kubeconfig.mark import EXTENSION, Mark
from cse_client.kube.kubeconfig.ownership import (
    CaChanged,
    Claim,
    ca_fingerprint,
    check_replaceable,
)
from cse_client.kube.kubeconfig.paths import distinct, make_folder

__all__ = ["Moved", "Saved", "is_saved", "marks", "overwrite", "remove_cluster", "save"]

#: Thousands of clusters; a file beyond is something else.
_LARGEST = 16 << 20


@dataclass(frozen=True)
class Moved:
    """The address of a cluster that is the same as before, by its CA: `was` in the file, `now`."""

    cluster: str
    was: str
    now: str


@dataclass(frozen=True)
class Saved:
    """Where a cluster's context went.

    `current` tells whether it is the current context now, `was_mode` which mode the file had when
    that was wider than 0600 (else None), `replaced` whether the context was there before.
    `moved` tells another address of the cluster, where it was there before.
    """

    file: Path
    context: str
    current: bool
    replaced: bool = False
    was_mode: int | None = None
    moved: Moved | None = None


def save(
    kubeconfig: str,
    files: Sequence[Path],
    *,
    set_current: bool = False,
    limited: bool = False,
    accept_ca: str = "",
    gone: Callable[[Mark], bool] = lambda _mark: False,
) -> Saved:
    """Put the one context of `kubeconfig` (text, as this client renders it) into `files`.

    The context becomes the current one when asked for, and when there is none so far. A `limited`
    user's never retargets another user's context of the same name. `accept_ca` is the fingerprint
    of a CA that may replace another one; `gone` returns whether a marked cluster is known to be
    deleted, so that a new one of that name may replace it.

    Raises:
        Conflict: an entry's name is taken by something else, or a file is locked.
        CaChanged: an entry of this cluster has another CA.
        CseError: a file is damaged, cannot be read or written. Nothing was changed then.
    """
    new = tree.parse(kubeconfig)
    context = tree.current_context(new)
    claim = Claim.of(new, accepted=accept_ca, gone=gone)
    make_folder(files)
    with locked(files):
        files = distinct(files)
        found = {path: _read(path) for path in files}
        existing = {path: root for path, root in found.items() if root is not None}
        default = next(iter(existing), files[-1])
        targets = {
            section: _holder(existing, section, tree.only_name(new, section)) or default
            for section in tree.SECTIONS
        }
        # the context first: it is what the user chose a name for
        for section in reversed(tree.SECTIONS):
            name, path = tree.only_name(new, section), targets[section]
            there = tree.entry(existing.get(path), section, name)
            if there is not None:
                check_replaceable(there, section, path, claim)
        moved = _moved(existing.get(targets["clusters"]), new)
        before = tree.entry(existing.get(targets["contexts"]), "contexts", context)
        if before is not None and limited:
            _check_same_user(before, tree.only_name(new, "users"), context, targets["contexts"])
        set_current = set_current or not any(map(tree.current_context, existing.values()))
        changed: dict[Path, tree.Root] = {}
        for section, path in targets.items():
            changed[path] = changed.get(path) or existing.get(path) or tree.empty()
            tree.put(changed[path], section, tree.only_entry(new, section))
        if set_current:
            changed[default] = changed.get(default) or existing.get(default) or tree.empty()
            tree.set_current_context(changed[default], context)
        current = _effective_current({**existing, **changed})
        mode = _wide_mode(targets["users"])
        written = {path: tree.dump(root) for path, root in changed.items()}
        for path in written:
            check_writable(path)
        # the user first: a context never points at what is not there yet
        for path in sorted(written, key=lambda one: one != targets["users"]):
            replace_file(path, written[path])
        _check_saved(files, new)
    replaced = before is not None
    return Saved(targets["contexts"], context, current == context, replaced, mode, moved)


def remove_cluster(mark: Mark, files: Sequence[Path]) -> list[Path]:
    """Take everything marked with this cluster out of `files`; return the files that had any.

    A current context that goes is left empty, as kubectl says it: no other cluster gets the
    commands that were meant for this one.

    Raises:
        Conflict, CseError: as for `save`.
    """
    # Locks are for writers, and what does not speak of the cluster may be in any state.
    concerned = [path for path in files if _mentions(path, mark)]
    if not concerned:
        return []
    with locked(files):
        written: dict[Path, str] = {}
        for path in distinct(concerned):
            root = _read(path)
            if root is not None and tree.remove_marked(root, mark):
                written[path] = tree.dump(root)
                check_writable(path)
        for path, text in written.items():
            replace_file(path, text)
    return list(written)


def is_saved(mark: Mark, files: Sequence[Path]) -> bool:
    """Return whether `remove_cluster` would remove something. Raises as it does."""
    return any(mark.matches(one) for one in marks([p for p in files if _mentions(p, mark)]))


def marks(files: Sequence[Path]) -> list[Mark]:
    """Return the marks of this client that the entries of `files` carry.

    Raises:
        CseError: as for `save`.
    """
    roots = [root for path in files if (root := _read(path)) is not None]
    found = [
        tree.mark_of(item)
        for root in roots
        for section in tree.SECTIONS
        for item in tree.entries(root, section)
    ]
    return list(dict.fromkeys(mark for mark in found if mark is not None))


def overwrite(
    path: Path,
    kubeconfig: str,
    *,
    accept_ca: str = "",
    gone: Callable[[Mark], bool] = lambda _mark: False,
) -> Moved | None:
    """Write a kubeconfig of its own, mode 0600, replacing an older one of the same cluster.

    Returns how the cluster's address differs from the older one's; `accept_ca` and `gone` are as
    for `save`.

    Raises:
        Conflict: the file holds something else, which would be lost.
        CaChanged: it is this cluster's, with another CA.
        CseError: it cannot be written.
    """
    if path.is_dir():
        raise WrongUsage(
            f"The file {path} cannot be written: it is a folder.",
            hint=f"Specify a file name: -o {suggest.quote(str(path / 'config'))}",
        )
    new = tree.parse(kubeconfig)
    check_writable(path)
    moved: Moved | None = None
    with locked([path]):
        if path.is_file() and path.stat().st_size:
            try:
                moved = _moved(_check_own_file(path, new, accept_ca, gone), new)
            except CaChanged:
                raise
            except CseError:
                add = f"--save --kubeconfig {suggest.quote(str(path))}"
                raise Conflict(
                    f"The file {path} exists and holds something else, which would be lost.",
                    hint=f"Specify another file, or add the cluster to it: {add}",
                ) from None
        replace_file(path, kubeconfig)
    return moved


def _moved(old: tree.Root | None, new: tree.Root) -> Moved | None:
    """Return how the address differs of a cluster that both name, with one CA."""
    after = tree.only_entry(new, "clusters")
    before = tree.entry(old, "clusters", tree.name_of(after))
    if before is None or ca_fingerprint(tree.ca_of(before)) != ca_fingerprint(tree.ca_of(after)):
        return None
    was, now = tree.server_of(before), tree.server_of(after)
    return Moved(tree.name_of(after), was, now) if was != now else None


def _check_own_file(
    path: Path, new: tree.Root, accept_ca: str, gone: Callable[[Mark], bool]
) -> tree.Root:
    """Return what a file holds, which is nothing but an older kubeconfig of the same cluster.

    Raises CseError for anything else.
    """
    root = _read(path)
    if root is None or not set(tree.names(root, "contexts")) <= {tree.current_context(new)}:
        raise CseError("It holds another context.")
    if not all(map(tree.mark_of, tree.entries(new, "contexts"))):
        # As a CSE server gave it: kubeadm's names, which are those of all its clusters.
        if _cas(root) != _cas(new):
            raise CseError("It holds another cluster.")
        return root
    claim = Claim.of(new, accepted=accept_ca, gone=gone)
    for section in tree.SECTIONS:
        for item in tree.entries(root, section):
            check_replaceable(item, section, path, claim)
    return root


def _cas(root: tree.Root) -> set[str]:
    return {ca_fingerprint(tree.ca_of(item)) for item in tree.entries(root, "clusters")}


def _read(path: Path) -> tree.Root | None:
    """Return a file's content, None when there is no file; an empty one is an empty kubeconfig."""
    try:
        if path.is_dir():
            raise _is_folder(path)
        if path.exists() and not path.is_file():
            raise CseError(f"The kubeconfig {path} is not a regular file.")
        if path.stat().st_size > _LARGEST:
            raise _damaged(path, f"it is larger than {_LARGEST >> 20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot("read", path, error) from None
    except UnicodeDecodeError:
        raise _damaged(path, "it is not text in UTF-8") from None
    try:
        return tree.parse(text)
    except tree.Damaged as damage:
        raise _damaged(path, str(damage)) from None


def _damaged(path: Path, why: str) -> CseError:
    view = suggest.kubectl("config view", kubeconfig=str(path))
    return CseError(
        f"The kubeconfig {path} is damaged and was left as it is: {why}.",
        hint=f"Show what kubectl reads: {view}",
    )


def _is_folder(path: Path) -> CseError:
    """Explain what `mkdir ~/.kube/config; cp config ~/.kube/config` leads to."""
    aside = f"{path}.old"
    away = suggest.program("mv", str(path), aside)
    if (path / path.name).is_file():
        fix = f"{away} && {suggest.program('cp', f'{aside}/{path.name}', str(path))}"
    elif any(path.iterdir()):
        fix = away
    else:
        fix = suggest.program("rmdir", str(path))
    return CseError(
        f"The kubeconfig {path} is a directory, but kubectl requires a file.",
        hint=f"To correct it: {fix}",
    )


def _check_saved(files: Sequence[Path], new: tree.Root) -> None:
    """Read the files again by kubectl's rules: of each entry the first file's counts."""
    roots = {path: root for path in files if (root := _read(path)) is not None}
    for section in tree.SECTIONS:
        name = tree.only_name(new, section)
        holder = _holder(roots, section, name)
        found = tree.entry(roots.get(holder), section, name) if holder else None
        if found is None or not tree.is_same(found, tree.only_entry(new, section)):
            where = holder or files[-1]
            raise CseError(
                f"The kubeconfig {where} does not hold what was saved into it: another program"
                " changed it at the same time, without kubectl's lock.",
                hint=f"Save it again: {suggest.again()}",
            )


def _holder(existing: Mapping[Path, tree.Root], section: str, name: str) -> Path | None:
    """Return the first file that holds an entry: it is the one that kubectl uses."""
    return next((path for path, root in existing.items() if tree.entry(root, section, name)), None)


def _effective_current(roots: Mapping[Path, tree.Root]) -> str:
    return next((name for name in map(tree.current_context, roots.values()) if name), "")


def _wide_mode(path: Path) -> int | None:
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return None
    return mode if mode & ~PRIVATE else None


def _check_same_user(before: tree.Entry, user: str, context: str, path: Path) -> None:
    if tree.user_of(before) != user:
        raise Conflict(
            f"The context '{context}' in {path} is that of another user of this cluster.",
            hint=f"Use another name: --context {suggest.quote(user)}",
        )


def _mentions(path: Path, mark: Mark) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    if any(word.encode() in content for word in (mark.cluster_id, mark.name, mark.vapp) if word):
        return True
    # what YAML escapes may be spelled in several ways
    escaped = not mark.name.isascii() or bool(set(mark.name) & set("\"\\'"))
    return escaped and EXTENSION.encode() in content
