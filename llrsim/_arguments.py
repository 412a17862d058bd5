"""Checks of the arguments of public functions, before they reach a kernel, which checks nothing.

Every failure is a TypeError or a ValueError that names the argument, its value and what is accepted.
"""

from __future__ import annotations

import numbers
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

# NumPy is imported inside functions: experiment files are read, and help is printed, without it.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Seed = int | np.integer | np.random.Generator | np.random.SeedSequence

LARGEST = 1e30  # products of several such numbers are still finite
SEEDS = "a whole number in [0, 2^64), a numpy.random.Generator or a numpy.random.SeedSequence"


def shown(value: object) -> str:
    """The value as an error message shows it: its repr, cut to 60 characters."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print integers of more than 4300 digits
        text = f"a {type(value).__name__} too long to print"
    return text if len(text) <= 60 else text[:57] + "..."


def require_type(name: str, value: Any, kind: type, source: str = "") -> None:
    """Raise TypeError unless a value is of a class; `source` says where to get one."""
    if not isinstance(value, kind):
        raise TypeError(f"{name}: {type(value).__name__}; expected {kind.__name__}{source}")


def require_choice(name: str, value: Any, accepted: Iterable[str]) -> None:
    """Raise ValueError unless a value is one of these words."""
    if not isinstance(value, str) or value not in accepted:
        raise ValueError(f"{name}: {shown(value)}; expected one of {', '.join(accepted)}")


def require_labels(name: str, value: Any) -> None:
    """Raise TypeError unless a value is a collection of texts, such as a list; one text is none."""
    if isinstance(value, str) or not isinstance(value, Collection) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{name}: {shown(value)}; expected a list of labels")


def require_flag(name: str, value: Any) -> None:
    """Raise TypeError for anything but True and False, of Python or NumPy."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"{name}: {shown(value)}; expected True or False")


def checked_whole(name: str, value: Any, low: int, high: int = 2**63 - 1) -> int:
    """Return a whole number of Python or NumPy in [low, high] as Python's."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} = {shown(value)}: must be a whole number, not of type {type(value).__name__}")
    number = int(value)
    if not low <= number <= high:
        accepted = f"at least {low}" if number < low else f"at most {high}"
        raise ValueError(f"{name} = {shown(number)}: must be {accepted}")
    return number


def checked_seed(value: Any, name: str = "seed") -> int:
    """Return the seed in [0, 2^64) that an argument stands for; a Generator advances by one draw.

    >>> import numpy as np
    >>> checked_seed(np.int64(7)), checked_seed(np.random.default_rng(7)) == checked_seed(np.random.default_rng(8))
    (7, False)
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        number = int(value)
        if not 0 <= number < 2**64:
            raise ValueError(f"{name} = {shown(number)}: must be {SEEDS}")
        return number
    import numpy as np

    if isinstance(value, np.random.Generator):
        return int(value.integers(2**64, dtype=np.uint64))
    if isinstance(value, np.random.SeedSequence):
        return int(value.generate_state(1, np.uint64)[0])
    raise TypeError(f"{name} = {shown(value)}: must be {SEEDS}, not of type {type(value).__name__}")


def checked_reals(name: str, values: Any) -> NDArray[np.float64]:
    """Return real numbers of any shape as an array of float64; nan and infinities are accepted.

    Raises:
        TypeError: text, complex numbers, or anything else that is no real number.
        ValueError: masked entries, or rows of unequal lengths.
    """
    import numpy as np

    if type(values) is np.ndarray and values.dtype == np.float64:  # the usual case inside
        return values
    if np.ma.is_masked(values):
        raise ValueError(f"{name}: some entries are masked; fill or drop them")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):  # of unequal lengths, or of objects that refuse
        raise ValueError(f"{name}: no array of numbers; rows must have equal lengths") from None
    if array.dtype == object and all(isinstance(item, numbers.Real) for item in array.flat):
        try:
            return array.astype(np.float64)
        except OverflowError:
            raise ValueError(f"{name}: numbers must lie within ±{LARGEST:g}") from None
    if array.dtype.kind not in "biuf":
        kind = array.dtype if array.dtype != object else f"{type(values).__name__} of other objects"
        raise TypeError(f"{name}: entries of type {kind}; expected real numbers")
    with np.errstate(over="ignore"):  # long doubles
        return np.asarray(array, dtype=np.float64)


def checked_array(name: str, values: Any, shape: tuple[int | str, ...]) -> NDArray[np.float64]:
    """Return finite real numbers as an array of float64 of this shape, in which a letter stands for any length.

    Raises TypeError and ValueError as `checked_reals`, and ValueError for another shape and for an entry that is not
    finite or lies beyond 1e30, as in files.

    >>> checked_array("weights", [1, 2], ("p",))
    array([1., 2.])
    """
    import numpy as np

    array = checked_reals(name, values)
    if len(array.shape) != len(shape) or any(
        isinstance(want, int) and have != want for have, want in zip(array.shape, shape, strict=True)
    ):
        expected = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
        raise ValueError(f"{name}: shape {array.shape}; expected ({expected})")
    if array.size and not (array.min() >= -LARGEST and array.max() <= LARGEST):  # nan fails too
        place = np.unravel_index(np.argmin(np.abs(array) <= LARGEST), array.shape)
        at = f"[{', '.join(map(str, place))}]" if shape else ""
        raise ValueError(f"{name}{at} = {array[place]}: must be finite and within ±{LARGEST:g}")
    return array


def require_entries(name: str, array: NDArray[np.float64], right: NDArray[np.bool_], accepted: str) -> None:
    """Raise ValueError, naming the first entry that is wrong, unless all entries of an array (n,) are right."""
    if not right.all():
        place = int(right.argmin())
        raise ValueError(f"{name}[{place}] = {array[place]}: must be {accepted}")


def checked_number(name: str, value: Any) -> float:
    """Return one finite real number as a float; errors as `checked_array`."""
    return float(checked_array(name, value, ()))


def checked_counts(name: str, values: Any, shape: tuple[int | str, ...]) -> NDArray[np.int64]:
    """Return whole numbers of at least 0 as an array of int64 of this shape; errors as `checked_array`."""
    import numpy as np

    array = checked_array(name, values, shape)
    wrong = ~((array >= 0) & (array <= 2**53) & (array == np.floor(array)))
    if wrong.any():
        raise ValueError(f"{name}: {array[wrong][0]:g}; expected whole numbers of at least 0")
    return array.astype(np.int64)
