"""T0: means of heads, and accuracies of classes, from what is known of each head and group."""

from __future__ import annotations

from sympy import Matrix, S, sqrt, symbols

from .derivation import Derivation
from .gaussian import expectation


def mean_of_heads() -> Derivation:
    """The mean of A heads has the means of u and b, and |v|^2 = sum_ij v_i.v_j / A^2; of v' diag(e) v likewise."""
    proof = Derivation(
        "Two heads, two noise coordinates of variances `e_j`; their noise parts known by inner products.",
        sizes="two heads, two noise coordinates",
    )
    heads = symbols("f1 f2", real=True)
    logit = proof.say("The mean of heads is the head of the mean logit", sum(heads) / 2)
    first, second = (Matrix(symbols(f"{name}1 {name}2", real=True)) for name in "vw")
    e, normals = symbols("e1 e2", positive=True), symbols("x y", real=True)
    z = Matrix([sqrt(part) * x for part, x in zip(e, normals, strict=True)])
    noise = proof.say("Its noise part is linear in the heads", ((first + second) / 2).dot(z))
    gram = symbols("g11 g12 g22", real=True)

    def product(a, b):
        return sum(part * a[j] * b[j] for j, part in enumerate(e))

    spread = proof.equal(
        "so that its variance is the mean over pairs of heads of `v_i' diag(e) v_j`",
        expectation(noise**2, normals),
        (product(first, first) + 2 * product(first, second) + product(second, second)) / 4,
    )
    pairs = dict(zip(gram, (product(first, first), product(first, second), product(second, second)), strict=True))
    proof.control(
        "which needs no vector, but their products", spread, ((gram[0] + 2 * gram[1] + gram[2]) / 4).subs(pairs)
    )
    proof.control(
        "One head twice is that head", spread.subs(dict(zip(second, first, strict=True))), product(first, first)
    )
    proof.result = {"signal": logit, "spread2": spread, "norm": sqrt((gram[0] + 2 * gram[1] + gram[2]) / 4)}
    return proof


def accuracy_of_classes() -> Derivation:
    """A class's accuracy is the mean of its groups' in their shares; the average accuracy is that over all groups."""
    proof = Derivation("Two classes of two groups, test proportions `pi_g`.", sizes="two classes of two groups")
    shares, accuracies = symbols("pi1:5", positive=True), symbols("acc1:5", positive=True)
    right = [p * a for p, a in zip(shares, accuracies, strict=True)]
    classes = []
    for name, of_class in (("-1", slice(0, 2)), ("+1", slice(2, 4))):
        classes.append(
            proof.say(
                f"Of the rows of class {name}, the share that is right", sum(right[of_class]) / sum(shares[of_class])
            )
        )
    average = proof.equal(
        "Total probability: the classes' accuracies in their shares make the average one",
        sum(shares[:2]) * classes[0] + sum(shares[2:]) * classes[1],
        sum(right),
    )
    proof.control(
        "Groups of one accuracy give it to their class",
        classes[0].subs(accuracies[1], accuracies[0]) / accuracies[0],
        S.One,
    )
    proof.result = {"class_-1": classes[0], "class_+1": classes[1], "average": average}
    return proof
