"""What VCD answers to a change, and to a JSON request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from cse_client.errors import VcdFault
from cse_client.vcd import reading
from cse_client.vcd.errors import Action
from cse_client.vcd.tasks import Task

__all__ = ["Answer", "Reply"]


@dataclass(frozen=True)
class Reply:
    """A successful answer to a change. `root` is None where the body is empty."""

    status: int
    root: etree._Element | None
    location: str = ""

    def task(self, action: Action) -> Task:
        """Return the Task that the change is answered with.

        Raises:
            VcdFault: it was answered with another document, or none.
        """
        if self.root is None or etree.QName(self.root).localname != "Task":
            raise VcdFault(
                f"Cannot tell whether VCD did it ({action.doing}): it answered without a task.",
                status=self.status,
                outcome_unknown=True,
            )
        return reading.task(self.root)


@dataclass(frozen=True)
class Answer:
    """Whatever answer came to a JSON request: VCD's own, a proxy's, or an extension's.

    `text` may hold a secret (a kubeconfig, for example) and is kept out of the repr. Header names
    are in lower case.
    """

    status: int
    content_type: str
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
