"""Records: small CSV tables that say which experiment and which llrsim they come from."""

from pathlib import Path
from typing import Any

from llrsim._io import read_rows

DATA = Path(__file__).resolve().parent / "data"


def read(name: str) -> list[dict[str, Any]]:
    """The rows of data/<name>.csv, numbers as numbers and empty cells as None."""
    return read_rows(DATA / f"{name}.csv")
