"""From exceptions to one line on standard error and an exit status; programming errors keep their traceback."""

from __future__ import annotations

import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

INCOMPLETE, REFUSED = 1, 2


def write_any_text() -> None:
    """Have characters that the console's encoding lacks written as escapes, rather than fail: \\u03bb for a lambda."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def guarded(run: Callable[[Namespace], int], args: Namespace) -> int:
    """The exit status of a command, with what a person did not mean told in a line."""
    try:
        return _guarded(run, args)
    except KeyboardInterrupt:
        return 130


def _guarded(run: Callable[[Namespace], int], args: Namespace) -> int:
    from ..experiment.errors import ExperimentError
    from ..sweep.folder import StoreError
    from ..sweep.interruption import WorkerDied
    from ..sweep.remote import ClusterError

    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            status = run(args)
            sys.stdout.flush()
            return status
        except BrokenPipeError:
            # The reader, such as `head`, has left. Python flushes once more on its way out, which must not fail.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except MemoryError as error:
            return _told(f"out of memory: {error}")
        except (ExperimentError, StoreError, ClusterError) as error:
            return _told(str(error))
        except WorkerDied as error:
            return _told(str(error), INCOMPLETE)
        except OSError as error:
            return _told(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        except ImportError as error:
            if "pip install" not in str(error):
                raise
            return _told(str(error))


def _told(message: str, status: int = REFUSED) -> int:
    sys.stderr.write(f"llrsim: error: {message}\n")
    return status


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    sys.stderr.write(f"llrsim: warning: {message}\n")
