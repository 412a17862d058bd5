"""Lines of JSON that a long computation leaves as it goes, so that one that was stopped goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]


class Ledger:
    """Rows by key, a line each; a last line that was cut off in writing is dropped, and written anew.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "shares.jsonl"
    ...     Ledger(path).add("a", [{"x": 1}])
    ...     _ = path.write_text(path.read_text() + '{"key": "b", "ro')
    ...     Ledger(path).rows
    {'a': [{'x': 1}]}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Rows] = {}
        whole = 0
        text = path.read_bytes() if path.exists() else b""
        for line in text.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            entry = json.loads(line)
            self.rows[entry["key"]] = entry["rows"]
        if whole < len(text):
            with path.open("r+b") as file:
                file.truncate(whole)

    def add(self, key: str, rows: Rows) -> None:
        """Keep the rows, and write them at once."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "rows": rows}, allow_nan=False) + "\n")
        self.rows[key] = rows
