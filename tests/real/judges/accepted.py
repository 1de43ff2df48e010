"""What stays different, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.real.judges.comparing import Difference

__all__ = ["ACCEPTED", "Accepted", "sort_out"]


@dataclass(frozen=True)
class Accepted:
    """Differences that stay, and why; of one release only where `release` begins its version.

    `question` and `path` are patterns, where `*` is any text.
    """

    question: str
    path: str
    reason: str
    release: str = ""

    def covers(self, difference: Difference) -> bool:
        """Return whether a difference is one of these."""
        # fnmatch takes brackets for sets of letters; paths hold them.
        pattern = self.path.replace("[", "[[]")
        return fnmatchcase(difference.question, self.question) and fnmatchcase(
            difference.path, pattern
        )


_CONTROLLERS = "the imitation has controllers, the API server alone has none"
_GO = "the message quotes Go's own JSON reader or types; nobody parses it"
_NO_TOKENS = "tokens of service accounts are not imitated (501)"
_AGGREGATED = (
    "only /apis/GROUP is imitated; clients that ask for all groups at once fall back to it"
)
_NO_SCHEMAS = "there are no schemas; kubectl then leaves validation to the API server"
_REVIEWED = "objects that are not stored have no field managers in the imitation"
_KNOWN = "the imitation does not say by which binding somebody may"
_WHOLE_OBJECT = "the message holds the whole object, or how it differs"
_GARBAGE = "foreground deletion is done at once (see simulator/kube/deletion.py)"
_DUPLICATES = "a key that is there twice is not noticed; clients send none"
_CRD_COLUMNS = "1.37 prints more columns of CRDs"

ACCEPTED: tuple[Accepted, ...] = (
    Accepted("discovery of all groups at once", "*", _AGGREGATED),
    Accepted("OpenAPI as kubectl asks for it", "body", _NO_SCHEMAS),
    Accepted("OpenAPI 3", "*", _NO_SCHEMAS),
    Accepted("a label by a strategic patch", "body.spec.taints.[1]", _CONTROLLERS),
    Accepted("a condition by a strategic patch", "body.spec.taints.[1]", _CONTROLLERS),
    Accepted("get a node's state", "body.spec.taints.[1]", _CONTROLLERS),
    Accepted("a container by a strategic patch", "body.*", _CONTROLLERS),
    Accepted("the budget's state", "*.managedFields.*", _CONTROLLERS),
    Accepted("the budgets' table", "*.managedFields.*", _CONTROLLERS),
    Accepted("its state", "*.managedFields.*", _CONTROLLERS),
    Accepted("that budget's state", "*.managedFields.*", _CONTROLLERS),
    Accepted("a smaller budget", "body.*", _CONTROLLERS),
    Accepted("a budget that lets unready pods go", "body.*", _CONTROLLERS),
    Accepted("delete all budgets", "body.items.*", _CONTROLLERS),
    Accepted("get a CRD", "*.managedFields.[kube-apiserver *", _CONTROLLERS),
    Accepted("the CRDs' table", "*.managedFields.[kube-apiserver *", _CONTROLLERS),
    Accepted("the CRDs' table", "body.columnDefinitions.*", _CRD_COLUMNS, "1.37"),
    Accepted("the CRDs' table", "body.rows.[0].cells.*", _CRD_COLUMNS, "1.37"),
    Accepted("a token", "*", _NO_TOKENS),
    Accepted("may the admin", "body.metadata", _REVIEWED),
    Accepted("may alice", "body.metadata", _REVIEWED),
    Accepted("may alice read a path", "body.metadata", _REVIEWED),
    Accepted("may alice read a path", "body.status.reason", _KNOWN),
    Accepted("who alice is", "body.status.userInfo.extra", "certificates have no number here"),
    Accepted("patch in an unknown field, strictly", "body.*message", _WHOLE_OBJECT),
    Accepted("change a pod's node", "body.*message", _WHOLE_OBJECT),
    Accepted("no JSON", "body.message", _GO),
    Accepted("a list as a body", "body.message", _GO),
    Accepted("another kind", "body.message", _GO),
    Accepted("another version", "body.message", _GO),
    Accepted("a bad selector of labels", "body.message", _GO),
    Accepted("a bad token of a page", "body.message", _GO),
    Accepted("a page and a revision", "body.message", _GO),
    Accepted("a patch that is no JSON", "body.message", _GO),
    Accepted("a key twice, strictly", "*", _DUPLICATES),
    Accepted("delete a deployment and its pods first", "body.*", _GARBAGE),
)


def sort_out(
    found: Iterable[Difference], accepted: Iterable[Accepted], release: str
) -> tuple[list[Difference], list[Accepted]]:
    """Return the differences of a release that nobody accepted, and the entries that cover none."""
    entries = [entry for entry in accepted if release.startswith(entry.release)]
    open_ones, used = [], set()
    for difference in found:
        covering = [entry for entry in entries if entry.covers(difference)]
        used.update(covering)
        if not covering:
            open_ones.append(difference)
    return open_ones, [entry for entry in entries if entry not in used]
