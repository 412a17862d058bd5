"""Packages of the `[table]` extra: imported where they are used, with a word on how to get them."""

from importlib import import_module
from typing import Any


def table_package(name: str, purpose: str) -> Any:
    """The package `name`; ImportError, naming the purpose and the extra to install, where it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{purpose} needs {name}: pip install 'llrsim[table]'") from error
