"""A CSE server that is not there, down, disabled, busy or beside itself: one sentence, one code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.served import CLUSTER, ROW, SYSTEM, TASK, Served, answer, failure, write_profile
from tests.support.programs import Result
from tests.support.scripted_vcd import Answer

Run = Callable[..., Result]

PROBE = "GET /api/cse/system"
LIST = "GET /api/cse/clusters?org_name=acme"
INFO = "GET /api/cse/cluster/blue?org_name=acme"
DIRECT = "Hint: Without the server: cse --engine direct cluster list\n"
XML_404 = Answer(
    '<Error xmlns="http://www.vmware.com/vcloud/v1.5" majorErrorCode="404" message="Not Found"'
    ' minorErrorCode="NOT_FOUND"/>',
    404,
)
JSON_504 = answer(
    {"minorErrorCode": "INTERNAL_SERVER_ERROR", "message": "Timed out", "majorErrorCode": 504}, 504
)
HTML = Answer("<html><body>Sign in</body></html>", 200, "text/html")
EMPTY = Answer("", 200, "")
NO_JSON = Answer("<html><body>Oops</body></html>", 500, "text/html")
EXPIRED = Answer("", 401, "")
NO_CLUSTERS_LISTED = "No clusters in organization acme.\n"
NO_CLUSTERS = '<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="0"/>'


@pytest.mark.parametrize(
    ("probe", "seen"),
    [
        (JSON_504, "HTTP 504"),
        (Answer("", 503, ""), "HTTP 503"),
        (EMPTY, "HTTP 200 with an empty body"),
        (NO_JSON, "HTTP 500 with text/html, which is not an answer of a CSE server"),
    ],
)
def test_a_server_that_does_not_answer(cse: Run, served: Served, probe: Answer, seen: str) -> None:
    served.set(PROBE, probe)
    result = cse("cluster", "list")
    assert (result.out, result.code) == ("", 1)
    assert result.err == (
        f"Error: A CSE server is registered with VCD at {served.base} but does not answer "
        f"({seen}).\n{DIRECT}"
    )
    # asked again where a moment later may do; VCD itself has waited long enough before its 504
    assert served.asked() == [PROBE] * (3 if probe.status in (500, 503) else 1)


def test_a_page_in_place_of_vcd(cse: Run, served: Served) -> None:
    served.set(PROBE, HTML)
    result = cse("cluster", "list")
    assert (result.out, result.code) == ("", 1)
    assert "does not answer like VMware Cloud Director (an HTML page without a title)" in result.err


PROXY_403 = Answer("<html><title>Blocked by policy</title></html>", 403, "text/html")


@pytest.mark.parametrize(
    ("probe", "what"),
    [
        (PROXY_403, 'HTTP 403 and an HTML page titled "Blocked by policy"'),
        (Answer("<html>Not Found</html>", 404, "text/html"), "HTTP 404 and an HTML page without"),
        (Answer("", 404, ""), "HTTP 404 and an empty body"),
        (Answer("default backend - 404", 404, "text/plain"), "HTTP 404 and text/plain"),
        (answer({"message": "Forbidden"}, 403), "HTTP 403 and JSON"),
        (Answer("<Error><Code>NoSuchKey</Code></Error>", 404), "HTTP 404 and XML"),
        (Answer("<html>Not Acceptable</html>", 406, "text/html"), "HTTP 406 and an HTML page"),
    ],
)
def test_only_vcd_itself_says_that_there_is_no_server(
    cse: Run, served: Served, probe: Answer, what: str
) -> None:
    served.set(PROBE, probe)
    result = cse("cluster", "list")
    assert (result.out, result.code) == ("", 1)
    assert result.err.startswith(
        f"Error: Cannot ask VCD at {served.base} for a CSE server: GET /api/cse/system was answered"
        f" with {what}"
    )
    assert result.err.endswith(
        ", which is not VCD's answer.\nHint: Check whether a proxy answers instead (HTTPS_PROXY, "
        "NO_PROXY). Without the server: cse --engine direct cluster list\n"
    )
    assert served.asked() == [PROBE]


@pytest.mark.parametrize(
    "probe",
    [
        XML_404,
        Answer(XML_404.body.replace("404", "403"), 403),
        answer({"minorErrorCode": "NOT_FOUND", "message": "unknown", "stackTrace": None}, 404),
    ],
)
def test_vcd_itself_says_that_there_is_no_server(cse: Run, served: Served, probe: Answer) -> None:
    served.set(PROBE, probe)
    served.set("GET /api/query*", NO_CLUSTERS)
    result = cse("cluster", "list")
    assert (result.out, result.err, result.code) == ("", NO_CLUSTERS_LISTED, 0)


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        (XML_404, "no CSE server is registered in this cloud"),
        (answer(SYSTEM), "chosen, although a CSE server answers (2.6.1)"),
        (JSON_504, "chosen; a CSE server is registered but does not answer (HTTP 504)"),
        (PROXY_403, "chosen; whether there is a CSE server is not known: "),
    ],
)
def test_what_the_direct_engine_knows_of_a_server(
    cse: Run, served: Served, probe: Answer, said: str
) -> None:
    served.set(PROBE, probe)
    served.set(
        "GET /api/versions",
        '<SupportedVersions xmlns="http://www.vmware.com/vcloud/versions"><VersionInfo>'
        "<Version>36.0</Version></VersionInfo></SupportedVersions>",
    )
    result = cse("--engine", "direct", "system", "info")
    assert said in result.out, result.err


@pytest.mark.parametrize(
    ("words", "direct"),
    [
        ("cluster info blue", True),
        ("cluster create blue --network net1", True),
        ("cluster create blue --network net1 --enable-nfs", False),
        ("node create blue --enable-nfs", False),
        ("cluster info --id urn:vcloud:entity:cse:nativeCluster:2.1.0:1", False),
        ("cluster delete blue --yes", True),
        ("cluster delete blue --yes --force", False),
        ("cluster upgrade-plan blue", True),
        ("cluster upgrade blue t 1", True),
        ("cluster delete-nfs blue nfsd-a1b2", False),
        ("cluster share-list --name blue", False),
        ("ovdc list", False),
        ("system enable", False),
        ("template list", True),
        ("template reload", False),
    ],
)
def test_the_way_without_the_server_is_shown_where_there_is_one(
    cse: Run, served: Served, words: str, direct: bool
) -> None:
    served.set(PROBE, JSON_504)
    result = cse(*words.split())
    assert (result.out, result.code) == ("", 1)
    hint = f"Without the server: cse --engine direct {words}"
    if not direct:
        hint = "This requires the CSE server: ask the provider, who operates it."
    assert result.err.endswith(f"does not answer (HTTP 504).\nHint: {hint}\n")


def test_without_the_server_its_state_does_not_matter(cse: Run, served: Served) -> None:
    served.set(PROBE, JSON_504)
    served.set("GET /api/query*", NO_CLUSTERS)
    result = cse("--engine", "direct", "cluster", "list")
    assert (result.out, result.err, result.code) == ("", NO_CLUSTERS_LISTED, 0)
    assert PROBE not in served.asked()


def test_a_list_of_a_vdc_that_does_not_exist(cse: Run, served: Served) -> None:
    served.get("/api/cse/clusters*", [])
    served.set("GET /api/query*", NO_CLUSTERS)
    result = cse("cluster", "list", "--vdc", "nope")
    assert (result.out, result.code) == ("", 3)
    assert result.err == "Error: Organization 'acme' has no VDC 'nope'; available: none.\n"
    # the one in use is known to exist
    assert cse("cluster", "list", "--vdc", "vdc1").code == 0


def test_no_server_means_the_direct_engine(cse: Run, served: Served) -> None:
    served.set(PROBE, XML_404)
    served.set("GET /api/query*", NO_CLUSTERS)
    result = cse("cluster", "list")
    assert (result.out, result.err, result.code) == ("", NO_CLUSTERS_LISTED, 0)
    first, query = served.asked()
    assert first == PROBE
    assert query.startswith("GET /api/query")


@pytest.mark.parametrize("way", ["option", "variable", "profile"])
def test_ways_to_choose_the_engine(cse: Run, served: Served, home: Path, way: str) -> None:
    served.set("GET /api/query*", NO_CLUSTERS)
    if way == "profile":
        write_profile(home, served.base, cse_engine="direct")
    words = ["--engine", "direct"] if way == "option" else []
    result = cse(
        *words, "cluster", "list", env={"CSE_ENGINE": "direct"} if way == "variable" else {}
    )
    assert (result.out, result.err, result.code) == ("", NO_CLUSTERS_LISTED, 0)
    assert PROBE not in served.asked()


def test_the_option_beats_the_profile(cse: Run, served: Served, home: Path) -> None:
    write_profile(home, served.base, cse_engine="direct")
    served.get("/api/cse/clusters?org_name=acme", [])
    assert cse("--engine", "auto", "cluster", "list").code == 0
    assert served.asked() == [PROBE, LIST]


def test_a_word_that_is_no_engine(cse: Run, served: Served, home: Path) -> None:
    write_profile(home, served.base, cse_engine="both")
    result = cse("cluster", "list")
    assert (result.code, served.asked()) == (2, [])
    assert result.err == (
        "Error: The engine 'both' does not exist (cse_engine in ~/.vcd-cli/profiles.yaml).\n"
        "Hint: Use one of: auto, direct, server.\n"
    )
    assert cse("--engine", "both", "cluster", "list").code == 2


def test_a_server_that_must_be_there(cse: Run, served: Served) -> None:
    served.set(PROBE, XML_404)
    result = cse("--engine", "server", "cluster", "list")
    assert (result.out, result.code) == ("", 3)
    assert result.err == f"Error: VCD at {served.base} has no CSE server registered.\n{DIRECT}"


@pytest.mark.parametrize(
    ("words", "server"),
    [
        (["ovdc", "list"], "a CSE server"),
        (["system", "disable"], "a CSE server"),
        (
            ["cluster", "delete-nfs", "blue", "nfs-1"],
            "a CSE server 3 that is not in legacy mode",
        ),
    ],
)
def test_what_needs_a_server(cse: Run, served: Served, words: list[str], server: str) -> None:
    served.set(PROBE, XML_404)
    result = cse(*words)
    assert (result.out, result.code) == ("", 2)
    assert result.err == (
        f"Error: `{' '.join(words[:2])}` requires {server}, and the direct engine is in use.\n"
        "Hint: `cse system info` shows why.\n"
    )


TROUBLE = [
    (
        failure("CSE service is disabled. Contact the System Administrator.", 400),
        4,
        "Error: Cannot list the clusters: CSE service is disabled. Contact the System "
        "Administrator.\nHint: A system administrator can enable it: cse system enable. "
        "Without the server: cse --engine direct cluster list\n",
    ),
    (
        failure("Access Forbidden. Missing required rights: ['{cse}:CSE NATIVE DEPLOY RIGHT']."),
        4,
        "Error: Cannot list the clusters: Access Forbidden. Missing required rights: "
        "['{cse}:CSE NATIVE DEPLOY RIGHT'].\n"
        "Hint: An organization administrator can grant the right.\n",
    ),
    (
        failure("The vCD is broken."),
        1,
        "Error: Cannot list the clusters: The vCD is broken.\nVCD: HTTP status 500\n",
    ),
    (
        HTML,
        1,
        "Error: Cannot list the clusters: got an HTML page without a title where the CSE server "
        "answers JSON.\n"
        "VCD: HTTP status 200\n"
        "Hint: Check whether a proxy answers instead (HTTPS_PROXY, NO_PROXY).\n",
    ),
    (
        EMPTY,
        1,
        "Error: Cannot list the clusters: the CSE server gave an empty answer.\n"
        f"VCD: HTTP status 200\n{DIRECT}",
    ),
    (
        NO_JSON,
        1,
        "Error: Cannot list the clusters: got HTTP 500 and text/html, which is not a VCD answer.\n"
        "VCD: HTTP status 500\n"
        "Hint: Check whether a proxy answers instead (HTTPS_PROXY, NO_PROXY).\n",
    ),
    (
        answer({"message": "Invalid Accept header."}, 406),
        1,
        "Error: Cannot list the clusters: Invalid Accept header.\nVCD: HTTP status 406\n",
    ),
    (
        JSON_504,
        1,
        "Error: Cannot list the clusters: a CSE server is registered with VCD at {base} but does "
        f"not answer.\nVCD: HTTP status 504\n{DIRECT}",
    ),
    (
        EXPIRED,
        4,
        "Error: The session at {base} has expired or is not valid (cannot list the clusters).\n"
        "Hint: Log in again: cse login {base} acme bob\n",
    ),
    (
        failure("Status code: 401, None (request id: 1)"),
        4,
        "Error: The session at {base} has expired or is not valid (Status code: 401, None "
        "(request id: 1)).\nHint: Log in again: cse login {base} acme bob\n",
    ),
    (
        answer({"not": "a list"}),
        1,
        "Error: The CSE server's answer cannot be understood: the list of clusters is not as "
        "expected.\n",
    ),
]


@pytest.mark.parametrize(("bad", "code", "err"), TROUBLE)
def test_a_bad_answer_to_a_read(cse: Run, served: Served, bad: Answer, code: int, err: str) -> None:
    served.set(LIST, bad)
    result = cse("cluster", "list")
    assert (result.out, result.code) == ("", code)
    assert result.err == err.replace("{base}", served.base)
    assert served.asked() == [PROBE, LIST]


def test_an_error_is_one_document(cse: Run, served: Served) -> None:
    served.set(INFO, failure("Cluster 'blue' not found."))
    result = cse("cluster", "info", "blue", options=("-j",))
    assert result.code == 3
    assert json.loads(result.out)["error"] == "Cluster 'blue' was not found."


def test_a_missing_vdc_is_not_told_as_a_missing_cluster(cse: Run, served: Served) -> None:
    served.set(INFO, failure("VDC 'vdc9' not found in ORG 'acme'"))
    result = cse("cluster", "info", "blue")
    assert result.code == 3
    assert "was not found" not in result.err
    assert result.err.endswith(
        "VDC 'vdc9' not found in ORG 'acme'.\nHint: List them: vcd vdc list\n"
    )


def test_a_read_is_asked_again_after_a_hiccup(cse: Run, served: Served) -> None:
    busy = answer({"CSE Server Busy": "try later"}, 429)
    served.set(LIST, busy, Answer(drop=True), answer([ROW]))
    result = cse("cluster", "list")
    assert (result.err, result.code) == ("", 0)
    assert served.asked() == [PROBE, LIST, LIST, LIST]


def test_a_server_that_stays_busy(cse: Run, served: Served) -> None:
    served.set(LIST, answer({"CSE Server Busy": "too many requests"}, 429))
    result = cse("cluster", "list")
    assert (result.out, result.code) == ("", 1)
    assert result.err == (
        "Error: Cannot list the clusters: the CSE server is busy: too many requests.\n"
        "VCD: HTTP status 429\nHint: Try again later.\n"
    )


def test_an_expired_session_is_told_at_the_first_request(cse: Run, served: Served) -> None:
    served.set(PROBE, EXPIRED)
    result = cse("cluster", "list")
    assert (result.out, result.code, served.asked()) == ("", 4, [PROBE])
    assert result.err.endswith(f"Hint: Log in again: cse login {served.base} acme bob\n")


@pytest.mark.parametrize(
    ("bad", "code", "err"),
    [
        (
            failure("Cluster 'blue' already exists."),
            1,
            "Error: Cannot start the creation of cluster 'blue': Cluster 'blue' already exists.\n",
        ),
        (
            failure("VDC 'vdc9' not found in ORG 'acme'"),
            3,
            "Error: Cannot start the creation of cluster 'blue': VDC 'vdc9' not found in ORG "
            "'acme'.\nHint: List them: vcd vdc list\n",
        ),
        (
            failure("Template 't' at revision 9 not found."),
            3,
            "Error: Cannot start the creation of cluster 'blue': Template 't' at revision 9 not "
            "found.\nHint: List them: cse template list\n",
        ),
        (
            failure("Missing network_name", 400, 4008),
            2,
            "Error: Missing option '-n' / '--network'.\n"
            "Hint: `vcd network list` shows the networks of the VDC.\n",
        ),
        (
            failure("network 'x' is not valid", 400, 4009),
            2,
            "Error: Invalid or missing value for option '-n' / '--network' (network 'x' is not "
            "valid).\n"
            "Hint: `vcd network list` shows the networks of the VDC.\n",
        ),
    ],
)
def test_a_creation_that_is_refused(
    cse: Run, served: Served, bad: Answer, code: int, err: str
) -> None:
    served.set("POST /api/cse/clusters", bad)
    result = cse("cluster", "create", "blue", "-n", "net1")
    assert (result.out, result.err, result.code) == ("", err, code)
    assert served.asked() == [PROBE, "GET /api/vdc/1", "POST /api/cse/clusters"]


@pytest.mark.parametrize(
    "cut", [JSON_504, Answer(drop=True), Answer("<html>Bad Gateway</html>", 502, "text/html")]
)
def test_a_creation_that_is_cut_off_is_followed_not_repeated(
    cse: Run, served: Served, cut: Answer
) -> None:
    place = f"{INFO}&ovdc_name=vdc1"
    served.set("POST /api/cse/clusters", cut)
    half = {**CLUSTER, "nodes": CLUSTER["nodes"][:1]}
    served.set(
        place, failure("Cluster 'blue' not found."), answer(half), answer(CLUSTER), answer(CLUSTER)
    )
    result = cse("cluster", "create", "blue", "-n", "net1")
    assert result.code == 0, result.err
    assert result.out.startswith("Cluster blue is ready: 1 control plane and 2 workers, ")
    assert "VCD gave no answer about the creation of cluster 'blue'" in result.err
    looks = [one for one in served.asked() if not one.startswith("GET /api/query?type=task&")]
    assert looks == [PROBE, "GET /api/vdc/1", "POST /api/cse/clusters", place, place, place, place]


def test_a_cut_off_creation_without_an_effect_is_given_up(cse: Run, served: Served) -> None:
    served.set("POST /api/cse/clusters", JSON_504)
    served.set("GET /api/cse/cluster/blue*", failure("Cluster 'blue' not found."))
    result = cse("cluster", "create", "blue", "-n", "net1", "--timeout", "1s")
    assert (result.out, result.code) == ("", 5)
    assert result.err.endswith("Hint: cse cluster info blue\n")
    assert served.asked().count("POST /api/cse/clusters") == 1


def test_who_may_make_no_vapps_is_refused_before(cse: Run, served: Served) -> None:
    """The server works with the user's own token, and says only that it is not supported."""
    served.set("GET /api/vdc/1", '<Vdc xmlns="http://www.vmware.com/vcloud/v1.5" name="vdc1"/>')
    result = cse("cluster", "create", "blue", "-n", "net1")
    assert (result.out, result.code) == ("", 4)
    assert "you may not create vApps in VDC 'vdc1'" in result.err.replace("You", "you")
    assert served.asked() == [PROBE, "GET /api/vdc/1"]


#: What 2.6.1 says of a cluster that the query still lists while its vApp is being deleted.
VANISHING = failure(
    "Status code: 403/ACCESS_TO_RESOURCE_IS_FORBIDDEN, [ 5-a ] Either you need some or all of the "
    'following rights [Base] to perform operations [VAPP_VIEW] for 1 or the target entity is "'
    "invalid. (request id: 5-a)"
)
GONE = failure("Cluster 'blue' not found.")


@pytest.mark.parametrize("cut", [True, False])
def test_a_deletion_whose_cluster_is_denied_while_it_vanishes(
    cse: Run, served: Served, cut: bool
) -> None:
    path = "/api/cse/cluster/blue?org_name=acme"
    href = f"https://elsewhere.example/api/task/{TASK}"
    accepted = answer({"cluster_name": "blue", "task_href": href}, 202)
    served.tasks(("success", "Done"))
    served.set(f"DELETE {path}", JSON_504 if cut else accepted)
    served.set("GET /api/cse/cluster/blue*", answer(CLUSTER), VANISHING, VANISHING, GONE)
    result = cse("cluster", "delete", "blue", "--yes")
    assert (result.out, result.code) == (
        "Cluster blue is deleted: its vApp no longer exists.\n",
        0,
    ), result.err
    assert served.asked().count(f"DELETE {path}") == 1


def test_a_session_that_ends_while_an_effect_is_awaited(cse: Run, served: Served) -> None:
    served.set("POST /api/cse/clusters", JSON_504)
    served.set("GET /api/cse/cluster/blue*", EXPIRED)
    result = cse("cluster", "create", "blue", "-n", "net1")
    assert (result.out, result.code) == ("", 4)
    assert "log in again" in result.err.lower()


def test_nobody_waits_for_a_change_without_an_answer(cse: Run, served: Served) -> None:
    served.set("POST /api/cse/clusters", JSON_504)
    result = cse("cluster", "create", "blue", "-n", "net1", options=("-n",))
    assert (result.out, result.code) == ("", 5)
    assert "VCD gave no answer about the creation of cluster 'blue'" in result.err
    assert result.err.endswith("Hint: cse cluster info blue\n")


def test_a_change_that_the_server_turned_away_is_sent_again(cse: Run, served: Served) -> None:
    served.tasks(("success", "Done"))
    href = f"https://elsewhere.example/api/task/{TASK}"
    served.set(
        "POST /api/cse/clusters",
        answer({"CSE Server Busy": "later"}, 429),
        answer({"name": "blue", "task_href": href}, 202),
    )
    result = cse("cluster", "create", "blue", "-n", "net1")
    assert result.code == 0, result.err
    assert served.asked().count("POST /api/cse/clusters") == 2


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ({"cse_server_api_version": "33.0", "version": "3.0.5"}, "33.0"),
        (
            {
                "version": "3.1.4",
                "cse_server_api_version": "36.0",
                "cse_server_supported_api_versions": ["33.0", "34.0", "35.0", "36.0"],
                "cse_server_running_in_legacy_mode": True,
            },
            "34.0",
        ),
    ],
)
def test_cse_3_in_legacy_mode(
    cse: Run, served: Served, said: dict[str, object], version: str
) -> None:
    served.get("/api/cse/system", {**SYSTEM, **said})
    served.get("/api/cse/clusters?org_name=acme", [])
    assert cse("cluster", "list").code == 0
    assert served.asked() == [PROBE, LIST]
    accepts = [request.headers["Accept"] for request in served.vcd.requests]
    assert accepts[1] == f"application/json;version={version}"


def test_a_server_of_the_future(cse: Run, served: Served) -> None:
    served.get("/api/cse/system", {**SYSTEM, "version": "4.0.0", "cse_server_api_version": "40.0"})
    result = cse("cluster", "list")
    assert (result.out, result.code) == ("", 1)
    assert result.err == (
        "Error: CSE server 4.0.0 uses API version 40.0, which this client does not support.\n"
        f"{DIRECT}"
    )
