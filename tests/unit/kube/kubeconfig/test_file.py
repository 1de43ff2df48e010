"""The user's kubeconfig: our entries in and out, everybody else's as they were."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cse_client.errors import Conflict, CseError, WrongUsage
from cse_client.kube.kubeconfig import tree
from cse_client.kube.kubeconfig.document import render_kubeconfig, user_name
from cse_client.kube.kubeconfig.file import overwrite, remove_cluster, save
from cse_client.kube.kubeconfig.lock import locked, replace_file
from cse_client.kube.kubeconfig.mark import Mark
from cse_client.kube.kubeconfig.paths import files_of
from tests.support.clock import FakeClock
from tests.support.programs import Workstation

KUBECTL = shutil.which("kubectl")
OTHERS = """\
# a remark, which kubectl loses as well
apiVersion: v1
kind: Config
preferences: {}
future-field: {kept: "1.20"}
clusters:
- name: prod
  cluster:
    server: https://prod:6443
    insecure-skip-tls-verify: true
    certificate-authority-data: "QUJD"
    unknown: 0o17
- cluster: {server: 'https://dev'}
  name: dev
contexts:
- context: {cluster: prod, user: ann, namespace: "yes"}
  name: prod
current-context: prod
users:
- name: ann
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: get-token
      args: ["--x", 2024-01-01x, '1.10']
      env: null
      installHint: |
        Two
          lines
"""


def ours(
    name: str = "demo",
    *,
    cluster_id: str = "id-1",
    context: str = "",
    user: str = "admin@acme",
    key: bytes = b"key",
) -> str:
    place = f"{name}@acme-vdc1"
    return render_kubeconfig(
        cluster=place,
        context=context or place,
        user=user_name(user, place),
        server="https://10.0.0.5:6443",
        ca=b"ca",
        cert=b"cert",
        key=key,
        mark=Mark(cluster_id, place).document(),
    )


MARK = Mark("id-1", "demo@acme-vdc1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(OTHERS)
    path.chmod(0o600)
    return path


def content(path: Path) -> dict[str, object]:
    loaded = yaml.safe_load(path.read_text())
    assert isinstance(loaded, dict)
    return loaded


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / ".kube" / "config"
    saved = save(ours(), [path])
    assert (saved.file, saved.context, saved.current, saved.replaced) == (
        path,
        "demo@acme-vdc1",
        True,
        False,
    )
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert listing(path.parent) == ["config"]
    assert content(path) == yaml.safe_load(ours())


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "{}", "\ufeff"])
def test_an_empty_file_is_a_kubeconfig(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    save(ours(), [path])
    assert content(path)["current-context"] == "demo@acme-vdc1"


def test_kubectls_own_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        "apiVersion: v1\nclusters: null\ncontexts: []\ncurrent-context: ''\nkind: Config\n"
        "preferences: {}\nusers: null\n"
    )
    save(ours(), [path])
    assert {key: content(path)[key] for key in ("clusters", "contexts", "users")} == {
        key: yaml.safe_load(ours())[key] for key in ("clusters", "contexts", "users")
    }
    assert content(path)["current-context"] == "demo@acme-vdc1"


def test_others_entries_stay_letter_by_letter_and_in_order(file: Path) -> None:
    saved = save(ours(), [file])
    assert (saved.current, saved.was_mode) == (False, None)
    text = file.read_text()
    kept = [line.strip() for line in OTHERS.splitlines()[1:]]
    found = iter(line.strip() for line in text.splitlines())
    assert [line for line in kept if line not in found] == []
    assert content(file)["current-context"] == "prod"
    assert [entry["name"] for entry in yaml.safe_load(text)["clusters"]] == [
        "prod",
        "dev",
        "demo@acme-vdc1",
    ]


def test_saving_and_forgetting_gives_back_what_was_there(file: Path) -> None:
    save(ours(), [file])
    assert remove_cluster(MARK, [file]) == [file]
    assert content(file) == yaml.safe_load(OTHERS)
    assert listing(file.parent) == ["config"]


def test_forgetting_what_is_not_there_touches_nothing(file: Path, tmp_path: Path) -> None:
    before = without_access_time(file)
    assert remove_cluster(MARK, [file, tmp_path / "missing", tmp_path / "no" / "folder"]) == []
    assert without_access_time(file) == before
    assert file.read_text() == OTHERS


def without_access_time(file: Path) -> dict[str, int]:
    """Return everything that changes with a file or its content; to read it is allowed."""
    found = file.stat()
    names = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size")
    return {name: getattr(found, name) for name in (*names, "st_mtime_ns", "st_ctime_ns")}


def test_a_current_context_that_goes_is_left_empty(file: Path) -> None:
    save(ours(), [file], set_current=True)
    assert content(file)["current-context"] == "demo@acme-vdc1"
    remove_cluster(MARK, [file])
    assert content(file)["current-context"] == ""


def test_only_the_same_cluster_is_forgotten(file: Path) -> None:
    save(ours(), [file])
    save(ours("other", cluster_id="id-2"), [file])
    assert remove_cluster(Mark("id-3", "demo@acme-vdc1"), [file]) == []
    assert remove_cluster(MARK, [file]) == [file]
    names = [entry["name"] for entry in content(file)["contexts"]]  # type: ignore[attr-defined]
    assert names == ["prod", "other@acme-vdc1"]


def test_a_foreign_entry_of_our_name_is_not_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "config"
    text = OTHERS.replace("prod", "demo@acme-vdc1")
    path.write_text(text)
    assert remove_cluster(MARK, [path]) == []
    assert path.read_text() == text


def test_saving_again_replaces_our_entries_where_they_stand(file: Path) -> None:
    save(ours(key=b"old"), [file])
    save(ours("other", cluster_id="id-2"), [file])
    saved = save(ours(key=b"new"), [file])
    assert saved.replaced
    found = content(file)
    assert [entry["name"] for entry in found["users"]] == [  # type: ignore[attr-defined]
        "ann",
        "admin@acme/demo@acme-vdc1",
        "admin@acme/other@acme-vdc1",
    ]
    assert found["users"][1]["user"]["client-key-data"] == "bmV3"  # type: ignore[index]


def test_a_cluster_made_anew_replaces_the_old_one(file: Path) -> None:
    save(ours(cluster_id="gone"), [file])
    assert save(ours(), [file]).replaced
    assert remove_cluster(Mark("gone", "demo@acme-vdc1"), [file]) == []


def test_a_context_of_something_else_is_not_replaced(file: Path) -> None:
    with pytest.raises(Conflict, match="context 'prod' of something else"):
        save(ours(context="prod"), [file])
    assert file.read_text() == OTHERS


def test_a_users_context_does_not_replace_the_administrators(file: Path) -> None:
    save(ours(), [file])
    before = file.read_text()
    with pytest.raises(Conflict) as caught:
        save(ours(user="alice"), [file], limited=True)
    assert caught.value.hint.endswith("--context alice/demo@acme-vdc1")
    assert file.read_text() == before
    save(ours(user="alice", context="alice"), [file], limited=True)
    assert save(ours(user="alice", context="alice"), [file], limited=True).replaced
    assert remove_cluster(MARK, [file]) == [file]
    assert content(file) == yaml.safe_load(OTHERS)


# Several files


def test_which_files_count(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert files_of("", {}) == [Path("~/.kube/config").expanduser()]
    assert files_of("", {"KUBECONFIG": ""}) == [Path("~/.kube/config").expanduser()]
    listed = os.pathsep.join((one, "", two, one))
    assert files_of("", {"KUBECONFIG": listed}) == [Path(one), Path(two)]
    assert files_of(two, {"KUBECONFIG": one}) == [Path(two)]
    with pytest.raises(WrongUsage, match="names no file"):
        files_of("", {"KUBECONFIG": os.pathsep})


def test_a_new_entry_goes_into_the_first_file_that_exists(tmp_path: Path) -> None:
    files = [tmp_path / "missing", tmp_path / "first", tmp_path / "second"]
    files[1].write_text("")
    files[2].write_text(OTHERS)
    saved = save(ours(), files)
    assert (saved.file, saved.current) == (files[1], False)
    assert listing(tmp_path) == ["first", "second"]
    assert files[2].read_text() == OTHERS


def test_where_none_exists_the_last_one_is_made(tmp_path: Path) -> None:
    files = [tmp_path / "a" / "first", tmp_path / "b" / "last"]
    assert save(ours(), files).file == files[1]
    assert listing(tmp_path) == ["b"]


def test_an_entry_is_replaced_in_the_file_that_has_it(tmp_path: Path) -> None:
    files = [tmp_path / "first", tmp_path / "second"]
    files[0].write_text(OTHERS)
    save(ours(key=b"old"), [files[1]])
    saved = save(ours(key=b"new"), files, set_current=True)
    assert (saved.file, saved.current) == (files[1], True)
    assert "bmV3" in files[1].read_text()
    # the current context is the first file's to say
    assert content(files[0]) == {**yaml.safe_load(OTHERS), "current-context": "demo@acme-vdc1"}
    assert remove_cluster(MARK, files) == [files[1]]


# What is refused


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "it is not YAML in line"),
        ("a: b: c", "it is not YAML in line 1"),
        ("- a", "it is not a kubeconfig"),
        ("secret words", "it is not a kubeconfig"),
        ("kind: Pod", "its kind is not Config"),
        ("apiVersion: v2", "its apiVersion is not v1"),
        ("clusters: {}", "clusters is not a list"),
        ("users: [1]", "users[0] is not an object"),
        ("contexts: [{context: {}}]", "contexts[0] has no name"),
        ("contexts: [{name: a, context: b}]", "contexts[0].context is not an object"),
        ("current-context: [a]", "current-context is not text"),
        ("a: 1\n---\nb: 2", "it holds several YAML documents"),
        ("a: \x01", "it is not YAML"),
    ],
)
def test_a_damaged_file_is_left_as_it_is(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(CseError, match="damaged") as caught:
        save(ours(), [path])
    assert f"left as it is: {why}" in caught.value.message
    assert "secret" not in caught.value.message + caught.value.hint
    assert path.read_text() == text
    assert remove_cluster(MARK, [path]) == []
    assert listing(tmp_path) == ["config"]


def test_a_damaged_file_that_speaks_of_the_cluster_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("a: [ id-1")
    with pytest.raises(CseError, match="damaged"):
        remove_cluster(MARK, [path])
    assert listing(tmp_path) == ["config"]


def test_bytes_that_are_no_text_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"kind: \xff\xfe\n")
    with pytest.raises(CseError, match="not text in UTF-8"):
        save(ours(), [path])


def test_one_damaged_file_of_several_is_enough(tmp_path: Path, file: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_text("a: [")
    with pytest.raises(CseError, match=f"{bad} is damaged"):
        save(ours(), [file, bad])
    assert file.read_text() == OTHERS


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    """What comes of `mkdir ~/.kube/config; cp config ~/.kube/config`."""
    path = tmp_path / "config"
    path.mkdir()
    with pytest.raises(CseError, match="is a directory, but kubectl requires a file") as caught:
        save(ours(), [path])
    assert caught.value.hint == f"To correct it: rmdir {path}"
    assert remove_cluster(MARK, [path]) == []
    (path / "config").write_text(ours("other"))
    with pytest.raises(CseError) as caught:
        save(ours(), [path])
    done = subprocess.run(["sh", "-c", caught.value.hint[len("To correct it: ") :]], check=False)
    assert done.returncode == 0
    save(ours(), [path])
    assert len(content(path)["contexts"]) == 2  # type: ignore[arg-type]


def test_no_regular_file() -> None:
    with pytest.raises(CseError, match="is not a regular file"):
        save(ours(), [Path("/dev/null")])


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / ".kube").write_text("a file")
    with pytest.raises(CseError, match="cannot be made"):
        save(ours(), [tmp_path / ".kube" / "config"])


# Safe writing


def test_a_file_that_others_could_read_becomes_private(file: Path) -> None:
    file.chmod(0o644)
    assert save(ours(), [file]).was_mode == 0o644
    assert mode(file) == 0o600


def test_a_symbolic_link_stays_one(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to("../config")
    save(ours(), [link])
    assert link.is_symlink()
    assert "demo@acme-vdc1" in file.read_text()
    assert (listing(tmp_path), listing(link.parent)) == (["config", "elsewhere"], ["link"])


def test_a_link_to_nothing_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("made/config")
    save(ours(), [link])
    assert link.is_symlink()
    assert mode(tmp_path / "made" / "config") == 0o600


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, file: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        replace_file(file, "\ud800")
    assert file.read_text() == OTHERS
    assert listing(tmp_path) == ["config"]


def test_the_lock_is_kubectls(file: Path) -> None:
    lock = Path(f"{file}.lock")
    with locked([file]):
        assert mode(lock) == 0
        if KUBECTL:
            words = [KUBECTL, "config", "use-context", "prod", "--kubeconfig", str(file)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode == 1
            assert f"{lock}: file exists" in done.stderr
    assert not lock.exists()


def test_both_names_of_a_link_are_locked(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    with locked([link]):
        assert listing(tmp_path) == ["config", "config.lock", "link", "link.lock"]
    assert listing(tmp_path) == ["config", "link"]


def test_a_lock_that_stays_is_named_and_not_broken(file: Path) -> None:
    lock = Path(f"{file}.lock")
    lock.touch(mode=0)
    os.utime(lock, (0, 0))
    clock = FakeClock()
    with (
        pytest.raises(Conflict, match=r"locked by another program since 19(70|69)-") as caught,
        locked([file], patience=3, clock=clock),
    ):
        pytest.fail("locked")
    assert caught.value.hint.endswith(f"rm {lock}")
    assert lock.exists()
    assert 3 <= clock.now < 4


def test_a_lock_that_goes_is_waited_for(file: Path) -> None:
    lock = Path(f"{file}.lock")
    lock.touch()
    with locked([file], clock=FakeClock(on_sleep=lambda _seconds: lock.unlink(missing_ok=True))):
        assert mode(lock) == 0


def test_an_interrupted_save_leaves_no_lock(file: Path) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    second = file.with_name("second")
    Path(f"{second}.lock").touch()
    with (
        pytest.raises(KeyboardInterrupt),
        locked([file, second], clock=FakeClock(on_sleep=interrupt)),
    ):
        pytest.fail("locked")
    assert listing(file.parent) == ["config", "second.lock"]


PROCESSES = 8


def test_processes_at_once_lose_no_entry(file: Path) -> None:
    """Each saves its own cluster; all of them are there, and the file is whole at every moment."""
    code = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from cse_client.kube.kubeconfig.file import save
        Path(sys.argv[2] + "." + sys.argv[1]).touch()
        while not Path(sys.argv[2]).exists():
            time.sleep(0.01)
        save(Path(sys.argv[1]).read_text(), [Path({str(file)!r})])
        """
    )
    start = file.parent / "start"
    workers = []
    for number in range(PROCESSES):
        (file.parent / f"{number}").write_text(ours(f"c{number}", cluster_id=f"id-{number}"))
        words = [sys.executable, "-c", code, str(number), str(start)]
        workers.append(subprocess.Popen(words, cwd=file.parent))
    deadline = time.monotonic() + 60
    while len(list(file.parent.glob("start.*"))) < PROCESSES and time.monotonic() < deadline:
        time.sleep(0.05)
    start.touch()
    while any(worker.poll() is None for worker in workers):
        assert tree.names(tree.parse(file.read_text()), "contexts")[0] == "prod"
    assert [worker.returncode for worker in workers] == [0] * PROCESSES
    found = content(file)
    for section in ("clusters", "users", "contexts"):
        entries = found[section]
        names = {entry["name"].rpartition("/")[2] for entry in entries}  # type: ignore[attr-defined]
        assert {f"c{number}@acme-vdc1" for number in range(PROCESSES)} <= names
    assert found["current-context"] == "prod"
    assert not list(file.parent.glob("config?*")) + list(file.parent.glob(".config*"))


# A file of its own


def test_a_file_of_its_own_is_private_and_may_be_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "alice"
    overwrite(path, ours())
    path.chmod(0o644)
    overwrite(path, ours(key=b"new"))
    assert (mode(path), path.read_text()) == (0o600, ours(key=b"new"))


@pytest.mark.parametrize("text", [OTHERS, "a letter to my aunt", "a: ["])
def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(Conflict, match="would be lost"):
        overwrite(path, ours())
    assert path.read_text() == text


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"^The file .* cannot be written: it is a folder\."):
        overwrite(tmp_path, ours())


# Kubectl agrees


@pytest.mark.skipif(KUBECTL is None, reason="no kubectl on PATH")
def test_kubectl_reads_the_file_and_keeps_our_mark(file: Path) -> None:
    def kubectl(*words: str) -> str:
        words = ("--kubeconfig", str(file), "config", *words)
        return Workstation(file.parent).kubectl(*words).checked()

    save(ours(), [file])
    assert kubectl("get-contexts", "-o", "name") == "demo@acme-vdc1\nprod\n"
    kubectl("use-context", "demo@acme-vdc1")
    kubectl("set-context", "demo@acme-vdc1", "--namespace", "shop")
    assert remove_cluster(MARK, [file]) == [file]
    assert kubectl("get-contexts", "-o", "name") == "prod\n"
    assert kubectl("view", "-o", "jsonpath={.users[*].name}") == "ann"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(unknown=values, names=st.lists(st.text(min_size=1, max_size=10), unique=True, max_size=4))
def test_whatever_else_is_in_there_stays(unknown: object, names: list[str]) -> None:
    document = {
        "future": unknown,
        "users": [{"name": name, "user": {"x": unknown}} for name in names],
    }
    # all in quotes, which Python leaves off texts that are numbers for kubectl
    text = yaml.safe_dump(document, allow_unicode=True, default_style='"')
    root = tree.parse(text)
    tree.put(root, "users", tree.only_entry(tree.parse(ours()), "users"))
    again = tree.parse(tree.dump(root))
    assert tree.remove_marked(again, MARK)
    assert yaml.safe_load(tree.dump(again)) == yaml.safe_load(text)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_read_or_called_damaged(text: str) -> None:
    try:
        root = tree.parse(text)
    except tree.Damaged:
        return
    tree.names(root, "users")
