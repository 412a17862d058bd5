"""A user's formula: what it is given, what it may return, and how it is refused."""

import sys
from fractions import Fraction

import numpy as np
import pytest
import sympy
from formula_cases import BALANCED, RETRAINED, t1, t1_wga

import llrsim
from llrsim.agreement.claim import UndefinedName, names_of
from llrsim.agreement.formula import Formula, FormulaError


def values(names, *asked):
    return [np.asarray(names[name]()).tolist() for name in asked]


def test_names_and_shorthands_have_the_values_of_their_definitions():
    names = names_of(llrsim.load(RETRAINED), "dfr-s")
    assert values(names, "features_core_mean", "features_core_std", "features_noise_dim", "head_loss") == [
        [1.0, 0.5], 0.5, 40, "squared",
    ]  # fmt: skip
    assert values(names, "train_collapse_noise", "tau_n", "tau_a", "sigma", "d") == [0.5, 0.5, 0.1, 1.0, 40]
    assert values(names, "n", "n_train", "n_heldout", "alpha", "alpha_train", "alpha_heldout") == [
        120, 400, 120, 3.0, 10.0, 3.0,
    ]  # fmt: skip
    assert values(names, "S_y", "S_a") == [pytest.approx((1.0 + 0.25) / 0.25), pytest.approx((2.0 / 0.8) ** 2)]
    assert values(names, "rho", "rho_train", "rho_heldout") == [
        pytest.approx(1 / 3), pytest.approx(0.7), pytest.approx(1 / 3),
    ]  # fmt: skip
    assert values(names, "ridge", "head_ridge", "loss", "method_dfr_s_balance") == [0.3, 0.1, "squared", "subset"]
    assert values(names, "heldout_counts", "heldout_minority_ratio", "heldout_class_prior", "heldout_n_per_dim") == [
        [60, 30, 10, 20], 0.5, 0.25, 3.0,
    ]  # fmt: skip
    assert values(names, "train_proportions", "train_minority_ratio") == [
        [0.45, 0.05, 0.1, 0.4], pytest.approx(0.15 / 0.85),
    ]  # fmt: skip
    assert names["experiment"]() == llrsim.load(RETRAINED)
    assert names["plan"]().stages[1].label == "dfr-s"


def test_names_follow_the_sample_of_the_method():
    names = names_of(llrsim.load(RETRAINED), "erm")
    assert values(names, "rho", "n", "alpha", "ridge") == [pytest.approx(0.7), 400, 10.0, 0.1]


@pytest.mark.parametrize(
    ("changed", "name", "message"),
    [
        ({}, "heldout_annotation_rate", None),
        ({}, "features_noise_spectrum", "is not set in this experiment"),
        ({}, "network_width", "is not set in this experiment"),
        ({"train.collapse.attribute": [0.1, 0.2, 0.1, 0.2]}, "tau_a", "one number a group"),
        ({"features.noise.std": [1.0, 2.0, 1.0, 2.0]}, "sigma", "one number a group"),
    ],
)
def test_names_without_a_value_say_why(changed, name, message):
    names = names_of(llrsim.load(RETRAINED).with_values(changed), "dfr-s")
    if message is None:
        assert name not in names
    else:
        with pytest.raises(UndefinedName, match=message):
            names[name]()


def claim(formula, experiment=BALANCED, label="erm"):
    return Formula.of(formula).claim(llrsim.load(experiment), label, "head.ridge = 0")


def test_a_number_groups_a_dict_and_a_head_are_claims():
    groups = t1(0.9, 1.96, 1.44)
    names = ["(-,-)", "(-,+)", "(+,-)", "(+,+)"]
    assert claim(t1).accuracy == pytest.approx(groups)
    assert claim(t1).of_groups
    assert claim(t1_wga).accuracy == pytest.approx([min(groups)])
    assert not claim(t1_wga).of_groups
    shuffled = lambda rho, S_y, S_a: dict(reversed(list(zip(names, t1(rho, S_y, S_a), strict=True))))  # noqa: E731
    shuffled_back = claim(shuffled).accuracy
    assert shuffled_back == pytest.approx(groups)

    def head(rho, S_a, features_core_mean, features_spurious_mean):
        signal = [(1 + (1 - rho**2) * S_a) * features_core_mean, rho * features_spurious_mean]
        return llrsim.Head.of(signal, 0.0, 0.0)

    assert claim(head).accuracy == pytest.approx(groups)


def test_exact_numbers_are_numbers():
    assert claim(lambda: sympy.Rational(1, 3)).accuracy == pytest.approx([1 / 3])
    assert claim(lambda: [Fraction(1, 4)] * 4).accuracy == pytest.approx([0.25] * 4)
    with pytest.raises(FormulaError, match="complex numbers"):
        claim(lambda: sympy.sqrt(-1))
    with pytest.raises(FormulaError, match="returned a Symbol"):
        claim(lambda: sympy.Symbol("x"))


def test_messages_are_one_line():
    def told(rho):
        raise ValueError(f"bad\nrho {rho}")

    with pytest.raises(FormulaError, match=r"ValueError: bad rho"):
        claim(told)


def test_parameters_with_a_default_keep_it_where_there_is_no_such_name():
    assert claim(t1_wga).accuracy == claim(lambda rho, S_y, S_a, factor=1.0: min(t1(rho, S_y, S_a, factor))).accuracy
    assert claim(lambda rho=0.5: rho).accuracy == pytest.approx([0.9])
    assert claim(lambda heldout_minority_ratio=0.25: heldout_minority_ratio).accuracy == [0.25]


def test_sympy_expressions_are_formulas():
    rho, S_y, S_a = sympy.symbols("rho S_y S_a")
    c_y = 1 + (1 - rho**2) * S_a
    scale = sympy.sqrt(c_y**2 * S_y + rho**2 * S_a)
    majority, minority = (
        (1 + sympy.erf((c_y * S_y + sign * rho * S_a) / scale / sympy.sqrt(2))) / 2 for sign in (1, -1)
    )
    assert claim(minority).accuracy == pytest.approx([0.717614], abs=1e-6)
    assert claim([majority, minority, minority, majority]).accuracy == pytest.approx(t1(0.9, 1.96, 1.44), abs=1e-12)
    by_name = {"(+,+)": majority, "(-,-)": majority, "(-,+)": minority, "(+,-)": minority}
    assert claim(by_name).accuracy == pytest.approx(t1(0.9, 1.96, 1.44), abs=1e-12)
    with pytest.raises(FormulaError, match="returned complex numbers"):
        claim(sympy.sqrt(-S_y))
    with pytest.raises(FormulaError, match="train_proportions is no number"):
        claim(sympy.Symbol("train_proportions"))


def divides(rho):
    below = rho - rho
    return 1 / below


def test_a_head_may_be_written_in_plain_numbers():
    u, b, q = [1.1, 0.4], 0.2, 0.7
    expected = claim(lambda: llrsim.Head.of(u, b, q)).accuracy
    assert np.ptp(expected) > 0.1
    for plain in (llrsim.Head(np.array(u), b, q, q), llrsim.Head(u, np.array(b), q, q), {"u": u, "b": b, "q": q}):
        np.testing.assert_array_equal(claim(lambda plain=plain: plain).accuracy, expected)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (divides, r"formula divides .*test_formula_claim.py, line \d+\) raised ZeroDivisionError: .*division by zero"),
        (lambda: float("nan"), "returned NaN"),
        (lambda: np.log(np.array([-1.0, 1, 1, 1])), "returned NaN among"),
        (lambda: [0.5, 0.5], r"returned an array of shape \(2,\); expected a number, 4 group accuracies"),
        (lambda: [[0.5] * 4], r"shape \(1, 4\)"),
        (lambda: [[0.5], [0.5, 0.5]], "returned a list"),
        (lambda: 0.5 + 0.1j, "returned complex numbers"),
        (lambda: [0.5, 1.2, 0.5, 0.5], r"returned \[0.5, 1.2, 0.5, 0.5\]; accuracies lie in \[0, 1\]"),
        (lambda: -0.1, "accuracies lie in"),
        (lambda: 10**400, r"returned 10+\.\.\.; accuracies lie in \[0, 1\]"),
        (lambda: [0.5, 0.5, 0.5, -(10**400)], r"returned \[0.5, 0.5, 0.5, -10+\.\.\.; accuracies lie in \[0, 1\]"),
        (lambda: 10**5000, r"returned a int too long to print; accuracies lie in \[0, 1\]"),
        (lambda: {"u": [1.0, 10**400], "b": 0.0, "q": 1.0}, "a head with signal: numbers must lie within"),
        (lambda: None, "returned a NoneType; expected a number"),
        (lambda: "0.5", "returned a str"),
        (lambda: {"minority": 0.5}, r"returned a dict of minority; expected the groups \(-,-\), \(-,\+\)"),
        (lambda: llrsim.Head.of([1.0, 2.0, 3.0], 0.0, 1.0), r"a head with signal of shape \(3,\); .* \(2,\)"),
        (lambda: {"u": [1.0, 0.2], "b": 0.0, "q": [1.0, 1.0]}, r"a head with noise_norm: shape \(2,\); expected \(\)"),
        (lambda: {"u": [1.0, 0.2], "b": 0.0, "q": -1.0}, r"a head with noise_norm: -1\.0; expected at least 0"),
        (lambda: {"u": [1.0, 0.2], "b": 0.0, "q": float("nan")}, "a head with q = nan"),
        (lambda: {"u": ["a", 0.2], "b": 0.0, "q": 1.0}, "a head that is not made of real numbers"),
        (lambda: {"u": [1.0, 0.2], "b": 0.0}, r"a dict of u, b; expected the groups .*, or u, b, q"),
        (lambda: sys.exit(3), "raised SystemExit: 3"),
        (lambda roh: 0.5, "asks for 'roh', which is no name of the experiment; did you mean rho"),
        (lambda head_rigde: 0.5, "did you mean head_ridge"),
        (lambda heldout_n: 0.5, "heldout_n is not set"),
        (lambda *rho: 0.5, "parameter 'rho' takes no single name"),
        (0.7, "a float; expected a function or a SymPy expression"),
    ],
)
def test_bad_formulas_are_told_what_they_did_and_where(formula, message):
    with pytest.raises(FormulaError, match=message) as refused:
        claim(formula)
    if "parameter" not in message and "float" not in message:
        assert "(cell: head.ridge = 0)" in str(refused.value)
    assert "\n" not in str(refused.value)
