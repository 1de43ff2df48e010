"""Building a component with Go, into a folder that exists only when it is complete."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.real.build.components import GO_TOOLCHAIN, Component

__all__ = ["BuildFailed", "build", "built", "require_go"]

_STAGING = re.compile(r"^\s*(k8s\.io/[a-z0-9-]+) v0\.0\.0$", re.M)


class BuildFailed(Exception):
    """Go could not build a component; the message ends with the last lines of its output."""


def built(folder: Path, component: Component) -> bool:
    """Return whether a folder holds every file of the component."""
    return all((folder / file).is_file() for file in component.files)


def build(cache: Path, component: Component) -> Path:
    """Build the component unless the cache has it; return its folder.

    The programs appear together or not at all: they are built in a folder beside it, which is
    renamed. What an interrupted build left is removed by the next one.

    Raises:
        BuildFailed: Go is missing or ended with an error.
    """
    target = cache / component.name
    if built(target, component):
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache, component):
        if built(target, component):
            return target
        for left in cache.glob(f".{component.name}.partial-*"):
            shutil.rmtree(left)
        partial = Path(tempfile.mkdtemp(prefix=f".{component.name}.partial-", dir=cache))
        try:
            _compile(component, partial / "module", partial / "programs")
            shutil.rmtree(target, ignore_errors=True)
            (partial / "programs").rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


@contextlib.contextmanager
def _alone(cache: Path, component: Component) -> Iterator[None]:
    with (cache / f".{component.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _compile(component: Component, module: Path, programs: Path) -> None:
    module.mkdir()
    programs.mkdir()
    for file, path in component.copies.items():
        shutil.copyfile(_download(component)["Dir"] + f"/{path}", programs / file)
    if not component.packages:
        return
    if component.source is not None:
        shutil.copytree(component.source, module / component.source.name)
    (module / "go.mod").write_text(_go_mod(component), encoding="utf-8")
    flags = " ".join(
        ["-s -w", *(f"-X {key}={value}" for key, value in component.variables.items())]
    )
    for program, package in component.packages.items():
        # -mod=mod lets Go complete the module; its checksum database vouches for what it fetches.
        output = str(programs / program)
        _go(
            ["build", "-mod=mod", "-trimpath", "-ldflags", flags, "-o", output, package],
            module,
        )


def _go_mod(component: Component) -> str:
    go = GO_TOOLCHAIN.removeprefix("go")
    lines = [f"module {component.name.split('-')[0]}.invalid", f"go {go}"]
    lines += [f"require {name} {version}" for name, version in component.modules.items()]
    if component.staging:
        # Its go.mod requires its staging modules at v0.0.0 and replaces each by a folder; each is
        # published as a module of its own as well.
        published = _staging_modules(component)
        lines += [f"replace {name} => {name} {component.staging}" for name in published]
    return "\n".join(lines) + "\n"


def _staging_modules(component: Component) -> list[str]:
    text = Path(_download(component)["GoMod"]).read_text(encoding="utf-8")
    return sorted(set(_STAGING.findall(text)))


def _download(component: Component) -> dict[str, str]:
    """Return what `go mod download` prints of a component's one module."""
    ((name, version),) = component.modules.items()
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, str] = json.loads(
            _go(["mod", "download", "-json", f"{name}@{version}"], Path(folder))
        )
    return found


def require_go() -> None:
    """Raise BuildFailed if Go is not installed."""
    if shutil.which("go") is None:
        raise _no_go()


def _no_go() -> BuildFailed:
    return BuildFailed(
        "Go is not installed, so the programs of a real cluster cannot be built: install Go, or"
        " name a folder of official programs with REAL_KUBE_DIR."
    )


def _go(arguments: list[str], folder: Path) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": GO_TOOLCHAIN, "GOWORK": "off"}
    try:
        done = subprocess.run(
            ["go", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise _no_go() from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-10:])
        raise BuildFailed(f"`go {' '.join(arguments)}` failed:\n{last}")
    return done.stdout
