"""Which API versions each VCD release serves.

Lists of 10.2, 10.3.3 and 10.5 as issues of vmware/pyvcloud (736), go-vcloud-director (477) and
manageiq-providers-vmware (893) show them; 10.4 and 10.6 continue their pattern, and 36.x is
taken to be gone from 10.6 (it was deprecated in 10.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cse_client.simulator.vcd.errors import VcdError

__all__ = ["RELEASES", "Release", "key"]


def key(version: str) -> tuple[int, int]:
    """Return a version's numbers for comparison: 37.3 < 38.0 < 38.10; alpha is as its release."""
    major, minor = (*version.split("."), "0")[:2]
    return int(major), int(minor)


@dataclass(frozen=True)
class Release:
    """A VCD release: the API versions it serves, newest first, and which are deprecated."""

    name: str
    current: tuple[str, ...]
    deprecated: tuple[str, ...] = ()
    alpha: tuple[str, ...] = ()

    def serves(self, version: str) -> bool:
        """Return whether requests of this version are answered."""
        return version in self.current or version in self.deprecated or version in self.alpha

    def not_acceptable(self) -> VcdError:
        """Return the 406 that names the served versions, `[D]` behind deprecated ones."""
        names = [*self.alpha, *self.current, *(f"{one} [D]" for one in self.deprecated)]
        return VcdError(
            406,
            "NOT_ACCEPTABLE",
            "The request has invalid accept header: Invalid API version requested. Supported API"
            f" versions are: [{', '.join(names)}] ([D] indicates deprecated versions).",
        )


RELEASES: Mapping[str, Release] = {
    release.name: release
    for release in (
        Release("10.1", ("34.0", "33.0", "32.0", "31.0"), ("30.0", "29.0")),
        Release("10.2", ("35.2", "35.0", "34.0", "33.0", "32.0"), ("31.0", "30.0")),
        Release(
            "10.3",
            ("36.3", "36.2", "36.1", "36.0", "35.2", "35.0", "34.0"),
            ("33.0", "32.0", "31.0"),
            ("37.0.0-alpha",),
        ),
        Release(
            "10.4",
            ("37.2", "37.1", "37.0", "36.3", "36.2", "36.1", "36.0", "35.2", "35.0"),
            ("34.0", "33.0"),
            ("38.0.0-alpha",),
        ),
        Release(
            "10.5",
            ("38.1", "38.0", "37.2", "37.1", "37.0"),
            ("36.3", "36.2", "36.1", "36.0", "35.2", "35.0"),
            ("39.0.0-alpha",),
        ),
        Release(
            "10.6",
            ("39.1", "39.0", "38.1", "38.0"),
            ("37.3", "37.2", "37.1", "37.0"),
            ("40.0.0-alpha",),
        ),
    )
}
