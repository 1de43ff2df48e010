from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.unfinished_coverage import remove_unfinished


def test_only_damaged_files_are_removed(tmp_path: Path) -> None:
    whole, cut, other = (tmp_path / f".coverage.{name}" for name in ("whole", "cut", "other"))
    with closing(sqlite3.connect(whole)) as database, database:
        database.execute("CREATE TABLE line_bits (numbits BLOB)")
        database.executemany("INSERT INTO line_bits VALUES (?)", [(bytes(900),)] * 40)
    content = whole.read_bytes()
    cut.write_bytes(content[:8192] + bytes(4096) + content[12288:])
    other.write_text("no database")
    assert set(remove_unfinished(tmp_path)) == {cut, other}
    assert list(tmp_path.iterdir()) == [whole]
