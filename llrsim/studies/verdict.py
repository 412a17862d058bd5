"""Verdicts: what a study's comparisons found, each with its interval, and what follows from them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Decision = Literal["confirmed", "refuted", "complicated", "undecided", "by construction"]
"""What becomes of a claim. `complicated`: it holds in a part of the cells that the rule names, and fails in another.
`by construction`: it holds, and could not have come out otherwise."""


@dataclass(frozen=True)
class Finding:
    """One comparison of a study.

    Attributes:
        text: what is compared, and what the claim expects of it.
        estimate: the number that was found; None where there is none.
        low, high: ends of its 95 % interval, at the level of the family of comparisons it belongs to; None for a
            prediction, which has no sampling error.
        holds: whether it is as the claim expects; None where the data do not decide.
        slack: how far the number lies on the claim's side of its threshold, negative on the other side; None where
            there is no threshold. It orders the findings of a family.
    """

    text: str
    estimate: float | None
    low: float | None
    high: float | None
    holds: bool | None
    slack: float | None = None

    @property
    def told(self) -> str:
        """The text with its number and interval.

        >>> Finding("gain of llr", 0.0312, 0.02, 0.0424, True).told
        'gain of llr: +0.031 [+0.020, +0.042]'
        """
        if self.estimate is None:
            return self.text
        spread = "" if self.low is None or self.high is None else f" [{self.low:+.3f}, {self.high:+.3f}]"
        return f"{self.text}: {self.estimate:+.3f}{spread}"


@dataclass(frozen=True)
class Verdict:
    """What a study says of its claim.

    Attributes:
        study: its id.
        outcome: the decision.
        sentence: the decision and what it rests on, in words.
        findings: the comparisons, in the order of the rule.
        by_construction: parts of the claim that could not have come out otherwise, and why.
    """

    study: str
    outcome: Decision
    sentence: str
    findings: tuple[Finding, ...]
    by_construction: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return asdict(self)


def settled(findings: Sequence[Finding]) -> Decision:
    """The decision of a claim that needs every finding: refuted by one that fails, undecided while one is open.

    >>> settled([Finding("a", 1.0, 0.5, 1.5, True), Finding("b", 0.0, -1.0, 1.0, None)])
    'undecided'
    """
    held = [finding.holds for finding in findings]
    if False in held:
        return "refuted"
    return "confirmed" if held and None not in held else "undecided"


def settled_in_parts(findings: Sequence[Finding]) -> Decision:
    """The decision of a claim about every finding: refuted where all fail, complicated where some do and some hold.

    Findings that are open leave the decision open only where the others do not make it complicated already.

    >>> found = [Finding("a", 1.0, 0.5, 1.5, True), Finding("b", -1.0, -1.5, -0.5, False)]
    >>> settled_in_parts(found), settled_in_parts([*found, Finding("c", 0.0, -1.0, 1.0, None)])
    ('complicated', 'complicated')
    """
    held = {finding.holds for finding in findings}
    if held >= {True, False}:
        return "complicated"
    return "refuted" if held == {False} else "confirmed" if held == {True} else "undecided"


def concluded(
    study: str,
    findings: Sequence[Finding],
    words: Mapping[str, str],
    *,
    outcome: Decision | None = None,
    by_construction: Sequence[str] = (),
    told: Sequence[str] | None = None,
) -> Verdict:
    """The verdict on findings, told in a sentence: what `words` say of the outcome, and the numbers.

    `outcome` defaults to what `settled` says; with nothing to decide but what holds by construction, it is that.
    `told` stands in the sentence for findings that are too many to be read out.
    """
    decided = outcome or ("by construction" if by_construction and not findings else settled(findings))
    said = words.get(decided) or _WORDS[decided]
    numbers = [finding.told for finding in findings] if told is None else told
    reasons = "; ".join([*numbers, *(f"by construction {text}" for text in by_construction)])
    sentence = f"{study}, {decided}: {said}{f' ({reasons})' if reasons else ''}."
    return Verdict(study, decided, sentence, tuple(findings), tuple(by_construction))


def tally(findings: Sequence[Finding]) -> str:
    """How many findings hold, fail and are open.

    >>> tally([Finding("a", 1.0, 0.5, 1.5, True), Finding("b", 0.0, -1.0, 1.0, None)])
    '1 of 2 comparisons hold, 0 fail, 1 open'
    """
    held = [finding.holds for finding in findings]
    return f"{held.count(True)} of {len(held)} comparisons hold, {held.count(False)} fail, {held.count(None)} open"


_WORDS: dict[Decision, str] = {
    "confirmed": "the claim holds in every comparison of its rule",
    "refuted": "the claim fails in a comparison of its rule",
    "complicated": "the claim holds in a part of the cells and fails in another",
    "undecided": "the intervals do not decide every comparison; more replicates may",
    "by construction": "the claim holds, and could not have come out otherwise",
}
