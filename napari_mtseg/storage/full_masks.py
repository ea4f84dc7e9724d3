"""Full masks of an annotation, compared: as a whole, and by the parts on the disk."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.storage.annotation_files import facts_of
from napari_mtseg.storage.label_arrays import CHUNK_2D, CHUNK_3D


def has_full_masks(annotation: Annotation) -> bool:
    """Return True if full masks are painted or a region is marked complete."""
    return annotation.has_full or not annotation.full.is_empty


def with_masks_of(annotation: Annotation, other: Annotation) -> Annotation:
    """Return an annotation with the full masks, region and origin of another."""
    return replace(
        annotation, full=other.full, complete=other.complete, origin=other.origin
    )


def same_masks(one: Annotation, other: Annotation) -> bool:
    """Return True if full masks, classes, region and origin are the same."""
    return one.origin == other.origin and masks_digest(one) == masks_digest(other)


def masks_digest(annotation: Annotation) -> str:
    """Return the SHA-256 of the full masks, their classes and the complete region."""
    facts = facts_of(annotation)
    told: list[Any] = [facts["shape"], facts["full_classes"], facts["complete"]]
    digest = hashlib.sha256(repr(told).encode())
    digest.update(np.ascontiguousarray(annotation.full.objects, np.uint32).data)
    return digest.hexdigest()


def part_digests(objects: NDArray[np.integer[Any]]) -> tuple[str, ...]:
    """Return the SHA-256 of each chunk of a mask, in the order of rows.

    Parameters
    ----------
    objects : ([Z,] Y, X) integer
        Object id, 0 background.
    """
    return tuple(_digest(part) for part in _parts(objects))


def is_mixture(
    objects: NDArray[np.integer[Any]],
    one: NDArray[np.integer[Any]],
    other: Sequence[str],
) -> bool:
    """Return True if each chunk of a mask is that of one or of another mask.

    Whoever is stopped while a mask is replaced leaves such a mixture behind.

    Parameters
    ----------
    objects : ([Z,] Y, X) integer
        The mask in question.
    one : ([Z,] Y, X) integer
        One of the two.
    other : sequence of str
        The other, as :func:`part_digests`.
    """
    if objects.shape != one.shape:
        return False
    known = itertools.zip_longest(_parts(objects), _parts(one), other)
    return all(np.array_equal(a, b) or _digest(a) == c for a, b, c in known)


def _parts(objects: NDArray[np.integer[Any]]) -> Iterator[NDArray[np.uint32]]:
    chunk = CHUNK_2D if objects.ndim == len(CHUNK_2D) else CHUNK_3D
    starts = (
        range(0, size, step) for size, step in zip(objects.shape, chunk, strict=True)
    )
    for start in itertools.product(*starts):
        part = tuple(slice(a, a + n) for a, n in zip(start, chunk, strict=True))
        yield objects[part].astype(np.uint32, copy=False)


def _digest(part: NDArray[np.uint32]) -> str:
    return hashlib.sha256(np.ascontiguousarray(part).data).hexdigest()
