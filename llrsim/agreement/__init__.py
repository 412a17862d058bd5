"""Agreement: simulation against prediction, judged by a calibrated test."""

from .result import Agreement, CellAgreement, MethodAgreement
from .size_study import check

__all__ = ["Agreement", "CellAgreement", "MethodAgreement", "check"]
