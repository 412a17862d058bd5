"""Folders that the tests of the report read: a tiny sweep of a study, finished or not."""

import sqlite3
from pathlib import Path

import llrsim
from llrsim.sweep import run_sweep

HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)> $\\frac{"


def tiny(**values):
    """E12 with few dimensions, rows and replicates; keyword `sweep__replicates=3` sets `sweep.replicates`."""
    small = {
        "features.noise.dim": 4,
        "train.n": 200,
        "heldout.n": 80,
        "sweep.replicates": 4,
    }
    return llrsim.load("e12").with_values(small | {key.replace("__", "."): value for key, value in values.items()})


def hostile():
    """The same, with tags in every text that a file may give."""
    experiment = tiny()
    words = {"question": HOSTILE, "claim": HOSTILE, "rule": HOSTILE, "id": "e12"}
    return experiment.replace(name=HOSTILE, study=words)


def swept(folder: Path, experiment=None):
    """The folder, after the sweep."""
    run_sweep(experiment or tiny(), out=folder, jobs=1, command="python -m llrsim.sweep e12 --out '<i>here</i>'")
    return folder


def half_done(folder: Path):
    """Make the folder look as if its sweep had been killed: some rows gone, its run without an end."""
    with sqlite3.connect(folder / "sweep.sqlite") as connection:
        connection.execute("DELETE FROM rows WHERE law = (SELECT law FROM cells LIMIT 1)")
        connection.execute("UPDATE runs SET finished = NULL")
    connection.close()
    return folder
