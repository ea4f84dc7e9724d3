"""Classes as ellipses, for optic discs, cups and other round structures."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import ellipse as pixels_of_ellipse
from skimage.measure import EllipseModel, find_contours

from napari_mtseg.geometry.boundaries import inner_boundary
from napari_mtseg.geometry.components import component_sizes, connected_components

_MIN_OUTLINE = 6
"""pixels of the shortest outline that an ellipse is fitted to"""

_MAX_ROUNDS = 20
"""fits after which the choice of outline points counts as settled"""

_MIN_OVERLAP = 0.5
"""share of their union that a piece and its ellipse must have in common"""


def as_ellipses(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw each class as the ellipse that fits its largest piece best.

    Holes of a class are filled before, so that the disc around a cup is whole. The
    ellipse is fitted to the outline inside the image: one that the image edge cuts is
    completed. Parts of the outline that lie off the ellipse, such as a bite, are left
    out of the fit (ours).

    Parameters
    ----------
    classes : (Y, X) uint8
        Class of each pixel, 0 background.

    Returns
    -------
    (Y, X) uint8
        One filled ellipse per class, smaller ones on top of larger ones. A piece of
        fewer than 6 outline pixels, and one that no ellipse fits, is drawn as it was;
        'fits' means that both share more than half of their union (ours).

    Raises
    ------
    ValueError
        If the class map is not 2D.

    References
    ----------
    .. [1] METHODS.md section 2, inference: least-squares ellipses for cup and disc.
    """
    if classes.ndim != 2:
        raise ValueError(f"ellipses are for 2D class maps, this one is {classes.shape}")
    present = [int(c) for c in np.unique(classes) if c > 0]
    pieces = {
        c: _largest_piece(ndimage.binary_fill_holes(classes == c)) for c in present
    }
    drawn = np.zeros_like(classes)
    for c in sorted(pieces, key=lambda c: int(pieces[c].sum()), reverse=True):
        drawn[_as_ellipse(pieces[c])] = c
    return drawn


def _largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    components = connected_components(mask)
    return components == component_sizes(components).argmax()


def _as_ellipse(piece: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the ellipse that fits a piece, or the piece if none does."""
    if int(inner_boundary(piece).sum()) < _MIN_OUTLINE:
        return piece
    # Half way between inside and outside, so that the ellipse has the piece's size.
    points = np.concatenate(find_contours(piece.astype(np.float32), 0.5))
    model = _fitted(points)
    if model is None:
        return piece
    drawn = np.zeros_like(piece)
    (row, column), (along, across) = model.center, model.axis_lengths
    rows, columns = pixels_of_ellipse(
        row, column, along, across, shape=piece.shape, rotation=model.theta
    )
    drawn[rows, columns] = True
    overlap = int((drawn & piece).sum()) / int((drawn | piece).sum())
    return drawn if overlap > _MIN_OVERLAP else piece


def _fitted(points: NDArray[np.float64]) -> EllipseModel | None:
    """Ellipse through most of the (n, 2) points, fitted again without those off it."""
    used = np.ones(len(points), np.bool_)
    model = None
    for _ in range(_MAX_ROUNDS):
        found = _least_squares(points[used])
        if found is None:
            break
        model = found
        misfit = _misfits(points, model)
        near = misfit <= max(1.0, 2 * float(np.median(misfit)))
        if (near == used).all():
            break
        used = near
    return model


def _least_squares(points: NDArray[np.float64]) -> EllipseModel | None:
    """Direct least-squares fit, None where it is none."""
    # A circle makes the fit divide zero by zero; its turn then counts as 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        model = EllipseModel.from_estimate(points)
    if not model:
        return None
    numbers = (*model.center, *model.axis_lengths, model.theta)
    return model if np.isfinite(numbers).all() and min(model.axis_lengths) > 0 else None


def _misfits(points: NDArray[np.float64], model: EllipseModel) -> NDArray[np.float64]:
    """Distance of each point to the ellipse, along the ray from its centre."""
    turn = np.array(
        [
            [np.cos(model.theta), np.sin(model.theta)],
            [-np.sin(model.theta), np.cos(model.theta)],
        ]
    )
    offsets = points - model.center
    scaled = np.linalg.norm(offsets @ turn.T / model.axis_lengths, axis=1)
    length = np.linalg.norm(offsets, axis=1)
    misfits: NDArray[np.float64] = np.abs(length - length / np.maximum(scaled, 1e-12))
    return misfits
