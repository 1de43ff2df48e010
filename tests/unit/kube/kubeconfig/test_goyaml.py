"""Kubeconfigs as kubectl reads them: each question here is put to a real kubectl."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cse_client.errors import CseError
from cse_client.kube.kubeconfig import tree
from cse_client.kube.kubeconfig.document import render_kubeconfig
from cse_client.kube.kubeconfig.file import save
from cse_client.kube.kubeconfig.goyaml import go_tag, node, serialize
from cse_client.kube.kubeconfig.mark import Mark
from tests.support.programs import Workstation

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on PATH")

#: What one reader of YAML or another takes for something else than text.
WORDS = """
    433e40 1e3 1E3 1e+3 -1e-3 1e400 .5 -.5 +.5 .5e3 5. 1.5 1.5.5 1_000 1__0 _1 1_ 0x1f 0X1F -0x1f
    0x 0xfffffffffffffffff 0x1_f 0o17 0O17 0o8 017 -017 08 09.5 0b101 0b2 0b-1 -0b1 +1 -1 +0x1 + -
    1+1 no No NO nO off Off on On y Y n N yes Yes true True TRUE tRUE false t f T F ~ null Null NULL
    nULL NaN nan .nan .NaN .NAN -.nan .inf .Inf .INF -.inf +.inf inf Infinity .INf 12:30 12:30:45
    190:20:30 1:2 2001-01-01 2001-1-1 2001-12-14T21:59:43.10-05:00 2001-13-45 = << - ? : | > ! & * %
    @ ` [ ] { } , # [] {} !!int a: :a a:b a#b #a -a ?a --- ... 9223372036854775807
    9223372036854775808 18446744073709551615 18446744073709551616 -9223372036854775808
    -9223372036854775809 0 00 -0 1e e1 0e0 1e1000000 0.0 1, 1,000 demo@acme-vdc1
    https://10.0.0.5:6443 LS0tLS1CRUdJTg== a/b a.b None
"""
ODD = list(dict.fromkeys(WORDS.split()))
HARD = [
    "",
    " ",
    " a",
    "a ",
    "a b",
    "a\tb",
    "\ta",
    "a: b",
    "a #b",
    "a\nb",
    "a\n\n b\n",
    "a\rb",
    "\x85",
    "a\x85b",
    "a\u2028b\u2029c",
    "\ufeffa",
    "a\ufeffb",
    "'",
    '"',
    "\\",
    'it\'s "quoted"',
    "\x1b[2J",
    "\x7f\x9b\x00",
    "\u202eevil\u2066",
    "🚀",
    "é" * 64,
    "a" * 5000,
    "a b " * 2000,
    "%YAML",
    "2001-12-14 21:59:43",
]


class Kubectl:
    """A real kubectl that reads what is given to it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config"

    def view(self, text: str) -> Any:
        """Return what kubectl reads of a text; None if it refuses it."""
        self.file.write_text(text, encoding="utf-8", newline="")
        words = ("--kubeconfig", str(self.file), "config", "view", "-o", "json", "--raw")
        done = Workstation(self.file.parent).kubectl(*words)
        return json.loads(done.out) if done.code == 0 else None

    def values(self, text: str) -> Any:
        """Return a YAML value as kubectl reads it, None if it refuses it."""
        found = self.view(
            f"extensions:\n- name: x\n  extension:\n    value: {text}\n".replace("\r", "")
        )
        return None if found is None else found["extensions"][0]["extension"]["value"]


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    return Kubectl(tmp_path)


def kind(value: Any) -> str:
    kinds = {bool: "bool", int: "number", float: "number", str: "str", type(None): "null"}
    return kinds[type(value)]


def ours(word: str) -> str:
    found = go_tag(word)
    return {"int": "number", "float": "number"}.get(found, found)


#: The first characters and endings with which a word in a list is not a plain scalar.
_STARTS = tuple("-?:,[]{}#&*!|>'\"%@`")
_NOT_FINITE = (".nan", ".inf")


def is_plain(word: str) -> bool:
    starts = word.startswith(_STARTS) and not word[1:2].isalnum() and word[1:2] not in (".", "_")
    reserved = word[0] in "?,[]{}#&*!|>'\"%@`" or word.endswith(":") or word in ("...", "<<")
    return not starts and not reserved and word.lstrip("+-").lower() not in _NOT_FINITE


def test_plain_scalars_are_what_kubectl_says(kubectl: Kubectl) -> None:
    words = [word for word in ODD if is_plain(word)]
    assert len(words) > 80
    found = kubectl.values("".join(f"\n    - {word}" for word in words))
    assert [kind(one) for one in found] == [ours(word) for word in words]


@pytest.mark.parametrize("word", [".nan", ".NAN", ".inf", "-.INF", "+.Inf"])
def test_numbers_that_json_does_not_have(kubectl: Kubectl, word: str) -> None:
    assert kubectl.values(word) is None
    with pytest.raises(tree.Damaged, match="not finite"):
        tree.parse(f"x: {word}")


near_numbers = st.text("0123456789abcdefxXoOeE.+-_:", min_size=1, max_size=9)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(words=st.lists(near_numbers, min_size=60, max_size=120))
def test_plain_scalars_that_look_like_numbers(kubectl: Kubectl, words: list[str]) -> None:
    plain = [word for word in words if is_plain(word)]
    found = kubectl.values("".join(f"\n    - {word}" for word in ["x", *plain]))[1:]
    assert [kind(one) for one in found] == [ours(word) for word in plain]


def everywhere(texts: list[str]) -> str:
    """Return a kubeconfig as this client writes it, with each text wherever one can stand."""
    fields = [{"name": text, "extension": {"key": text, text: "x"}} for text in texts]
    contexts = [
        {"name": text, "context": {"cluster": text, "user": text, "namespace": text}}
        for text in texts
    ]
    return serialize(node({"extensions": fields, "contexts": contexts}), ascii_only=True)


def check_everywhere(kubectl: Kubectl, texts: list[str]) -> None:
    written = everywhere(texts)
    assert written.isascii()
    found = kubectl.view(written)
    assert found is not None, texts
    there = {one["name"]: one["context"] for one in found["contexts"] or ()}
    wanted = {}
    for text in texts:
        fields = {"cluster": text, "user": text}
        wanted[text] = {**fields, "namespace": text} if text else fields
    assert there == wanted
    values = {one["name"]: one["extension"] for one in found.get("extensions", ())}
    assert values == {text: {"key": text, text: "x"} for text in texts if text != "key"}


def test_odd_texts_come_back_from_kubectl(kubectl: Kubectl) -> None:
    check_everywhere(kubectl, ODD)
    check_everywhere(kubectl, HARD)


anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(ODD)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(anything | near_numbers, unique=True, max_size=60))
def test_any_texts_come_back_from_kubectl(kubectl: Kubectl, texts: list[str]) -> None:
    check_everywhere(kubectl, [text for text in texts if text != "key"])


@pytest.mark.parametrize("context", ["433e40", "1e3", "y", "017", ".5", "12:30", "=", "<<", "~"])
def test_a_saved_context_is_kubectls(kubectl: Kubectl, context: str) -> None:
    place = Mark(context, context)
    text = render_kubeconfig(
        cluster=context,
        context=context,
        user=context,
        server="https://10.0.0.5:6443",
        ca=b"ca",
        cert=b"cert",
        key=b"key",
        mark=place.document(),
    )
    (printed,) = kubectl.view(text)["contexts"]
    assert save(text, [kubectl.file], set_current=True).current
    found = kubectl.view(kubectl.file.read_text())
    assert found["current-context"] == context
    assert found["contexts"] == [printed]
    assert (printed["name"], printed["context"]["user"]) == (context, context)
    assert printed["context"]["extensions"] == json.loads(json.dumps(place.document()))


FOREIGN = """\
# a remark
future: {a: 1e3, b: "1e3", c: !!str 1e3, d: y, e: 'y', f: 0123, g: 12:30:45, h: 2001-01-01, i: ~}
extensions:
- name: keep
  extension:
    - [1e3, "1e3", !!str 1e3, 1_000, 0x1f, 0o17, 017, "017", .5, '.5', +1, no, "no", ~, '~', null, '']
    - [12:30:45, 2001-01-01, '2001-01-01', =, 1.10, "1.10", !!binary YQ==, !foo 5, !!int "5", !!float 5]
    - {1: a, 1.5: b, on: c, "off": d, ? e : f, g: , <<: {h: i}}
    - |
      two
        lines
    - >-
      folded
      text
    - "NEL \\N LS \\L PS \\P tab \\t bell \\a nul \\0 \\x9b \\u202e \\U0001F680"
    - &shared {key: [1, 2]}
    - *shared
clusters:
- {name: "1e3", cluster: {server: 'https://a', insecure-skip-tls-verify: yes, unknown: 1e3}}
contexts:
- {name: '017', context: {cluster: "1e3", user: !!str 5, namespace: "no"}}
current-context: '017'
users:
- {name: !!str 5, user: {token: "0123", exec: {command: a, args: ["1e3", 'y'], env: [{name: A, value: "1"}, {name: A, value: 'off'}]}}}
"""  # noqa: E501


@pytest.mark.parametrize("change", [("", ""), ("\n", "\r\n"), ("# a remark", "%YAML 1.1\n---")])
def test_others_entries_are_for_kubectl_what_they_were(
    kubectl: Kubectl, change: tuple[str, str]
) -> None:
    text = FOREIGN.replace(*change) if change[0] else FOREIGN
    before = kubectl.view(text)
    assert before is not None
    new = render_kubeconfig(
        cluster="c", context="c", user="c", server="https://b", ca=b"", cert=b"", key=b""
    )
    save(new, [kubectl.file])
    after = kubectl.view(kubectl.file.read_text(encoding="utf-8"))
    assert {key: after[key] for key in ("extensions", "current-context")} == {
        key: before[key] for key in ("extensions", "current-context")
    }
    for section in ("clusters", "contexts", "users"):
        assert [one for one in after[section] if one["name"] != "c"] == before[section]


#: Texts that kubectl refuses.
REFUSED = [
    "- a",
    "a",
    "x: .inf",
    "? [a]\n: b",
    "~: b",
    "x: &a [*a]",
    "x: *nope",
    "x: {<<: 5}",
    "x: !!int x",
    "x: !!null x",
    "x: !!bool 5",
    "x: !!timestamp 5",
    "x: !!binary '*'",
    "%YAML 1.2\n---\nx: y",
    "# first\n%YAML 1.2\n---\nx: y",
    "\t\n",
    "x: \x7f",
    "kind: config",
    "kind: 5",
    "apiVersion: 1",
    "apiVersion: v1beta1",
    "clusters: {}",
    "contexts: [5]",
    "contexts: [{name: 5}]",
    "contexts: [{name: 1e3}]",
    "contexts: [{name: y}]",
    "contexts: [{name: a, context: []}]",
    "contexts: [{name: a, context: {namespace: no}}]",
    "contexts: [{name: a, context: {cluster: 0x1f}}]",
    "contexts: [{name: a}, {name: a}]",
    "clusters: [{name: a}, {name: a, cluster: {server: x}}]",
    "users: [{name: a}, {name: b}, {name: 'a'}]",
    "users: [{name: a, user: {extensions: [{name: b, extension: {}}, {name: b, extension: {}}]}}]",
    "current-context: 5",
    "current-context: [a]",
    "preferences: 5",
    "preferences: {colors: 'yes'}",
    "clusters: [{name: a, cluster: {certificate-authority-data: '!!'}}]",
    "clusters: [{name: a, cluster: {certificate-authority-data: QUI}}]",
    "clusters: [{name: a, cluster: {server: 5}}]",
    "clusters: [{name: a, cluster: {insecure-skip-tls-verify: 1}}]",
    "clusters: [{name: a, cluster: {disable-compression: 'no'}}]",
    "users: [{name: a, user: {token: 0123}}]",
    "users: [{name: a, user: {exec: {command: 5}}}]",
    "users: [{name: a, user: {exec: {args: [1e3]}}}]",
    "users: [{name: a, user: {exec: {env: [{name: 5}]}}}]",
    "users: [{name: a, user: {as-groups: [5]}}]",
    "users: [{name: a, user: {as-user-extra: {b: [no]}}}]",
    "users: [{name: a, user: {auth-provider: {config: {b: 5}}}}]",
    "extensions: [{name: 5}]",
]
#: Texts of which kubectl reads a part and says nothing, which would be lost.
READ_IN_PART = [
    "contexts: [{name: a}]\n---\ncontexts: [{name: b}]",
    "contexts: [{name: a}]\n...\n{[",
    "---\n---\ncontexts: [{name: b}]",
    "contexts: [{name: a}]\ncontexts: [{name: b}]",
    "users: [{name: a, user: {token: x, token: z}}]",
    "users: [{name: a, user: {exec: {command: x, command: z}}}]",
]
#: Texts that kubectl reads and this client does not change, since it cannot do so for certain.
NOT_OURS = [
    "x: ! 5",
    "x: [! 5]",
    "x: &a {name: b}\ncontexts: [*a, {<<: *a, name: c}]",
    "clusters: &a []\nusers: *a\ncontexts: *a",
    "contexts: [{context: {}}]",
    "contexts: [null]",
]


@pytest.mark.parametrize("text", REFUSED + READ_IN_PART + NOT_OURS)
def test_a_file_that_kubectl_does_not_read_whole_is_left(kubectl: Kubectl, text: str) -> None:
    assert (kubectl.view(text) is None) == (text in REFUSED)
    new = render_kubeconfig(
        cluster="c", context="c", user="c", server="https://b", ca=b"", cert=b"", key=b""
    )
    with pytest.raises(CseError, match="left as it is"):
        save(new, [kubectl.file])
    assert kubectl.file.read_text(encoding="utf-8") == text


def test_aliases_that_stand_for_gigabytes(kubectl: Kubectl) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(tree.Damaged, match="expand to too much data"):
        tree.parse("\n".join(lines))


def test_nesting_has_a_bound() -> None:
    for depth in (150, 900, 100_000):
        with pytest.raises(tree.Damaged, match=r"nested too deeply|is not YAML"):
            tree.parse("x: " + "[" * depth + "]" * depth)
