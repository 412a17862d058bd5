"""The proportional limit, n and d -> infinity at fixed n/d (T8-T15, T20, T22)."""

from .stage import predict_stage

__all__ = ["predict_stage"]
