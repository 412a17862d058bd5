"""A formula named on the command line, FILE.py:NAME. Only here is a user's file run; experiment files hold no code."""

from __future__ import annotations

import argparse
import sys
import traceback
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from .._io import within


def formula_place(text: str) -> tuple[Path, str]:
    """The file and the name in FILE.py:NAME."""
    file, _, name = text.rpartition(":")
    if not file.endswith(".py") or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r}: must be FILE.py:NAME, for example my_theory.py:my_wga")
    return Path(file), name


def read_formula(path: Path, name: str, seconds: float) -> Any:
    """Run the file and give the object of this name; files beside it can be imported by it.

    Raises:
        ExperimentError: no such file, an exception while it runs, no end of it after so many seconds, or no such name
            in it.
    """
    from ..experiment.errors import ExperimentError

    if not path.is_file():
        raise ExperimentError(f"{path}: no such file")
    spec = spec_from_file_location(f"formula_{path.stem}", path.resolve())
    if spec is None or spec.loader is None:
        raise ExperimentError(f"{path}: not a Python file")
    module = module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        within(seconds, partial(spec.loader.exec_module, module))
    except (Exception, SystemExit) as error:
        raise ExperimentError(f"{_place(path, error)}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    if not hasattr(module, name):
        known = [known for known in vars(module) if not known.startswith("_")]
        raise ExperimentError(f"{path}: defines no {name!r}; it has {', '.join(known) or 'nothing'}")
    return getattr(module, name)


def _place(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{path}, line {error.lineno}"
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path.resolve())
    ]
    return f"{path}, line {lines[-1]}" if lines else str(path)
