"""What the engine does not load before it is needed: a list is not to wait for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

OPENING = "import cse_client.engines.choice, cse_client.engines.direct.engine"
#: What listing clusters needs besides, and what minting a kubeconfig needs.
LIST = "import cse_client.engines.direct.summary, cse_client.cli.tables"
CONFIG = "import cse_client.engines.direct.credentials, cse_client.engines.direct.custody"
CHANGES = ("cse_client.engines.direct.changes", "cse_client.engines.direct.operations.create")
KUBERNETES = ("cse_client.kube.api", "cse_client.kube.kubeconfig.document", "lightkube", "httpx2")
KEYS = ("cse_client.guest.pki", "cse_client.guest.render", "cryptography")


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (f"{OPENING}\n{LIST}", CHANGES + KUBERNETES + KEYS),
        (f"{OPENING}\n{CONFIG}", CHANGES + KUBERNETES[:1]),
    ],
    ids=["cluster list", "cluster config"],
)
def test_what_is_not_needed_is_not_loaded(code: str, absent: tuple[str, ...]) -> None:
    look = f"{code}\nimport sys\nprint([name for name in {absent!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
