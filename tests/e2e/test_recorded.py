"""What the vApp's metadata says is a claim of whoever may edit the vApp."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Cloud, Control
from tests.e2e.editor import Editor
from tests.e2e.people import VCD, Person, person
from tests.ssh_keys import public_key

NAME = "recorded"
REFUSED = 4
OURS = public_key("ecdsa-sha2-nistp256", "us")
THEIRS = public_key("ssh-ed25519", "them")


@pytest.fixture(scope="module")
def admin(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """An administrator with a cluster of this file's own."""
    if not cloud.others:
        pytest.skip("needs a simulator")
    admin = person(cloud, tmp_path_factory.mktemp("recorded"))
    (admin.home / "ours.pub").write_text(OURS)
    (admin.home / "theirs.pub").write_text(THEIRS)
    code, _out, err = admin.cluster("create", NAME, "-n", "net1", "-N", "1", "-k", "ours.pub")
    assert code == 0, err
    yield admin
    admin.cluster("delete", NAME, "--yes")


@pytest.fixture
def editor(cloud: Cloud, admin: Person) -> Iterator[Editor]:
    """Somebody else who may edit the vApp; what he wrote is put back."""
    editor = Editor(cloud)
    before = editor.metadata(NAME)
    yield editor
    editor.restore(NAME, before)


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (THEIRS, "is not that of its nodes (ecdsa-sha2-nistp256 SHA256:"),
        (f'command="id" {OURS}', "is not an OpenSSH public key"),
        (f"{OURS}\n{THEIRS}", "holds 2 keys; exactly one is expected"),
        ("any text", "is not an OpenSSH public key"),
    ],
)
def test_a_changed_key_gets_on_no_new_node(
    admin: Person, editor: Editor, control: Control, recorded: str, said: str
) -> None:
    editor.write(NAME, {"cse.client.ssh_key": recorded})
    before = control.possessions()
    for words in (("cluster", "resize", NAME, "-N", "2"), ("node", "create", NAME)):
        code, out, err = admin.type(VCD, "cse", *words)
        assert (code, out) == (REFUSED, ""), err
        assert f"The ssh key in the metadata of cluster '{NAME}'" in err
        assert said in err
        assert "--ssh-key FILE" in err
        assert "them" not in err.replace("the metadata", "")
    assert control.possessions() == before


def test_the_user_decides_which_key(admin: Person, editor: Editor) -> None:
    editor.write(NAME, {"cse.client.ssh_key": THEIRS})
    code, _out, err = admin.cluster("resize", NAME, "-N", "2", "-k", "ours.pub")
    assert code == 0, err
    code, _out, err = admin.cluster("resize", NAME, "-N", "1")
    assert code == 0, err
