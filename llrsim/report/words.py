"""What a report says of itself: the question, the model and what it leaves out, what verdicts mean."""

from __future__ import annotations

from .markup import Markup, element, joined

TITLE = "Last-layer retraining: is it balance or collapse?"

PAPER = "https://arxiv.org/abs/2512.01766"

QUESTION = (
    "Retraining only the last layer of a network on held-out data raises the accuracy on its worst group, even where "
    "the held-out data are imbalanced. Hill, LaBonte, Zhang and Muthukumar (arXiv 2512.01766) argue that this is "
    "mainly because the held-out set is better group-balanced, and not because its features have escaped neural "
    "collapse. The experiments below put that question, part by part, to a model in which everything is known."
)

MODEL = (
    "Groups (label y, attribute a) are Gaussian: a few signal coordinates, core and spurious, and many noise "
    "coordinates. A head is linear and fitted by minimising a weighted loss, exactly or by gradient descent. Collapse "
    "is imposed: it draws features towards the class means of the training set. ERM is the head fitted on the "
    "training features. Accuracies follow from a head in closed form and carry no test-sampling error; what varies "
    "from replicate to replicate is the data that the head is fitted on."
)

LEFT_OUT = (
    "No network learns the features, unless an experiment says so: how training shapes them, and by how much "
    "they collapse, is put in by hand. Real features are not Gaussian, and the data-set presets match the counts of "
    "their groups and one published accuracy, nothing else. There are two classes. Verdicts are therefore on the "
    "claims in this model, not on the networks and data sets of the paper; a claim that is "
    "refuted here fails in the settings of its experiment, which says nothing of other settings."
)

RULES = (
    "Each experiment carries its question, its claim and the rule that decides it, thresholds included. A "
    "comparison holds or fails only where its whole 95 % interval says so; intervals over a family of comparisons "
    "are wide enough to hold together. “No difference” means an interval inside a stated margin."
)

SYMBOLS = {
    "confirmed": "✓",
    "refuted": "✗",
    "complicated": "◐",
    "undecided": "?",
    "by construction": "≡",
    "unfinished": "…",
    "no verdict": "∅",
}
"""The sign that stands with each word, so that none is told by its colour alone."""

MEANINGS = {
    "confirmed": "the claim holds in every comparison of its rule",
    "refuted": "the claim fails as its rule says",
    "complicated": "it holds in some of the cells that the rule names and fails in others",
    "undecided": "the intervals do not decide; more replicates may",
    "by construction": "the claim holds, and could not have come out otherwise",
    "unfinished": "the sweep is not complete, so nothing is decided yet",
    "no verdict": "there is no rule to decide, or it could not be applied; the section says which",
}


def badge(word: str) -> Markup:
    """A verdict as a word with its sign."""
    sign = element("span", SYMBOLS[word], aria_hidden="true")
    return element("span", sign, f" {word}", class_=f"verdict {word.replace(' ', '-')}")


def legend() -> Markup:
    """What the words mean."""
    terms = (joined(element("dt", badge(word)), element("dd", told)) for word, told in MEANINGS.items())
    return element("dl", *terms, class_="legend")
