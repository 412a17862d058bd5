"""Every derivation of the proportional limit and of lazy samples fails when an error is planted in it."""

import pytest
import test_theory

PLANTED = [
    ("envelopes", "slope_and_curvature", "(1 + T * WEIGHT * second)", "(1 + T * second)"),
    ("envelopes", "gaussian_derivatives", '-e["product_x"] / s', 'e["product_x"] / s'),
    ("envelopes", "gaussian_derivatives", 's * e["curvature"]', 'e["curvature"]'),
    ("losses", "logistic", "(2 * scale**2 * T * WEIGHT)", "(2 * scale * T * WEIGHT)"),
    ("losses", "piecewise_linear", "1 - (soft + T) * WEIGHT", "1 - T * WEIGHT"),
    ("losses", "clipped_moments", "kink - MEAN", "MEAN - kink"),
    ("losses", "squared_moments", "c**2 * SPREAD, c**3", "c**2 * SPREAD, c**2"),
    ("proportional", "gordon", "t = noise**2 * TAU / BETA", "t = noise * TAU / BETA"),
    ("proportional", "stationarity", "- BETA * noise + penalty", "+ BETA * noise + penalty"),
    ("proportional", "stationarity", "group.share * group.moment", "group.moment"),
    ("proportional", "jacobian", "steps = [(variable, S.One)", "steps = [(variable, variable)"),
    ("averaging", "shared_rows", "-field / (ridge + nu)", "-field / (ridge - nu)"),
    ("effective_weights", "effective_weights", "(1 + weight * group.noise**2 * V)", "(1 + weight * group.noise * V)"),
    ("effective_weights", "inert_weights", "limit(V * c, V, oo), group.share", "limit(V * c, V, oo), weight"),
    ("effective_weights", "balanced_weights", "- c * group.noise**2 * V", "+ c * group.noise**2 * V"),
    ("limits", "population", "(U.dot(U) + Q**2) / 2", "(U.dot(U) + Q**2)"),
    ("limits", "large_ridge", "mean * direction + RATIO * own", "mean * direction - RATIO * own"),
    ("limits", "margins_by_class", "(plus - minus) / 2", "(minus - plus) / 2"),
    ("max_margin", "squared_positive_part", "(SPREAD**2 + C**2)", "(SPREAD**2 - C**2)"),
    ("max_margin", "margin_program", "BETA * short / (2 * TAU)", "BETA * short / TAU"),
    ("max_margin", "separability", "-label * bias", "-bias"),
    ("descent", "momentum", "decay = first * second", "decay = first + second"),
    ("descent", "resolvent", "(head - origin)", "(head + origin)"),
    ("descent", "noise_products", "matrix = diag(ridge - z[i], -z[i])", "matrix = diag(ridge - z[i], z[i])"),
    ("descent", "bulk_edge", "diff(equation, nu) * (-slope)", "diff(equation, nu) * slope"),
    ("online", "one_step", "(g**2 + part * D - 1)", "(g**2 + D - 1)"),
    ("online", "stability", "ETA**2 * feedback * coupling", "ETA * feedback * coupling"),
    ("lazy", "conditioning", "z * v * v.T - u * u.T * z", "z * v * v.T + u * u.T * z"),
    ("lazy", "conditioning", "rest = off(asked), off(known)", "rest = off(asked), eye(3)"),
    ("lazy", "new_direction", "(z * v).dot(query)", "(z * v).dot(query - off(u) * query)"),
    ("lazy", "new_direction", "LENGTH ** (DEGREES - 1)", "LENGTH**DEGREES"),
    ("lazy", "image", "off(asked), new_right", "off(left[:, 0]), new_right"),
    ("lazy", "single_precision", "middle + end, middle + place", "middle + place + end, middle + place"),
    ("exchangeable", "axes", "laplace(c / 2, rows - 1)", "laplace(c / 2, rows)"),
    ("earlier_head", "slices", "IMAGE / SPREAD", "IMAGE / SPREAD**2"),
    ("earlier_head", "score_weighted", "LABEL * with_x / SPREAD -", "LABEL * with_x -"),
    ("flatness", "relative_flatness", "(second / (1 - T * second))", "(second / (1 + T * second))"),
]


@pytest.mark.parametrize(("module", "function", "right", "wrong"), PLANTED)
def test_a_planted_error_is_caught(module, function, right, wrong):
    test_theory.test_a_planted_error_is_caught(module, function, right, wrong)
