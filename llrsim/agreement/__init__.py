"""Agreement: simulation against prediction, judged by a calibrated test."""

from .judge import check
from .verdicts import Agreement, CellAgreement, MethodAgreement

__all__ = ["Agreement", "CellAgreement", "MethodAgreement", "check"]
