"""Which replicates a simulator is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Draws:
    """The replicates first, ..., first + replicates - 1, and what keys their random numbers.

    Attributes:
        seed: the root seed.
        law: "" pairs dense replicates with those of all plans of the same seed; a law's hash makes them independent.
        jobs: threads that share the work; no number depends on it.
    """

    replicates: int = 1
    first: int = 0
    seed: int = 0
    law: str = ""
    jobs: int = 1

    @property
    def numbers(self) -> range:
        """The replicates."""
        return range(self.first, self.first + self.replicates)
