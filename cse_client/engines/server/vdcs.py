"""What is checked in VCD about an org VDC, because a CSE server does not check it in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cse_client.errors import CseError, NotFound, Refused
from cse_client.model import ClusterSummary
from cse_client.vcd.client import VcdClient

__all__ = ["check_network_and_profiles", "rows_of_known_vdc"]


def rows_of_known_vdc(
    vcd: VcdClient, rows: Iterator[ClusterSummary], vdc: str, org: str
) -> Iterator[ClusterSummary]:
    """Yield the rows of a list; when there are none, check that the VDC exists.

    A server answers with an empty list for a VDC that it does not know. Two requests at most.

    Raises:
        NotFound: there is no such VDC.
    """
    empty = True
    for row in rows:
        empty = False
        yield row
    everywhere = not org and vcd.session.is_system_administrator
    if empty and vdc and not everywhere:
        vcd.surroundings.vdc(vdc, org)


def check_network_and_profiles(
    vcd: VcdClient,
    network: str,
    profiles: Iterable[str],
    vdc: str,
    org: str,
    *,
    hints: tuple[str, str] = (
        "Specify one of them with --network.",
        "Specify one of them with --storage-profile.",
    ),
) -> list[CseError]:
    """Return an error for each network and storage profile that a VDC does not have.

    The server only notices after it has accepted, and its task then fails. Empty names are not
    looked for. Where VCD shows this user no networks or no profiles, none counts as missing.
    `hints` show where another one is named.
    """
    wanted = sorted({profile for profile in profiles if profile})
    if not network and not wanted:
        return []
    try:
        where = vcd.surroundings.vdc(vdc, org)
        networks = sorted(vcd.surroundings.vdc_document(where).networks) if network else []
        known = vcd.surroundings.storage_profiles(where) if wanted else []
    except NotFound as problem:
        return [problem]
    except Refused:
        return []
    problems: list[CseError] = []
    if networks and network not in networks:
        problems.append(_missing(where.name, f"network '{network}'", networks, hints[0]))
    names = sorted(profile.name for profile in known)
    for profile in wanted:
        if names and profile not in names:
            noun = f"storage profile '{profile}'"
            problems.append(_missing(where.name, noun, names, hints[1]))
    return problems


def _missing(vdc: str, noun: str, available: Sequence[str], hint: str) -> NotFound:
    listed = ", ".join(available)
    return NotFound(f"VDC '{vdc}' has no {noun}; available: {listed}.", hint=hint)
