"""Records: small CSV tables that say which experiment and which llrsim they come from."""

import csv
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent / "data"


def read(name: str) -> list[dict[str, Any]]:
    """The rows of data/<name>.csv, numbers as numbers and empty cells as None."""
    with (DATA / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [{key: _typed(key, cell) for key, cell in row.items()} for row in csv.DictReader(file)]


def _typed(key: str, cell: str) -> Any:
    if key in ("experiment", "rule", "llrsim"):  # a hash may consist of digits
        return cell
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell or None
