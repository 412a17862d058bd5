"""Packages of the extras: imported where they are used, with a word on how to get them; rows as their tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import xarray

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
