"""T14 on least squares: filters of one eigendirection of the Hessian, and heads as contour integrals of ridge heads."""

from __future__ import annotations

from sympy import Matrix, Poly, S, diag, diff, exp, limit, oo, residue, solve, symbols

from .derivation import Derivation


def filters() -> Derivation:
    """theta_T = theta_0 + phi_T(z) g with phi_T(z) = (1 - (1 - eta z)^T) / z; flow has (1 - e^{-tz}) / z."""
    proof = Derivation(
        "`F = z theta^2/2 - g theta` in one eigendirection, `z > 0`, from `0`; no momentum, no clipping."
    )
    z, eta, time = symbols("z eta t", positive=True)
    steps = symbols("T", integer=True, positive=True)
    force, theta = symbols("g theta", real=True)
    slope = proof.say("The slope of `F` is", diff(z * theta**2 / 2 - force * theta, theta))
    rest = proof.equal("and vanishes at", solve(slope, theta)[0], force / z)
    factor = proof.equal(
        "A step multiplies the distance to it by", (theta - eta * slope - rest) / (theta - rest), 1 - eta * z
    )
    filtered = proof.equal(
        "so that `T` steps from `0` lead to `phi_T(z) g`, with `phi_T` the filter",
        (rest + factor**steps * (0 - rest)) / force,
        (1 - (1 - eta * z) ** steps) / z,
    )
    flow = proof.equal(
        "Steps of `t/T` become flow", limit(filtered.subs(eta, time / steps), steps, oo), (1 - exp(-time * z)) / z
    )
    proof.control("It solves `d theta/d t = g - z theta`", (flow * force).diff(time), -slope.subs(theta, flow * force))
    proof.control("and starts at rest", flow.subs(time, 0), S.Zero)
    proof.result = {"descent": filtered, "flow": flow}
    return proof


def momentum() -> Derivation:
    """Heavy ball leaves (r1^(T+1) (1 - r2) - r2^(T+1) (1 - r1)) / (r1 - r2) of the way."""
    proof = Derivation(
        "Heavy ball, `mu` times the step before and `eta` times the slope `z theta - g`, from rest. What is left of "
        "the distance obeys `psi_{T+1} = (1 + mu - eta z) psi_T - mu psi_{T-1}`."
    )
    first, second, mu, curve, x, one, other = symbols("r1 r2 mu h r A B")
    steps = symbols("T", integer=True, nonnegative=True)
    powers = symbols("p1 p2")  # r1^T, r2^T
    characteristic = proof.say(
        "Powers `r^T` obey it where, with `h = eta z`, this vanishes:", x**2 - (1 + mu - curve) * x + mu
    )
    settings = solve(Poly(characteristic - (x - first) * (x - second), x).all_coeffs(), [mu, curve])
    setting = proof.equal(
        "With the roots `r_1`, `r_2` momentum and step are",
        Matrix([settings[mu], settings[curve]]),
        Matrix([first * second, (1 - first) * (1 - second)]),
    )
    before = one * powers[0] / first + other * powers[1] / second
    after = proof.equal(
        "One more step, from `A r_1^T + B r_2^T`, written `p_1`, `p_2` for the powers,",
        (1 + setting[0] - setting[1]) * (one * powers[0] + other * powers[1]) - setting[0] * before,
        one * powers[0] * first + other * powers[1] * second,
    )

    def left(number):
        return after.subs({powers[0]: first ** (number - 1), powers[1]: second ** (number - 1)})

    found = solve([left(0) - 1, left(-1) - 1], [one, other])
    ends = proof.equal(
        "Nothing has moved at the start, nor before it: `A` and `B` are",
        Matrix([found[one], found[other]]),
        Matrix([first * (1 - second), -second * (1 - first)]) / (first - second),
    )
    remains = left(steps).subs({one: ends[0], other: ends[1]})
    eta, z = symbols("eta z")
    proof.control(
        "Without momentum `(1 - eta z)^T` is left, here at `T = 3`",
        remains.subs(steps, 3).subs({second: 0, first: 1 - eta * z}),
        (1 - eta * z) ** 3,
    )
    proof.result = {"left": remains}
    return proof


def resolvent() -> Derivation:
    """w_T = w_0 - phi(H) grad F(w_0) as a contour integral of heads w^z with an anchor of strength -z at w_0."""
    proof = Derivation(
        "`F` quadratic with Hessian `H` and linear part `-g`; a filter `phi` that is analytic inside a contour around "
        "the spectrum. One eigendirection, of eigenvalue `h`; three steps for descent."
    )
    z, h, eta, origin, force, head = symbols("z h eta w0 g w")
    filtered = proof.say("The filter of descent", (1 - (1 - eta * z) ** 3) / z)
    proof.control("is analytic at `0` too", limit(filtered, z, 0), 3 * eta)
    moved = proof.equal(
        "The minimiser of `F - z (w - w_0)^2/2` has moved from `w_0` by the resolvent of the slope",
        solve(h * head - force - z * (head - origin), head)[0] - origin,
        (force - h * origin) / (h - z),
    )
    path = proof.equal(
        "Cauchy: `-1/(2 pi i)` times the integral of `phi(z)` times this is what descent moves by",
        -residue(filtered * moved, z, h),
        filtered.subs(z, h) * (force - h * origin),
    )
    flow = (1 - exp(-eta * z)) / z
    proof.control("Flow likewise", -residue(flow * moved, z, h), flow.subs(z, h) * (force - h * origin))
    before, after = symbols("z1 z2")
    proof.control(
        "Resolvent identity, from `w_0 = 0`: heads at two `z` have an inner product that differences of `g.w^z` give",
        (moved.subs(z, before) * moved.subs(z, after)).subs(origin, 0),
        (force * (moved.subs(z, before) - moved.subs(z, after)) / (before - after)).subs(origin, 0),
    )
    proof.result = {"filter": (path / (force - h * origin)).subs(h, z), "moved": moved}
    return proof


def noise_products() -> Derivation:
    """v'v' of two heads w^z, w^z': Q = sum pi_g h_g h_g' (r_g r_g' + u'S_g u') / (1 - sum pi_g sigma_g^2 h_g h_g')."""
    proof = Derivation(
        "T10 at complex ridges; two groups, one signal coordinate, two eigenvalues of the noise, from `w_0 = 0`.",
        sizes="two groups, one signal coordinate, two eigenvalues",
    )
    ridge, ratio = symbols("lambda delta", positive=True)
    z = symbols("z1 z2")
    V = symbols("V1 V2")
    heads = [Matrix(symbols(f"u{i} b{i}")) for i in (1, 2)]
    groups = []
    for g, label in ((1, -1), (2, 1)):
        share, weight, noise, spread = symbols(f"pi{g} omega{g} sigma{g} S{g}", positive=True)
        point = Matrix([symbols(f"m{g}", real=True), 1])
        groups.append((share, weight, noise**2, label, point, diag(spread, 0)))

    def weights(i):
        return [share * weight / (1 + weight * noise * V[i]) for share, weight, noise, *_ in groups]

    def misses(i):
        return [label - heads[i].dot(point) for *_, label, point, _ in groups]

    def left_over(i):
        """The normal equations' left side less the right: zero at the heads."""
        matrix = diag(ridge - z[i], -z[i])
        target = Matrix([0, 0])
        for c, (_, _, _, label, point, spread) in zip(weights(i), groups, strict=True):
            matrix += c * (point * point.T + spread)
            target += c * label * point
        return matrix * heads[i] - target

    margin, t = symbols("a t")
    missed = proof.equal(
        "A fitted row's margin is the prox `P`: what it lacks is",
        1 - (margin + t) / (1 + t),
        (1 - margin) / (1 + t),
    )

    def pull(i):
        """sum p_g E (1 - P), which is sum c_g y_g r_g."""
        total = S.Zero
        for share, weight, noise, label, point, _ in groups:
            at = {margin: label * heads[i].dot(point), t: weight * noise * V[i]}
            total += share * weight * missed.subs(at)
        return total

    products = [
        r * s + (heads[0].T * group[5] * heads[1])[0] for r, s, group in zip(misses(0), misses(1), groups, strict=True)
    ]
    change = [after - before for before, after in zip(weights(0), weights(1), strict=True)]
    across = heads[1].dot(left_over(0)) - heads[0].dot(left_over(1))  # zero at the heads
    left = proof.equal(
        "so that `g.w = sum_g p_g - sum_g c_g y_g r_g`. The normal equations of each, against the other head, give "
        "what it changes by, less `(z - z') (u u' + b b')`: by the resolvent identity `(z - z') Q`, which is",
        pull(1) - pull(0) - (z[0] - z[1]) * heads[0].dot(heads[1]) - across,
        sum(c * product for c, product in zip(change, products, strict=True)),
    )
    pair = proof.equal(
        "`c_g' - c_g` has the factor `V - V'`: `P_g` times it, with `P_g` in",
        Matrix(change),
        (V[0] - V[1])
        * Matrix(
            [
                share * weight**2 * noise / ((1 + weight * noise * V[0]) * (1 + weight * noise * V[1]))
                for share, weight, noise, *_ in groups
            ]
        ),
    ) / (V[0] - V[1])
    forcing = proof.equal("so `(z - z') Q` is `V - V'` times", left / (V[0] - V[1]), pair.dot(Matrix(products)))
    nu, eigenvalues, parts = (symbols(name) for name in ("nu1 nu2", "e1 e2", "s1 s2"))
    strengths = [[ridge - z[i] + nu[i] * e for e in eigenvalues] for i in (0, 1)]
    traces = [
        ratio * sum(s * e**power / (d1 * d2) for s, e, d1, d2 in zip(parts, eigenvalues, *strengths, strict=True))
        for power in (1, 2)
    ]
    responses = [
        ratio * sum(s * e / d for s, e, d in zip(parts, eigenvalues, strength, strict=True)) for strength in strengths
    ]
    gap, step, back, first, second = symbols("V_gap z_gap F K1 K2")
    linear = proof.equal(
        "`V = delta sum_j s_j e_j/D_j`: `V - V'` in `z - z'` and `nu - nu'`, with "
        "`K_r = delta sum_j s_j e_j^r/(D_j D_j')`",
        responses[0] - responses[1],
        (z[0] - z[1]) * traces[0] - (nu[0] - nu[1]) * traces[1],
    )
    feedback = proof.equal(
        "and `nu' - nu = sum_g sigma_g^2 (c_g' - c_g)` has the factor `V - V'` again, times `F`,",
        sum(c * group[2] for c, group in zip(change, groups, strict=True)) / (V[0] - V[1]),
        sum(part * group[2] for part, group in zip(pair, groups, strict=True)),
    )
    rates = linear.subs(dict(zip(traces, (first, second), strict=True)))
    quotient = proof.equal(
        "so `(V - V')/(z - z') = K_1/(1 - K_2 F)`",
        solve(gap - rates.subs({z[0]: z[1] + step, nu[0]: nu[1] - gap * back}), gap)[0] / step,
        first / (1 - second * back),
    )
    pulls = [
        weight * noise**S.Half * V[i] / (1 + weight * noise * V[i]) for i in (0, 1) for _, weight, noise, *_ in groups
    ]
    any_products = symbols("R1 R2")
    proof.control(
        "Isotropic noise, `K_1 = K_2 = V V'/delta`: `K_1 P_g` is `pi_g h_g h_g'`, `h_g = omega_g sigma_g V/(1 + t_g)` "
        "over `sqrt(delta)`",
        V[0] * V[1] / ratio * pair.dot(Matrix(any_products)),
        sum(
            group[0] * h * k / ratio * product
            for group, h, k, product in zip(groups, pulls[:2], pulls[2:], any_products, strict=True)
        ),
    )
    proof.result = {"Q": quotient.subs(back, feedback) * forcing}
    return proof


def bulk_edge() -> Derivation:
    """Where the eigenvalues that the noise makes end: dz/dV = 0 as V < 0 runs over its branch, at K_2 F = 1."""
    proof = Derivation(
        "T10 at `z` right of the spectrum, `V < 0`; `K_2`, `F` as for the noise of two heads, at `z = z'`; "
        "`t_g = omega_g sigma_g^2 V`.",
        sizes="two groups, two eigenvalues",
    )
    ridge, ratio = symbols("lambda delta", positive=True)
    z, response, nu, slope = symbols("z V nu F", real=True)
    groups = [symbols(f"pi{g} omega{g} sigma{g}", positive=True) for g in (1, 2)]
    loads = [weight * noise**2 * response for _, weight, noise in groups]
    noises = proof.say(
        "`nu` is the sum of `sigma_g^2 c_g`, in",
        Matrix(
            [share * weight * noise**2 / (1 + load) for (share, weight, noise), load in zip(groups, loads, strict=True)]
        ),
    )
    falls = proof.equal(
        "It falls with `V`, at the rate `F = sum_g P_g sigma_g^2`",
        -sum(diff(noises, response)),
        sum(
            share * (weight * noise**2 / (1 + load)) ** 2
            for (share, weight, noise), load in zip(groups, loads, strict=True)
        ),
    )
    eigenvalues, parts = symbols("e1 e2", positive=True), symbols("s1 s2", positive=True)
    strengths = [ridge - z + nu * e for e in eigenvalues]
    equation = proof.say(
        "The root of this is `V`",
        response - ratio * sum(s * e / d for s, e, d in zip(parts, eigenvalues, strengths, strict=True)),
    )
    first, second = (
        ratio * sum(s * e**power / d**2 for s, e, d in zip(parts, eigenvalues, strengths, strict=True))
        for power in (1, 2)
    )
    rate = proof.equal(
        "along which `dz/dV = (1 - K_2 F)/K_1`",
        -(diff(equation, response) + diff(equation, nu) * (-slope)) / diff(equation, z),
        (1 - second * slope) / first,
    )
    one = {eigenvalues[0]: 1, eigenvalues[1]: 1, parts[1]: 1 - parts[0]}
    place = proof.equal(
        "Isotropic noise: `z` is explicit in `V`",
        solve(equation.subs(one), z)[0].subs(nu, sum(noises)),
        ridge + sum(noises) - ratio / response,
    )
    edge = proof.equal(
        "and the edge is its least value for `-1 < t_g < 0`, where the sum of `pi_g (t_g/(1 + t_g))^2` is `delta`, as "
        "`dz/dV` is",
        rate.subs(one).subs(slope, falls).subs(z, ridge + nu - ratio / response),
        (ratio - sum(group[0] * (load / (1 + load)) ** 2 for group, load in zip(groups, loads, strict=True)))
        / response**2,
    )
    proof.control("It is the derivative of that place", diff(place, response), edge)
    proof.result = {"z": place, "slope": edge}
    return proof
