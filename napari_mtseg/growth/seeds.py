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
    return replace(annotation, partial=ObjectMasks(objects=objects, class_of=class_of))


def with_eroded_full_masks(
    annotation: Annotation,
    *,
    rng: np.random.Generator,
    shares: tuple[float, float] = (0.2, 0.5),
    spacing: tuple[float, ...],
) -> Annotation:
    """Simulate partial masks of the fully annotated objects that bear none.

    Each object is eroded by a random share of its inradius (METHODS.md section 4,
    ours), so that the approximation task sees full masks too.

    Parameters
    ----------
    annotation : Annotation
        Returned as it is where no full mask counts.
    rng : Generator
        Draws the share of each object.
    shares : (float, float)
        Smallest and largest share of the inradius that is eroded, 0..1.
    spacing : tuple of float
        Voxel size ([Z,] Y, X).

    Returns
    -------
    Annotation
        With the enlarged ``partial``. New masks are of at least one pixel; they keep
        the ids of their objects where no partial mask is painted, else get new ones.
    """
    if not annotation.has_full:
        return annotation
    inside = annotation.complete.mask(annotation.shape)
    objects = np.where(inside, annotation.full.objects, np.uint32(UNPAINTED))
    ids, index = np.unique(objects, return_inverse=True)
    index = index.reshape(objects.shape)
    depth = distance_inside(objects, spacing=spacing)
    depth[~np.isfinite(depth)] = min(spacing)
    # To the outline, which runs half a pixel before the next pixel: else the rim of
    # small objects would often stay.
    depth = np.maximum(depth - min(spacing) / 2, 0)
    inradius = np.zeros(len(ids))
    np.maximum.at(inradius, index, depth)
    share = rng.uniform(*shares, len(ids))
    kept = depth > (share * inradius)[index]
    # What is less than two pixels wide would else be gone.
    kept |= depth == inradius[index]
    painted = annotation.partial.objects
    is_bare = np.ones(len(ids), bool)
    is_bare[index[painted != UNPAINTED]] = False
    is_bare[ids == UNPAINTED] = False
    top = 0 if annotation.partial.is_empty else max(annotation.partial.class_of)
    names = ids if top == 0 else (top + np.arange(len(ids)) + 1).astype(np.uint32)
    seeds = np.where(kept & is_bare[index], names[index], painted)
    class_of = dict(annotation.partial.class_of) | {
        int(name): annotation.full.class_of[int(key)]
        for name, key in zip(names[is_bare], ids[is_bare], strict=True)
    }
    return replace(annotation, partial=ObjectMasks(objects=seeds, class_of=class_of))


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
        Today's paint, and the growth of the objects that the user left alone. An
        object starts from its paint again if its paint or class changed, or if paint
        of any kind changed where it had grown: growth cannot shrink by itself.
        Objects are recognised by their pixels, so that ids may have changed.
    """
    painted, old = now.partial.objects, before.partial.objects
    name_of = _unchanged_objects(before.partial, now.partial)
    ids, index = np.unique(grown, return_inverse=True)
    names = np.array([name_of.get(int(i), UNPAINTED) for i in ids], np.uint32)
    kept = names[index.reshape(grown.shape)]
    edited = (painted != UNPAINTED) != (old != UNPAINTED)
    edited |= before.scribbles != now.scribbles
    edited |= before.full.objects != now.full.objects
    edited |= before.complete.mask(before.shape) != now.complete.mask(now.shape)
    kept[np.isin(kept, kept[edited])] = UNPAINTED
    return np.where(painted != UNPAINTED, painted, kept)


def _unchanged_objects(before: ObjectMasks, now: ObjectMasks) -> dict[int, int]:
    """Old id -> new id of the objects that have the same pixels and class."""
    painted = (before.objects != UNPAINTED) | (now.objects != UNPAINTED)
    keys = before.objects[painted].astype(np.uint64) << np.uint64(32)
    pairs = np.unique(keys | now.objects[painted])
    olds, news = pairs >> np.uint64(32), pairs & np.uint64(2**32 - 1)
    alone = np.isin(olds, _single(olds)) & np.isin(news, _single(news))
    alone &= (olds != UNPAINTED) & (news != UNPAINTED)
    matched = zip(olds[alone].tolist(), news[alone].tolist(), strict=True)
    return {
        old: new
        for old, new in matched
        if before.class_of.get(old) == now.class_of.get(new)
    }


def _single(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Values that occur exactly once."""
    found, counts = np.unique(values, return_counts=True)
    return found[counts == 1]
