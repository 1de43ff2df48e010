"""One kubeconfig under several names, files that are protected, and a kubectl at work beside us."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cse_client.errors import Conflict, CseError
from cse_client.kube.kubeconfig.document import render_kubeconfig
from cse_client.kube.kubeconfig.file import overwrite, remove_cluster, save
from cse_client.kube.kubeconfig.lock import locked, replace_file
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.kube.kubeconfig.paths import files_of
from tests.support.clock import FakeClock

KUBECTL = shutil.which("kubectl") or ""
needs_kubectl = pytest.mark.skipif(not KUBECTL, reason="no kubectl on PATH")
OTHERS = "contexts:\n- name: prod\n  context: {cluster: p, user: u}\ncurrent-context: prod\n"
MARK = Mark("id-1", "demo@acme-vdc1")


def ours(name: str = "demo") -> str:
    mark = Mark("id-1", f"{name}@acme-vdc1")
    return render_kubeconfig(
        cluster=mark.name,
        context=mark.name,
        user=f"admin/{mark.name}",
        server="https://10.0.0.5:6443",
        ca=b"ca",
        cert=b"cert",
        key=b"key",
        mark=mark.document(),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `real` with the kubeconfig `config`, and a link to it."""
    real = tmp_path / "real"
    real.mkdir()
    (real / "config").write_text(OTHERS)
    (real / "config").chmod(0o600)
    (tmp_path / "kube").symlink_to("real")
    return tmp_path


def contexts(path: Path) -> list[str]:
    return [one["name"] for one in yaml.safe_load(path.read_text())["contexts"]]


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def link_to(target: str) -> Callable[[Path], list[Path]]:
    def names(folder: Path) -> list[Path]:
        (folder / "link").symlink_to(target)
        return [folder / "link"]

    return names


def chain(folder: Path) -> list[Path]:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to(folder / "kube" / "config")
    return [folder / "one"]


def hard_link(folder: Path) -> list[Path]:
    os.link(folder / "real" / "config", folder / "hard")
    return [folder / "hard"]


NAMES: dict[str, Callable[[Path], list[Path]]] = {
    "a link to its folder": lambda folder: [folder / "kube" / "config"],
    "a link": link_to("real/config"),
    "a link through a link": link_to("kube/config"),
    "an absolute link": lambda folder: link_to(str(folder / "kube" / "config"))(folder),
    "a chain of links": chain,
    "dots": lambda folder: [folder / "real" / ".." / "kube" / "." / "config"],
    "two names": lambda folder: [folder / "kube" / "config", folder / "real" / "config"],
    "two spellings": lambda folder: [folder / "real" / "config", folder / "kube/../real/config"],
    "a hard link": hard_link,
    "a hard link and its file": lambda folder: [*hard_link(folder), folder / "real" / "config"],
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_one_file_under_several_names_is_one_file(
    folder: Path, names: Callable[[Path], list[Path]]
) -> None:
    files = names(folder)
    before = everything(folder)
    saved = save(ours(), files)
    assert (saved.file, saved.replaced) == (files[0], False)
    for path in (*files, folder / "real" / "config", folder / "kube" / "config"):
        assert contexts(path) == ["prod", "demo@acme-vdc1"]
    assert save(ours(), files).replaced
    assert remove_cluster(MARK, files) == [files[0]]
    assert contexts(folder / "real" / "config") == ["prod"]
    assert everything(folder) == before
    assert (folder / "real" / "config").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "vdc", ['the "VDC"', "a\\b", "it's", "Zürich", "🚀 1", "433e40", "a: b #c"]
)
def test_a_name_that_yaml_escapes_is_found_again(folder: Path, vdc: str) -> None:
    mark = Mark("", f"demo@acme-{vdc}", host="vcd.example.com", org="acme")
    text = render_kubeconfig(
        cluster=mark.name,
        context=mark.name,
        user="admin",
        server="https://10.0.0.5:6443",
        ca=b"ca",
        cert=b"cert",
        key=b"key",
        mark=mark.document(),
    )
    file = folder / "real" / "config"
    save(text, [file])
    assert contexts(file) == ["prod", mark.name]
    assert remove_cluster(mark, [file]) == [file]
    assert contexts(file) == ["prod"]


def test_a_relative_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "kube")
    files = files_of("", {"KUBECONFIG": f"config:./config::{folder}/real/config:none"})
    assert save(ours(), files).file == Path("config")
    assert contexts(folder / "real" / "config") == ["prod", "demo@acme-vdc1"]
    assert everything(folder) == ["kube", "real", "real/config"]


@needs_kubectl
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_while_we_hold_it_kubectl_finds_a_lock(
    folder: Path, names: Callable[[Path], list[Path]]
) -> None:
    files = names(folder)
    with locked(files):
        for path in files:
            words = [KUBECTL, "config", "use-context", "prod"]
            environment = {**os.environ, "KUBECONFIG": str(path)}
            done = subprocess.run(
                words, capture_output=True, text=True, check=False, env=environment
            )
            assert (done.returncode, ".lock: file exists" in done.stderr) == (1, True)


@pytest.mark.parametrize("lock", ["kube/config.lock", "real/config.lock"])
def test_a_lock_of_kubectls_is_seen_under_each_name(folder: Path, lock: str) -> None:
    (folder / lock).touch(0)
    for path in (folder / "kube" / "config", folder / "real" / "config"):
        with (
            pytest.raises(Conflict, match=r"real/config\.lock did not go away") as caught,
            locked([path], clock=FakeClock()),
        ):
            pytest.fail("locked")
        assert caught.value.hint.endswith(f"rm {folder / 'real' / 'config.lock'}")
    assert (folder / lock).exists()


def test_names_in_another_order_block_nobody_for_good(folder: Path) -> None:
    """Two programs that name two files in different ways take their locks in one order."""
    (folder / "real" / "second").touch()
    (folder / "a").symlink_to("real/second")
    errors: list[CseError] = []

    def work(files: list[Path]) -> None:
        try:
            for _ in range(30):
                with locked(files, patience=20):
                    pass
        except CseError as error:
            errors.append(error)

    one = [folder / "a", folder / "real" / "config"]
    other = [folder / "kube" / "config", folder / "real" / "second"]
    threads = [threading.Thread(target=work, args=(files,)) for files in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@needs_kubectl
def test_beside_a_kubectl_that_changes_the_same_file(folder: Path) -> None:
    """Neither loses what the other wrote, by whichever name each knows the file."""
    names = [folder / "kube" / "config", folder / "real" / "config"]
    done: list[str] = []

    def run_kubectl() -> None:
        number = 0
        while len(done) < 10:
            words = [KUBECTL, "config", "set-context", f"k{number}", "--cluster", "p"]
            environment = {**os.environ, "KUBECONFIG": str(names[number % 2])}
            run = subprocess.run(words, capture_output=True, check=False, env=environment)
            if run.returncode == 0:
                done.append(f"k{number}")
            number += 1

    thread = threading.Thread(target=run_kubectl)
    thread.start()
    for number in range(10):
        save(ours(f"c{number}"), [names[number % 2]])
    thread.join()
    wanted = {"prod", *done, *(f"c{number}@acme-vdc1" for number in range(10))}
    assert set(contexts(names[0])) == wanted
    assert everything(folder) == ["kube", "real", "real/config"]


# Protected files


@pytest.mark.parametrize("mode", [0o400, 0o444, 0o000])
def test_a_protected_file_is_left(folder: Path, mode: int) -> None:
    file = folder / "real" / "config"
    save(ours(), [file])
    before = file.read_text()
    file.chmod(mode)
    for act in (
        lambda: save(ours(), [folder / "kube" / "config"]),
        lambda: overwrite(file, ours()),
        lambda: replace_file(file, "x"),
    ):
        with pytest.raises(CseError) as caught:
            act()
        assert "may not be written" in caught.value.message or os.geteuid()
    assert file.stat().st_mode & 0o777 == mode
    file.chmod(0o600)
    assert file.read_text() == before
    assert everything(folder) == ["kube", "real", "real/config"]


def test_a_protected_file_keeps_a_deleted_cluster(folder: Path) -> None:
    file = folder / "real" / "config"
    save(ours(), [file])
    file.chmod(0o400)
    with pytest.raises(CseError, match="may not be written: its mode is 0400") as caught:
        remove_cluster(MARK, [file])
    assert caught.value.hint.endswith(f"chmod u+w {file}")
    assert contexts(file) == ["prod", "demo@acme-vdc1"]


def test_where_one_of_two_files_is_protected_none_is_changed(folder: Path) -> None:
    first, second = folder / "real" / "config", folder / "second"
    save(ours(), [second])
    text = yaml.safe_load(second.read_text())
    # our user lives in the second file, the rest would go into the first
    second.write_text(yaml.safe_dump({"users": text["users"]}))
    second.chmod(0o400)
    before = first.read_text(), second.read_text()
    with pytest.raises(CseError, match="may not be written"):
        save(ours(), [first, second])
    assert (first.read_text(), second.read_text()) == before


def test_a_failed_write_in_place_puts_back_what_was_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = hard_link(folder)
    real, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CseError, match="No space left"):
        replace_file(path, "x")
    assert path.read_text() == OTHERS


def test_a_file_that_is_much_too_large(folder: Path) -> None:
    file = folder / "real" / "config"
    with file.open("r+b") as stream:
        stream.truncate(20 << 20)
    with pytest.raises(CseError, match="it is larger than 16 MiB"):
        save(ours(), [file])


# Several files


@needs_kubectl
@pytest.mark.parametrize("place", ["first", "second", "none"])
def test_of_several_files_kubectl_uses_what_was_saved(tmp_path: Path, place: str) -> None:
    files = [tmp_path / "first", tmp_path / "second", tmp_path / "third"]
    for path in files[:2]:
        path.write_text(f"contexts:\n- name: {path.name}\n  context: {{cluster: p, user: u}}\n")
    if place != "none":
        save(ours(), [tmp_path / place])
    save(ours(), files, set_current=True)
    listed = ":".join(map(str, files))
    words = [KUBECTL, "config", "view", "--minify", "--raw", "-o"]
    fields = "jsonpath={.current-context} {.clusters[0].cluster.server} {.users[0].name}"
    run = subprocess.run(
        [*words, fields],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KUBECONFIG": listed},
    )
    name = "demo@acme-vdc1"
    assert run.stdout == f"{name} https://10.0.0.5:6443 admin/{name}"


def test_what_was_saved_is_read_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that knows nothing of kubectl's lock writes at the same moment."""
    file = folder / "real" / "config"

    def beaten(path: Path, text: str) -> None:
        replace_file(path, text)
        path.write_text(OTHERS)

    monkeypatch.setattr("cse_client.kube.kubeconfig.file.replace_file", beaten)
    with pytest.raises(CseError, match="does not hold what was saved into it: another program"):
        save(ours(), [file])
