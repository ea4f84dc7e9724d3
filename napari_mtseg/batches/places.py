"""Places of an image where something is known: patches are centred on them."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.targets import BACKGROUND, IGNORE, ImageTargets
from napari_mtseg.geometry.components import compact_labels
from napari_mtseg.geometry.slabs import slabs

MAX_PLACES = 200_000
"""known pixels per image among which patch centres are drawn, about"""

MIN_PLACES = 64
"""pixels of each object that stay among them, about, however large the image"""


def known_places(
    targets: ImageTargets, rng: np.random.Generator
) -> tuple[tuple[NDArray[np.int64], ...], ...]:
    """Return where something is known, class by class and object by object.

    Parameters
    ----------
    targets : ImageTargets
        Of one image; maps of a file are read part by part.
    rng : Generator
        Thins out the known pixels of large images.

    Returns
    -------
    tuple of tuple of (n,) int64
        Class -> object -> flat indices of known pixels, of all or of about MAX_PLACES;
        background is one object. Empty where nothing is known.
    """
    sizes = _object_sizes(targets)
    n_known = sum(sizes.values())
    if n_known == 0:
        return ()
    quota = max(MIN_PLACES, MAX_PLACES // len(sizes))
    names = np.array(sorted(sizes), np.uint32)
    chance = np.array([quota / sizes[int(name)] for name in names])
    kept = []
    for flat, classes, objects in _known_blocks(targets):
        if n_known > MAX_PLACES:
            is_kept = rng.random(len(flat)) < chance[np.searchsorted(names, objects)]
            flat, classes, objects = flat[is_kept], classes[is_kept], objects[is_kept]
        kept.append((flat, classes, objects))
    flat, classes, objects = (
        np.concatenate(parts) for parts in zip(*kept, strict=True)
    )
    order = np.lexsort((objects, classes))
    flat, classes, objects = flat[order], classes[order], objects[order]
    found = []
    for group in np.split(np.arange(len(flat)), np.flatnonzero(np.diff(classes)) + 1):
        cuts = np.flatnonzero(np.diff(objects[group])) + 1
        found.append(tuple(np.split(flat[group], cuts)))
    return tuple(found)


def _object_sizes(targets: ImageTargets) -> Counter[int]:
    """Count the known pixels of each object; of background as object 0."""
    sizes: Counter[int] = Counter()
    for _, _, objects in _known_blocks(targets):
        names, numbers = compact_labels(objects)
        counts = np.bincount(numbers)
        for number in np.flatnonzero(counts):
            sizes[int(names[number])] += int(counts[number])
    return sizes


def _known_blocks(
    targets: ImageTargets,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint32]]]:
    """Yield flat index, class and object of the known pixels, a part at a time."""
    shape = targets.known.shape
    per_line = int(np.prod(shape[1:], dtype=np.int64))
    for slab in slabs(shape):
        known = targets.known[slab].ravel()
        inside = np.flatnonzero(known != IGNORE)
        if len(inside):
            classes = known[inside]
            objects = targets.objects[slab].ravel()[inside]
            objects = np.where(classes == BACKGROUND, np.uint32(0), objects)
            yield inside + slab.start * per_line, classes, objects
