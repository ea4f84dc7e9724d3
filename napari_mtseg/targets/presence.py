"""What is known of an image as a whole: its scene, and which classes occur in it."""

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Annotation
from napari_mtseg.domain.targets import BACKGROUND, IGNORE
from napari_mtseg.targets.class_map import known_classes

NO_SCENE = -1
"""scene of an image that nobody tagged with one"""

NOT_SAID = -1
"""tag of a class of which nobody said whether it occurs"""


def presence_facts(
    annotation: Annotation, *, n_classes: int
) -> dict[str, NDArray[np.int64]]:
    """Return what is known of the whole image about its scene and classes.

    Where paint and a class tag contradict each other, the paint wins: the tag counts
    as not given.

    Parameters
    ----------
    annotation : Annotation
        Paint and tags of one image.
    n_classes : int
        Classes of the project, without background.

    Returns
    -------
    dict of str to int64 array
        'scene', ``()``: index of the scene, or NO_SCENE. 'settled',
        ``(n_classes + 1,)``: 1 for classes of which it is known of the whole image
        where they are, so that a patch without one lacks it; that is all classes
        where every pixel is known, and else those that are tagged absent, or without
        a mark though every object has one (METHODS.md section 6; ours that a tag
        "present" overrules the latter, and that it means nothing on an image without
        paint). 'tagged', ``(n_classes + 1,)``: 1 present, 0 absent, NOT_SAID;
        nothing is said of background.
    """
    known = known_classes(annotation)
    void = contradicted_tags(annotation)
    tags = annotation.tags
    said = {k: occurs for k, occurs in tags.present.items() if k not in void}
    tagged = np.full(n_classes + 1, NOT_SAID, np.int64)
    for k in range(BACKGROUND + 1, n_classes + 1):
        tagged[k] = said.get(k, NOT_SAID)
    scene = NO_SCENE if tags.scene is None else tags.scene
    return {
        "scene": np.array(scene, np.int64),
        "settled": _settled(annotation, known, tagged),
        "tagged": tagged,
    }


def contradicted_tags(annotation: Annotation) -> frozenset[int]:
    """Return the classes whose tag the paint of the image contradicts.

    Returns
    -------
    frozenset of int
        Classes that are tagged absent but painted (full masks count even where no
        region is complete), and classes that are tagged present but occur nowhere
        though every pixel is known.
    """
    present = annotation.tags.present
    if not present or not _is_painted(annotation):
        return frozenset()
    known = known_classes(annotation)
    said_present = {k for k, occurs in present.items() if occurs}
    wrong = (present.keys() - said_present) & _marked_classes(annotation, known)
    if not (known == IGNORE).any():
        wrong |= said_present - occurring_classes(known)
    return frozenset(wrong)


def occurring_classes(classes: NDArray[np.uint8]) -> frozenset[int]:
    """Return the values that some pixel of a class map has, IGNORE apart."""
    counts = np.bincount(classes.reshape(-1), minlength=IGNORE + 1)
    return frozenset(int(k) for k in np.flatnonzero(counts)) - {IGNORE}


def _settled(
    annotation: Annotation, known: NDArray[np.uint8], tagged: NDArray[np.int64]
) -> NDArray[np.int64]:
    if not (known == IGNORE).any():
        return np.ones_like(tagged)
    settled = tagged == 0
    if annotation.tags.exhaustive and _is_painted(annotation):
        marked = {BACKGROUND, *_marked_classes(annotation, known)}
        unmarked = [k not in marked for k in range(len(tagged))]
        settled |= np.array(unmarked) & (tagged == NOT_SAID)
    return settled.astype(np.int64)


def _is_painted(annotation: Annotation) -> bool:
    return not (annotation.is_empty and annotation.full.is_empty)


def _marked_classes(annotation: Annotation, known: NDArray[np.uint8]) -> frozenset[int]:
    """Return classes of paint that nothing stronger hides, or of any full mask."""
    marked = occurring_classes(known)
    if annotation.full.is_empty:
        return marked
    return marked | occurring_classes(annotation.full.class_map())
