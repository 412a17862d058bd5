"""What is raised and warned about experiment descriptions."""

from collections.abc import Iterable
from difflib import get_close_matches


class ExperimentError(ValueError):
    """A description that cannot be an experiment; the message names the key, its value and what is accepted."""


class EmptyGroupWarning(UserWarning):
    """A group without rows: it takes no part in a fit and subsets leave it out; it is still read out."""


def suggestion(wrong: str, accepted: Iterable[str], prefix: str = "") -> str:
    """`"; did you mean x?"` with the closest accepted name behind `prefix`, or an empty string.

    >>> suggestion("proportion", ["n", "proportions"], "train.")
    '; did you mean train.proportions?'
    """
    close = get_close_matches(wrong, list(accepted), n=1, cutoff=0.6)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def shown(value: object) -> str:
    """The value as an error message shows it: its repr, cut to 60 characters."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print integers of more than 4300 digits
        text = f"a {type(value).__name__} too long to print"
    return text if len(text) <= 60 else text[:57] + "..."
