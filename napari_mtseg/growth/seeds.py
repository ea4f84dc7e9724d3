"""Where growing labels begin: paint, strokes, eroded full masks, or an earlier run."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mtseg.domain.annotation import (
    SCRIBBLE_BACKGROUND,
    SCRIBBLE_FIRST_CLASS,
    UNPAINTED,
    Annotation,
    ObjectMasks,
)
from napari_mtseg.geometry.distances import distance_inside


def with_strokes_as_seeds(annotation: Annotation) -> Annotation:
    """Make each foreground stroke a tiny partial mask.

    A stroke that meets an object extends it if the classes agree; one that meets none
    begins a new object. Where a stroke of another class or a background stroke
    crosses a partial mask, the stroke wins.

    Returns
    -------
    Annotation
        With the enlarged ``partial``; the same where nobody scribbled.
    """
    if not annotation.has_scribbles:
        return annotation
    objects = annotation.partial.objects.copy()
    class_of = dict(annotation.partial.class_of)
    objects[annotation.scribbles == SCRIBBLE_BACKGROUND] = UNPAINTED
    structure = np.ones((3,) * objects.ndim)
    for value in np.unique(annotation.scribbles):
        if value < SCRIBBLE_FIRST_CLASS:
            continue
        n_class = int(value) - SCRIBBLE_FIRST_CLASS + 1
        strokes, n = ndimage.label(annotation.scribbles == value, structure=structure)
        for index, place in enumerate(ndimage.find_objects(strokes, n), start=1):
            here = strokes[place] == index
            met = objects[place][here]
            own = [int(i) for i in np.unique(met) if class_of.get(int(i)) == n_class]
            key = own[0] if own else max(class_of, default=0) + 1
            class_of[key] = n_class
            foreign = ~np.isin(objects[place], own)
            objects[place][here & foreign] = key
    return replace(
        annotation, partial=ObjectMasks(objects=objects, class_of=class_of)
    )


def with_eroded_full_masks(
    annotation: Annotation,
    *,
    rng: np.random.Generator,
    shares: tuple[float, float] = (0.2, 0.5),
    spacing: tuple[float, ...],
) -> Annotation:
    """Simulate the partial masks of a fully annotated image that has none.

    Each object is eroded by a random share of its inradius (METHODS.md section 4,
    ours), so that the approximation task sees full images too.

    Parameters
    ----------
    annotation : Annotation
        Returned as it is where a partial mask is painted or no full mask counts.
    rng : Generator
        Draws the share of each object.
    shares : (float, float)
        Smallest and largest share of the inradius that is eroded, 0..1.
    spacing : tuple of float
        Voxel size ([Z,] Y, X).
    """
    if annotation.has_partial or not annotation.has_full:
        return annotation
    inside = annotation.complete.mask(annotation.shape)
    objects = np.where(inside, annotation.full.objects, np.uint32(UNPAINTED))
    ids, index = np.unique(objects, return_inverse=True)
    depth = distance_inside(objects, spacing=spacing).ravel()
    depth[~np.isfinite(depth)] = 1.0
    inradius = np.zeros(len(ids))
    np.maximum.at(inradius, index.ravel(), np.where(objects.ravel() == 0, 0, depth))
    share = rng.uniform(*shares, len(ids))
    kept = depth > (share * inradius)[index.ravel()]
    # A rim pixel has depth 1: without this, one-pixel objects would keep their rim.
    kept |= depth == inradius[index.ravel()]
    seeds = np.where(kept.reshape(objects.shape), objects, np.uint32(UNPAINTED))
    return replace(
        annotation, partial=ObjectMasks(objects=seeds, class_of=annotation.full.class_of)
    )


def carried_over(
    grown: NDArray[np.uint32],
    *,
    before: Annotation,
    now: Annotation,
) -> NDArray[np.uint32]:
    """Keep what an earlier run grew, except where the user has edited since.

    Parameters
    ----------
    grown : ([Z,] Y, X) uint32
        Labels that the earlier run grew.
    before : Annotation
        What was painted when that run began, its seeds included.
    now : Annotation
        What is painted today, its seeds included.

    Returns
    -------
    ([Z,] Y, X) uint32
        Objects whose paint, or whose class, changed start from today's paint again;
        the others keep their growth. Today's paint always wins, and nothing grown
        stays on a pixel whose scribble or full mask changed.
    """
    painted, old = now.partial.objects, before.partial.objects
    changed = painted != old
    edited = set(np.unique(painted[changed])) | set(np.unique(old[changed]))
    edited |= {
        key
        for key in set(before.partial.class_of) | set(now.partial.class_of)
        if before.partial.class_of.get(key) != now.partial.class_of.get(key)
    }
    kept = np.where(np.isin(grown, list(edited)), np.uint32(UNPAINTED), grown)
    kept[~np.isin(kept, list(now.partial.class_of))] = UNPAINTED
    touched = before.scribbles != now.scribbles
    touched |= before.full.objects != now.full.objects
    touched |= now.scribbles == SCRIBBLE_BACKGROUND
    kept[touched | changed] = UNPAINTED
    return np.where(painted != UNPAINTED, painted, kept)
