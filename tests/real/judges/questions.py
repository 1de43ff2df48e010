"""The story that both API servers are asked, in this order: each question builds on those before.

It plays in a namespace of its own. The pods' and budgets' states are written by the story itself,
because nobody runs them.
"""

from __future__ import annotations

from tests.real.judges.custom import CUSTOM
from tests.real.judges.discovery import DISCOVERY
from tests.real.judges.ending import ENDING
from tests.real.judges.objects import OBJECTS
from tests.real.judges.refusals import REFUSALS
from tests.real.judges.workloads import WORKLOADS

__all__ = ["QUESTIONS"]

QUESTIONS = (*DISCOVERY, *OBJECTS, *WORKLOADS, *CUSTOM, *REFUSALS, *ENDING)
