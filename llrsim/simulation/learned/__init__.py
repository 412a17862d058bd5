"""The learned simulator: inputs drawn as by the dense one, features made by a network, heads tested on fresh rows."""

from .engine import simulate_learned, warm_up

__all__ = ["simulate_learned", "warm_up"]
