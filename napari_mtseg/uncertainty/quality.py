"""How doubtful the segmentation of an image and of its slices is, as numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.boundaries import neighbours
from napari_mtseg.geometry.slabs import slabs

BAND = 2
"""pixels on each side of an outline that count as the outline (ours)"""

WORST = 1.0
"""score of an image where nothing was found although objects were expected"""

Sums = NDArray[np.float64]


def outline_band(
    objects: NDArray[np.integer[Any]], *, spacing: tuple[float, ...]
) -> NDArray[np.bool_]:
    """Return which pixels lie within BAND steps of an outline, on both its sides.

    An outline runs over the faces between pixels of different objects, or of an object
    and background; the image edge is none. A step leads over a face.

    Parameters
    ----------
    objects : ([Z,] Y, X) integer
        Object id, 0 background.
    spacing : tuple of float
        Voxel size along each axis. Along an axis whose pixels are larger, so many
        steps are taken as fit into BAND of the smallest, to a tenth: one where they
        are twice as large. In the plane it is one at least; between planes it may be
        none, and then outlines between planes do not count.
    """
    reach = _reach(spacing)
    band = np.empty(objects.shape, np.bool_)
    margin = reach[0]
    for slab in slabs(objects.shape):
        start = max(slab.start - margin, 0)
        near = _near_outline(objects[start : slab.stop + margin], reach)
        band[slab] = near[slab.start - start : slab.stop - start]
    return band


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionSums:
    """Entropy and confidence of an image, summed by the planes of its first axis."""

    n_outputs: int
    """classes with background"""
    n_band: Sums
    """(n,) pixels near outlines"""
    n_inside: Sums
    """(n,) pixels of objects farther from outlines"""
    n_objects: Sums
    """(n,) pixels of objects"""
    n_both: Sums
    """(n,) pixels of objects or near outlines"""
    band_entropy: Sums
    """(n,) sum of the entropy near outlines"""
    inside_entropy: Sums
    """(n,) sum of the entropy in objects farther from outlines"""
    object_entropy: Sums
    """(n,) sum of the entropy in objects"""
    confidence: Sums
    """(n,) sum of the largest probability in objects or near outlines"""

    def total(self) -> "RegionSums":
        """Return the sums over all planes, of length 1."""
        sums = {
            name: np.sum(values, keepdims=True)
            for name, values in vars(self).items()
            if name != "n_outputs"
        }
        return RegionSums(n_outputs=self.n_outputs, **sums)

    def scores(self) -> dict[str, Sums]:
        """Return the three scores by plane; 0 where there is no object."""
        objects = _mean(self.object_entropy, self.n_objects)
        inside = _mean(self.inside_entropy, self.n_inside, otherwise=objects)
        mean_confidence = _mean(
            self.confidence, self.n_both, otherwise=np.ones_like(objects)
        )
        return {
            "boundary_entropy": _mean(self.band_entropy, self.n_band, otherwise=inside),
            "inside_entropy": inside,
            "low_confidence": _low_confidence(mean_confidence, self.n_outputs),
        }


def region_sums(
    probabilities: NDArray[np.floating[Any]],
    uncertainty: NDArray[np.float32],
    objects: NDArray[np.integer[Any]],
    band: NDArray[np.bool_],
) -> RegionSums:
    """Return what the scores of an image and its slices are made of.

    Parameters
    ----------
    probabilities : (n_classes + 1, [Z,] Y, X) float
        Sum to 1 over the first axis.
    uncertainty : ([Z,] Y, X) float32
        Entropy, 0..1.
    objects : ([Z,] Y, X) integer
        Object id, 0 background.
    band : ([Z,] Y, X) bool
        Of :func:`outline_band`.
    """
    names = [name for name in RegionSums.__dataclass_fields__ if name != "n_outputs"]
    sums = {name: np.zeros(len(objects)) for name in names}
    for slab in slabs(objects.shape):
        near, found = band[slab], objects[slab] != 0
        entropy, confidence = uncertainty[slab], _confidence(probabilities, slab)
        inside, both = found & ~near, found | near
        for name, where, values in (
            ("n_band", near, None),
            ("n_inside", inside, None),
            ("n_objects", found, None),
            ("n_both", both, None),
            ("band_entropy", near, entropy),
            ("inside_entropy", inside, entropy),
            ("object_entropy", found, entropy),
            ("confidence", both, confidence),
        ):
            sums[name][slab] = _summed(where, values)
    return RegionSums(n_outputs=len(probabilities), **sums)


def image_scores(
    sums: RegionSums,
    probabilities: NDArray[np.floating[Any]],
    uncertainty: NDArray[np.float32],
    *,
    expected: bool = True,
) -> dict[str, float]:
    """Return how doubtful the segmentation of an image is; higher is more doubtful.

    Parameters
    ----------
    sums : RegionSums
        Of :func:`region_sums`.
    probabilities, uncertainty
        As there.
    expected : bool
        False if the image is known to hold no object.

    Returns
    -------
    dict of str to float
        All 0..1. 'boundary_entropy': mean entropy near outlines. 'inside_entropy':
        mean entropy in objects farther from them; of objects that are too thin for
        that, in all of the object. 'low_confidence': 1 minus the mean, over objects
        and outlines, of the largest probability, divided by the largest value that
        this can have. WORST of an image without objects, unless none is expected: then
        the largest entropy of a pixel, and the lowest confidence (ours).
    """
    if not sums.n_objects.any():
        if expected:
            return dict.fromkeys(sums.scores(), WORST)
        planes = _most_doubtful(sums, probabilities, uncertainty, n_pixels=1)
        return {name: float(values.max()) for name, values in planes.items()}
    return {name: float(values[0]) for name, values in sums.total().scores().items()}


def slice_scores(
    sums: RegionSums,
    probabilities: NDArray[np.floating[Any]],
    uncertainty: NDArray[np.float32],
) -> dict[str, NDArray[np.generic]]:
    """Return how doubtful the segmentation of each plane of a volume is.

    Parameters
    ----------
    sums : RegionSums
        Of :func:`region_sums` of a volume.
    probabilities, uncertainty
        As there.

    Returns
    -------
    dict of str to (Z,) array
        'plane' and 'n_object_pixels', int64, and the scores of :func:`image_scores`,
        float64. A plane without objects may hold one that was missed: its scores are
        those of its most doubtful pixels, of so many as lie near outlines on an
        average plane with objects, 1 at least (ours).
    """
    scores = sums.scores()
    has_objects = sums.n_objects > 0
    if not has_objects.all():
        usual = sums.n_band[has_objects].mean() if has_objects.any() else 1
        others = _most_doubtful(
            sums, probabilities, uncertainty, n_pixels=max(round(float(usual)), 1)
        )
        scores = {
            name: np.where(has_objects, values, others[name])
            for name, values in scores.items()
        }
    planes = np.arange(len(has_objects), dtype=np.int64)
    n_pixels = sums.n_objects.astype(np.int64)
    return {"plane": planes, **scores, "n_object_pixels": n_pixels}


def _reach(spacing: tuple[float, ...]) -> tuple[int, ...]:
    """Return the steps along each axis that are within the band."""
    finest = min(spacing)
    steps = [int(BAND * (finest / size) + 0.1) for size in spacing]
    return (*steps[:-2], *(max(n, 1) for n in steps[-2:]))


def _near_outline(
    objects: NDArray[np.integer[Any]], reach: tuple[int, ...]
) -> NDArray[np.bool_]:
    near = np.zeros(objects.shape, np.bool_)
    for axis, steps in enumerate(reach):
        if steps:
            before, after = neighbours(objects, axis)
            differ = before != after
            for side in neighbours(near, axis):
                side |= differ
    for taken in range(1, BAND):
        wider = near.copy()
        for axis, steps in enumerate(reach):
            if steps > taken:
                one, other = neighbours(near, axis)
                wider_one, wider_other = neighbours(wider, axis)
                wider_one |= other
                wider_other |= one
        near = wider
    return near


def _most_doubtful(
    sums: RegionSums,
    probabilities: NDArray[np.floating[Any]],
    uncertainty: NDArray[np.float32],
    *,
    n_pixels: int,
) -> dict[str, Sums]:
    """Return the scores of the most doubtful pixels of planes without objects."""
    empty = np.flatnonzero(sums.n_objects == 0)
    entropy, confidence = np.zeros(len(sums.n_objects)), np.ones(len(sums.n_objects))
    for plane in empty.tolist():
        entropy[plane] = -_lowest(-uncertainty[plane], n_pixels)
        at_plane = _confidence(probabilities, slice(plane, plane + 1))
        confidence[plane] = _lowest(at_plane, n_pixels)
    return {
        "boundary_entropy": entropy,
        "inside_entropy": entropy,
        "low_confidence": _low_confidence(confidence, sums.n_outputs),
    }


def _lowest(values: NDArray[np.float32], n: int) -> float:
    """Return the mean of the ``n`` lowest values."""
    flat = values.ravel()
    n = min(n, flat.size)
    lowest = np.partition(flat, n - 1)[:n] if n > 1 else flat.min(keepdims=True)
    return float(lowest.mean(dtype=np.float64))


def _confidence(
    probabilities: NDArray[np.floating[Any]], slab: slice
) -> NDArray[np.float32]:
    """Return the largest probability of each pixel of a slab."""
    largest = probabilities[0, slab].astype(np.float32)
    for one in probabilities[1:]:
        np.maximum(largest, one[slab].astype(np.float32), out=largest)
    return largest


def _low_confidence(mean_confidence: Sums, n_outputs: int) -> Sums:
    """Bring what confidence lacks to 0..1; it is 1 / n_outputs at least."""
    largest = 1 - 1 / n_outputs
    return np.clip((1 - mean_confidence) / largest, 0, 1)


def _summed(where: NDArray[np.bool_], values: NDArray[np.float32] | None) -> Sums:
    """Return the sum, or the number of pixels, by the first axis."""
    by_plane = where.reshape(len(where), -1)
    if values is None:
        return np.count_nonzero(by_plane, axis=1).astype(np.float64)
    chosen = values.reshape(by_plane.shape) * by_plane
    total: Sums = chosen.sum(axis=1, dtype=np.float64)
    return total


def _mean(total: Sums, n: Sums, *, otherwise: Sums | float = 0.0) -> Sums:
    """Return ``total / n``, and ``otherwise`` where ``n`` is 0."""
    return np.where(n > 0, total / np.maximum(n, 1), otherwise)
