"""The tables of a results folder's database, DIR/sweep.sqlite, and how outcomes are written into them.

sweep: what the folder holds, one row
    schema INTEGER       version of these tables
    numerics INTEGER     version of the numbers (`folder.NUMERICS`)
    experiment TEXT      the experiment last asked for, canonical JSON, with its grid and replicates
    shard TEXT           "1/3" where the folder takes only this share of the sweep's units; else NULL
cells: grid cells met so far; one that was predicted with the group shares of the file is there again for that
    cell INTEGER         row id
    axes TEXT            canonical JSON of the swept keys and their values, unique; "shares": "nominal" among them where
                         the law has the shares that the file states, rather than those of whole rows
    law TEXT             hash of the cell's law of features and samples
cell_methods: what each method of a cell is there (an axis may change it)
    cell INTEGER, label TEXT, method TEXT    the method's hash
methods: what the hashes stand for
    method TEXT          hash, unique
    label TEXT           its name when it was first stored
    definition TEXT      the method and its effective head, canonical JSON
masses: the effective group masses of one method on one law (T19), before any rule of its own reweighs the rows
    law TEXT, method TEXT                    together the key
    mass TEXT            JSON: each group's name and its mass, in the order of the groups
rows: one simulated replicate of one method on one law
    law TEXT, method TEXT, seed INTEGER, numerics INTEGER, replicate INTEGER    together the key
    simulator TEXT       what simulated it: dense; lazy, whose rows are not paired over cells; learned, on a network's
                         features
    status INTEGER       code of `llrsim.model.losses.Status`
    wga, direction_wga, average_accuracy REAL    least group accuracy of this head, the same at its best bias, average
    iterations INTEGER, certificate REAL         of the fit
    largest_stable_step REAL                     where descent diverged
    cosine REAL                                  with the head that `angle_to` names, in the same replicate
    head BLOB, path BLOB, composition BLOB       see below
predictions: one prediction of one method on one law
    law, method, numerics                        together the key
    outcome_limit TEXT                           population, proportional or finite
    status ... path                              as in `rows`
networks: what became of a network's features in one replicate; none without networks
    law TEXT, seed INTEGER, numerics INTEGER, replicate INTEGER                 together the key
    record TEXT          JSON: the fields of `outcome.LearnedFeatures`
runs: provenance, one row for every run that wrote here
    run INTEGER, started TEXT, finished TEXT     UTC; finished is NULL while running, or when killed
    command TEXT, jobs INTEGER
    environment TEXT     JSON: versions, git state, BLAS, CPU (`provenance`)

Every table has a last column, `checksum INTEGER`, of what was written into the row (`CHECKED`).

Rows are keyed by what they are, not by where in a grid they stand: running again adds nothing twice, a grown grid finds
the rows it shares, and folders can be joined by copying rows.

Everything follows from the heads (T0), so a row keeps the head and the few numbers that people query for. Blobs are
little-endian float64 arrays:

- `head`: signal u (k), bias b, noise norm |v|, noise spread q, then the accuracy of each group (G);
- `path`: for each recorded step of a descent, u (k), b, |v|, q; of an exact fit whose bias is not unique, the least
  and the largest optimal bias; else NULL;
- `composition`: where a rule makes the weights, the effective mass of each group (G) and its share of the rows of
  positive weight (G); else NULL.

Of heads on a network's features nothing follows: their accuracies were counted, and of u, b, |v|, q only b is a number.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec
import numpy as np

from ..experiment.identity import canonical_json
from ..model.head import Head
from ..model.losses import Status
from ..outcome import LearnedFeatures, Limit, MethodOutcome, Observed, bias_intervals
from ..outcome import Path as DescentPath
from .folder import NUMERICS, StoreError

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..model.mixture import Array, GroupMixture
    from ..model.plan import Shares, Stage


SCHEMA = 4
BEFORE_CHECKSUMS = 3  # read as it is, and given checksums by the next sweep into it
FILE = "sweep.sqlite"

_SHARED_COLUMNS = """
    status INTEGER NOT NULL, wga REAL, direction_wga REAL, average_accuracy REAL,
    iterations INTEGER NOT NULL, certificate REAL, largest_stable_step REAL, cosine REAL, head BLOB NOT NULL,
    path BLOB, composition BLOB, checksum INTEGER"""

CREATE = (
    """CREATE TABLE IF NOT EXISTS sweep (schema INTEGER NOT NULL, numerics INTEGER NOT NULL, experiment TEXT NOT NULL,
    shard TEXT, checksum INTEGER)""",
    """CREATE TABLE IF NOT EXISTS cells (cell INTEGER PRIMARY KEY, axes TEXT NOT NULL UNIQUE, law TEXT NOT NULL,
    checksum INTEGER)""",
    """CREATE TABLE IF NOT EXISTS cell_methods (cell INTEGER NOT NULL, label TEXT NOT NULL, method TEXT NOT NULL,
    checksum INTEGER, PRIMARY KEY (cell, label)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS methods (method TEXT PRIMARY KEY, label TEXT NOT NULL, definition TEXT NOT NULL,
    checksum INTEGER)""",
    """CREATE TABLE IF NOT EXISTS masses (law TEXT NOT NULL, method TEXT NOT NULL, mass TEXT NOT NULL,
    checksum INTEGER, PRIMARY KEY (law, method)) WITHOUT ROWID""",
    f"""CREATE TABLE IF NOT EXISTS rows (law TEXT NOT NULL, method TEXT NOT NULL, seed INTEGER NOT NULL,
    numerics INTEGER NOT NULL, replicate INTEGER NOT NULL, simulator TEXT NOT NULL, {_SHARED_COLUMNS},
    PRIMARY KEY (law, method, seed, numerics, replicate)) WITHOUT ROWID""",
    f"""CREATE TABLE IF NOT EXISTS predictions (law TEXT NOT NULL, method TEXT NOT NULL, numerics INTEGER NOT NULL,
    outcome_limit TEXT NOT NULL, {_SHARED_COLUMNS}, PRIMARY KEY (law, method, numerics)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS networks (law TEXT NOT NULL, seed INTEGER NOT NULL, numerics INTEGER NOT NULL,
    replicate INTEGER NOT NULL, record TEXT NOT NULL, checksum INTEGER,
    PRIMARY KEY (law, seed, numerics, replicate)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, started TEXT NOT NULL, finished TEXT,
    command TEXT NOT NULL, jobs INTEGER NOT NULL, environment TEXT NOT NULL, checksum INTEGER)""",
)


def check_versions(path: pathlib.Path, schema: int, numerics: int, *, older: bool = False) -> None:
    """StoreError where the file was written by an llrsim with other tables or other numbers; `older` ones may do."""
    known = numerics == NUMERICS or (older and numerics in range(NUMERICS))
    if schema not in (SCHEMA, BEFORE_CHECKSUMS) or not known:
        raise StoreError(
            f"{path}: written with tables version {str(schema)[:20]} and numbers version {str(numerics)[:20]}; this "
            f"llrsim has {SCHEMA} and {NUMERICS}. Status, export and report read older numbers; for all else use the "
            "llrsim that wrote it, or choose another --out"
        )


def stored_experiment(path: pathlib.Path, text: Any) -> Experiment:
    """The experiment from its canonical JSON in a file; StoreError where it is none."""
    from ..experiment import Experiment, ExperimentError

    try:
        return msgspec.json.decode(text, type=Experiment)
    except (msgspec.DecodeError, ExperimentError, TypeError, UnicodeError) as error:
        raise StoreError(f"{path}: is damaged: its experiment cannot be read ({error})") from error


NOMINAL = {"shares": "nominal"}


def axes_key(axes: dict[str, Any], shares: Shares = "realised") -> str:
    """What a cell is registered by."""
    return canonical_json(axes | NOMINAL if shares == "nominal" else axes)


def read_axes(key: str) -> tuple[dict[str, Any], Shares]:
    """The axes, and the shares, that a cell is registered by."""
    axes = msgspec.json.decode(key)
    return axes, axes.pop("shares", "realised")


def json_list(texts: Sequence[str]) -> str:
    """Texts as one value, which a query takes apart with `json_each`."""
    return msgspec.json.encode(texts).decode()


FIELDS = (
    "status",
    "wga",
    "direction_wga",
    "average_accuracy",
    "iterations",
    "certificate",
    "largest_stable_step",
    "cosine",
    "head",
    "path",
    "composition",
)
"""Columns that a simulated replicate and a prediction share, in the order of `encode`."""

CHECKED: dict[str, tuple[str, ...]] = {
    "sweep": ("schema", "numerics", "experiment", "shard"),
    "cells": ("axes", "law"),
    "cell_methods": ("axes", "label", "method"),  # the cell by its axes, which say what its number stands for
    "methods": ("method", "label", "definition"),
    "masses": ("law", "method", "mass"),
    "rows": ("law", "method", "seed", "numerics", "replicate", "simulator", *FIELDS),
    "predictions": ("law", "method", "numerics", "outcome_limit", *FIELDS),
    "networks": ("law", "seed", "numerics", "replicate", "record"),
    "runs": ("started", "command", "jobs", "environment"),
}
"""What a row's checksum is of: the columns of its table, but for row ids and the time when a run finished."""

_BLOB = np.dtype("<f8")


def encode(outcome: MethodOutcome) -> Iterator[tuple[Any, ...]]:
    """One tuple of FIELDS for each replicate; SQLite stores nan as NULL."""
    readout = outcome.readout
    heads = _table(outcome.heads, readout.group_accuracy)
    paths = None if outcome.path is None else _table(outcome.path.heads)
    composition = None if outcome.masses is None or outcome.shares is None else _blobs(outcome.masses, outcome.shares)
    nothing = [float("nan")] * len(heads)
    columns = zip(
        outcome.status.tolist(),
        readout.wga.tolist(),
        readout.direction_wga.tolist(),
        readout.average_accuracy.tolist(),
        outcome.iterations.tolist(),
        outcome.certificate.tolist(),
        [outcome.largest_stable_step] * len(heads),
        nothing if outcome.cosine is None else outcome.cosine.tolist(),
        strict=True,
    )
    for r, numbers in enumerate(columns):
        yield (
            *numbers,
            heads[r].tobytes(),
            _path_blob(outcome, paths, r),
            None if composition is None else composition[r].tobytes(),
        )


def decode(
    rows: Sequence[Sequence[Any]], *, stage: Stage, test: GroupMixture, limit: Limit, test_rows: int | None = None
) -> MethodOutcome:
    """The outcome that rows of FIELDS, in the order of their replicates, were made from.

    With `test_rows` of each group its readout is empirical, and is taken from the rows rather than from the heads.
    """
    columns = dict(zip(FIELDS, zip(*rows, strict=True), strict=True))
    k = test.signal_dim
    steps = () if isinstance(stage.head.solver, str) else stage.head.solver.path
    path = None
    if steps and columns["path"][0] is not None:
        recorded = np.frombuffer(b"".join(columns["path"]), _BLOB).reshape(len(rows), len(steps), k + 3)
        path = DescentPath(np.asarray(steps), _head(recorded, k))
    intervals = None
    if not steps and any(columns["path"]):
        intervals = bias_intervals(
            [None if one is None else tuple(np.frombuffer(one, _BLOB)) for one in columns["path"]]
        )
    masses = shares = None
    if columns["composition"][0] is not None:
        masses, shares = np.moveaxis(composition_table(rows), 1, 0)
    cosine = np.asarray(columns["cosine"], dtype=np.float64) if stage.angle_to is not None else None
    table = head_table(rows)
    observed = None
    if test_rows is not None:
        observed = Observed(table[:, k + 3 :], np.asarray(columns["direction_wga"], dtype=np.float64), test_rows)
    stable = next((step for step in columns["largest_stable_step"] if step is not None), float("nan"))
    return MethodOutcome(
        stage=stage,
        test=test,
        heads=_head(table, k),
        status=np.asarray(columns["status"], dtype=np.int64),
        certificate=np.asarray(columns["certificate"], dtype=np.float64),
        iterations=np.asarray(columns["iterations"], dtype=np.int64),
        limit=limit,
        path=path,
        largest_stable_step=stable,
        masses=masses,
        shares=shares,
        cosine=cosine,
        observed=observed,
        bias_interval=intervals,
    )


def _path_blob(outcome: MethodOutcome, paths: np.ndarray | None, r: int) -> bytes | None:
    if paths is not None:
        return paths[r].tobytes()
    ends = outcome.bias_interval
    return None if ends is None or outcome.status[r] != Status.BIAS_NOT_UNIQUE else _blobs(ends[r : r + 1]).tobytes()


def encode_mass(outcome: MethodOutcome) -> str:
    """Group names and effective masses of a method's selection as JSON, in the order of the groups."""
    mass = outcome.stage.selection.mass
    return msgspec.json.encode(dict(zip(outcome.test.group_names, mass.tolist(), strict=True))).decode()


def encode_networks(features: LearnedFeatures) -> Iterator[str]:
    """The record of each replicate's network."""
    told = features.to_dict()
    for one in zip(*told.values(), strict=True):
        yield msgspec.json.encode(dict(zip(told, one, strict=True))).decode()


def decode_networks(records: Sequence[str]) -> LearnedFeatures:
    """What `encode_networks` gave, in the same order; None is read as nan."""
    told = [msgspec.json.decode(record) for record in records]
    return LearnedFeatures(**{name: np.array([one[name] for one in told], dtype=np.float64) for name in told[0]})


def head_table(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    """(R, k + 3 + G) the head blobs of rows of FIELDS."""
    place = FIELDS.index("head")
    return np.frombuffer(b"".join(row[place] for row in rows), _BLOB).reshape(len(rows), -1)


def composition_table(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    """(R, 2, G) masses and shares of rows of FIELDS that have them."""
    place = FIELDS.index("composition")
    return np.frombuffer(b"".join(row[place] for row in rows), _BLOB).reshape(len(rows), 2, -1)


def _blobs(*columns: Array) -> np.ndarray:
    return np.ascontiguousarray(np.concatenate(columns, axis=-1), dtype=_BLOB)


def _table(heads: Head, *more: Array) -> np.ndarray:
    return _blobs(
        heads.signal, heads.bias[..., None], heads.noise_norm[..., None], heads.noise_spread[..., None], *more
    )


def _head(table: np.ndarray, k: int) -> Head:
    return Head(table[..., :k], table[..., k], table[..., k + 1], table[..., k + 2])


# A checksum for every row of a results folder's database.
#
# SQLite's own check is of its structure: a number that has changed on the disk is a number like any other to it.


_encode = msgspec.msgpack.Encoder().encode


def as_read(values: Sequence[Any]) -> list[Any]:
    """Return values as they come back from the database, which has no nan, and no zero below zero."""
    return [
        None if value is None or value != value else 0.0 if value == 0 else value  # b"" and "" are not 0
        for value in values
    ]


def checksum(values: Sequence[Any]) -> int:
    """CRC-32 of a row's other columns: any change of up to 32 bits in a row is found."""
    return crc32(_encode(as_read(values)))


def is_whole(values: Sequence[Any], stored: Any) -> bool:
    """Whether a row's other columns have the checksum that is stored with them."""
    try:
        return bool(checksum(values) == stored)
    except UnicodeEncodeError:  # a text with a byte that no text has
        return False


def tolerant(text: bytes) -> str:
    """A text of the database, damaged or not, so that it can be read and found again."""
    return text.decode(errors="surrogateescape")


def sealed(*values: Any) -> tuple[Any, ...]:
    """A row with its checksum, to be made where its numbers are, so that every way from there is watched."""
    return (*values, checksum(values))
