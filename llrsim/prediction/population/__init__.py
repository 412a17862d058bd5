"""The population limit, n -> infinity at fixed d (T1-T3, T5, T7, and T14 at delta = 0)."""

from .stage import predict_stage

__all__ = ["predict_stage"]
