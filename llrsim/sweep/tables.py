"""The tables of a results folder's database, DIR/sweep.sqlite, column by column.

sweep: what the folder holds, one row
    schema INTEGER       version of these tables
    numerics INTEGER     version of the numbers (`identity.NUMERICS`)
    experiment TEXT      the experiment last asked for, canonical JSON, with its grid and replicates
cells: grid cells met so far
    cell INTEGER         row id
    axes TEXT            canonical JSON of the swept keys and their values, unique
    law TEXT             hash of the cell's law of features and samples
cell_methods: what each method of a cell is there (an axis may change it)
    cell INTEGER, label TEXT, method TEXT    the method's hash
methods: what the hashes stand for
    method TEXT          hash, unique
    label TEXT           its name when it was first stored
    definition TEXT      the method and its effective head, canonical JSON
rows: one simulated replicate of one method on one law
    law TEXT, method TEXT, seed INTEGER, numerics INTEGER, replicate INTEGER    together the key
    status INTEGER       code of `llrsim.status.Status`
    wga, direction_wga, average_accuracy REAL    worst-group accuracy, the same at the best bias, test average
    iterations INTEGER, certificate REAL         of the fit
    largest_stable_step REAL                     where descent diverged
    head BLOB, path BLOB                         see `encoding`
predictions: one prediction of one method on one law
    law, method, numerics                        together the key
    outcome_limit TEXT                           population, proportional or finite
    status ... path                              as in `rows`
runs: provenance, one row for every run that wrote here
    run INTEGER, started TEXT, finished TEXT     UTC; finished is NULL while running, or when killed
    command TEXT, jobs INTEGER
    environment TEXT     JSON: versions, git state, BLAS, CPU (`provenance`)

Rows are keyed by what they are, not by where in a grid they stand: running again adds nothing twice, a grown grid finds
the rows it shares, and folders can be joined by copying rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .errors import StoreError
from .identity import NUMERICS

if TYPE_CHECKING:
    from ..experiment import Experiment

SCHEMA = 1
FILE = "sweep.sqlite"

_SHARED_COLUMNS = """
    status INTEGER NOT NULL, wga REAL, direction_wga REAL, average_accuracy REAL,
    iterations INTEGER NOT NULL, certificate REAL, largest_stable_step REAL, head BLOB NOT NULL, path BLOB"""

CREATE = (
    "CREATE TABLE IF NOT EXISTS sweep (schema INTEGER NOT NULL, numerics INTEGER NOT NULL, experiment TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cells (cell INTEGER PRIMARY KEY, axes TEXT NOT NULL UNIQUE, law TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS cell_methods (cell INTEGER NOT NULL, label TEXT NOT NULL, method TEXT NOT NULL,
    PRIMARY KEY (cell, label)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS methods (method TEXT PRIMARY KEY, label TEXT NOT NULL, definition TEXT NOT NULL)",
    f"""CREATE TABLE IF NOT EXISTS rows (law TEXT NOT NULL, method TEXT NOT NULL, seed INTEGER NOT NULL,
    numerics INTEGER NOT NULL, replicate INTEGER NOT NULL, {_SHARED_COLUMNS},
    PRIMARY KEY (law, method, seed, numerics, replicate)) WITHOUT ROWID""",
    f"""CREATE TABLE IF NOT EXISTS predictions (law TEXT NOT NULL, method TEXT NOT NULL, numerics INTEGER NOT NULL,
    outcome_limit TEXT NOT NULL, {_SHARED_COLUMNS}, PRIMARY KEY (law, method, numerics)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, started TEXT NOT NULL, finished TEXT,
    command TEXT NOT NULL, jobs INTEGER NOT NULL, environment TEXT NOT NULL)""",
)


def check_versions(path: Path, schema: int, numerics: int) -> None:
    """StoreError where the file was written by an llrsim with other tables or other numbers."""
    if (schema, numerics) != (SCHEMA, NUMERICS):
        raise StoreError(
            f"{path}: written with tables version {schema} and numbers version {numerics}; this llrsim has {SCHEMA} "
            f"and {NUMERICS}. Read it with the llrsim that wrote it, or choose another --out"
        )


def decoded(experiment: str) -> Experiment:
    """The experiment from its canonical JSON."""
    from ..experiment import Experiment

    return msgspec.json.decode(experiment, type=Experiment)


def json_list(texts: Sequence[str]) -> str:
    """Texts as one value, which a query takes apart with `json_each`."""
    return msgspec.json.encode(texts).decode()
