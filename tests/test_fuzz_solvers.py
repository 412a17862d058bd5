"""Random experiments through every solver: each ends with a certificate that holds, or with a named status."""

import json
import warnings

import numpy as np
import pytest
from random_experiments import random_experiment

from llrsim.experiment import EmptyGroupWarning, ExperimentError, FitOptions
from llrsim.model.losses import Status
from llrsim.prediction import predict
from llrsim.prediction.formulas import ROUNDING
from llrsim.prediction.objective import SMOOTHING
from llrsim.simulation import fit, simulate

CERTIFIED = 1e-9
KINK = ROUNDING / SMOOTHING  # of the hinge in the population, whose gradient is known no better where groups are points


def sides(experiment):
    """What each of the solvers' doors says of an experiment; the lazy simulator may refuse it by name."""

    def simulated(simulator, replicates):
        sweep = {"seed": experiment.sweep.seed, "simulator": simulator}
        return simulate(experiment.replace(sweep=sweep), replicates)

    yield simulated("dense", 2)
    yield predict(experiment, "population")
    yield predict(experiment)
    try:
        yield simulated("lazy", 1)
    except ExperimentError as refused:
        if 'use simulator = "dense"' not in str(refused):
            raise


def check(outcome):
    """No silent nan: a head that is told is finite, its certificate holds, and its accuracies are probabilities."""
    json.dumps(outcome.to_dict(), allow_nan=False)
    for method in outcome:
        told, kept = method.heads, method.kept
        numbers = np.column_stack([told.signal, told.bias, told.noise_norm, told.weight_norm, method.certificate])
        assert np.isfinite(numbers[kept]).all(), (method.label, numbers)
        limit = KINK if method.limit == "population" and method.stage.head.loss == "hinge" else CERTIFIED
        converged = method.status == Status.CONVERGED
        assert (method.certificate[converged] <= limit).all(), (method.label, method.certificate)
        accuracy = method.readout.group_accuracy[kept]
        assert ((accuracy >= 0) & (accuracy <= 1)).all(), method.label


def fuzz(seed, first, count):
    """Heads and named statuses; AssertionError with the experiment that ends otherwise, a warning included."""
    ends = dict.fromkeys(Status, 0)
    for case in range(first, first + count):
        experiment = random_experiment(np.random.default_rng([seed, case]))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", EmptyGroupWarning)
                for outcome in sides(experiment):
                    check(outcome)
                    for method in outcome:
                        ends[method.outcome] += 1
        except Exception as error:
            raise AssertionError(f"[{seed}, {case}] {error!r}\n{experiment.to_toml()}") from error
    return ends


def test_random_experiments_end_in_a_certificate_or_a_named_status():
    ends = fuzz(1, 0, 40)
    assert ends[Status.CONVERGED] > 100
    assert ends[Status.NOT_CONVERGED] < 0.05 * sum(ends.values())


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 10_000, 1000))
def test_ten_thousand_random_experiments_end_in_a_certificate_or_a_named_status(first):
    ends = fuzz(2, first, 1000)
    assert ends[Status.NOT_CONVERGED] < 0.02 * sum(ends.values())


def gradient_norms(loss, ridge, design, labels, weights, bias):
    """|grad F| at a head and at zero, in plain NumPy; mean over rows, the bias unpenalised."""

    def slope(margin):
        if loss == "squared":
            return margin - 1.0
        return -np.exp(-np.logaddexp(0.0, margin)) if loss == "logistic" else -np.maximum(1.0 - margin, 0.0)

    def norm(w, b):
        pull = labels * slope(labels * (design @ w + b)) / len(labels)
        return np.hypot(np.linalg.norm(design.T @ pull + ridge * w), pull.sum())

    return norm(weights, bias), norm(np.zeros_like(weights), 0.0)


def recheck(count, seed):
    """Fits of random rows whose certificate is worked out again from the rows."""
    rng = np.random.default_rng(seed)
    checked = 0
    for _ in range(count):
        rows, width = int(rng.integers(2, 200)), int(rng.integers(1, 60))
        design = rng.normal(size=(rows, width)) * 10 ** rng.uniform(-6, 6) + rng.normal()
        labels = rng.choice([-1.0, 1.0], rows)
        loss = str(rng.choice(["squared", "logistic", "squared_hinge"]))
        scale = float((design**2).mean())
        ridge = 0.0 if rng.random() < 0.1 else scale * 10 ** rng.uniform(-6, 1)
        found = fit(design, labels, head=FitOptions(loss=loss, ridge=ridge), raising=False)
        if found.status is not Status.CONVERGED:
            continue
        exact = [np.asarray(part, np.longdouble) for part in (design, labels, found.weights, found.bias)]
        size, reference = gradient_norms(loss, ridge, *exact)
        rounding = 1e-13 * (np.abs(design).mean(axis=0).max() + ridge * np.linalg.norm(found.weights))
        # Columns far from zero are a matter of the bias, which holds the sum of their means times the weights: its
        # rounding moves every logit, and so the gradient by the columns' means.
        means = np.append(np.abs(design).mean(axis=0), 1.0)
        rounding += np.finfo(float).eps * (means[:-1] @ np.abs(found.weights)) * np.linalg.norm(means)
        assert size <= CERTIFIED * reference + rounding, (loss, ridge, size / reference, found.certificate)
        checked += 1
    return checked


def test_certificates_hold_when_worked_out_again():
    assert recheck(150, 1) > 100


@pytest.mark.slow
def test_ten_thousand_certificates_hold_when_worked_out_again():
    assert recheck(10_000, 2) > 8000
