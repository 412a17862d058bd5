"""Agreement: simulation against prediction, or against a user's formula, judged by calibrated tests."""

from .door import check
from .formula import FormulaAgreement, FormulaCell, FormulaError
from .result import Agreement, CellAgreement, MethodAgreement

__all__ = [
    "Agreement",
    "CellAgreement",
    "FormulaAgreement",
    "FormulaCell",
    "FormulaError",
    "MethodAgreement",
    "check",
]
