"""Golden rows: the tables of six small sweeps, kept so that a change of structure can be shown to change no number.

    python tests/golden/rows.py OTHER           compare the rows of this checkout with those of the checkout OTHER
    python tests/golden/rows.py --write         write this checkout's rows to tests/golden/*.csv

On one machine the rows of two checkouts must be equal to the byte while only structure moves. `tests/test_golden.py`
compares with the committed files, across machines, within stated tolerances. A change that is meant to move numbers
raises NUMERICS, writes the rows anew, and says in CHANGELOG which columns moved and why.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.toml"))


def options(path: Path) -> list[str]:
    """Return the command-line options of one file: phase diagrams are predictions alone."""
    return ["--predict-only"] if path.stem == "phase" else []


def sweep(path: Path, checkout: Path, folder: Path) -> Path:
    """Run the sweep of `path` with the llrsim of `checkout` and return its table."""
    command = [sys.executable, "-m", "llrsim.sweep", str(path), "--out", str(folder / path.stem), *options(path)]
    subprocess.run(command, cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    return folder / path.stem / "results.csv"


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table as text by column."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def difference(one: Path, other: Path) -> str | None:
    """Return the first difference of two tables in words, None where they are equal to the byte."""
    if one.read_bytes() == other.read_bytes():
        return None
    rows, others = read(one), read(other)
    columns = [set(table[0]) for table in (rows, others)]
    if columns[0] != columns[1]:
        return f"columns of one alone: {sorted(columns[0] ^ columns[1])}"
    if len(rows) != len(others):
        return f"{len(rows)} rows and {len(others)}"
    for number, (row, another) in enumerate(zip(rows, others, strict=True), 1):
        for column in row:
            if row[column] != another[column]:
                return f"row {number}, {column}: {row[column]} and {another[column]}"
    return "the order of columns or the ends of lines"


def main() -> int:
    """Compare two checkouts, or write the rows of this one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", metavar="OTHER", type=Path, nargs="?", help="another checkout")
    parser.add_argument("--write", action="store_true", help="write this checkout's rows to tests/golden")
    args = parser.parse_args()
    if args.write == (args.other is not None):
        parser.error("give another checkout, or --write")
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in FILES:
            table = sweep(path, HERE.parent.parent, Path(folder, "here"))
            if args.write:
                path.with_suffix(".csv").write_bytes(table.read_bytes())
                continue
            found = difference(table, sweep(path, args.other.resolve(), Path(folder, "there")))
            print(f"{path.stem}: {found or 'equal'}")
            status |= found is not None
    return status


if __name__ == "__main__":
    sys.exit(main())
