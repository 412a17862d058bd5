"""T14 on least squares: filters of one eigendirection of the Hessian, and heads as contour integrals of ridge heads."""

from __future__ import annotations

from sympy import Function, Matrix, S, diag, diff, exp, expand, limit, oo, residue, solve, symbols

from .derivation import Derivation


def filters() -> Derivation:
    """theta_T = theta_0 + phi_T(z) g with phi_T(z) = (1 - (1 - eta z)^T) / z; flow has (1 - e^{-tz}) / z."""
    proof = Derivation("F = z theta^2 / 2 - g theta in one eigendirection, z > 0, from 0; no momentum, no clipping.")
    z, eta, time = symbols("z eta t", positive=True)
    steps = symbols("T", integer=True, positive=True)
    force = symbols("g", real=True)
    filtered = (1 - (1 - eta * z) ** steps) / z

    def after(number):  # the head that the formula gives after so many steps
        return filtered.subs(steps, number) * force

    proof.equal("Nothing has moved before the first step", after(0), 0 * force)
    step = after(steps) - eta * (z * after(steps) - force)
    power = Function("r")(steps)  # (1 - eta z)^T, of which one step makes (1 - eta z) times as much
    proof.equal(
        "One more step is a step of descent",
        step.subs((1 - eta * z) ** steps, power),
        (1 - (1 - eta * z) * power) / z * force,
    )
    flow = (1 - exp(-time * z)) / z
    proof.equal("Flow solves d theta / dt = g - z theta", (flow * force).diff(time), force - z * flow * force)
    proof.equal("It starts at rest", flow.subs(time, 0), 0 * z)
    proof.equal("Steps of t / T become flow", (1 - limit((1 - time * z / steps) ** steps, steps, oo)) / z, flow)
    proof.result = {"descent": filtered, "flow": flow}
    return proof


def momentum() -> Derivation:
    """Heavy ball leaves psi_T = (r1^(T+1) (1 - r2) - r2^(T+1) (1 - r1)) / (r1 - r2) of the distance."""
    proof = Derivation("theta += mu (theta - theta before) - eta (z theta - g), from rest; r1, r2 roots, r1 != r2.")
    first, second = symbols("r1 r2")
    steps = symbols("T", integer=True, nonnegative=True)
    decay = first * second  # mu
    curve = (1 - first) * (1 - second)  # eta z
    x = symbols("r")
    proof.equal(
        "Powers r^T solve the recursion if r^2 - (1 + mu - eta z) r + mu = 0, which has the roots r1, r2",
        expand((x - first) * (x - second)),
        expand(x**2 - (1 + decay - curve) * x + decay),
    )

    def left(number):
        return (first ** (number + 1) * (1 - second) - second ** (number + 1) * (1 - first)) / (first - second)

    proof.equal("Nothing has moved at the start", left(0), 1 + 0 * first)
    proof.equal("nor before it", left(-1), 1 + 0 * first)
    powers = {first**steps: Function("p1")(steps), second**steps: Function("p2")(steps)}
    proof.equal(
        "One more step is a step of heavy ball",
        expand(left(steps + 1)).subs(powers),
        expand((1 + decay - curve) * left(steps) - decay * left(steps - 1)).subs(powers),
    )
    eta = symbols("eta", positive=True)
    z = symbols("z")
    proof.equal(
        "Without momentum (1 - eta z)^T is left", left(3).subs({second: 0, first: 1 - eta * z}), (1 - eta * z) ** 3
    )
    proof.result = {"left": left(steps)}
    return proof


def resolvent() -> Derivation:
    """w_T = w_0 - phi(H) grad F(w_0) as a contour integral of heads w^z with an anchor of strength -z at w_0."""
    proof = Derivation(
        "F quadratic with Hessian H; a filter phi that is analytic inside a contour around the spectrum."
    )
    z, h, eta, origin, force = symbols("z h eta w0 g")
    steps = 3
    phi = (1 - (1 - eta * z) ** steps) / z
    proof.equal("phi_T is analytic at 0 too", limit(phi, z, 0), steps * eta)
    flow = (1 - exp(-eta * z)) / z
    for name, function in (("descent", phi), ("flow", flow)):
        proof.equal(
            f"Cauchy, in one eigendirection: phi(h) is -1/(2 pi i) the integral of phi(z) / (h - z), {name}",
            -residue(function / (h - z), z, h),
            function.subs(z, h),
        )
    head = symbols("w")
    moved = solve(h * head - force - z * (head - origin), head)[0]
    proof.equal(
        "The minimiser of F - z (w - w_0)^2 / 2 has moved from w_0 by the resolvent of the slope",
        moved - origin,
        (force - h * origin) / (h - z),
    )
    before, after = symbols("z1 z2")
    proof.equal(
        "Resolvent identity: heads at two z have an inner product that differences of g'w^z give",
        force / (h - before) * force / (h - after),
        force * (force / (h - before) - force / (h - after)) / (before - after),
    )
    proof.result = {"filter": phi, "moved": moved - origin}
    return proof


def noise_products() -> Derivation:
    """v'v' of two heads w^z, w^z': Q = sum pi_g h_g h_g' (r_g r_g' + u'S_g u') / (1 - sum pi_g sigma_g^2 h_g h_g')."""
    proof = Derivation(
        "T10 at complex ridges; two groups, one signal coordinate, two eigenvalues of the noise, from w_0 = 0."
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

    def pull(i):
        """sum c_g y_g r_g."""
        return sum(c * group[3] * r for c, group, r in zip(weights(i), groups, misses(i), strict=True))

    margin, t = symbols("a t")
    prox = (margin + t) / (1 + t)
    proof.equal(
        "A fitted row's margin is the prox, 1 - P = (1 - a)/(1 + t), so that g'w = sum p_g - sum c_g y_g r_g",
        1 - prox,
        (1 - margin) / (1 + t),
    )
    products = [
        r * s + (heads[0].T * group[5] * heads[1])[0] for r, s, group in zip(misses(0), misses(1), groups, strict=True)
    ]
    change = [after - before for before, after in zip(weights(0), weights(1), strict=True)]
    proof.equal(
        "Normal equations, each against the other head: what g'w changes by, less (z - z')(u u' + b b')",
        pull(1) - pull(0) - (z[0] - z[1]) * heads[0].dot(heads[1]),
        sum(c * product for c, product in zip(change, products, strict=True))
        - heads[0].dot(left_over(1))
        + heads[1].dot(left_over(0)),
    )
    proof.say("By the resolvent identity the left side is (z - z') Q; the last two terms are zero")
    pair = [
        share * weight**2 * noise / ((1 + weight * noise * V[0]) * (1 + weight * noise * V[1]))
        for share, weight, noise, *_ in groups
    ]
    proof.equal("c_g' - c_g has the factor V - V'", Matrix(change), (V[0] - V[1]) * Matrix(pair))
    nu, eigenvalues, parts = (symbols(name) for name in ("nu1 nu2", "e1 e2", "s1 s2"))
    strengths = [[ridge - z[i] + nu[i] * e for e in eigenvalues] for i in (0, 1)]
    traces = [
        ratio * sum(s * e**power / (d1 * d2) for s, e, d1, d2 in zip(parts, eigenvalues, *strengths, strict=True))
        for power in (1, 2)
    ]
    responses = [
        ratio * sum(s * e / d for s, e, d in zip(parts, eigenvalues, strength, strict=True)) for strength in strengths
    ]
    proof.equal(
        "V = delta sum s_j e_j / D_j: V - V' in z - z' and nu - nu', with K_r = delta sum s_j e_j^r / (D_j D_j')",
        responses[0] - responses[1],
        (z[0] - z[1]) * traces[0] - (nu[0] - nu[1]) * traces[1],
    )
    proof.equal(
        "and nu - nu' = sum sigma_g^2 (c_g - c_g') has the factor V - V' again",
        -sum(c * group[2] for c, group in zip(change, groups, strict=True)),
        -(V[0] - V[1]) * sum(part * group[2] for part, group in zip(pair, groups, strict=True)),
    )
    gap, step, back, first, second = symbols("V_gap z_gap F K1 K2")
    quotient = solve(gap - (step * first + gap * back * second), gap)[0] / step
    proof.equal("so (V - V')/(z - z') = K_1 / (1 - K_2 F)", quotient, first / (1 - second * back))
    forcing = sum(part * product for part, product in zip(pair, products, strict=True))
    feedback = sum(part * group[2] for part, group in zip(pair, groups, strict=True))
    pulls = [
        weight * noise**S.Half * V[i] / (1 + weight * noise * V[i]) for i in (0, 1) for _, weight, noise, *_ in groups
    ]
    with_pulls = sum(
        group[0] * h * k / ratio * product
        for group, h, k, product in zip(groups, pulls[:2], pulls[2:], symbols("R1 R2"), strict=True)
    )
    proof.equal(
        "Isotropic noise, K_1 = K_2 = V V'/delta: h_g h_g' = om_g^2 sigma_g^2 V V'/(delta (1 + t_g)(1 + t_g'))",
        V[0] * V[1] / ratio * sum(part * r for part, r in zip(pair, symbols("R1 R2"), strict=True)),
        with_pulls,
    )
    proof.result = {"Q": first * forcing / (1 - second * feedback)}
    return proof


def bulk_edge() -> Derivation:
    """Where the eigenvalues that the noise makes end: dz/dV = 0 as V < 0 runs over its branch, at K_2 F = 1."""
    proof = Derivation("T10 at z right of the spectrum, V < 0; K_2, F as for the noise of two heads, at z = z'.")
    ridge, ratio = symbols("lambda delta", positive=True)
    z, response, nu, slope = symbols("z V nu F", real=True)
    eigenvalues, parts = symbols("e1 e2", positive=True), symbols("s1 s2", positive=True)
    strengths = [ridge - z + nu * e for e in eigenvalues]
    equation = response - ratio * sum(s * e / d for s, e, d in zip(parts, eigenvalues, strengths, strict=True))
    first, second = (
        ratio * sum(s * e**power / d**2 for s, e, d in zip(parts, eigenvalues, strengths, strict=True))
        for power in (1, 2)
    )
    share, weight, noise = symbols("pi1 omega1 sigma1", positive=True)
    effective = share * weight / (1 + weight * noise**2 * response)
    proof.equal(
        "nu = sum sigma_g^2 c_g falls with V, at the rate F = sum P_g sigma_g^2",
        diff(noise**2 * effective, response),
        -share * weight**2 * noise**4 / (1 + weight * noise**2 * response) ** 2,
    )
    proof.equal(
        "Along the root of the equation of V, dz/dV = (1 - K_2 F) / K_1",
        -(diff(equation, response) + diff(equation, nu) * (-slope)) / diff(equation, z),
        (1 - second * slope) / first,
    )
    others = symbols("pi2 omega2 sigma2", positive=True)
    place = ridge - ratio / response
    for mass, scale, deviation in ((share, weight, noise), others):
        place += deviation**2 * mass * scale / (1 + scale * deviation**2 * response)
    proof.say("Isotropic noise: z is explicit in V, and the edge is its least value for -1 < om sigma^2 V < 0", place)
    loads = [
        (mass, scale * deviation**2 * response / (1 + scale * deviation**2 * response))
        for mass, scale, deviation in ((share, weight, noise), others)
    ]
    proof.equal(
        "which is where sum pi_g (t_g / (1 + t_g))^2 = delta",
        diff(place, response),
        (ratio - sum(mass * load**2 for mass, load in loads)) / response**2,
    )
    proof.result = {"z": place}
    return proof
