"""Packages of the extras: imported where they are used, with a word on how to get them."""

from importlib import import_module
from typing import Any


def table_package(name: str, purpose: str) -> Any:
    """The package `name` of `[table]`; ImportError, naming the purpose and the extra to install, if it is missing."""
    return _package(name, purpose, extra="table")


def dask_package(purpose: str) -> Any:
    """`distributed` of `[dask]`; ImportError, naming the purpose and the extra to install, if it is missing."""
    return _package("distributed", purpose, extra="dask")


def _package(name: str, purpose: str, *, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{purpose} needs {name}: pip install 'llrsim[{extra}]'") from error
