"""`vcd cse login` and `cse login`: every way in, on every release, and every refusal."""

from __future__ import annotations

import json
import re
import ssl
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.programs import CSE, VCD, Result, Workstation, clean_environment
from tests.support.simulator import (
    Asker,
    Cloud,
    Control,
    api_token,
    running_simulator,
)
from tests.support.terminal import on_terminal

PROGRAMS = {"vcd cse": (VCD, "cse"), "cse": (CSE,)}

#: Release -> the API version that a login uses.
NEWEST = {
    "10.1": "34.0",
    "10.2": "35.2",
    "10.3": "36.3",
    "10.4": "37.2",
    "10.5": "38.1",
    "10.6": "39.1",
}


class Desk:
    """Somebody's home, and the program that is typed there."""

    def __init__(self, home: Path, cloud: Cloud, program: str = "cse") -> None:
        self.home = home
        self.cloud = cloud
        self.program = program
        self._shell = Workstation(home)

    def cse(self, *words: str, root: tuple[str, ...] = (), **settings: Any) -> Result:
        first, *rest = PROGRAMS[self.program]
        return self._shell.run(first, *root, *rest, *words, **settings)

    def vcd(self, *words: str) -> Result:
        return self._shell.vcd(*words)

    def login(self, *words: str, org: str = "acme", trust: bool = True, **settings: Any) -> Result:
        """Log in with the cloud's CA file."""
        ca = ("--ca-file", self.cloud.ca) if trust else ()
        return self.cse("login", self.cloud.host, org, *words, *ca, **settings)

    def answering(self, prompt: str, answer: str, *words: str) -> Result:
        """Log in at a terminal."""
        line = [*PROGRAMS[self.program], "login", self.cloud.host, *words]
        environment = {**clean_environment(self.home), "NO_COLOR": "1"}
        return on_terminal(self.home, line, (prompt, answer), environment=environment)

    @property
    def profiles(self) -> Path:
        return self.home / ".vcd-cli" / "profiles.yaml"

    @property
    def profile(self) -> dict[str, Any]:
        profile: dict[str, Any] = yaml.safe_load(self.profiles.read_text())["profiles"][0]
        return profile


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A VCD 10.6."""
    folder = tmp_path_factory.mktemp("today")
    with running_simulator(folder, "--vcd", "10.6", "--no-guests") as cloud:
        yield cloud


@pytest.fixture
def desk(home: Path, today: Cloud) -> Desk:
    return Desk(home, today)


@pytest.fixture
def strings(today: Cloud) -> Iterator[Control]:
    """The control endpoint of the VCD 10.6; what was changed is put back."""
    control = Control(today)
    yield control
    control.ask("DELETE", "faults")
    control.set("clock", error=0)
    control.set("users/author", rights={"API Tokens: Manage": True})


def token_of(cloud: Cloud, user: str = "admin") -> str:
    return api_token(cloud, user, cloud.others[user])[0]


@pytest.mark.parametrize("release", NEWEST)
def test_each_release(home: Path, tmp_path: Path, release: str) -> None:
    """With the password and the CA; then other commands, of vcd-cli as well; then out again."""
    (tmp_path / "vcd").mkdir()
    with running_simulator(tmp_path / "vcd", "--vcd", release, "--no-guests") as cloud:
        desk = Desk(home, cloud, "cse" if release in ("10.1", "10.6") else "vcd cse")
        prompt = "Password of admin: "
        done = desk.answering(prompt, cloud.password, "ACME", "admin", "--ca-file", cloud.ca)
        where = f"organization acme, VDC vdc1; API {NEWEST[release]}"
        assert done.out == f"{prompt}\nLogged in to {cloud.host} as admin ({where}).\n"
        assert done.code == 0
        assert stat.S_IMODE(desk.profiles.stat().st_mode) == 0o600
        profile = desk.profile
        assert (profile["org"], profile["org_in_use"], profile["user"]) == ("acme", "acme", "admin")
        assert profile["api_version"] == NEWEST[release]
        assert Path(profile["verify"]).read_text() == Path(cloud.ca).read_text()
        assert "ubuntu-16.04_k8-1.18_weave-2.6.5" in desk.cse("template", "list").checked()
        assert "net1" in desk.vcd("network", "list").checked()
        assert profile["token"] not in "".join(one.read_text() for one in home.glob("*.log"))
        if release in ("10.1", "10.2"):
            file = home / "token"
            file.write_text("x")
            refused = desk.login("--token-file", str(file))
            assert refused.code == 2
            assert "does not have API tokens: they exist since release 10.3.1." in refused.err
        assert desk.cse("logout").checked() == f"Logged out of {cloud.host}.\n"
        assert desk.profile["token"] == ""
        assert desk.profile["verify"] is True
        assert not Path(profile["verify"]).exists()
        ended = {"extensions": ["cse_client.cse"], "profiles": [{**profile, "verify": cloud.ca}]}
        desk.profiles.write_text(yaml.safe_dump(ended))
        assert "has expired or is not valid" in desk.cse("cluster", "list").err


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_api_token(home: Path, today: Cloud, program: str) -> None:
    """From a file, from the environment, or typed; it is shown and stored nowhere."""
    desk = Desk(home, today, program)
    token = token_of(today, "author")
    file = home / "token"
    file.write_text(f"{token}\n")
    first = desk.login("--token-file", "~/token")
    assert first.out.startswith(f"Logged in to {today.host} as author (organization acme, VDC ")
    assert first.err == (
        f"Warning: Other users can access the API token file {file}. To fix it: chmod 600 {file}\n"
    )
    file.chmod(0o600)
    file.write_text(json.dumps({"refresh_token": token, "token_type": "API Token"}))
    again = desk.login("author", "--token-file", str(file), trust=False)
    assert (again.code, again.err) == (0, "")
    assert desk.profile["cse_token_file"] == str(file)
    by_variable = desk.login(trust=False, env={"CSE_API_TOKEN": token}, root=("-j",))
    assert json.loads(by_variable.out) == {
        "logged_in": True,
        "host": today.host,
        "org": "acme",
        "user": "author",
        "vdc": "vdc1",
        "api_version": "39.1",
    }
    assert "cse_token_file" not in desk.profile
    typed = desk.answering("API token: ", token, "acme", "-v", "VDC2")
    assert typed.out.splitlines()[-1].endswith("as author (organization acme, VDC vdc2; API 39.1).")
    kept = [one for one in home.rglob("*") if one.is_file() and one != file]
    assert not any(token in one.read_text(errors="replace") for one in kept)
    assert token not in typed.out


def test_a_session_of_a_browser(desk: Desk, today: Cloud) -> None:
    asker = Asker(today, "admin", today.password)
    for text in (asker.token, f"Bearer {asker.token}\n", f"vcloud_jwt={asker.token}; Path=/"):
        done = desk.login("--session-stdin", stdin=text)
        assert done.out.startswith(f"Logged in to {today.host} as admin (")
        assert desk.profile["token"] == asker.token
    assert desk.cse("cluster", "list").code == 0


def test_a_system_administrator(desk: Desk, today: Cloud) -> None:
    """No VDC is in use until an organization is; both are chosen with vcd-cli."""
    prompt, user = "Password of administrator: ", "administrator"
    words = ("system", user, "--ca-file", today.ca)
    done = desk.answering(prompt, today.others[user], *words)
    logged_in = f"Logged in to {today.host} as {user} (organization System; API 39.1).\n"
    assert done.out == f"{prompt}\n{logged_in}"
    assert "acme" in desk.vcd("org", "list").checked()
    assert desk.cse("template", "list").code == 0


Case = Callable[[Desk, Control, Path], Result]


def _token_file(folder: Path, token: str) -> tuple[str, str]:
    file = folder / "token"
    file.touch(mode=0o600)
    file.write_text(token)
    return "--token-file", str(file)


def _revoked(desk: Desk, folder: Path) -> Result:
    cloud = desk.cloud
    token, identifier = api_token(cloud, "admin", cloud.password)
    asker = Asker(cloud, "admin", cloud.password)
    asker("DELETE", f"/cloudapi/1.0.0/tokens/urn:vcloud:token:{identifier}")
    return desk.login(*_token_file(folder, token))


def _without_the_right(desk: Desk, control: Control, folder: Path) -> Result:
    token = token_of(desk.cloud, "author")
    control.set("users/author", rights={"API Tokens: Manage": False})
    return desk.login(*_token_file(folder, token))


def _other_ca(desk: Desk, folder: Path) -> Result:
    other = next(iter(ssl.create_default_context().get_ca_certs(binary_form=True)))
    file = folder / "other.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(other))
    return desk.login("admin", "--ca-file", str(file), trust=False)


#: What is wrong -> how, the exit code, the sentence and the hint.
REFUSALS: dict[str, tuple[Case, int, str, str]] = {
    "wrong token": (
        lambda desk, _control, home: desk.login(*_token_file(home, "nonsense")),
        4,
        r"VCD at \S+ does not accept the API token for organization 'acme': it is wrong, was"
        r" revoked, or belongs to another organization\.",
        r"Check the organization's name, or create a new token in VCD: User Preferences, API .*",
    ),
    "revoked token": (
        lambda desk, _control, home: _revoked(desk, home),
        4,
        r"VCD at \S+ does not accept the API token for organization 'acme': .*",
        r"Check .*",
    ),
    "token of another organization": (
        lambda desk, _control, home: desk.login(
            *_token_file(home, token_of(desk.cloud)), org="System"
        ),
        4,
        r"VCD at \S+ does not accept the API token for organization 'System': .*",
        r"Check .*",
    ),
    "no right to tokens": (
        _without_the_right,
        4,
        r"VCD forbids you to log in: .*API Tokens: Manage.*",
        r'The right "API Tokens: Manage" is required; an organization administrator .*',
    ),
    "token of another user": (
        lambda desk, _control, home: desk.login("bob", *_token_file(home, token_of(desk.cloud))),
        4,
        r"The session belongs to user 'admin', not to 'bob'\.",
        r"Omit the user's name, .*",
    ),
    "an empty file": (
        lambda desk, _control, home: desk.login(*_token_file(home, "")),
        2,
        r"The file \S+ does not contain an API token\.",
        r"Write the token alone into it; .*",
    ),
    "no file": (
        lambda desk, _control, home: desk.login("--token-file", str(home / "none")),
        2,
        r"The API token file \S+ cannot be read: No such file or directory\.",
        "",
    ),
    "wrong password": (
        lambda desk, _control, _home: desk.answering(
            "Password of admin: ", "wrong", "acme", "admin", "--ca-file", desk.cloud.ca
        ),
        4,
        r"VCD at \S+ does not accept this password for user 'admin' of organization 'acme'\.",
        r"Users with single sign-on or a second factor log in with an API token: cse login \S+"
        r" acme",
    ),
    "no terminal": (
        lambda desk, _control, _home: desk.login("admin"),
        2,
        r"There is no terminal on which to ask for the password of admin\.",
        r"Use an API token: cse login \S+ acme --token-file FILE",
    ),
    "a session that ended": (
        lambda desk, _control, _home: desk.login("--session-stdin", stdin="aa.bb.cc"),
        4,
        r"VCD at \S+ does not accept this session: it has ended, or the text is not the token of a"
        r" session\.",
        r"Log in with your browser again, .*",
    ),
    "no session": (
        lambda desk, _control, _home: desk.login("--session-stdin"),
        2,
        r"There is no session's token on stdin\.",
        r"Pass the value of the cookie vcloud_jwt .*",
    ),
    "a session of another organization": (
        lambda desk, _control, _home: desk.login(
            "--session-stdin",
            org="other",
            stdin=Asker(desk.cloud, "admin", desk.cloud.password).token,
        ),
        4,
        r"The session belongs to organization 'acme', not to 'other'\.",
        r"Log in to it: cse login \S+ acme",
    ),
    "an unknown CA": (
        lambda desk, _control, _home: desk.login("admin", trust=False),
        1,
        r"Cannot read the API versions: the TLS certificate of \S+ cannot be verified: .*",
        r"Specify the file of its CA: cse login \S+ acme admin --ca-file FILE",
    ),
    "a CA that does not match": (
        lambda desk, _control, home: _other_ca(desk, home),
        1,
        r"Cannot read the API versions: the TLS certificate of \S+ cannot be verified: .*; its CA"
        r" is not the one in \S+other\.pem\.",
        r"Specify the file of its CA: cse login \S+ acme admin --ca-file FILE",
    ),
    "a CA file without certificates": (
        lambda desk, _control, home: desk.login(
            "admin", "--ca-file", _token_file(home, "text")[1], trust=False
        ),
        2,
        r"The file \S+ does not contain certificates in PEM form\.",
        "",
    ),
    "a VDC that does not exist": (
        lambda desk, _control, home: desk.login(
            "-v", "none", *_token_file(home, token_of(desk.cloud))
        ),
        3,
        r"Organization 'acme' has no VDC 'none'; available: vdc1, vdc2\.",
        "",
    ),
    "nobody listens": (
        lambda desk, _control, _home: desk.cse("login", "127.0.0.1:1", "acme", "admin"),
        1,
        r"Cannot read the API versions: 127\.0\.0\.1:1 cannot be reached: the connection was"
        r" refused\.",
        r"Check the host name, the network and the VPN\.",
    ),
    "no TLS": (
        lambda desk, _control, _home: desk.cse("login", "http://vcd", "acme", "admin"),
        2,
        r"'http://vcd' is not the name of a host\.",
        r"Specify it as in your browser's address bar: vcd\.example\.com",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_one_sentence(desk: Desk, strings: Control, tmp_path: Path, case: str) -> None:
    act, code, sentence, hint = REFUSALS[case]
    before = desk.profiles.read_text()
    result = act(desk, strings, tmp_path)
    lines = (result.err or result.out).splitlines()
    lines = [line for line in lines if not line.startswith(("Password of", "VCD: HTTP"))]
    assert result.code == code, lines
    assert re.fullmatch(f"Error: {sentence}", lines[0]), lines
    assert [re.fullmatch(f"Hint: {hint}", line) is not None for line in lines[1:]] == (
        [True] if hint else []
    ), lines
    assert desk.profiles.read_text() == before
    assert not list(desk.home.rglob("*.pem")), "nothing is pinned"


@pytest.mark.parametrize(
    ("error", "words"), [(-86400, "1 day ahead of"), (86400, "1 day behind"), (2 * 3600, "2 hours")]
)
def test_a_clock_that_is_off(desk: Desk, strings: Control, error: int, words: str) -> None:
    strings.set("clock", error=error)
    done = desk.login(env={"CSE_API_TOKEN": token_of(desk.cloud)})
    assert done.code == 0
    (line,) = done.err.splitlines()
    assert line.startswith(f"Warning: The clock of this machine is {words}")


def test_the_pin_is_used_and_replaced(desk: Desk) -> None:
    token = {"CSE_API_TOKEN": token_of(desk.cloud)}
    assert desk.login(env=token).code == 0
    pinned = Path(desk.profile["verify"])
    assert desk.login(env=token, trust=False).code == 0
    assert desk.profile["verify"] == str(pinned)
    other = next(iter(ssl.create_default_context().get_ca_certs(binary_form=True)))
    pinned.write_text(ssl.DER_cert_to_PEM_cert(other))
    for refused in (desk.cse("cluster", "list"), desk.login(env=token, trust=False)):
        assert f"its CA is not the one in {pinned}" in refused.err
    pinned.write_text("damaged")
    assert (
        f"the pinned CA of {desk.cloud.host}, {pinned}, cannot" in desk.cse("node", "list", "x").err
    )
    assert desk.login(env=token).code == 0
    assert desk.cse("cluster", "list").code == 0


def test_a_session_renews_itself_by_its_token_file(desk: Desk, strings: Control) -> None:
    """Between commands, and in the middle of a change, which is sent again."""
    file = _token_file(desk.home, token_of(desk.cloud))
    desk.login(*file).checked()
    first = desk.profile["token"]
    strings.set("sessions", expire=True)
    assert desk.cse("cluster", "list").code == 0
    second = desk.profile["token"]
    assert second != first
    strings.set("faults", kind="expire_session", method="POST", path="metadata", times=1)
    name = "ubuntu-16.04_k8-1.18_weave-2.6.5_rev2"
    registered = desk.cse("template", "register", "cse", name, "--kubernetes-version", "1.18.6")
    assert registered.code == 0, registered.err
    assert desk.profile["token"] not in (first, second)
    strings.set("sessions", expire=True)
    Path(file[1]).unlink()
    lost = desk.cse("cluster", "list")
    assert lost.code == 4
    assert lost.err == (
        f"Error: The session at {desk.cloud.host} has expired, and cannot be renewed: the API token"
        f" file '{file[1]}' cannot be read: No such file or directory.\n"
        f"Hint: Log in again: cse login {desk.cloud.host} acme --token-file {file[1]}\n"
    )


def test_a_session_is_not_renewed_as_somebody_else(desk: Desk, strings: Control) -> None:
    desk.login("--session-stdin", stdin=Asker(desk.cloud, "admin", desk.cloud.password).token)
    strings.set("sessions", expire=True)
    refused = desk.cse("cluster", "list", env={"CSE_API_TOKEN": token_of(desk.cloud, "author")})
    assert refused.code == 4
    assert "the API token belongs to user 'author' of organization 'acme'" in refused.err
    assert desk.cse("cluster", "list", env={"CSE_API_TOKEN": token_of(desk.cloud)}).code == 0
    plain = desk.cse("cluster", "list")
    assert plain.code == 0, "the renewed session was stored"


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_a_prompt_that_is_interrupted(home: Path, today: Cloud, program: str, key: str) -> None:
    desk = Desk(home, today, program)
    before = desk.profiles.read_text()
    for prompt, user in (("Password of admin: ", ["admin"]), ("API token: ", [])):
        ended = desk.answering(prompt, key, "acme", *user, "--ca-file", today.ca)
        assert ended.code == 5
        assert ended.out.endswith("Error: Interrupted; nothing was changed.\n")
    assert desk.profiles.read_text() == before


def test_a_profile_that_others_could_read_is_closed(desk: Desk) -> None:
    desk.profiles.chmod(0o644)
    desk.login(env={"CSE_API_TOKEN": token_of(desk.cloud)}).checked()
    assert stat.S_IMODE(desk.profiles.stat().st_mode) == 0o600


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_expired_session_names_the_line_to_type(
    home: Path, today: Cloud, strings: Control, program: str
) -> None:
    desk = Desk(home, today, program)
    desk.login("--session-stdin", stdin=Asker(today, "admin", today.password).token)
    strings.set("sessions", expire=True)
    refused = desk.cse("cluster", "list")
    assert refused.code == 4
    (error, hint) = refused.err.splitlines()
    assert error.startswith(f"Error: The session at {today.host} has expired or is not valid (")
    assert hint == f"Hint: Log in again: {program} login {today.host} acme admin"


def test_logging_out_twice(desk: Desk) -> None:
    out = desk.cse("logout")
    assert (out.code, out.out) == (0, "You are not logged in.\n")


def test_other_settings_of_the_profile_are_kept(desk: Desk) -> None:
    before = {
        "extensions": ["cse_client.cse"],
        "profiles": [{"name": "other", "x": 1}, {"name": "default", "cse_engine": "direct"}],
    }
    desk.profiles.write_text(yaml.safe_dump(before))
    desk.login(env={"CSE_API_TOKEN": token_of(desk.cloud)}).checked()
    after = yaml.safe_load(desk.profiles.read_text())
    assert after["extensions"] == ["cse_client.cse"]
    assert after["profiles"][1] == {"name": "other", "x": 1}
    assert desk.profile["cse_engine"] == "direct"


@pytest.mark.parametrize("text", ["profiles: [", "[1, 2]", "profiles: {}"])
def test_a_damaged_profiles_file_is_left_as_it_is(desk: Desk, text: str) -> None:
    desk.profiles.write_text(text)
    refused = desk.login(env={"CSE_API_TOKEN": token_of(desk.cloud)})
    assert refused.code != 0
    assert "~/.vcd-cli/profiles.yaml is damaged" in refused.err
    assert desk.profiles.read_text() == text
