from __future__ import annotations

import os
from pathlib import Path

import pytest

from cse_client.cli.validation import (
    check_endpoint,
    check_existing_name,
    check_register,
    check_sizes,
    check_workers,
    parse_disk_size,
    parse_duration,
    raise_all,
    read_ssh_key,
    split_template,
)
from cse_client.errors import CseError, NotFound, PreflightFailed, WrongUsage
from cse_client.model.names import check_name
from tests.support.ssh_keys import KINDS, public_key


@pytest.mark.parametrize("name", ["a", "Z9", "demo", "a-b-c", "a" * 25, "n" + "-" * 23 + "1"])
def test_good_names(name: str) -> None:
    assert check_name(name) == []


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a" * 26, "it has 26 characters"),
        ("my_cluster", "it contains '_'"),
        ("-demo", "it begins with '-'"),
        ("demo-", "it ends with '-'"),
        ("1demo", "it begins with '1'"),
        ("my.cluster", "it contains '.'"),
        ("my cluster", "it contains a blank"),
        ("démo", "it contains 'é'"),
        ("кластер", "it contains 'а', 'е', 'к', 'л', 'р'"),
        ("demo\n", "it contains '\n'"),
        ("demo１", "it contains '１'"),
    ],
)
def test_bad_names_are_told_what_is_wrong(name: str, what: str) -> None:
    (problem,) = check_name(name)
    assert problem.message == f"The cluster name '{name}' is not allowed: {what}."
    assert problem.hint.startswith("A name has 1 to 25 letters, digits and dashes")
    assert problem.exit_code == 2


def test_an_empty_name() -> None:
    (problem,) = check_name("")
    assert problem.message == "The cluster's name is empty."
    with pytest.raises(WrongUsage, match="name is empty"):
        check_existing_name(" ")
    check_existing_name("Whatever somebody else_made.before")


@pytest.mark.parametrize("count", [0, 1, 2, 500])
def test_good_worker_counts(count: int) -> None:
    assert check_workers(count) == []


@pytest.mark.parametrize("count", [-1, -500, 501, 10**9])
def test_bad_worker_counts(count: int) -> None:
    (problem,) = check_workers(count)
    assert str(count) in problem.message
    assert problem.exit_code == 2


def test_sizes() -> None:
    assert check_sizes(cpus=None, memory_mb=None, timeout=1) == []
    assert check_sizes(cpus=1, memory_mb=1, timeout=0.5) == []
    problems = check_sizes(cpus=0, memory_mb=-4, timeout=0)
    assert [p.message for p in problems] == [
        "A node cannot have 0 CPUs.",
        "A node cannot have -4 MB of memory.",
        "The timeout must be greater than 0 seconds.",
    ]
    assert len(check_sizes(cpus=10**6, memory_mb=10**9, timeout=1)) == 2


@pytest.mark.parametrize(
    "endpoint", ["k8s", "k8s.example.com", "10.0.0.5", "10.0.0.5:443", "K8S-1.example.com:65535"]
)
def test_endpoints(endpoint: str) -> None:
    assert check_endpoint(endpoint) == []


@pytest.mark.parametrize(
    "endpoint",
    [
        *("", ":443", "a:", "a:0", "a:65536", "a:000443", "a:b", "a:1:2", "https://a", "a/b"),
        *("a b", "-a", "a..b", "a:٣", "a:" + "9" * 5000, "fd00::1", "a_b", "a@b"),
        *("x" * 64, "x." * 127 + "x" * 9),
    ],
)
def test_no_endpoints(endpoint: str) -> None:
    (problem,) = check_endpoint(endpoint)
    assert problem.exit_code == 2
    assert "is not a valid endpoint" in problem.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("20m", 1200),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1h1m1s", 3661),
        ("30d", 2592000),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [
        *(("40G", 40960), ("40g", 40960), ("40GB", 40960), ("40Gi", 40960), ("40GiB", 40960)),
        *(("1T", 1048576), ("40960M", 40960), ("40960", 40960), (" 1M ", 1), ("62T", 65011712)),
    ],
)
def test_sizes_of_disks(text: str, megabytes: int) -> None:
    assert parse_disk_size(text) == megabytes


@pytest.mark.parametrize("text", ["", "G", "-1G", "1.5G", "40K", "40 G", "0", "63T", "9" * 5000])
def test_no_sizes_of_disks(text: str) -> None:
    with pytest.raises(WrongUsage, match=r"size of a disk|A disk cannot have"):
        parse_disk_size(text)


@pytest.mark.parametrize("text", ["", "s", "1y", "1h1d", "-5", "1.5h", "m20", "ten", "9 0"])
def test_no_durations(text: str) -> None:
    with pytest.raises(WrongUsage, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("template", "revision", "expected"),
    [
        ("", None, ("", None)),
        ("x_k8-1.18", None, ("x_k8-1.18", None)),
        ("x_k8-1.18", 2, ("x_k8-1.18", 2)),
        ("x_k8-1.18_rev2", None, ("x_k8-1.18", 2)),
        ("x_k8-1.18_rev2", 2, ("x_k8-1.18", 2)),
        ("x_rev1_rev12", None, ("x_rev1", 12)),
    ],
)
def test_templates(template: str, revision: int | None, expected: tuple[str, int | None]) -> None:
    assert split_template(template, revision) == expected


@pytest.mark.parametrize(
    ("template", "revision", "message"),
    [
        ("x_rev2", 3, "'x_rev2' is revision 2, but --template-revision is 3."),
        ("x", -1, "A template revision cannot be -1."),
        ("", 2, "--template-revision requires --template."),
    ],
)
def test_contradicting_templates(template: str, revision: int, message: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        split_template(template, revision)
    assert caught.value.message == message


def test_facts_of_a_template_to_register() -> None:
    assert (
        check_register(version="1.33.1", cni_manifest="/root/cni.yml", pod_cidr="172.16.0.0/12")
        == []
    )
    problems = check_register(version="1.33", cni_manifest="cni.yml", pod_cidr="10.0.0.1/8")
    assert [p.message for p in problems] == [
        "'1.33' is not a Kubernetes version.",
        "The CNI manifest 'cni.yml' must be an absolute path.",
        "'10.0.0.1/8' is not a valid pod network: it is not a network in CIDR notation "
        "(10.0.0.1/8 has host bits set).",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_key(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key.pub"
    file.write_text(public_key(kind) + "\n")
    assert read_ssh_key(str(file)) == public_key(kind)


def test_a_key_written_on_windows(tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_bytes(b"\xef\xbb\xbf" + public_key().encode() + b"\r\n\r\n")
    assert read_ssh_key(str(file)) == public_key()


def test_two_keys_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.pub"
    file.write_text(f"# ours\n{public_key()}\n\n{public_key('ssh-rsa')}\n")
    with pytest.raises(WrongUsage, match="holds 2 keys; exactly one is expected"):
        read_ssh_key(str(file))


def test_a_key_in_the_home_folder(home: Path) -> None:
    (home / "key.pub").write_text(public_key())
    assert read_ssh_key("~/key.pub") == public_key()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no key"),
        (b"# only a comment\n", "holds no key"),
        (b"hello\n", "is not an OpenSSH public key"),
        (b"ssh-rsa\n", "is not an OpenSSH public key"),
        (b"ssh-rsa !!!!\n", "is not an OpenSSH public key"),
        (b"ssh-rsa AAAA\n", "is not an OpenSSH public key"),
        (public_key("ssh-rsa").replace("ssh-rsa", "ssh-ed25519").encode(), "is not an OpenSSH"),
        (b'command="x" ' + public_key().encode(), "is not an OpenSSH public key"),
        (b"\xff\xfe\x00\x01" * 100, "is not an OpenSSH public key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n", "is a private key"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n", "is a private key"),
        (b"PuTTY-User-Key-File-3: ssh-rsa\nc2VjcmV0\n", "is a private key"),
    ],
)
def test_what_is_no_public_key(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(WrongUsage, match=message) as caught:
        read_ssh_key(str(file))
    assert "c2VjcmV0" not in caught.value.message + caught.value.hint


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="does not exist"):
        read_ssh_key(str(tmp_path / "nothing"))
    with pytest.raises(WrongUsage, match="is a directory"):
        read_ssh_key(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WrongUsage, match="cannot be read: it is not a regular file"):
        read_ssh_key(str(tmp_path / "pipe"))


def test_one_problem_is_raised_as_it_is() -> None:
    raise_all([])
    problem = NotFound("nothing there")
    with pytest.raises(NotFound) as caught:
        raise_all([problem])
    assert caught.value is problem


def test_several_problems_take_the_first_ones_code() -> None:
    problems: list[CseError] = [NotFound("no network"), WrongUsage("no name")]
    with pytest.raises(PreflightFailed) as caught:
        raise_all(problems)
    assert caught.value.problems == tuple(problems)
    assert caught.value.exit_code == 3
    assert caught.value.message == "2 problems were found; nothing was changed."


@pytest.mark.parametrize("text", ["999999999d", "36501d", "9" * 5000, "9" * 400 + "s"])
def test_a_duration_longer_than_a_life_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="longer than 100 years"):
        parse_duration(text)
