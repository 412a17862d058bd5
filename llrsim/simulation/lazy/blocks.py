"""What sweeps do with the rows of a block beside their columns: slopes, curvatures, residuals, and their sums."""

from ..._jit import private, reduction
from ...losses import HINGE, curvature_from_slope, rough_value, slope, slopes
from .revealed import (
    BENDING,
    CURVATURES,
    IMAGE,
    MARGINS,
    MOMENT,
    MULTIPLIER,
    OBJECTIVE,
    SCALE,
    SLOPES,
    SQUARE,
    WEIGHT,
    WRONG,
)


@private
def _slope(loss, softness, m, multiplier):
    """Slope of the loss at margin m; with positive softness, that of its proximal form in the method of multipliers.

    The latter is minus the multiplier, in units of the row's weight, after a step of 1 / softness, at most 1 for the
    hinge.
    """
    if softness > 0.0:
        stepped = max(0.0, multiplier + (1.0 - m) / softness)
        return -min(stepped, 1.0) if loss == HINGE else -stepped
    return slope(loss, m)


@private
def _curvature(loss, softness, s):
    """Second derivative where the slope is s."""
    if softness > 0.0:
        return 1.0 / softness if s < 0.0 and (s > -1.0 or loss != HINGE) else 0.0
    return curvature_from_slope(loss, s)


@private
def _slopes(loss, softness, margins, multiplier, out):
    """The slopes at some margins."""
    if softness > 0.0:
        for i in range(out.size):
            out[i] = _slope(loss, softness, margins[i], multiplier[i])
    else:
        slopes(loss, margins, 0, out.size, out)


@reduction
def _moments(loss, softness, weight, margins, pulls, image, sums):
    """Moments of the slopes and curvatures along the image, and the rows of weight on the wrong side of zero."""
    moment = bending = wrong = 0.0
    for i in range(weight.size):
        moment += weight[i] * pulls[i] * image[i]
        wrong += 1.0 if weight[i] > 0.0 and not margins[i] > 0.0 else 0.0
    for i in range(weight.size):
        bending += weight[i] * _curvature(loss, softness, pulls[i]) * image[i] * image[i]
    sums[MOMENT] += moment
    sums[BENDING] += bending
    sums[WRONG] += wrong


@reduction
def _objective(loss, weight, margins, sums):
    """The loss, roughly, and the rows of weight on the wrong side of zero."""
    objective = wrong = 0.0
    for i in range(weight.size):
        objective += weight[i] * rough_value(loss, margins[i])
        wrong += 1.0 if weight[i] > 0.0 and not margins[i] > 0.0 else 0.0
    sums[OBJECTIVE] += objective
    sums[WRONG] += wrong


@private
def look_at(loss, softness, rows, begin, end, combined, sums):
    """Keep what columns @ along gives as the margins, and the slopes there."""
    margins, pulls, multiplier = rows[MARGINS, begin:end], rows[SLOPES, begin:end], rows[MULTIPLIER, begin:end]
    for i in range(combined.size):  # an assignment of arrays takes long to compile
        margins[i] = combined[i]
    _slopes(loss, softness, margins, multiplier, pulls)
    _objective(loss, rows[WEIGHT, begin:end], margins, sums)


@private
def look_ahead(loss, softness, length, rows, begin, end, combined, sums):
    """The slopes at margins + length * image, for which `combined` is scratch, and the moments along the image."""
    margins, pulls, image = rows[MARGINS, begin:end], rows[SLOPES, begin:end], rows[IMAGE, begin:end]
    for i in range(combined.size):
        combined[i] = margins[i] + length * image[i]
    _slopes(loss, softness, combined, rows[MULTIPLIER, begin:end], pulls)
    _moments(loss, softness, rows[WEIGHT, begin:end], combined, pulls, image, sums)


@private
def keep_image(rows, begin, end, combined):
    """Keep what columns @ along gives as the image of a step."""
    image = rows[IMAGE, begin:end]
    for i in range(combined.size):
        image[i] = combined[i]


@reduction
def residual(rows, begin, end, residual, noise, sums):
    """The block's c l' and sigma c l'."""
    weight, pulls, scale = rows[WEIGHT, begin:end], rows[SLOPES, begin:end], rows[SCALE, begin:end]
    square = 0.0
    for i in range(weight.size):
        residual[i] = weight[i] * pulls[i]
        noise[i] = scale[i] * residual[i]
        square += noise[i] * noise[i]
    sums[SQUARE] += square


@private
def bend(loss, softness, rows, begin, end):
    """Freeze the curvatures c l'' at the current slopes."""
    weight, pulls, curvatures = rows[WEIGHT, begin:end], rows[SLOPES, begin:end], rows[CURVATURES, begin:end]
    for i in range(weight.size):
        curvatures[i] = weight[i] * _curvature(loss, softness, pulls[i])


@private
def curve(rows, begin, end, image, noise):
    """The image times the frozen curvatures, and sigma times that."""
    curvatures, scale = rows[CURVATURES, begin:end], rows[SCALE, begin:end]
    for i in range(image.size):
        image[i] *= curvatures[i]
        noise[i] = scale[i] * image[i]


@private
def move(rows, begin, end, length):
    """Take a step of this length along the image."""
    margins, image = rows[MARGINS, begin:end], rows[IMAGE, begin:end]
    for i in range(margins.size):
        margins[i] += length * image[i]
