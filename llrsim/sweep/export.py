"""Results as files for other programs: CSV always, Parquet and NetCDF where the `[table]` extra is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..extras import table_package
from ..files import replace_file, write_rows
from .folder import StoreError

if TYPE_CHECKING:
    from .results import Results


def write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """`Results.rows` as CSV; see `files.write_rows`."""
    with _named(path):
        write_rows(rows, path)


def write_parquet(results: Results, path: Path) -> None:
    """Write `Results.to_pandas` as Parquet; ImportError, naming the package and the extra, without one it needs."""
    table_package("pyarrow", "Parquet")
    frame = results.to_pandas()
    _replace(path, lambda unfinished: frame.to_parquet(unfinished, index=False, engine="pyarrow"))


def write_netcdf(results: Results, path: Path) -> None:
    """Write `Results.to_xarray` as NetCDF; ImportError, naming the package and the extra, without one it needs."""
    for name in ("h5netcdf", "h5py"):  # h5netcdf reads and writes through h5py, which it does not install
        table_package(name, "NetCDF")
    data = results.to_xarray()
    _replace(path, lambda unfinished: data.to_netcdf(unfinished, engine="h5netcdf"))


WRITERS: dict[str, Callable[[Results, Path], None]] = {
    "csv": lambda results, path: write_csv(results.rows(), path),
    "parquet": write_parquet,
    "netcdf": write_netcdf,
}


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    with _named(path):
        replace_file(path, write)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the file system as a StoreError that names the file."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error
