"""Attribution (T21): what carried the gain in worst-group accuracy, balance or un-collapsed features?

A full factorial over five switches between the ERM stage and a retraining stage, its main effects, interactions and
Shapley values, from simulation with paired random numbers and from prediction, and a verdict by a written rule.
"""

from .attribution import Accuracies, Attribution
from .contrasts import interaction, joint_interaction, shapley
from .effect import Effect
from .explanation import Explanation, explain
from .factorial import SWITCHES, Factorial, build
from .verdict import judge

__all__ = [
    "SWITCHES",
    "Accuracies",
    "Attribution",
    "Effect",
    "Explanation",
    "Factorial",
    "build",
    "explain",
    "interaction",
    "joint_interaction",
    "judge",
    "shapley",
]
