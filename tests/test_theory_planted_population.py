"""Derivations of the population limit, of methods and of summaries fail when an error is planted in them."""

import importlib
from functools import cache

import pytest
import test_theory

import theory

PLANTED = [
    ("reliance", "collapsed_reliance", "(RHO + TAU_A * (FIT - RHO)) * MU_S", "(RHO + TAU_A * FIT) * MU_S"),
    ("reliance", "collapsed_reliance", "TAU_A**2 * (1 - FIT**2) * MU_S**2", "TAU_A**2 * (1 - RHO**2) * MU_S**2"),
    ("reliance", "collapsed_reliance", "+ RIDGE * u.dot(u) / 2", "+ RIDGE * u.dot(u)"),
    ("reliance", "collapsed_reliance", "[MU_C * spurious, inside * core, 0]", "[MU_C * core, inside * spurious, 0]"),
    ("reliance", "worst_group", "-(MU_S * SIGMA_C**2 + reliance", "-(MU_S * SIGMA_C**2 - reliance"),
    ("reliance", "unequal_factors", "TAU_A, sqrt(factor) * TAU_N", "TAU_A, factor * TAU_N"),
    ("reliance", "ridge", "(core - spurious) / (tau**2", "(spurious - core) / (tau**2"),
    ("other_losses", "one_group_a_class", "slopes[1] * (second.mean - first", "slopes[1] * (second.mean + first"),
    ("other_losses", "one_group_a_class", "common.inv() * (second", "common * (second"),
    ("other_losses", "any_loss", "(1 - RHO**2) / 2 * (slopes", "(1 - RHO**2) * (slopes"),
    ("other_losses", "any_loss", "TAU_A * (side - RHO)", "TAU_A * side"),
    ("other_losses", "any_loss", "FACTOR * (TAU_A / TAU_N) ** 2", "FACTOR * (TAU_N / TAU_A) ** 2"),
    ("other_losses", "exponential_loss", "spread**2 / 2 - mean", "spread**2 - mean"),
    ("other_losses", "exponential_loss", "(share + (1 - share) * exp(gap)),", "(share - (1 - share) * exp(gap)),"),
    ("other_losses", "exponential_loss", "* (gap * diff(E, gap) - E)", "* (gap * diff(E, gap) + E)"),
    ("balance_or_collapse", "larger_share", 'Symbol("v_0") - Symbol("v_1"),', 'Symbol("v_1") - Symbol("v_0"),'),
    ("balance_or_collapse", "larger_share", "(FIT + (1 - TAU_A) * (RHO - FIT))", "FIT"),
    ("balance_or_collapse", "under_class_collapse", "{TAU_A: tau, TAU_N: tau, RIDGE: 0}", "{TAU_A: tau, RIDGE: 0}"),
    ("balance_or_collapse", "under_class_collapse", "(1 - tau) * (RHO - FIT)", "tau * (RHO - FIT)"),
    ("balance_or_collapse", "under_unequal_collapse", "(1 - RHO**2) - FACTOR),", "(1 - RHO**2) + FACTOR),"),
    ("balance_or_collapse", "under_ridge", "- (1 - tau) * (tau**2", "- (tau**2"),
    ("mismatch", "readout_on_another_law", "u.dot(centre) + tau_a * u.dot(mean - centre)", "u.dot(mean)"),
    ("mismatch", "readout_on_another_law", "tau_n**2 * (u.T * root", "(u.T * root"),
    ("mismatch", "readout_on_another_law", "noise: tau_n * noise}", "noise: noise}"),
    ("mismatch", "readout_on_another_law", "tau_a, tau_n) + bias) / tau_n\n", "tau_a, tau_n) + bias) * tau_n**2\n"),
    ("mismatch", "readout_on_another_law", "root.T * u  #", "root * u  #"),
    ("margin_law", "smooth_losses", "M + LOADED * diff(loss, M)", "M - LOADED * diff(loss, M)"),
    ("margin_law", "smooth_losses", "1 + LOADED * diff(loss, M, 2)", "1 + diff(loss, M, 2)"),
    ("margin_law", "smooth_losses", "* stretch / SPREAD", "/ SPREAD"),
    ("margin_law", "kinks", "hinge.subs(M, 1), 1 - LOADED", "hinge.subs(M, 1), 1 + LOADED"),
    ("margin_law", "kinks", "+ atom + 1 - below(highest)", "+ 1 - below(highest)"),
    ("margin_law", "averages", '"squared": (1 - a) / (1 + LOADED)}', '"squared": 1 - a}'),
    ("margin_law", "averages", "SPREAD * (gap * Cdf(gap)", "(gap * Cdf(gap)"),
    ("methods", "masses", "n / (2 * size)", "n / size"),
    ("methods", "masses", "rows / (units * size),", "rows / size,"),
    ("methods", "class_balance", "balanced / plain, 1 / (2 * share)", "balanced / plain, 1 / share"),
    ("methods", "class_balance", "(2 * share - 1) * separation / 2)", "(2 * share - 1) * separation)"),
    ("methods", "adjusted_logits", "log(share / (1 - share))", "log(share)"),
    ("methods", "adjusted_logits", "exp(y * shift - y * logit)", "exp(shift - y * logit)"),
    ("methods", "worst_masses", "slope * rate", "rate"),
    ("methods", "worst_masses", "-(diff(first - second, w) ** 2)", "(diff(first - second, w) ** 2)"),
    ("hardest_rows", "hardest_rows", "log(1 + exp(-margin))", "log(1 + exp(margin))"),
    ("hardest_rows", "hardest_rows", "NOISE**2 * Q0**2,", "NOISE * Q0**2,"),
    ("hardest_rows", "hardest_rows", "(THRESHOLD - y * middle) / spread,", "(THRESHOLD - middle) / spread,"),
    ("hardest_rows", "hardest_rows", "1 / (2 * of_class[y])", "1 / of_class[y]"),
    ("hardest_rows", "hardest_rows", "Matrix([-THRESHOLD, THRESHOLD])", "Matrix([THRESHOLD, THRESHOLD])"),
    ("expected_losses", "closed_forms", "(1 - MEAN) * below + SPREAD * at,", "(1 - MEAN) * below - SPREAD * at,"),
    ("expected_losses", "closed_forms", "below - end * at,", "below + end * at,"),
    ("expected_losses", "closed_forms", "diff(logistic, m), -1 / (1 + exp(m))", "diff(logistic, m), 1 / (1 + exp(m))"),
    ("expected_losses", "expansion", "slope * A + curvature * image)", "slope * A + image)"),
    ("expected_losses", "expansion", "+ with_xx * image", "- with_xx * image"),
    ("stability", "stable_steps", "- STEP - MOMENTUM * STEP, MOMENTUM**2", "- STEP, MOMENTUM**2"),
    ("stability", "stable_steps", '[-STEP, MOMENTUM]]),\n        "n', '[STEP, MOMENTUM]]),\n        "n'),
    ("stability", "stable_steps", "/ (1 + 2 * MOMENTUM)}", "/ (1 + MOMENTUM)}"),
    ("stability", "stable_steps", "ROOT**2 - trace * ROOT", "ROOT**2 + trace * ROOT"),
    ("stability", "stable_steps", "(1 + first) * (1 + second)", "(1 + first) * (1 - second)"),
    ("finite_data", "inverse_covariance", "cross.T * rest.inv() * cross", "cross.T * rest * cross"),
    ("finite_data", "inverse_covariance", "(ROWS - 2 - (columns - 1))", "(ROWS - 2 - columns)"),
    ("finite_data", "data_limit", "/ (ROWS / 2),", "/ ROWS,"),
    ("finite_data", "data_limit", "(along + RATIO * NOISE**4)", "(along + RATIO * NOISE**2)"),
    ("finite_data", "data_limit", "separation + added / NOISE**2", "separation + added"),
    ("interactions", "alternating_differences", "total / 2 ** len(others)", "total"),
    ("interactions", "alternating_differences", "(-1) ** (len(blocks) - count)", "(-1) ** count"),
    ("interactions", "alternating_differences", "sum(value / len(on)", "sum(value"),
    ("interactions", "alternating_differences", "triple / 12", "triple / 6"),
    ("interactions", "alternating_differences", "[{0}, {1, 2}]", "[{0}, {1}]"),
    ("head_summary", "mean_of_heads", "(first + second) / 2", "(first + second)"),
    ("head_summary", "mean_of_heads", "2 * product(first, second)", "product(first, second)"),
    ("head_summary", "mean_of_heads", "gram[0] + 2 * gram[1] + gram[2]) / 4).subs", "gram[0] + gram[2]) / 4).subs"),
    ("head_summary", "accuracy_of_classes", "sum(shares[:2]) * classes[0]", "classes[0]"),
    ("head_summary", "accuracy_of_classes", "/ sum(shares[of_class])", "/ sum(shares)"),
]


@pytest.fixture(autouse=True, scope="module")
def made_once():
    """Derivations without an error that others build on are made once."""
    with pytest.MonkeyPatch.context() as patch:
        for result in theory.RESULTS:
            module = importlib.import_module(result.derive.__module__)
            patch.setattr(module, result.derive.__name__, cache(result.derive))
        yield


@pytest.mark.parametrize(("module", "function", "right", "wrong"), PLANTED)
def test_a_planted_error_is_caught(module, function, right, wrong):
    test_theory.test_a_planted_error_is_caught(module, function, right, wrong)
