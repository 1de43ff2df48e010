"""What a login takes from what was typed and from what VCD serves."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from cse_client.errors import Refused
from cse_client.model import Session
from cse_client.vcd.login import Login, roughly, seconds_ahead, version_to_use
from tests.support.scripted_vcd import ScriptedVcd


@pytest.mark.parametrize(
    ("served", "version"),
    [
        (["39.1", "39.0", "38.1"], "39.1"),
        (["40.0", "39.1"], "39.1"),
        (["37.10", "37.3"], "37.10"),
        # deprecated ones come last, and are better than none
        (["38.0", "37.3", "36.3"], "38.0"),
        (["41.0", "36.3"], "36.3"),
        (["40.0", "32.0"], ""),
        ([], ""),
    ],
)
def test_the_newest_version_that_both_know(served: list[str], version: str) -> None:
    assert version_to_use(served) == version


def test_no_version_in_common(scripted: ScriptedVcd) -> None:
    scripted.answer(
        "GET /api/versions",
        """<SupportedVersions xmlns="http://www.vmware.com/vcloud/versions">
        <VersionInfo deprecated="false"><Version>40.0</Version></VersionInfo>
        <VersionInfo deprecated="false"><Version>41.0</Version></VersionInfo>
        </SupportedVersions>""",
    )
    session = scripted.session()
    with pytest.raises(Refused) as caught:
        Login(Session(session.host, "acme", "bob", "", ""))
    assert caught.value.message == (
        f"VCD at {session.host} offers no API version that this client knows (33.0 to 39.1): it"
        " offers 41.0, 40.0."
    )
    # nobody is logged in yet: no token goes out, not even an empty one
    (request,) = scripted.requests
    assert "authorization" not in {name.lower() for name in request.headers}


@pytest.mark.parametrize("hours", [-25, -1, 0, 3])
def test_how_far_the_clock_is_ahead(hours: int) -> None:
    theirs = datetime.now(timezone.utc) - timedelta(hours=hours)
    assert abs(seconds_ahead(format_datetime(theirs, usegmt=True)) - hours * 3600) < 5


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Nov 2026 00:00:00 GMT"])
def test_no_date_is_no_difference(date: str) -> None:
    assert seconds_ahead(date) == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (86400, "1 day"),
        (200000, "2 days"),
        (7200, "2 hours"),
        (600, "10 minutes"),
        (90, "2 minutes"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert roughly(seconds) == words
