"""Who gets into a cluster: kubeconfigs saved, limited users, custody of the CA key.

These tests move the cloud's clock, so they have one of their own; the last test does that.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.people import Door, Person, person
from tests.support.programs import VCD
from tests.support.simulator import Cloud, Control, log_in, running_simulator

if "CSE_E2E_HOST" in os.environ:
    pytest.skip("needs a simulator", allow_module_level=True)

NAME = "team"
NO_ROLES = f"No roles are granted in cluster {NAME}.\n"
CONTEXT = "team@acme-vdc1"
HOUR = 3600


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_simulator(tmp_path_factory.mktemp("cloud"), "--guest-speed", "20") as cloud:
        yield cloud


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    door = Door()
    door.start()
    yield door
    door.listener.close()


@pytest.fixture(scope="module")
def admin(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """The organisation's administrator, with the cluster `team` and its namespace `shop`."""
    admin = person(cloud, tmp_path_factory.mktemp("admin"))
    made = admin.cluster("create", NAME, "-n", "net1", "-N", "1")
    assert made[0] == 0, made[2]
    saved = admin.cluster("config", NAME, "--save")
    assert saved == (
        0,
        f"Cluster {NAME} is saved in {admin.config} as context {CONTEXT}.\n",
        "",
    )
    assert admin.kubectl("create", "namespace", "shop")[0] == 0
    return admin


def address(admin: Person, cluster: str) -> str:
    """Return the address of a cluster's control plane."""
    info = json.loads(admin.run(VCD, "-j", "cse", "cluster", "info", cluster)[1])
    return next(str(node["ip"]) for node in info["nodes"] if node["kind"] == "control plane")


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Saved


def test_a_saved_cluster_is_kubectls(admin: Person) -> None:
    assert mode(admin.config) == 0o600
    assert admin.saved() == {
        "clusters": [CONTEXT],
        "contexts": [CONTEXT],
        "users": [f"admin@acme/{CONTEXT}"],
    }
    code, out, err = admin.kubectl("get", "nodes", "-o", "name")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"node/mstr-\w+\nnode/node-\w+\n", out)
    assert admin.kubectl("config", "current-context")[1] == f"{CONTEXT}\n"


def test_saved_into_a_kubeconfig_of_others(admin: Person, tmp_path: Path) -> None:
    others = "contexts:\n- name: prod\n  context: {cluster: p, user: u}\ncurrent-context: prod\n"
    file = tmp_path / "config"
    file.write_text(others)
    file.chmod(0o640)
    words = ("config", NAME, "--save", "--kubeconfig", str(file), "--context", "team")
    assert admin.cluster(*words) == (
        0,
        f"Cluster {NAME} is saved in {file} as context team.\n",
        f"Warning: {file} had mode 0640; it was changed to 0600, because the file"
        " contains keys.\n"
        f"To use it: kubectl --kubeconfig {file} config use-context team\n",
    )
    assert admin.cluster(*words, "--set-current") == (
        0,
        f"Cluster {NAME} is saved in {file} as context team.\n",
        "",
    )
    pods = admin.kubectl("get", "pods", "-n", "shop", env={"KUBECONFIG": str(file)})
    assert pods == (0, "", "No resources found in shop namespace.\n")
    found = yaml.safe_load(file.read_text())
    assert [context["name"] for context in found["contexts"]] == ["prod", "team"]
    assert listing(tmp_path) == ["config"]


def test_saved_as_json_says_where(admin: Person, tmp_path: Path) -> None:
    files = f"{tmp_path / 'missing'}:{tmp_path / 'last'}"
    code, out, err = admin.run(
        VCD, "-j", "cse", "cluster", "config", NAME, "--save", env={"KUBECONFIG": files}
    )
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "cluster": NAME,
        "file": str(tmp_path / "last"),
        "context": CONTEXT,
        "current": True,
        "change": "added",
    }


def test_written_into_a_file_of_its_own(admin: Person, tmp_path: Path) -> None:
    file = tmp_path / "own"
    said = (0, f"The kubeconfig of {NAME} is written to {file}.\n", "")
    assert admin.cluster("config", NAME, "-o", str(file)) == said
    assert admin.cluster("config", NAME, "-o", str(file)) == said
    assert mode(file) == 0o600
    assert admin.kubectl("--kubeconfig", str(file), "auth", "can-i", "*", "*")[1] == "yes\n"
    kept = admin.home / "kept"
    kept.write_text("not a kubeconfig\n")
    code, _, err = admin.cluster("config", NAME, "-o", "kept")
    assert (code, err) == (
        1,
        "Error: The file kept exists and holds something else, which would be lost.\n"
        "Hint: Specify another file, or add the cluster to it: --save --kubeconfig kept\n",
    )


def test_by_another_address_the_certificate_still_fits(admin: Person, door: Door) -> None:
    door.address = address(admin, NAME)
    admin.cluster("config", NAME, "--endpoint", door.endpoint, "-o", "outside")
    server = admin.kubectl("--kubeconfig", "outside", "cluster-info")[1]
    assert f"https://{door.endpoint}" in server
    code, out, err = admin.kubectl("--kubeconfig", "outside", "get", "nodes", "-o", "name")
    assert (code, out.count("node/"), err) == (0, 2, "")


# What is refused

DAMAGED = "clusters: {}\n"


def refused(found: tuple[int, str, str], code: int, *lines: str) -> None:
    """Check that a command said just this on stderr and nothing on stdout."""
    assert found == (code, "", "".join(f"{line}\n" for line in lines))


_RESERVED = "Hint: Use a name of your own and grant it rights: cse cluster grant --help"


@pytest.mark.parametrize(
    ("words", "code", "lines"),
    [
        (("--ttl", "0"), 2, ["Error: The lifetime is too short: one minute is the shortest."]),
        (
            ("--ttl", "87600h"),
            2,
            [
                "Error: The lifetime is too long: 365 days is the longest for an administrator's"
                " kubeconfig.",
                "Hint: Certificates cannot be revoked. Issue short-lived ones, and renew them.",
            ],
        ),
        (
            ("--user", "alice", "--group", "system:masters"),
            4,
            [
                "Error: The group 'system:masters' is reserved: names in 'system:' belong to"
                " Kubernetes.",
                _RESERVED,
            ],
        ),
        (
            ("--user", "alice", "--group", "devs", "--group", "cse:cluster-admins"),
            4,
            [
                "Error: The group 'cse:cluster-admins' is reserved: names in 'cse:' belong to"
                " administrators.",
                _RESERVED,
            ],
        ),
        (
            ("--set-current", "--kubeconfig", "file", "--group", "devs", "--endpoint", "https://k"),
            2,
            [
                "Error: 4 problems were found; nothing was changed.",
                "  - --kubeconfig requires --save.",
                "  - --set-current requires --save.",
                "  - 'https://k' is not a valid endpoint; use HOST or HOST:PORT (default"
                " port 6443).",
                "    Hint: For example: --endpoint k8s.example.com or --endpoint 203.0.113.5:443.",
                "  - --group needs --user: a certificate is one person's.",
                "    Hint: For example: --user alice --group devs",
            ],
        ),
        (
            ("--save", "--context", " demo "),
            2,
            [
                "Error: ' demo ' is not a valid context name: it begins or ends with a space.",
                "Hint: For example: --context demo",
            ],
        ),
        (
            ("--save", "--context", "a\u200bb c"),
            2,
            [
                "Error: 'a\\u200bb c' is not a valid context name: it contains an unprintable"
                " character.",
                "Hint: For example: --context 'ab c'",
            ],
        ),
        (
            ("-o", "acme"),
            2,
            [
                "Error: -o is the output file here, but 'acme' is your organization.",
                "Hint: Use --org acme for the organization, or -o ./acme for a file of that name.",
            ],
        ),
    ],
)
def test_refused_configs(
    admin: Person, words: tuple[str, ...], code: int, lines: list[str]
) -> None:
    refused(admin.cluster("config", NAME, *words), code, *lines)


def test_a_lifetime_that_is_none(admin: Person) -> None:
    code, out, err = admin.cluster("config", NAME, "--ttl", "-8h")
    assert (code, out) == (2, "")
    assert "'-8h' is not a duration." in err


def test_a_damaged_kubeconfig_is_left_alone(admin: Person, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(DAMAGED)
    refused(
        admin.cluster("config", NAME, "--save", env={"KUBECONFIG": str(file)}),
        1,
        f"Error: The kubeconfig {file} is damaged and was left as it is: clusters is not a list.",
        f"Hint: Show what kubectl reads: kubectl --kubeconfig {file} config view",
    )
    assert file.read_text() == DAMAGED
    assert listing(tmp_path) == ["config"]


def test_the_guides_folder_is_explained(admin: Person, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.mkdir()
    refused(
        admin.cluster("config", NAME, "--save", env={"KUBECONFIG": str(file)}),
        1,
        f"Error: The kubeconfig {file} is a directory, but kubectl requires a file.",
        f"Hint: To correct it: rmdir {file}",
    )


# Roles


def can(who: Person, file: str, *words: str) -> str:
    return who.kubectl("--kubeconfig", file, "auth", "can-i", *words)[1].strip()


@pytest.fixture(scope="module")
def alice(admin: Person) -> Person:
    """The administrator made alice a kubeconfig; she has no rights yet."""
    done = admin.cluster(
        *("config", NAME, "--user", "alice", "--group", "devs", "--ttl", "8h", "-o", "alice")
    )
    assert done == (
        0,
        f"The kubeconfig of {NAME} is written to alice.\n",
        "The kubeconfig is valid for 8h and cannot be revoked. To revoke its roles:"
        f" cse cluster revoke {NAME} --user alice,"
        f" cse cluster revoke {NAME} --group devs\n",
    )
    return admin


def test_a_user_starts_with_nothing(alice: Person) -> None:
    assert can(alice, "alice", "list", "pods", "-n", "shop") == "no"
    # what every user may: ask who he is and what he may
    allowed = alice.kubectl("--kubeconfig", "alice", "auth", "can-i", "--list", "-n", "shop")[1]
    assert "selfsubjectreviews" in allowed
    assert "pods" not in allowed
    whoami = alice.kubectl("--kubeconfig", "alice", "auth", "whoami", "-o", "json")
    if whoami[0] == 0:
        info = json.loads(whoami[1])["status"]["userInfo"]
        assert (info["username"], info["groups"]) == ("alice", ["devs", "system:authenticated"])


def test_a_user_in_a_namespace(alice: Person) -> None:
    words = ("--user", "alice", "--role", "view", "--namespace", "shop")
    assert alice.cluster("grant", NAME, *words) == (
        0,
        f"User 'alice' has the role view in namespace shop of cluster {NAME}.\n",
        "",
    )
    assert alice.cluster("grant", NAME, *words) == (
        0,
        f"User 'alice' already had the role view in namespace shop of cluster {NAME}.\n",
        "",
    )
    assert can(alice, "alice", "list", "pods", "-n", "shop") == "yes"
    for verb, what, *where in (
        ("list", "pods", "-n", "default"),
        ("list", "pods", "-A"),
        ("create", "pods", "-n", "shop"),
        ("get", "secrets", "-n", "shop"),
        ("create", "rolebindings", "-n", "shop"),
        ("list", "nodes"),
        ("impersonate", "groups"),
    ):
        assert can(alice, "alice", verb, what, *where) == "no", (verb, what, where)
    got = alice.kubectl("--kubeconfig", "alice", "get", "pods", "-n", "shop")
    assert got == (0, "", "No resources found in shop namespace.\n")
    code, _, err = alice.kubectl("--kubeconfig", "alice", "get", "pods", "-n", "default")
    assert code == 1
    assert 'User "alice" cannot list resource "pods"' in err


def test_a_group_everywhere(alice: Person) -> None:
    words = ("--group", "devs", "--role", "edit")
    code, out, _ = alice.run(VCD, "-j", "cse", "cluster", "grant", NAME, *words)
    assert (code, json.loads(out)) == (
        0,
        {
            "cluster": NAME,
            "kind": "group",
            "name": "devs",
            "role": "edit",
            "namespace": "",
            "changed": True,
        },
    )
    assert can(alice, "alice", "create", "deployments.apps", "-n", "default") == "yes"
    assert can(alice, "alice", "create", "clusterrolebindings") == "no"


def test_grants_are_listed_and_labelled(alice: Person) -> None:
    code, out, err = alice.cluster("grants", NAME)
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["Kind", "Name", "Role", "Namespace"],
        ["-" * 6, "-" * 6, "-" * 6, "-" * 11],
        ["group", "devs", "edit", "(all)"],
        ["user", "alice", "view", "shop"],
    ]
    rows = json.loads(alice.run(VCD, "-j", "cse", "cluster", "grants", NAME)[1])
    assert [sorted(row) for row in rows] == [
        ["Binding", "Created", "Kind", "Name", "Namespace", "Role"]
    ] * 2
    label = "app.kubernetes.io/managed-by=cse-client,app.kubernetes.io/component=access"
    found = alice.kubectl(
        "get", "clusterrolebindings,rolebindings", "-A", "-l", label, "-o", "name"
    )
    assert sorted(found[1].split()) == [
        f"clusterrolebinding.rbac.authorization.k8s.io/{rows[0]['Binding']}",
        f"rolebinding.rbac.authorization.k8s.io/{rows[1]['Binding']}",
    ]


def test_revoking_works_at_once_and_on_ours_only(alice: Person) -> None:
    theirs = ("create", "rolebinding", "by-hand", "--clusterrole=admin", "--user=alice")
    assert alice.kubectl(*theirs, "-n", "default")[0] == 0
    assert alice.cluster("revoke", NAME, "--user", "alice") == (
        0,
        f"Revoked from user 'alice' in cluster {NAME}: view in namespace shop.\n",
        "Warning: user 'alice' has the role admin through a binding that this client did not make;"
        " `kubectl --context team@acme-vdc1 --namespace default delete rolebinding by-hand`"
        " deletes it\n",
    )
    # what is left comes from her group
    assert can(alice, "alice", "list", "pods", "-n", "shop") == "yes"
    assert alice.cluster("revoke", NAME, "--group", "devs", "--role", "edit")[0] == 0
    assert can(alice, "alice", "list", "pods", "-n", "shop") == "no"
    assert can(alice, "alice", "list", "pods", "-n", "default") == "yes"
    refused(
        alice.cluster("revoke", NAME, "--user", "alice"),
        3,
        f"Error: This client has not granted user 'alice' any role in cluster '{NAME}'.",
        f"Hint: List the grants: cse cluster grants {NAME}",
        "Note: User 'alice' has the role admin through a binding that this client did not make;"
        " `kubectl --context team@acme-vdc1 --namespace default delete rolebinding by-hand`"
        " deletes it.",
    )
    assert alice.kubectl("-n", "default", "delete", "rolebinding", "by-hand")[0] == 0
    assert alice.cluster("grants", NAME) == (0, "", NO_ROLES)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("--user", "alice", "--role", "root"),
            2,
            r"'root' is not one of 'view', 'edit', 'admin'\.",
        ),
        (("--user", "alice"), 2, r"Missing option '--role'"),
        (("--role", "view"), 2, r"Specify either --user NAME or --group NAME\."),
        (("--group", "system:authenticated", "--role", "view"), 4, r"belong to Kubernetes\."),
        (
            ("--user", "alice", "--role", "view", "--namespace", "nope"),
            3,
            rf"Error: Cluster '{NAME}' has no namespace 'nope'\.\n"
            r"Hint: kubectl --context team@acme-vdc1 create namespace nope\n\Z",
        ),
    ],
)
def test_refused_grants(admin: Person, words: tuple[str, ...], code: int, said: str) -> None:
    found = admin.cluster("grant", NAME, *words)
    assert found[:2] == (code, "")
    assert re.search(said, found[2]), found[2]


def test_the_refused_granted_nothing(admin: Person) -> None:
    assert admin.cluster("grants", NAME) == (0, "", NO_ROLES)


def test_a_users_context_beside_the_administrators(admin: Person) -> None:
    limits = (
        "The kubeconfig is valid for 8h and cannot be revoked. To revoke its roles:"
        f" cse cluster revoke {NAME} --user bob\n"
    )
    refused(
        admin.cluster("config", NAME, "--save", "--user", "bob"),
        1,
        f"Error: The context '{CONTEXT}' in {admin.config} is that of another user of this"
        " cluster.",
        f"Hint: Use another name: --context bob/{CONTEXT}",
    )
    assert admin.cluster("config", NAME, "--save", "--user", "bob", "--context", "bob") == (
        0,
        f"Cluster {NAME} is saved in {admin.config} as context bob.\n",
        f"To use it: kubectl config use-context bob\n{limits}",
    )
    assert admin.kubectl("--context", "bob", "get", "nodes")[0] == 1
    assert admin.kubectl("get", "nodes")[0] == 0


# Custody


def test_custody_decides_who_can_mint(
    admin: Person, cloud: Cloud, door: Door, tmp_path: Path
) -> None:
    """Whoever may read the vApp can mint, unless the cluster is sealed; docs/security.md."""
    viewer = person(cloud, tmp_path / "viewer", "viewer")
    minted = viewer.cluster("config", NAME, "-o", "minted")
    assert minted[0] == 0, minted[2]
    assert can(viewer, "minted", "*", "*") == "yes"
    assert viewer.cluster("config", NAME, "--user", "mallory", "-o", "mallory")[0] == 0

    made = admin.cluster("create", "sealed", "-n", "net1", "-N", "0", "--endpoint", door.endpoint)
    assert made[0] == 0, made[2]
    door.address = address(admin, "sealed")
    assert (
        json.loads(admin.run(VCD, "-j", "cse", "cluster", "info", "sealed")[1])["endpoint"]
        == f"https://{door.endpoint}"
    )
    sealed = admin.cluster("seal", "sealed")
    assert sealed[0] == 0, sealed[2]
    for words in ((), ("--user", "mallory"), ("--save",)):
        code, out, err = viewer.cluster("config", "sealed", *words)
        assert (code, out) == (4, "")
        assert err.startswith(
            "Error: Cluster 'sealed' is sealed and its CA key is not on this machine.\n"
        )
    assert not viewer.config.exists()
    for command, *rest in (("grants",), ("grant", "--user", "mallory", "--role", "admin")):
        assert viewer.cluster(command, "sealed", *rest)[:2] == (4, "")

    # the administrator who sealed it still can, and the address of `create` is the one in there
    assert admin.cluster("config", "sealed", "--save")[0] == 0
    code, out, err = admin.kubectl("--context", "sealed@acme-vdc1", "get", "nodes", "-o", "name")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"node/mstr-\w+\n", out)
    assert admin.cluster("grant", "sealed", "--user", "ann", "--role", "view")[0] == 0

    door.address = "127.0.0.1"
    code, out, err = admin.cluster("grants", "sealed")
    assert (code, out) == (1, "")
    assert err.startswith(
        f"Error: The Kubernetes API at https://{door.endpoint} cannot be used: it closed"
    )
    deleted = admin.cluster("delete", "sealed", "--yes")
    assert deleted[0] == 0
    assert deleted[2].endswith(f"The cluster was removed from {admin.config}.\n")
    assert "sealed@acme-vdc1" not in admin.config.read_text()


# The end


def test_eight_hours_later(admin: Person, alice: Person, cloud: Cloud, tmp_path: Path) -> None:
    """A user's certificate ends, the administrator's does not, and deletion tidies up."""
    words = ("--user", "alice", "--role", "view", "--namespace", "shop")
    assert alice.cluster("grant", NAME, *words)[0] == 0
    assert can(alice, "alice", "list", "pods", "-n", "shop") == "yes"
    Control(cloud).set("clock", advance=8 * HOUR + 60)
    code, out, err = alice.kubectl("--kubeconfig", "alice", "get", "pods", "-n", "shop")
    assert (code, out) == (1, "")
    assert "You must be logged in to the server" in err
    assert admin.kubectl("get", "nodes")[0] == 0

    log_in(cloud, admin.home)
    before = yaml.safe_load(admin.config.read_text())
    before["clusters"].append({"name": "theirs", "cluster": {"server": "https://theirs"}})
    admin.config.write_text(yaml.safe_dump(before))
    code, out, err = admin.cluster("delete", NAME, "--yes")
    assert (code, out) == (
        0,
        f"Cluster {NAME} is deleted: its vApp and 2 virtual machines no longer exist.\n",
    )
    assert err.endswith(f"The cluster was removed from {admin.config}.\n")
    assert admin.saved() == {"clusters": ["theirs"], "contexts": [], "users": []}
    assert yaml.safe_load(admin.config.read_text())["current-context"] == ""
    assert set(listing(admin.config.parent)) <= {"cache", "config"}
