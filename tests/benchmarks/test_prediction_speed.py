"""Prediction at finite n/d: times a solve, and ratios to a plain SciPy solution of the same equations."""

import pytest
from benchmarks import predictions
from benchmarks.predictions import problem

from llrsim.model.head import Head
from llrsim.model.losses import Loss
from llrsim.prediction.descent import descent_path
from llrsim.prediction.fixed_point import fixed_point, solve
from llrsim.prediction.ridge import ridge_head
from llrsim.prediction.scores import afr_weight, weighted_by_score


@pytest.fixture
def microseconds(benchmark, report):
    """`microseconds(what, run, wanted)` reports the median time of a call."""

    def measure(what, run, wanted):
        benchmark.pedantic(run, rounds=300, warmup_rounds=5)
        report(what, f"{1e6 * benchmark.stats.stats.median:.1f} microseconds", wanted)

    return measure


@pytest.mark.parametrize("loss", [Loss.LOGISTIC, Loss.HINGE, Loss.SQUARED_HINGE, Loss.MAX_MARGIN])
@pytest.mark.parametrize("warm", [True, False])
def test_a_solve(microseconds, loss, warm):
    described = problem(loss)._replace(ratio=2.0 if loss == Loss.MAX_MARGIN else 0.5)
    near = fixed_point(described._replace(ridge=0.0105)).unknowns

    def run():
        assert solve(described, near if warm else None).found

    wanted = ("<= 250" if warm else "<= 2000") if loss == Loss.LOGISTIC else "-"
    microseconds(f"{loss.label}, four groups, {'warm' if warm else 'cold'}", run, wanted)


def test_a_squared_solve(microseconds):
    described = problem(Loss.SQUARED)
    microseconds("squared, four groups", lambda: ridge_head(described), "<= 20")


@pytest.mark.parametrize("warm", [True, False])
def test_afr(microseconds, warm):
    described = problem(Loss.LOGISTIC, anchor=0.1, centre=[2.2, 1.7, -0.6])
    first = Head.of([2.2, 1.7], -0.6, 0.8)

    def sliced(gamma):
        weight = afr_weight(gamma, described.labels, described.shares)
        return weighted_by_score(described, first, weight).problem

    guess = fixed_point(sliced(3.9)).unknowns if warm else None
    microseconds(f"AFR, gamma = 4, {'warm' if warm else 'cold'}", lambda: fixed_point(sliced(4.0), guess), "<= 50000")


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_path_of_300_steps(microseconds, momentum):
    described = problem(Loss.SQUARED)
    steps = range(1, 301)
    run = lambda: descent_path(described, steps, 0.1, momentum=momentum)  # noqa: E731
    microseconds(f"300 steps on least squares, momentum {momentum:g}", run, "<= 50000")


@pytest.mark.parametrize("which", ["cold", "warm", "squared"])
def test_a_solve_against_scipy(compare, which):
    compare(f"prediction, {which}, against SciPy's root", getattr(predictions, which)())
