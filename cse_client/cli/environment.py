"""Checks of this machine for `doctor`: Python, packages, files and variables; no request is sent.

Each check yields what it finds. What is as it should be is one line too, so that a reader sees what
was looked at.
"""

from __future__ import annotations

import os
import platform
import re
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cse_client import profiles, suggest
from cse_client.cli import api_token
from cse_client.cli.options import ENGINES
from cse_client.model.findings import ERROR, OK, WARNING, Finding
from cse_client.state import state_folder

__all__ = ["environment"]

_TESTED = ((3, 9), (3, 13))
_EXTENSION = "cse_client.cse"
_OTHER_PACKAGE = "container-service-extension"
_OTHER_EXTENSION = "container_service_extension.client.cse"
_SETUPTOOLS = "setuptools>=78.1.1,<80.9"
#: Packages that others install in the same environment may bring too; the first version that is
#: tested, and the first that is not.
_PACKAGES = {"click": ((7, 1), (8, 6)), "pyvcloud": ((23, 0, 4), (24,))}
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
#: What vcd-cli and pyvcloud write to the current folder.
_LOGS = ("vcd.log", "vcd_sdk.log", "vcd_cli_error.log")
_TOKEN = re.compile(rb"\beyJ[\w-]+\.[\w-]+\.[\w-]+|(?i:x-vcloud-authorization)['\"]?\s*: ?['\"]?\w")
_MOST_LOG = 64 * 1024 * 1024


def environment() -> Iterator[Finding]:
    """Yield what is found on this machine."""
    yield from _python()
    yield from _packages()
    yield from _vcd_cli()
    data = _profiles_data()
    if isinstance(data, Finding):
        yield data
        return
    yield from _extensions(data)
    yield from _settings(profiles.default(data) or {})
    yield from _modes(profiles.default(data) or {})
    yield from _logs()


def _python() -> Iterator[Finding]:
    found = f"Python {platform.python_version()}"
    oldest, newest = _TESTED
    if oldest <= sys.version_info[:2] <= newest:
        yield Finding(OK, "Python", f"{found} in {sys.prefix}.")
    else:
        tested = " to ".join(".".join(map(str, one)) for one in _TESTED)
        yield Finding(
            WARNING,
            "Python",
            f"{found} is not one of the versions that this client is tested with ({tested}).",
            "Install cse-client for another version of Python if something does not work.",
        )


def _packages() -> Iterator[Finding]:
    for package, (first, beyond) in _PACKAGES.items():
        installed = _version(package)
        if first <= _numbers(installed) < beyond:
            yield Finding(OK, package, f"{package} {installed}.")
            continue
        tested = f"{package}>={_dotted(first)},<{_dotted(beyond)}"
        yield Finding(
            WARNING,
            package,
            f"{package} {installed} is not one of the versions that this client is tested with.",
            suggest.program("pip install", tested),
        )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"[0-9]{1,9}", text)[:3])


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _vcd_cli() -> Iterator[Finding]:
    """Look at vcd-cli, which only `vcd cse` needs, and at another package with a program `cse`."""
    installed = _version("vcd-cli")
    if not installed:
        yield Finding(OK, "vcd-cli", "vcd-cli is not installed; the program cse does not need it.")
    elif _is_missing("pkg_resources"):
        yield Finding(
            WARNING,
            "vcd-cli",
            f"vcd-cli {installed} does not start: it needs pkg_resources, which setuptools"
            f" {_version('setuptools') or 'that is not installed'} does not have.",
            "Use the program cse, or: " + suggest.program("pip install", _SETUPTOOLS),
        )
    else:
        yield Finding(OK, "vcd-cli", f"vcd-cli {installed}.")
    other = _version(_OTHER_PACKAGE)
    if other:
        yield Finding(
            WARNING,
            "CSE package",
            f"{_OTHER_PACKAGE} {other} is installed in the same environment; it has a program cse"
            " and an extension of vcd-cli of its own.",
            f"Install it elsewhere: {suggest.program('pip uninstall', _OTHER_PACKAGE)}",
        )


def _profiles_data() -> Any:
    """Return the value of the profiles file, or a finding about it."""
    try:
        data = profiles.load()
        if data is None and profiles.path().exists():
            raise profiles.Unreadable("it is empty")
        if profiles.default(data) is None:
            raise profiles.Unreadable("it does not have the form of a profiles file")
    except profiles.Unreadable as error:
        return Finding(
            ERROR,
            "profile",
            f"{profiles.SHOWN} is damaged: {' '.join(error.message.split())[:200].rstrip('.')}.",
            "Correct it as in profiles.example.yaml, or remove it. Then log in again.",
        )
    return data


def _extensions(data: Any) -> Iterator[Finding]:
    if not _version("vcd-cli"):
        return
    names = data.get("extensions") if isinstance(data, dict) else None
    listed = [str(one) for one in names] if isinstance(names, list) else []
    if _OTHER_EXTENSION in listed and _EXTENSION in listed:
        yield Finding(
            ERROR,
            "extension",
            f"Two extensions define 'vcd cse': {_EXTENSION} and {_OTHER_EXTENSION}.",
            suggest.vcd("profile extension delete", _OTHER_EXTENSION, yes=True),
        )
    elif _EXTENSION not in listed:
        yield Finding(
            WARNING,
            "extension",
            f"{_EXTENSION} is not registered with vcd-cli, so that there is no 'vcd cse'.",
            suggest.vcd("profile extension add", _EXTENSION),
        )
    if isinstance(data, dict) and "profiles" in data and data["profiles"] is None:
        yield Finding(
            WARNING,
            "profile",
            f"The key 'profiles' in {profiles.SHOWN} is empty, on which vcd-cli's login fails.",
            "Remove the key.",
            _without_empty_key,
        )


def _without_empty_key() -> str:
    profiles.remove_empty_key()
    return "The empty key was removed."


def _settings(profile: dict[str, Any]) -> Iterator[Finding]:
    engine = str(profile.get("cse_engine") or "auto")
    if engine not in ENGINES:
        yield Finding(
            ERROR,
            "engine",
            f"The engine '{engine}' does not exist (cse_engine in {profiles.SHOWN}).",
            f"Use one of: {', '.join(ENGINES)}.",
        )
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(name, "")
        if path and not Path(path).exists():
            yield Finding(
                ERROR,
                "CA file",
                f"The file of trusted certificates does not exist ({name}={path}).",
                "Set the variable to another file, or unset it.",
            )


def _modes(profile: dict[str, Any]) -> Iterator[Finding]:
    """Look for files with secrets that other users of this machine can read."""
    secrets = [profiles.path(), state_folder() / "cse-client.log"]
    if profile.get(api_token.TOKEN_FILE):
        secrets.append(Path(str(profile[api_token.TOKEN_FILE])))
    secrets.extend(sorted((state_folder() / "ca").glob("*")))
    loose = [path for path in secrets if path.is_file() and path.stat().st_mode & _OTHERS]
    for path in loose:
        yield Finding(
            WARNING,
            "file modes",
            f"Other users can access {path}, which contains secrets.",
            suggest.program("chmod", "600", str(path)),
            lambda path=path: _close(path),  # type: ignore[misc]
        )
    if not loose:
        yield Finding(OK, "file modes", "Only you can access the files with secrets.")


def _close(path: Path) -> str:
    path.chmod(0o600)
    return f"{path} is accessible by you only."


def _logs() -> Iterator[Finding]:
    """Look for session tokens in the logs that vcd-cli leaves in the current folder."""
    for name in _LOGS:
        path = Path(name)
        if not path.is_file():
            continue
        with path.open("rb") as file:
            text = file.read(_MOST_LOG)
        if _TOKEN.search(text):
            yield Finding(
                WARNING,
                "log files",
                f"{path.absolute()} contains session tokens that vcd-cli wrote.",
                suggest.program("rm", str(path.absolute())),
                lambda path=path: _redact(path),  # type: ignore[misc]
            )


def _redact(path: Path) -> str:
    from cse_client.cli.redaction import redact

    text = path.read_text(encoding="utf-8", errors="replace")
    path.chmod(0o600)
    path.write_text(redact(text), encoding="utf-8")
    return f"The tokens were removed from {path}."


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _is_missing(module: str) -> bool:
    try:
        return find_spec(module) is None
    except ValueError:  # what sys.modules holds for it is None
        return True
