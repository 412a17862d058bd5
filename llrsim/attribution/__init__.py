"""Attribution (T21): what carried the gain in worst-group accuracy, balance or uncollapsed held-out features?

A full factorial over five switches between the ERM stage and a retraining stage, its main effects, interactions and
Shapley values, from simulation with paired random numbers and from prediction, and a verdict by a written rule.
"""

from .attribution import Attribution
from .effects import Effect, interaction, joint_interaction, shapley
from .explanation import Explanation, explain
from .factorial import SWITCHES, Factorial, build
from .split import CellAccuracies, Split, verdict_of

__all__ = [
    "SWITCHES",
    "Attribution",
    "CellAccuracies",
    "Effect",
    "Explanation",
    "Factorial",
    "Split",
    "build",
    "explain",
    "interaction",
    "joint_interaction",
    "shapley",
    "verdict_of",
]
