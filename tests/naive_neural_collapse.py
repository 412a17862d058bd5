"""Neural-collapse metrics as their papers write them: full matrices and pseudo-inverses. Imports nothing of llrsim."""

import numpy as np

CUTOFF = 1e-11  # relative; the matrices under test are either of full rank or of exact lower rank


def moments(features, units):
    """Unit means, unit covariances (divisor n_c), Sigma_W and Sigma_B, units weighted equally."""
    names = sorted(set(units.tolist()))
    means = [np.mean([x for x, u in zip(features, units, strict=True) if u == name], axis=0) for name in names]
    covariances = []
    for name, mean in zip(names, means, strict=True):
        rows = [x - mean for x, u in zip(features, units, strict=True) if u == name]
        covariances.append(sum(np.outer(x, x) for x in rows) / len(rows))
    return np.array(means), np.array(covariances)


def metrics(means, covariances):
    """nc1, nc2_norms, nc2_angles, cdnv, vci from the means (C, p) and covariances (C, p, p) of C units."""
    count = len(means)
    centre = sum(means) / count
    within = sum(covariances) / count
    between = sum(np.outer(m - centre, m - centre) for m in means) / count
    nc1 = np.trace(within @ np.linalg.pinv(between, rcond=CUTOFF, hermitian=True)) / count
    lengths = np.array([np.linalg.norm(m - centre) for m in means])
    angles, cdnv = [], []
    for i in range(count):
        for j in range(count):
            if i != j:
                cosine = (means[i] - centre) @ (means[j] - centre) / (lengths[i] * lengths[j])
                angles.append(abs(cosine + 1 / (count - 1)))
                distance = np.linalg.norm(means[i] - means[j])
                cdnv.append((np.trace(covariances[i]) + np.trace(covariances[j])) / (2 * distance**2))
    total_inverse = np.linalg.pinv(within + between, rcond=CUTOFF, hermitian=True)
    vci = 1 - np.trace(total_inverse @ between) / np.linalg.matrix_rank(between, tol=CUTOFF * np.trace(between))
    return {
        "nc1": nc1,
        "nc2_norms": np.std(lengths) / np.mean(lengths),
        "nc2_angles": np.mean(angles),
        "cdnv": np.mean(cdnv),
        "vci": vci,
    }


def mixture_moments(unit_of_group, proportions, means, covariances, noise_std, spectrum):
    """Means and covariances of the units of a group mixture, over signal and noise coordinates."""
    k, d = means.shape[1], len(spectrum)
    unit_means, unit_covariances = [], []
    for unit in sorted(set(unit_of_group)):
        members = [g for g, u in enumerate(unit_of_group) if u == unit]
        mass = sum(proportions[g] for g in members)
        mean = np.zeros(k + d)
        second = np.zeros((k + d, k + d))
        for g in members:
            x = np.concatenate([means[g], np.zeros(d)])
            covariance = np.zeros((k + d, k + d))
            covariance[:k, :k] = covariances[g]
            covariance[k:, k:] = noise_std[g] ** 2 * np.diag(spectrum)
            mean += proportions[g] / mass * x
            second += proportions[g] / mass * (covariance + np.outer(x, x))
        unit_means.append(mean)
        unit_covariances.append(second - np.outer(mean, mean))
    return np.array(unit_means), np.array(unit_covariances)


def duality(weights, means, labels):
    """NC3 of a binary head against the unit means, each unit's row being label * weights / 2."""
    rows = np.array([label * weights / 2 for label in labels])
    centred = means - sum(means) / len(means)
    return np.linalg.norm(rows / np.linalg.norm(rows) - centred / np.linalg.norm(centred))


def disagreements(features, weights, bias, lower_mean, upper_mean):
    """Share of rows whose nearest class mean and whose head decide differently."""
    wrong = 0
    for x in features:
        nearest_is_upper = np.linalg.norm(x - upper_mean) < np.linalg.norm(x - lower_mean)
        wrong += (x @ weights + bias > 0) != nearest_is_upper
    return wrong / len(features)
