"""Somebody who keeps a cluster in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.support.people import Person
from tests.support.programs import CSE, Result
from tests.support.schemas import check


class Place(Person):
    """Somebody who keeps the file of a cluster."""

    @property
    def file(self) -> Path:
        return self.home / "demo.yaml"

    def run_cse(self, *words: str, stdin: str = "") -> Result:
        return self.run(CSE, "cluster", *words, stdin=stdin)

    def apply(self, text: str, *words: str) -> Result:
        self.file.write_text(text)
        return self.run_cse("apply", "-f", "demo.yaml", *words)

    def planned(self, text: str) -> dict[str, Any]:
        """Return the plan for a file, after comparing it with its schema."""
        self.file.write_text(text)
        done = self.run_cse("apply", "demo.yaml", "--dry-run", "-o", "json")
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        check("cluster apply", found)
        return found

    def exported(self, name: str) -> str:
        """Return the file of a cluster, after comparing it with the schema; applying it is void."""
        done = self.run_cse("export", name)
        assert done.code == 0, done.err
        check("cluster export", yaml.safe_load(done.out))
        assert self.planned(done.out)["changes"] == []
        return done.out
