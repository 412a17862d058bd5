"""Errors that a human would make, a few in each module of numbers: files of tests that should notice, then the texts.

`plant_errors.py` plants them. Each right text stands in its module once.
"""

PAIRS = "test_feature_pairs"

PLANTS: dict[str, tuple[tuple[str, ...], list[tuple[str, str]]]] = {
    # What both sides share.
    "mixture": (
        (PAIRS, "test_spectrum", "test_mixture"),
        [
            ("counts[group] - exact[group])", "exact[group] - counts[group])"),
            (
                "share[self.labels > 0].sum(), share[self.labels < 0].sum())",
                "share[self.labels < 0].sum(), share[self.labels > 0].sum())",
            ),
            ("return coefficients[1], coefficients[2]", "return coefficients[2], coefficients[1]"),
            ("return values, np.bincount(of_run, self.multiplicities,", "return values, np.bincount(of_run, None,"),
        ],
    ),
    "collapse": (
        (PAIRS,),
        [
            ("means=centre + tau_a[:, None]", "means=centre + tau_n[:, None]"),
            ("covariances=tau_n[:, None, None] ** 2 *", "covariances=tau_n[:, None, None] *"),
            ("noise_std=tau_n * mixture", "noise_std=tau_a * mixture"),
            ("share = training.class_share()", "share = training.class_share(np.ones(training.group_count))"),
        ],
    ),
    "head": (
        (
            PAIRS,
            "test_head::test_best_bias_is_the_best_of_a_fine_grid",
            "test_head::test_averages_weigh_by_the_test_proportions",
            "test_head::test_spurious_reliance_is_the_ratio_of_effects",
            "test_head::test_average_head_adds_noise_parts_as_vectors",
            "test_head::test_leading_axes_broadcast",
            "test_duality",
        ),
        [
            (
                "(self.signal**2).sum(axis=-1) + self.noise_norm**2",
                "(self.signal**2).sum(axis=-1) + self.noise_spread**2",
            ),
            ("self.noise_spread[..., None] * mixture", "self.noise_norm[..., None] * mixture"),
            ("np.sqrt(noise), np.sqrt(spread))", "np.sqrt(noise), np.sqrt(noise))"),
            ("head.noise_scale(mixture) ** 2", "head.noise_scale(mixture)"),
            ("deviation[..., rise, None] + deviation", "deviation[..., rise, None] - deviation"),
            ("np.minimum.reduce(", "np.maximum.reduce("),
            (
                "attribute_shift / (head.weight_norm * attribute_norm)",
                "attribute_shift / (head.weight_norm * class_norm)",
            ),
            ("reliance = attribute_shift / class_shift", "reliance = class_shift / attribute_shift"),
        ],
    ),
    "planning": (
        (PAIRS, "test_rules", "test_attribution"),
        [
            ("return min(used, int(self.reweighting.strength))", "return max(used, int(self.reweighting.strength))"),
            ("return controlled[0].rows", "return int(controlled[0].selection.counts.sum())"),
            ("training, heldout.collapse)", "training, experiment.train.collapse)"),
            ("training, experiment.test_collapse, shares)", "training, experiment.train.collapse, shares)"),
            ("int(counts.sum()) // 4", "int(counts.sum()) // 5"),
            ("start = None if self.start is None else new[self.start]", "start = self.start"),
            ("anchor=method.anchor,", "anchor=experiment.head_of(method).ridge,"),
            ("average=method.average,", "average=1,"),
        ],
    ),
    "reweighting": (
        ("test_rules", "test_rules_predicted::test_rules_that_change_nothing"),
        [
            ("return self in (Rule.CONFIDENCE, Rule.LOSS, Rule.DISAGREEMENT)", "return self is Rule.DISAGREEMENT"),
            ("for at in (self.first, self.second)", "for at in (self.second,)"),
        ],
    ),
    "methods": (
        (PAIRS, "test_methods", "test_rules"),
        [
            ("if h != g and labels[h] == labels[g])", "if h != g and labels[h] != labels[g])"),
            ("np.column_stack([groups, partner]).ravel()", "np.column_stack([partner, groups]).ravel()"),
            ("present.min() if balance", "present.max() if balance"),
            ("np.divide(1.0, present.size * rows,", "np.divide(1.0, rows,"),
            ("[repeats + 1, repeats]", "[repeats, repeats + 1]"),
            ("return self.distinct[kept] / self.available[kept]", "return self.available[kept] / self.available.sum()"),
            ("np.divide(1.0 - share, share,", "np.divide(share, 1.0 - share,"),
            ("share / max(float(share.max()), 1e-300)", "share / max(float(share.sum()), 1e-300)"),
        ],
    ),
    "losses": (
        ("test_losses", "test_smooth_solvers", PAIRS),
        [
            ("exponential(max(min(m, 700.0), -700.0))", "exponential(max(min(-m, 700.0), -700.0))"),
            ("return -s * (1.0 + s)", "return -s * (1.0 - s)"),
            ("return min(m - 1.0, 0.0)", "return max(m - 1.0, 0.0)"),
            ("return curvature(loss, 0.0)", "return curvature(loss, 1.0)"),
            ("return max(-m, 0.0) + log1p", "return max(m, 0.0) + log1p"),
        ],
    ),
    "gaussian": (
        ("test_separability", "test_prediction_expected_loss"),
        [
            ("return (t * t + c * c) *", "return (t * t - c * c) *"),
            ("return c * cumulative(c / t) + t *", "return c * cumulative(c / t) - t *"),
        ],
    ),
    "stream": (
        (PAIRS, "test_stream"),
        [
            ("if draw < np.uint64(bound):", "if draw <= np.uint64(bound):"),
            ("state[1] = np.uint64(replicate)", "state[1] = np.uint64(0)"),
            ("j = _below(state, i + 1)", "j = _below(state, i)"),
            ("d = 0.5 * degrees - 1.0 / 3.0", "d = 0.5 * degrees - 1.0 / 2.0"),
        ],
    ),
    "drawing": (
        (PAIRS,),
        [
            ("*= law.noise_scale[g] * law.spectrum_root[j]", "*= law.noise_scale[g] * law.spectrum_root[j] ** 2"),
            ("roots = np.sqrt(np.maximum(values, 0.0))", "roots = np.maximum(values, 0.0)"),
            ("y[i] = law.labels[g]", "y[i] = law.labels[0]"),
        ],
    ),
    "neural_collapse": (
        ("test_neural_collapse",),
        [
            ('np.einsum("cg,gij->cij", share,', 'np.einsum("cg,gij->cij", share**2,'),
            ("/ (2 * length2**2)", "/ (4 * length2**2)"),
            ("(units.variances[left] + units.variances[right]) / 2", "units.variances[left] + units.variances[right]"),
            ("np.sqrt(len(names) * count[member])", "np.sqrt(count[member])"),
        ],
    ),
    "duality": (
        ("test_duality",),
        [
            ("(head.noise_norm / norm[..., 0]) ** 2", "(head.noise_norm / norm[..., 0])"),
            ("residual += head.noise_scale(mixture) ** 2", "residual += head.noise_scale(mixture)"),
            ("(upper @ upper - lower @ lower) / 2", "(upper @ upper + lower @ lower) / 2"),
        ],
    ),
    "descent_rule": (
        ("test_descent", "test_prediction_descent"),
        [
            ("(1.0 + 2.0 * momentum if nesterov", "(1.0 + momentum if nesterov"),
            ("clip / (norm + CLIP_SHIFT)", "norm / (clip + CLIP_SHIFT)"),
            ("step[q] = momentum * step[q] - step_size", "step[q] = momentum * step[q] + step_size"),
        ],
    ),
    "simplex": (
        ("test_rules",),
        [
            ("right[u] = -masses[u]", "right[u] = masses[u]"),
            (
                "target, level = _on_face(free, masses, rise, bend)",
                "target, level = _on_face(free, masses, -rise, bend)",
            ),
        ],
    ),
    # Simulation.
    "simulation/weighing": (
        (PAIRS, "test_rules"),
        [
            ("rows[group[b]] += used[b]", "rows[group[b]] = used[b]"),
            ("total += mass[g] if rows[g] > 0.0 else 0.0", "total += mass[g]"),
            ("c[i] = mass[group[b]] /", "c[i] = mass[b] /"),
            ("_largest(weight.copy(), min(int(strength), n))", "_largest(weight.copy(), max(int(strength), n))"),
            ("_divergence(first[i], second[i])", "_divergence(second[i], first[i])"),
            ("share[group[b]] += 1.0", "share[group[b]] += c[i]"),
            ("weight[i] = exp(-strength * (weight[i] - least))", "weight[i] = exp(strength * (weight[i] - least))"),
            ("1.0 if rule == CONFIDENCE or weight[i] > 0.0 else 0.0", "1.0"),
        ],
    ),
    "simulation/engine": (
        (PAIRS, "test_rules"),
        [
            ("v * v * spectrum_root[j] * spectrum_root[j]", "v * v * spectrum_root[j]"),
            ("W[m, j] += w[j] / count", "W[m, j] = w[j]"),
            ("path_sum[t, j] += path_w[t, j] / count", "path_sum[t, j] = path_w[t, j]"),
            ("key(state, root, _SUBSET, replicate, a)", "key(state, root, _SUBSET, replicate, 0)"),
            ("score(X, W[max(refers[1], 0)], other[:n])", "score(X, W[max(refers[0], 0)], other[:n])"),
            ("for j in range(k, k + d):", "for j in range(k + d):"),
            ("match(group, used, out.mass[r, refers[0]], c)", "match(group, used, out.mass[r, m], c)"),
            ("source = first + order[i % available[b]]", "source = first + order[min(i, available[b] - 1)]"),
            ("origin = W[start] if start >= 0 else zero", "origin = W[0] if start >= 0 else zero"),
        ],
    ),
    "simulation/tables": (
        (PAIRS, "test_rules"),
        [
            ("(stage.head.ridge, stage.anchor) for", "(stage.anchor, stage.head.ridge) for"),
            ("values[group]", "values[: len(group)]"),
            ("_padded([stage.selection.annotated for", "_padded([stage.selection.group for"),
            ("(chosen.used != chosen.available).any()", "(chosen.used > chosen.available).any()"),
        ],
    ),
    "simulation/dense": (
        (PAIRS, "test_rules", "test_engine"),
        [
            ("summary[..., -2], summary[..., -1])", "summary[..., -1], summary[..., -2])"),
            ("(u[:, :k] * v[:, :k]).sum(axis=1) + out.gram", "(u[:, :k] * v[:, :k]).sum(axis=1) - out.gram"),
            ('by_section(stage, "scales", 1.0) ** 2', 'by_section(stage, "scales", 1.0)'),
            ("(np.arange(n) < used % max(n, 1))", "(np.arange(n) < used)"),
        ],
    ),
    "simulation/fitting": (
        (PAIRS, "test_rules"),
        [
            ("anchor if j == p - 1 else ridge_strength + anchor", "anchor if j == p - 1 else ridge_strength"),
            ("centre[j] = anchor * origin[j] / penalty[j]", "centre[j] = origin[j]"),
        ],
    ),
    "simulation/descent": (
        ("test_descent", PAIRS),
        [
            ("scale = n / rows.size", "scale = 1.0"),
            ("c[i] * top_curvature(loss)", "c[i]"),
            ("whole = how.loss, not 0 < how.batch < n", "whole = how.loss, not 0 < how.batch <= n"),
            ("objective += 0.5 * grad[q] * away", "objective -= 0.5 * grad[q] * away"),
        ],
    ),
    "simulation/ridge": (
        (PAIRS, "test_smooth_solvers"),
        [
            ("g[free[u]] = -beta[n + u]", "g[free[u]] = beta[n + u]"),
            ("A[i, i] = penalty[i]", "A[i, i] = 0.0"),
            ("if free_count == p and count < p:", "if free_count == p and count <= p:"),
        ],
    ),
    "simulation/semidefinite": (
        (PAIRS, "test_smooth_solvers", "test_interior_point"),
        [("b[i] -= L[i, j] * b[j]", "b[i] += L[i, j] * b[j]"), ("b[i] = -b[i]", "b[i] = 1.0 * b[i]")],
    ),
    "simulation/smooth": (
        ("test_smooth_solvers", PAIRS),
        [
            ("penalty[-1] == 0.0 and not (positive and negative)", "not (positive and negative)"),
            ("wrong += c[i] > 0.0 and not margins[i] + shift[i] > 0.0", "wrong += not margins[i] + shift[i] > 0.0"),
            ("square[q] += c[i] * x * x", "square[q] -= c[i] * x * x"),
        ],
    ),
    "simulation/passes": (
        ("test_smooth_solvers", PAIRS, "test_rules"),
        [
            ("margins[i] = y[i] * block[i - first] - shift[i]", "margins[i] = y[i] * block[i - first] + shift[i]"),
            ("block[i - first] = c[i] * pulls[i] * y[i]", "block[i - first] = c[i] * pulls[i]"),
            ("out[q] = penalty[q] * v[q]", "out[q] = 0.0"),
        ],
    ),
    "simulation/interior_point": (
        ("test_interior_point",),
        [
            ("total += mass[i] * max(0.0, -surplus[i])", "total += max(0.0, -surplus[i])"),
            ("0.5 * pull[j] * pull[j] / P[j]", "pull[j] * pull[j] / P[j]"),
            ("total += alpha[i] * e[i]", "total += alpha[i]"),
        ],
    ),
    "simulation/predictor_corrector": (
        ("test_interior_point",),
        [
            ("move[1, i] = -da if boxed", "move[1, i] = da if boxed"),
            ("residual_v[j] -= P[j] * v[j]", "residual_v[j] += P[j] * v[j]"),
        ],
    ),
    "simulation/robust": (
        ("test_rules",),
        [
            ("exp(ascent * (losses[u] - top))", "exp(ascent * (top - losses[u]))"),
            ("/ rows[unit[i]]\n\n\n@private\ndef _losses", "\n\n\n@private\ndef _losses"),
            ("masses[u] = 1.0 / present if", "masses[u] = 1.0 / units if"),
        ],
    ),
    "simulation/choice": (
        ("test_simulator_choice",),
        [
            ("swept * DENSE.sweep", "swept * DENSE.fill"),
            ("passes = head.solver.steps + queries", "passes = head.solver.steps"),
            ("lazy_seconds(plan) < dense_seconds(plan)", "lazy_seconds(plan) > dense_seconds(plan)"),
        ],
    ),
    "simulation/lazy/exchangeable_rows": (
        ("test_exchangeable",),
        [
            (
                "rest = self.times(residual, self._law.noise_scale)",
                "rest = self.times(residual, np.sqrt(self._law.noise_scale))",
            ),
            (
                "along += (self._chi(self._unseen[space]) - along @ rest) * rest",
                "along += self._chi(self._unseen[space]) * rest",
            ),
            ("self._chi(n - known - j) for n", "self._chi(n - known) for n"),
        ],
    ),
    "simulation/lazy/exchangeable_fits": (
        ("test_exchangeable",),
        [
            ("penalty[self._bias] = self._anchor", "penalty[self._bias] = self._strength"),
            ("pivot = whole - along @ along", "pivot = whole + along @ along"),
        ],
    ),
    "simulation/lazy/reveal": (
        ("test_lazy_operator", "test_lazy_parts", "test_lazy_engine", "test_lazy_law"),
        [
            ("mixing[j, L] = length - along_new / rest", "mixing[j, L] = length + along_new / rest"),
            ("degrees = int(spaces[DIMS, e] - spaces[USED, e])", "degrees = int(spaces[DIMS, e])"),
            ("square -= correction[q] * correction[q]", "square -= correction[q]"),
            ("state.signal[a, i] = labels[section] * signal[a]", "state.signal[a, i] = signal[a]"),
        ],
    ),
    "simulation/lazy/engine": (
        ("test_lazy_engine", "test_lazy_law"),
        [
            ("np.sqrt(noise**2 @ eigenvalues)", "np.sqrt(noise**2 @ eigenvalues**2)"),
            ("stage.selection.used[kept] / distinct", "stage.selection.used[kept] * distinct"),
        ],
    ),
    "simulation/lazy/stability": (
        ("test_lazy_stability",),
        [("image -= padded(offset, len(image))", "image += padded(offset, len(image))")],
    ),
    "simulation/lazy/visitors": (
        ("test_lazy_engine", "test_exchangeable"),
        [("found[: len(known.here)] += along * known.here", "found[: len(known.here)] -= along * known.here")],
    ),
    "simulation/lazy/multipliers": (
        ("test_lazy_margins",),
        [
            ("dual -= pull * centre[q] + 0.5 * pull * pull / penalty[q]", "dual -= pull * centre[q]"),
            ("state.rows[MULTIPLIER, i] = -state.rows[SLOPES, i]", "state.rows[MULTIPLIER, i] = state.rows[SLOPES, i]"),
        ],
    ),
    "simulation/learned/counting": (
        ("test_learned_engine", "test_learned_network"),
        [("0.5 + 0.5 * np.sign(labels[:, None] * scores)", "0.5 + 0.5 * np.sign(scores)")],
    ),
    "simulation/learned/heads": (
        ("test_learned_engine",),
        [
            ("chosen.append(first + np.resize(order, used))", "chosen.append(np.resize(order, used))"),
            ("anchor=stage.anchor,", "anchor=0.0,"),
        ],
    ),
    "simulation/learned/network": (
        ("test_learned_network",),
        [
            ("np.sqrt(2 / inputs)", "np.sqrt(1 / inputs)"),
            ("change += ridge * weights", "change += weights"),
            ("pull = -labels * expit(-margins) / len(labels)", "pull = -labels * expit(margins) / len(labels)"),
        ],
    ),
    "simulation/learned/engine": (
        ("test_learned_engine",),
        [
            ("(labels * after.logit(samples", "(after.logit(samples"),
            (
                "start = None if stage.start is None else heads[stage.start]",
                "start = None if stage.start is None else heads[0]",
            ),
        ],
    ),
    # Prediction.
    "prediction/proportional/problem": (
        (PAIRS,),
        [
            ("ratio=mixture.noise_dim / float(rows.sum())", "ratio=float(rows.sum()) / mixture.noise_dim"),
            ("weights=p / shares", "weights=p"),
            ("rows = selection.distinct", "rows = selection.used"),
            (
                "eigenvalue_shares=multiplicities / mixture.noise_dim",
                "eigenvalue_shares=np.full(len(multiplicities), 1 / len(multiplicities))",
            ),
        ],
    ),
    "prediction/proportional/fixed_point": (
        (PAIRS, "test_fixed_point"),
        [
            (
                "(1.0 if problem.loss == MAX_MARGIN else problem.ridge) + problem.anchor",
                "(1.0 if problem.loss == MAX_MARGIN else problem.ridge)",
            ),
            (
                "noise_norm=float(q) * norm_over_spread(problem, V)",
                "noise_norm=float(q) / norm_over_spread(problem, V)",
            ),
            ("float(1.0 / np.sqrt(e[0]))", "float(np.sqrt(e[0]))"),
        ],
    ),
    "prediction/proportional/equations": (
        (PAIRS,),
        [
            ("noise_penalty = ridge + problem.anchor", "noise_penalty = ridge"),
            ("second += share * ratio * ratio", "second += share * ratio"),
            ("square_sum += mass * e.square", "square_sum += pi * e.square"),
        ],
    ),
    "prediction/proportional/envelope": (
        (PAIRS, "test_envelope"),
        [
            ("c, m = weight / (1.0 + t * weight), mean - 1.0", "c, m = weight / (1.0 + t), mean - 1.0"),
            ("scale * mean - problem.shifts[g]", "scale * mean + problem.shifts[g]"),
            ("total.square + weight * first * first", "total.square + weight * first"),
            ("i2 = i0 + alpha_at_alpha - beta * at_beta", "i2 = i0 - alpha_at_alpha - beta * at_beta"),
        ],
    ),
    "prediction/proportional/least_squares": (
        (PAIRS,),
        [
            ("spread += part * e[j]", "spread += part"),
            ("a = problem.ridge + problem.anchor\n    status", "a = problem.ridge\n    status"),
            ("r -= theta[i] * m[g, i]", "r += theta[i] * m[g, i]"),
            ("theta[k] = (total * label + anchor * centre[k])", "theta[k] = (total * label)"),
        ],
    ),
    "prediction/proportional/averaging": (
        (PAIRS,),
        [
            ("(factor * fraction) @ np.array(products)", "factor @ np.array(products)"),
            ("(1.0 + (heads - 1) * cosine) / heads", "(1.0 + heads * cosine) / heads"),
            ("common, own = signal + sigma2 * r,", "common, own = signal + r,"),
        ],
    ),
    "prediction/proportional/reweighted": (
        (PAIRS, "test_rules_predicted::test_the_worst_masses_sit_on_the_largest_losses"),
        [
            ("rows = np.bincount(group, problem.shares)[group]", "rows = problem.shares"),
            ("mass = earlier[_first(rule)].mass[group]", "mass = earlier[0].mass[group]"),
            (
                "problem._replace(weights=mass / rows / (mass * problem.shares / rows).sum())",
                "problem._replace(weights=mass / rows)",
            ),
            ("losses.max() - float(ascent.trial @ losses)", "losses.min() - float(ascent.trial @ losses)"),
        ],
    ),
    "prediction/proportional/stage": (
        (PAIRS,),
        [
            (
                "lambda heads: read_out(heads, plan.test).wga)",
                "lambda heads: read_out(heads, plan.samples[0].mixture).wga)",
            ),
            (
                "for norm in (found.noise_norm, found.noise_spread)]",
                "for norm in (found.noise_spread, found.noise_spread)]",
            ),
            ("np.hypot(heads.noise_norm, along)", "heads.noise_norm"),
            (
                "subset_overlap(problem, found, stage.selection.kept_share)",
                "subset_overlap(problem, found, stage.selection.proportions)",
            ),
            ("steps = np.arange(1, solver.steps + 1)", "steps = np.arange(1, solver.steps)"),
            ("noise_norm = float(start.heads.noise_norm[0])", "noise_norm = float(start.heads.noise_spread[0]) / 2"),
        ],
    ),
    "prediction/proportional/earlier_head": (
        (
            PAIRS,
            "test_earlier_head::test_slices_solve_the_printed_equations",
            "test_rules_predicted::test_rules_that_change_nothing",
        ),
        [
            ("covariances[:, k, k] = problem.noise_std**2", "covariances[:, k, k] = problem.noise_std"),
            ("slope = image / spread[:, None]", "slope = image"),
            (
                "[problem.centre[:k], [noise_norm], problem.centre[k:]]",
                "[problem.centre[:k], [0.0], problem.centre[k:]]",
            ),
        ],
    ),
    "prediction/proportional/contour": (
        (PAIRS,),
        [
            (
                "(1.0 - middle + gap) - second * (1.0 - middle - gap)",
                "(1.0 - middle + gap) + second * (1.0 - middle - gap)",
            ),
            ("problem.anchor * problem.centre - np.multiply.outer(nodes.z, origin)", "problem.anchor * problem.centre"),
            ("for power in (1, 2)]\n    sums", "for power in (2, 1)]\n    sums"),
            ("best = int(values.argmax())", "best = int(values.argmin())"),
            ("a = problem.ridge + problem.anchor - nodes.z", "a = problem.ridge - nodes.z"),
        ],
    ),
    "prediction/proportional/hessian": (
        ("test_hessian",),
        [
            ("points[:, :, None] * points[:, None, :]", "points[:, :, None] + points[:, None, :]"),
            ("return 2.0 * (1.0 + momentum) / top", "return 2.0 / top"),
            ("bulk = strength - y / V", "bulk = strength + y / V"),
        ],
    ),
    "prediction/proportional/separability": (
        ("test_separability",),
        [
            ("alpha = float(noise / least)", "alpha = float(1.0 / least)"),
            ("c -= signed * problem.means[g, i] * theta[i]", "c += signed * problem.means[g, i] * theta[i]"),
        ],
    ),
    "prediction/proportional/max_margin": (
        ("test_max_margin",),
        [
            (
                "[np.ones(self.head - 1), [0.0], 1.0 / self.eigenvalues]",
                "[np.ones(self.head - 1), [0.0], self.eigenvalues]",
            ),
            ("margin=float(1.0 / np.hypot(", "margin=float(np.hypot("),
        ],
    ),
    "prediction/proportional/training": (
        ("test_training",),
        [
            ("strength = problem.noise_std**2 * found.envelope", "strength = problem.noise_std * found.envelope"),
            ("squared_positive_part(1.0 - mean, s) / (1.0 + strength) ** 2", "squared_positive_part(1.0 - mean, s)"),
            (
                "weighted = problem.shares * problem.weights * problem.noise_std**2",
                "weighted = problem.shares * problem.weights",
            ),
        ],
    ),
    "prediction/proportional/online": (
        ("test_online",),
        [
            ("np.diag(decay) - step_size**2", "np.diag(decay) + step_size**2"),
            ("force[0, 0] += weight.sum()", "force[0, 0] += 1.0"),
        ],
    ),
    "prediction/proportional/weightings": (
        ("test_weightings",),
        [
            ("1.0 / (len(shares) * shares)", "1.0 / len(shares) * shares"),
            ("test.labels * (logit + head.bias)", "test.labels * logit"),
        ],
    ),
    "prediction/proportional/margin_law": (
        ("test_plots_margins",),
        [
            ("test_mean=resolved.test.labels * (logit + found.bias)", "test_mean=resolved.test.labels * logit"),
            ("return ndtr(self.test_mean / self.test_deviation)", "return ndtr(self.test_mean)"),
        ],
    ),
    "prediction/proportional/newton": (
        (PAIRS, "test_fixed_point"),
        [("rhs[i] -= matrix[i, j] * rhs[j]", "rhs[i] += matrix[i, j] * rhs[j]")],
    ),
    "prediction/proportional/continuation": (
        ("test_fixed_point",),
        [("b = np.copysign(1.0, x[-3])", "b = -np.copysign(1.0, x[-3])")],
    ),
    "prediction/population/objective": (
        ("test_prediction_minimise", "test_prediction_outcome", "test_prediction_descent"),
        [
            ("penalty[k] = 0.0", "penalty[k] = float(ridge)"),
            (
                "covariances[:, :k, :k] = mixture.covariances[kept]",
                "covariances[:, :k, :k] = mixture.covariances.mean(axis=0)",
            ),
        ],
    ),
    "prediction/population/least_squares": (
        ("test_prediction_least_squares", "test_prediction_minimise"),
        [
            (
                "1.0 + (1.0 - correlation**2) * attribute_separation, correlation",
                "1.0 + attribute_separation, correlation",
            ),
            (
                "matrix.flat[:: k + 1] += objective.penalty[:k] + anchor",
                "matrix.flat[:: k + 1] += objective.penalty[:k]",
            ),
            ("(attribute_collapse / noise_collapse) ** 2", "(noise_collapse / attribute_collapse) ** 2"),
        ],
    ),
    "prediction/population/minimise": (
        ("test_prediction_minimise", "test_prediction_outcome"),
        [
            (
                "if one_class and objective.anchor == 0.0 and objective.loss != Loss.SQUARED_HINGE:",
                "if one_class and objective.loss != Loss.SQUARED_HINGE:",
            )
        ],
    ),
    "prediction/population/descent": (
        ("test_prediction_descent",),
        [
            ("once[:, 0, 1] = -momentum", "once[:, 0, 1] = momentum"),
            ("curvature * objective.noise + objective.penalty[0]", "objective.penalty[0]"),
        ],
    ),
    "prediction/population/expected_loss": (
        ("test_prediction_expected_loss",),
        [
            ("0.5 * ((1.0 - mu) * (1.0 - mu) + t * t)", "0.5 * ((1.0 - mu) * (1.0 - mu) + t)"),
            ("-(c * below + t * at), below", "-(c * below - t * at), below"),
        ],
    ),
    "prediction/population/annotation": (
        ("test_prediction_least_squares", "test_prediction_outcome"),
        [
            (
                "c * (1 - e) / said_majority + c * e / said_minority",
                "c * (1 - e) / said_majority + (1 - c) * e / said_minority",
            )
        ],
    ),
    "prediction/population/stage": (
        ("test_prediction_outcome", "test_prediction_descent", PAIRS),
        [
            ("stage.selection.mass,", "stage.selection.proportions,"),
            ("anchor=stage.anchor,", "anchor=0.0,"),
        ],
    ),
    # What is read off heads.
    "outcome/interval": (
        ("test_outcome",),
        [("np.sqrt(count), count - 1)", "np.sqrt(count), count)"), ("rows.std(axis=0, ddof=1)", "rows.std(axis=0)")],
    ),
}
