"""Define the options that several commands share, and turn exceptions into one line and an exit status."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from .._arguments import checked_seed

if TYPE_CHECKING:
    from ..experiment import Experiment
    from ..outcome import Outcome
    from ..simulation.choice import Chosen


# From exceptions to one line on standard error and an exit status; programming errors keep their traceback.


INCOMPLETE, REFUSED = 1, 2


def write_any_text() -> None:
    """Have characters that the console's encoding lacks written as escapes, rather than fail: \\u03bb for a lambda."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def guarded(run: Callable[[Namespace], int], args: Namespace) -> int:
    """The exit status of a command, with what a person did not mean told in a line."""
    try:
        with _no_backend():
            return _guarded(run, args)
    except KeyboardInterrupt:
        return 130


@contextmanager
def _no_backend() -> Iterator[None]:
    """Hide MPLBACKEND, which notebooks set: no command opens a window, and matplotlib refuses what it does not know."""
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        yield
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


def _guarded(run: Callable[[Namespace], int], args: Namespace) -> int:
    from ..experiment.errors import ExperimentError
    from ..sweep.folder import StoreError
    from ..sweep.stop import WorkerDied
    from ..sweep.workers import ClusterError

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


# Options and output that several commands share.


MOST_WORKERS = 10_000


def add_experiment(parser: argparse.ArgumentParser, *, default: str | None = None) -> None:
    """FILE and --set."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?" if default else None,
        default=default,
        help="experiment file (TOML) or the name of a preset" + (f"; default: {default}" if default else ""),
    )
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a value, for example --set train.n=900 or --set method.dfr.balance=subset; may be repeated",
    )


def add_simulator(parser: argparse.ArgumentParser) -> None:
    """--simulator, short for --set sweep.simulator."""
    parser.add_argument(
        "--simulator",
        dest="settings",
        metavar="{auto,dense,lazy}",
        type="sweep.simulator={}".format,
        action="append",
        default=argparse.SUPPRESS,
        help="what simulates: dense draws all numbers, lazy only what the fits ask for, with d as large as you like; "
        "auto goes by size; default: the file's sweep.simulator",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_limit(parser: argparse.ArgumentParser) -> None:
    """--limit."""
    parser.add_argument(
        "--limit",
        choices=("proportional", "population"),
        default="proportional",
        help="the limit of predictions: n and d grow at the file's own n/d (default), or n grows at fixed d",
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """--jobs."""
    parser.add_argument("--jobs", metavar="N", type=workers, help="worker threads; default: one for each CPU")


def seed(text: str) -> int:
    """A seed of random numbers."""
    try:
        return checked_seed(int(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number in [0, 2^64)") from None


def positive(text: str) -> int:
    """A whole number of at least one."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number, at least 1") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be at least 1")
    return number


def workers(text: str) -> int:
    """A number of workers."""
    if (number := positive(text)) > MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text}: must be at most {MOST_WORKERS}")
    return number


def experiment_of(args: argparse.Namespace) -> Experiment:
    """The experiment that FILE and --set describe."""
    from ..experiment import load
    from ..experiment.experiment import parse_settings

    experiment = load(args.file)
    return experiment.with_values(parse_settings(args.settings)) if args.settings else experiment


def jobs_of(args: argparse.Namespace) -> int:
    """Worker threads asked for, or one for each CPU."""
    return args.jobs or os.cpu_count() or 1


def compile_for(experiment: Experiment, simulator: Chosen) -> None:
    """Compile what simulating the experiment's cells so takes, with a word on standard error if it takes long."""
    from ..experiment import Grid
    from ..sweep.run import compile_kernels, heads_of

    compile_kernels(heads_of(Grid(experiment)), tell, simulators=(simulator,))


def some_head(outcome: Outcome) -> int:
    """Exit status 0, or 1 where no method came to a head."""
    return 0 if any(method.kept.any() for method in outcome) else 1


def emit(told: Any, *, as_json: bool) -> None:
    """Print the object's `to_dict` as JSON, or its text."""
    text = json.dumps(told.to_dict(), allow_nan=False) if as_json else str(told)
    sys.stdout.write(f"{text}\n")


def tell(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(f"{text}\n")
