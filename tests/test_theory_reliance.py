"""Theory against code: reliance on the spurious coordinate under collapse, ridge and other losses (T5), split (T21)."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import ndtr, ndtri
from test_theory_numbers import EXACT, two_by_two
from theory_cases import evaluate

from llrsim.attribution import shapley
from llrsim.model import head
from llrsim.model.collapse import class_centres, collapse
from llrsim.model.gaussian import DENSITY_TABLE
from llrsim.model.losses import Loss
from llrsim.model.mixture import GroupMixture
from llrsim.prediction import PopulationObjective, least_squares
from llrsim.prediction.objective import expected_loss
from llrsim.prediction.population import minimise

SEEDS = range(5)


def random_law(seed):
    """Symbols of T1's two coordinates at random: means, deviations, rho > rho' >= 0, collapse factors, ridge."""
    rng = np.random.default_rng(seed)
    values = dict(zip(("mu_c", "mu_s", "sigma_c", "sigma_s"), rng.uniform(0.3, 2, size=4), strict=True))
    rho = rng.uniform(0.3, 0.95)
    values |= {"rho": rho, "rho_fit": rho * rng.uniform(0, 0.9)}
    return values | dict(zip(("tau_n", "tau_a", "tau", "lambda"), rng.uniform(0.1, 0.9, size=4), strict=True))


def untouched(values):
    variances = np.diag([values["sigma_c"] ** 2, values["sigma_s"] ** 2])
    return two_by_two([values["mu_c"], 0.0], [0.0, values["mu_s"]], variances, values["rho"])


def masses(correlation):
    return np.array([1 + correlation, 1 - correlation, 1 - correlation, 1 + correlation]) / 4


def collapsed_fit(values, *, correlation=None, tau_n=1.0, tau_a=1.0, ridge=0.0):
    """(u, b) of least squares on features collapsed towards the training centres, at other masses if asked."""
    law = untouched(values)
    mass = masses(values["rho"] if correlation is None else correlation)
    collapsed = collapse(law, class_centres(law), noise=tau_n, attribute=tau_a)
    return least_squares(PopulationObjective.of(collapsed, mass, Loss.SQUARED, ridge=ridge))


def score(values, theta):
    """Phi^-1(WGA) of a head on the untouched law."""
    return ndtri(head.read_out(head.Head.of(theta[:2], theta[2], 0.0), untouched(values)).wga)


@pytest.mark.parametrize("seed", SEEDS)
def test_collapsed_reliance(seed):
    values = random_law(seed)
    theta = collapsed_fit(
        values,
        correlation=values["rho_fit"],
        tau_n=values["tau_n"],
        tau_a=values["tau_a"],
        ridge=values["lambda"],
    )
    expected = evaluate("reliance.collapsed_reliance", values)
    assert theta[1] / theta[0] == pytest.approx(expected["ratio"], rel=EXACT)
    assert theta[0] == pytest.approx(expected["core_weight"], rel=EXACT)
    assert theta[2] == pytest.approx(0.0, abs=EXACT)
    told = evaluate("reliance.worst_group", values | {"r": theta[1] / theta[0]})
    # WGA to 1e-16 leaves its quantile 1e-16 over the density there.
    assert score(values, theta) == pytest.approx(told["score"], rel=EXACT)
    assert told["slope"] < 0


@pytest.mark.parametrize("seed", SEEDS)
def test_attributes_that_collapse_first_raise_the_reliance(seed):
    values = random_law(seed)
    tau_n, tau_a = values["tau_n"], values["tau_a"]
    expected = evaluate("reliance.unequal_factors", values | {"kappa": (tau_a / tau_n) ** 2})
    theta = collapsed_fit(values, tau_n=tau_n, tau_a=tau_a)
    assert theta[1] / theta[0] == pytest.approx(expected["ratio"], rel=EXACT)
    assert expected["slope"] < 0
    further = collapsed_fit(values, tau_n=tau_n, tau_a=0.9 * tau_a)
    assert further[1] / further[0] > theta[1] / theta[0]


@pytest.mark.parametrize("seed", range(8))
def test_the_sign_of_collapse_under_ridge(seed):
    values = random_law(seed)
    tau, ridge = values["tau"], values["lambda"]
    expected = evaluate("reliance.ridge", values)
    theta = collapsed_fit(values, tau_n=tau, tau_a=tau, ridge=ridge)
    assert theta[1] / theta[0] == pytest.approx(expected["ratio"], rel=EXACT)
    h = 1e-3
    steps = np.array([collapsed_fit(values, tau_n=t, tau_a=t, ridge=ridge) for t in tau + h * np.arange(-4, 5)])
    eighth = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280]) / h
    # Differences of numbers with an error of 1e-16 over h.
    assert eighth @ (steps[:, 1] / steps[:, 0]) == pytest.approx(expected["slope"], abs=1e-11)
    assert eighth @ [score(values, theta) for theta in steps] == pytest.approx(expected["score_slope"], abs=1e-11)
    wider = values["sigma_s"] ** 2 + (1 - values["rho"] ** 2) * values["mu_s"] ** 2 > values["sigma_c"] ** 2
    assert (expected["slope"] < 0) == (expected["score_slope"] > 0) == wider


def minimised(mixture, loss, **options):
    return minimise(PopulationObjective.of(mixture, mixture.proportions, loss, **options)).theta


LOSSES = [Loss.SQUARED, Loss.LOGISTIC, Loss.SQUARED_HINGE, Loss.HINGE]

# The squared loss is a closed form; the others are solved until a Newton step is 1e-10 of the head.
SOLVED = dict.fromkeys(LOSSES, 1e-10) | {Loss.SQUARED: EXACT}


@pytest.mark.parametrize("loss", LOSSES)
def test_one_gaussian_a_class_has_one_direction(loss):
    rng = np.random.default_rng(1)
    root, means = rng.normal(size=(2, 2)), rng.normal(size=(2, 2))
    covariance = root @ root.T + 0.5 * np.eye(2)
    law = GroupMixture.of(
        means=means, covariances=covariance, noise_dim=0, labels=(-1, 1), attributes=(-1, 1), proportions=[0.3, 0.7]
    )
    axes = {f"m{g + 1}{i + 1}": means[g, i] for g in range(2) for i in range(2)}
    entries = {"s11": covariance[0, 0], "s12": covariance[0, 1], "s22": covariance[1, 1]}
    slope = evaluate("other_losses.one_group_a_class", axes | entries)["slope"]
    for tau in (1.0, 0.4):
        theta = minimised(collapse(law, class_centres(law), noise=tau, attribute=tau), loss)
        assert theta[1] / theta[0] == pytest.approx(slope, rel=SOLVED[loss])
    unequal = GroupMixture.of(
        means=means,
        covariances=[covariance, np.diag([0.2, 1.5])],
        noise_dim=0,
        labels=(-1, 1),
        attributes=(-1, 1),
        proportions=[0.3, 0.7],
    )
    first, second = (
        minimised(collapse(unequal, class_centres(unequal), noise=tau, attribute=tau), loss) for tau in (1.0, 0.4)
    )
    assert (abs(first[1] / first[0] - second[1] / second[0]) < 1e-9) == (loss == Loss.SQUARED)


def difference_of_slopes(values, theta, loss, tau_n, tau_a):
    """kappa at a head: expectations over the margins of a majority and a minority row."""
    core, spurious = values["mu_c"] * theta[0], values["mu_s"] * theta[1]
    spread = tau_n * np.hypot(values["sigma_c"] * theta[0], values["sigma_s"] * theta[1])
    means = [core + spurious * (values["rho"] + tau_a * (side - values["rho"])) for side in (1, -1)]
    moments = np.array([expected_loss(int(loss), mean, spread, DENSITY_TABLE) for mean in means])
    curvature = masses(values["rho"])[:2] * 2 @ moments[:, 2]
    return (moments[0, 1] - moments[1, 1]) / ((means[0] - means[1]) * curvature)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_reliance_for_any_loss(loss, seed):
    values = random_law(seed)
    values["sigma_c"] = values["mu_c"]  # groups that overlap: those far apart have no minimiser to working precision
    law = untouched(values)
    kappas = []
    for tau_n, tau_a in ((1.0, 1.0), (0.5, 0.5), (values["tau_n"], values["tau_a"])):
        theta = minimised(collapse(law, class_centres(law), noise=tau_n, attribute=tau_a), loss)
        kappas.append(difference_of_slopes(values, theta, loss, tau_n, tau_a))
        at = values | {"kappa": kappas[-1], "tau_n": tau_n, "tau_a": tau_a}
        assert theta[1] / theta[0] == pytest.approx(evaluate("other_losses.any_loss", at)["ratio"], rel=SOLVED[loss])
    assert (abs(kappas[0] - kappas[1]) < 1e-9) == (loss == Loss.SQUARED)


def test_class_collapse_turns_the_logistic_head_both_ways():
    """The squared loss would have one direction at all three factors."""
    values = {"mu_c": 1.0, "mu_s": 1.5, "sigma_c": 1.0, "sigma_s": 1.0, "rho": 0.9}
    law = untouched(values)
    wga, reliance = [], []
    for tau in (1.0, 0.4, 0.2):
        theta = minimised(collapse(law, class_centres(law), noise=tau, attribute=tau), Loss.LOGISTIC)
        wga.append(head.read_out(head.Head.of(theta[:2], theta[2], 0.0), law).wga)
        reliance.append(theta[1] / theta[0])
    assert wga == pytest.approx([0.460425, 0.589922, 0.446675], abs=1e-6)
    assert reliance[1] < reliance[0] < reliance[2]


@pytest.mark.parametrize(("rho", "tau", "sign"), [(0.9, 1.0, 1), (0.9, 0.1, -1), (0.5, 0.9, 1)])
def test_the_exponential_loss(rho, tau, sign):
    """Its minimiser, which llrsim does not have, by a generic one; the slope by differences along tau."""
    values = {"mu_c": 1.1, "mu_s": 0.7, "sigma_c": 1.0, "sigma_s": 0.9, "rho": rho}

    def reliance(tau):
        def objective(u):
            spread2 = tau**2 * ((values["sigma_c"] * u[0]) ** 2 + (values["sigma_s"] * u[1]) ** 2)
            core, spurious = values["mu_c"] * u[0], values["mu_s"] * u[1]
            means = np.array([core + spurious * (rho + tau * (side - rho)) for side in (1, -1)])
            return np.log(np.array([1 + rho, 1 - rho]) / 2 @ np.exp(spread2 / 2 - means))

        found = minimize(objective, [values["mu_c"] / (tau * values["sigma_c"]) ** 2, 0.0], tol=1e-12)
        return found.x[1] / found.x[0]

    def derived(tau):
        def equation(gap):
            return evaluate("other_losses.exponential_loss", values | {"tau": tau, "D": gap})["equation"]

        gap = brentq(equation, 1e-9, 100.0, xtol=1e-14, rtol=1e-14)
        return evaluate("other_losses.exponential_loss", values | {"tau": tau, "D": gap})

    told = derived(tau)
    # A generic minimiser by differences sees its minimum to the root of 1e-16.
    assert reliance(tau) == pytest.approx(told["ratio"], rel=1e-6)
    h = 1e-5
    slope = (derived(tau + h)["ratio"] - derived(tau - h)["ratio"]) / (2 * h)
    assert slope == pytest.approx(told["slope"], rel=1e-7)
    assert np.sign(told["slope"]) == sign


def four_cells(values, tau_n, tau_a, ridge):
    """Heads by (balance, collapse): off and on."""
    correlations, factors = (values["rho"], values["rho_fit"]), ((tau_n, tau_a), (1.0, 1.0))
    return [
        [collapsed_fit(values, correlation=rho, tau_n=n, tau_a=a, ridge=ridge) for n, a in factors]
        for rho in correlations
    ]


def shares(values, cells):
    """Shapley values of balance and collapse, of WGA."""
    law = untouched(values)
    return shapley([[head.read_out(head.Head.of(c[:2], c[2], 0.0), law).wga for c in row] for row in cells])


@pytest.mark.parametrize("seed", range(12))
def test_the_larger_share(seed):
    values = random_law(seed)
    cells = four_cells(values, values["tau_n"], values["tau_a"], values["lambda"])
    expected = evaluate("balance_or_collapse.larger_share", values)
    for (balance, collapsed), key in {(0, 0): "none", (1, 0): "0", (0, 1): "1", (1, 1): "01"}.items():
        assert score(values, cells[balance][collapsed]) == pytest.approx(expected[f"score_{key}"], rel=EXACT)
    found = shares(values, cells)
    assert found[0] - found[1] == pytest.approx(
        ndtr(expected["score_0"]) - ndtr(expected["score_1"]), rel=EXACT, abs=EXACT
    )
    assert (found[0] > found[1]) == (expected["excess"] > 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_balance_has_the_larger_share_under_class_collapse(seed):
    values = random_law(seed)
    cells = four_cells(values, values["tau"], values["tau"], 0.0)
    reliance = [[theta[1] / theta[0] for theta in row] for row in cells]
    expected = evaluate("balance_or_collapse.under_class_collapse", values)
    assert reliance[0][0] == pytest.approx(reliance[0][1], rel=EXACT)
    assert reliance[1][0] - reliance[1][1] == pytest.approx(expected["left"], rel=EXACT)
    assert reliance[0][1] - reliance[1][0] == pytest.approx(expected["excess"], rel=EXACT)
    found = shares(values, cells)
    assert found[0] > found[1] > 0


@pytest.mark.parametrize(("attribute", "noise", "sign"), [(0.1, 0.9, -1), (0.5, 0.5, 1), (1.0, 0.3, 1)])
def test_where_the_larger_share_flips(attribute, noise, sign):
    """Erased attributes at the S_a of equal shares and either side of it; class and group collapse, which have none."""
    values = random_law(0) | {"rho_fit": 0.0, "tau_a": attribute, "tau_n": noise, "sigma_s": 1.0}
    values["kappa"] = (attribute / noise) ** 2
    flip = evaluate("balance_or_collapse.under_unequal_collapse", values | {"S_a": 1.0})["flip"]
    assert (flip > 0) == (sign < 0)
    for strength in (0.5 * abs(flip), 2 * abs(flip)):
        at = values | {"S_a": strength, "mu_s": np.sqrt(strength)}
        margin = evaluate("balance_or_collapse.under_unequal_collapse", at)["margin"]
        found = shares(at, four_cells(at, noise, attribute, 0.0))
        assert (found[0] > found[1]) == (margin > 0)
        assert (margin > 0) == (sign > 0 or strength < flip)
    if sign < 0:
        at = values | {"mu_s": np.sqrt(flip)}
        first, second = shares(at, four_cells(at, noise, attribute, 0.0))
        assert first == pytest.approx(second, rel=EXACT)


@pytest.mark.parametrize(("sigma_c", "tau", "sign"), [(0.5, 0.01, -1), (0.5, 0.9, 1), (2.0, 0.01, 1)])
def test_ridge_can_give_collapse_the_larger_share(sigma_c, tau, sign):
    values = {"mu_c": 1.2, "mu_s": 1.0, "sigma_c": sigma_c, "sigma_s": 0.9, "rho": 0.8, "rho_fit": 0.0, "lambda": 0.3}
    margin = evaluate("balance_or_collapse.under_ridge", values | {"tau": tau})["margin"]
    cells = four_cells(values, tau, tau, values["lambda"])
    unit = values["rho"] * values["mu_s"] / values["mu_c"]
    assert (cells[0][1][1] / cells[0][1][0] - cells[1][0][1] / cells[1][0][0]) / unit == pytest.approx(
        margin, rel=EXACT
    )
    assert np.sign(margin) == sign
    fully = evaluate("balance_or_collapse.under_ridge", values | {"tau": tau})["full_collapse"]
    assert (fully < 0) == (sigma_c < 1)  # where the spurious coordinate is the wider one
    found = shares(values, cells)
    assert np.sign(found[0] - found[1]) == sign


def test_at_equal_variances_balance_has_the_larger_share_at_small_tau():
    """There the limit of full collapse decides nothing; the share of balance is larger by about tau."""
    spurious = 0.9**2 + (1 - 0.8**2) * 1.0**2
    values = {
        "mu_c": 1.2,
        "mu_s": 1.0,
        "sigma_c": spurious**0.5,
        "sigma_s": 0.9,
        "rho": 0.8,
        "rho_fit": 0.0,
        "lambda": 0.3,
    }
    for tau in (1e-3, 1e-2):
        terms = evaluate("balance_or_collapse.under_ridge", values | {"tau": tau})
        assert terms["full_collapse"] == pytest.approx(0.0, abs=1e-12)
        assert terms["equal_variances"] == tau
        assert terms["margin"] == pytest.approx(tau, rel=10 * tau)
        balance, collapse = shares(values, four_cells(values, tau, tau, values["lambda"]))[:2]
        assert balance > collapse
