"""The lazy simulator: exact in law at finite n and d, without a noise matrix.

>>> from llrsim.simulation.lazy import LazyGaussian
>>> LazyGaussian((100, 10**12)).shape
(100, 1000000000000)
"""

from typing import TYPE_CHECKING, Any

__all__ = ["LazyGaussian"]

if TYPE_CHECKING:
    from .operator import LazyGaussian


def __getattr__(name: str) -> Any:
    if name != "LazyGaussian":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
    from .operator import LazyGaussian

    return LazyGaussian
