"""Write files whole, import the packages of the extras where they are used, and stop calls that do not return."""

from __future__ import annotations

import csv
import ctypes
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import pandas
    import xarray


# Writing files whole: beside the old one first, then in its place, so that a reader never meets half a file.


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill a file beside `path`, and put it in place at the end; raises OSError where it cannot."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def escaped(text: str) -> str:
    """Return the text with bytes that are no text, as a path may hold them, as escapes.

    >>> escaped("out\\udcff")
    'out\\\\udcff'
    """
    return text.encode(errors="backslashreplace").decode()


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A line of CSV for each row; numbers in shortest repr, nothing for None: the bytes depend on the numbers alone."""
    columns = list(dict.fromkeys(key for row in rows for key in row))

    def write(unfinished: Path) -> None:
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, columns, lineterminator="\n")
            table.writeheader()
            table.writerows(rows)

    replace_file(path, write)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file by `write_rows`: numbers as numbers, empty cells as None; hashes and versions as text.

    Raises ValueError for a file that is not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # a spreadsheet begins a file with a byte order mark
            return [{key: _typed(key, cell) for key, cell in row.items()} for row in csv.DictReader(file, strict=True)]
    except (csv.Error, TypeError) as error:  # a line with too few or too many cells
        raise ValueError(f"{path}: not a table ({error})") from error


def _typed(key: str, cell: str) -> Any:
    if key in ("experiment", "rule", "llrsim"):  # a hash may consist of digits
        return cell
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell or None


# Packages of the extras: imported where they are used, with a word on how to get them; rows as their tables.


Rows = Sequence[Mapping[str, Any]]

METHOD = "method_name"
"""Dimension of the methods: `method` is a keyword of xarray's `sel`, which then selects nothing."""


def table_package(name: str, purpose: str) -> Any:
    """The package `name` of `[table]`; ImportError, naming the purpose and the extra to install, if it is missing."""
    return _package(name, purpose, extra="table")


def dask_package(purpose: str) -> Any:
    """`distributed` of `[dask]`; ImportError, naming the purpose and the extra to install, if it is missing."""
    return _package("distributed", purpose, extra="dask")


def data_frame(rows: Rows, purpose: str) -> pandas.DataFrame:
    """Return the rows as a DataFrame; ImportError, naming the purpose and the extra, without pandas.

    A column of numbers or of yes and no in which some value is None, and a column of None alone, is of floats, with
    NaN for None.
    """
    frame = table_package("pandas", purpose).DataFrame(rows)
    for name in frame.columns:
        values = [row.get(name) for row in rows]
        held = [value for value in values if value is not None]
        if len(held) < len(values) and all(isinstance(value, bool | int | float) for value in held):
            frame[name] = [float("nan") if value is None else float(value) for value in values]
    return frame


def data_set(rows: Rows, axes: Sequence[Sequence[str]], purpose: str) -> xarray.Dataset:
    """Return the rows as a Dataset; ImportError, naming the purpose and the extra, without xarray.

    There is a dimension for the first key of each of `axes`, whose further keys are coordinates along it, and METHOD
    for the methods. Settings that are lists or tables, and all settings of such a key, are their JSON text.
    """
    package = table_package("xarray", purpose)
    keys = [key for group in axes for key in group]
    labels = {key: _labels([row[key] for row in rows]) for key in keys}
    frame = data_frame([{name: value for name, value in row.items() if name not in keys} for row in rows], purpose)
    frame = frame.rename(columns={"method": METHOD})
    leading = [group[0] for group in axes]
    frame = frame.assign(**{key: labels[key] for key in leading})
    data = package.Dataset.from_dataframe(frame.set_index([*leading, METHOD]))
    data = data.reindex({name: list(dict.fromkeys(frame[name])) for name in (*leading, METHOD)})  # else sorted
    for first, *others in axes:
        for key in others:
            along = dict(zip(labels[first], labels[key], strict=True))
            data = data.assign_coords({key: (first, [along[label] for label in data[first].values.tolist()])})
    return data


def _labels(settings: Sequence[Any]) -> list[Any]:
    """Settings of an axis as they are, or all as JSON where one is neither a number nor a text."""
    if all(isinstance(setting, int | float) for setting in settings) or all(isinstance(one, str) for one in settings):
        return list(settings)
    return [json.dumps(setting) for setting in settings]


def _package(name: str, purpose: str, *, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{purpose} needs {name}: pip install 'llrsim[{extra}]'") from error


# Calls of a user's code that end, whether or not the code does.


Result = TypeVar("Result")


class _Stopped(BaseException):
    """Raised in the thread of a call that ran out of time."""


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """Return what `call` returns, or raise what it raises; TimeoutError if it takes longer than `seconds`.

    The call runs in a thread of its own, which is told to stop when its time is over. One that waits outside of Python
    is left behind, and ends with the process; one that holds the interpreter, as a loop in C may, is waited for.

    >>> within(60.0, lambda: 2 + 2)
    4
    """
    returned: list[Result] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # whatever it is, it is raised again where the call was asked for
            raised.append(error)

    thread = threading.Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    try:
        thread.join(min(seconds, threading.TIMEOUT_MAX))
    finally:
        if thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stopped))
    if raised and not isinstance(raised[0], _Stopped):
        raise raised[0]
    if not returned:
        raise TimeoutError(f"it did not return within {seconds:.3g} s")
    return returned[0]
