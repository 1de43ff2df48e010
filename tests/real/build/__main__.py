"""`python -m tests.real.build`: build what is missing of a real cluster's programs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.real.build.components import KUBERNETES, SHARED, kubernetes
from tests.real.build.golang import BuildFailed, build, built
from tests.real.build.kit import kit_folder, make_kit
from tests.real.build.places import cache_folder, official_folder
from tests.real.build.store import StoreFailed


def main() -> int:
    """Build; print the folder for the simulator's --real-dir; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.build", description=__doc__)
    parser.add_argument(
        "release", nargs="*", default=list(KUBERNETES), help="Kubernetes releases, such as v1.37.2"
    )
    options = parser.parse_args()
    cache = cache_folder()
    programs = official_folder() or cache
    try:
        for component in (*SHARED, *map(kubernetes, options.release)):
            if built(programs, component):
                continue
            if programs != cache:
                raise BuildFailed(f"REAL_KUBE_DIR holds no complete {component.name} folder.")
            with _announced(component.name):
                build(cache, component)
        for release in options.release:
            if not (kit_folder(cache) / release).is_dir():
                with _announced(f"the images of {release}"):
                    make_kit(cache, programs, release)
    except (BuildFailed, StoreFailed) as error:
        print(error, file=sys.stderr)
        return 1
    print(kit_folder(cache))
    return 0


@contextmanager
def _announced(what: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"Building {what} ...", file=sys.stderr, flush=True)
    yield
    print(f"Built {what} in {time.monotonic() - began:.0f} s.", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
