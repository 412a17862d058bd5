"""A user's own formula, judged against simulation, or compared with prediction, over an experiment's grid."""

from .claim import Formula, FormulaError
from .result import FormulaAgreement, FormulaCell
from .study import check_formula

__all__ = ["Formula", "FormulaAgreement", "FormulaCell", "FormulaError", "check_formula"]
