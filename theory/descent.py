"""T14 on least squares, in one eigendirection of the Hessian: descent as a geometric sum, flow as its limit."""

from __future__ import annotations

from sympy import Function, exp, limit, oo, symbols

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
