"""`python -m tests.real.build`: build what is missing of a real cluster's programs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cse_client.simulator.guest.real import what_is_missing
from tests.real.build.components import KUBERNETES, MANIFESTS, SHARED, Component, kubernetes
from tests.real.build.golang import BuildFailed, build, built, require_go
from tests.real.build.kit import kit_folder, make_kit
from tests.real.build.old import remove_unused
from tests.real.build.packages import make_packages
from tests.real.build.places import cache_folder, folder_of
from tests.real.build.plain import PlainFailed, is_made, make_plain, plain_folder
from tests.real.build.store import StoreFailed


def main() -> int:
    """Build; print the folder for the simulator's --real-dir; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.build", description=__doc__)
    parser.add_argument(
        "release", nargs="*", default=list(KUBERNETES), help="Kubernetes releases, such as v1.37.2"
    )
    options = parser.parse_args()
    cache = cache_folder()
    missing = what_is_missing()
    if missing:
        print(missing, file=sys.stderr)
        return 1
    programs = (*SHARED, *map(kubernetes, options.release))
    try:
        _check(programs)
        cache.mkdir(parents=True, exist_ok=True)
        # It waits for the mirror and for one package after the other; Go needs the processors.
        plain = ThreadPoolExecutor(1).submit(_provide_plain, kit_folder(cache))
        for component in programs:
            _provide(component)
        for release in options.release:
            if not (kit_folder(cache) / release).is_dir():
                with _announced(f"the images of {release}"):
                    make_kit(cache, release)
        print(kit_folder(cache))
        for component in MANIFESTS:
            _provide(component)
        plain.result()
        for release in options.release:
            make_packages(kit_folder(cache), release)
        folders = [folder_of(one) for one in (*programs, *MANIFESTS)]
        for old in remove_unused(cache, [*folders, kit_folder(cache)]):
            print(f"Removed {old}, which was not used for 30 days.", file=sys.stderr)
    except (BuildFailed, StoreFailed, PlainFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The cache {cache} cannot be used: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


def _check(programs: Iterable[Component]) -> None:
    """Raise BuildFailed, before anything is begun, if the programs cannot all be had."""
    missing = [one for one in programs if not built(folder_of(one), one)]
    for component in missing:
        if folder_of(component).parent != cache_folder():
            raise BuildFailed(
                f"REAL_KUBE_DIR has no folder {component.name} with {', '.join(component.files)}."
            )
    if missing:
        require_go()


def _provide(component: Component) -> None:
    if not built(folder_of(component), component):
        with _announced(component.name):
            build(cache_folder(), component)


def _provide_plain(kits: Path) -> None:
    if not is_made(plain_folder(kits)):
        with _announced("a plain machine"):
            make_plain(kits)


@contextmanager
def _announced(what: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"Building {what} ...", file=sys.stderr, flush=True)
    yield
    print(f"Built {what} in {time.monotonic() - began:.0f} s.", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
