"""Scores of one class on one image, and a row for each of its objects."""

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import UNPAINTED
from napari_mtseg.metrics.object_distances import ObjectDistances
from napari_mtseg.metrics.objects import FOUND_SHARE, ObjectMatching
from napari_mtseg.metrics.overlap import count_overlap
from napari_mtseg.metrics.surface import surface_distances
from napari_mtseg.workflows.scores import ClassScores, ObjectScores


def class_scores(
    ours: NDArray[np.bool_],
    theirs: NDArray[np.bool_],
    matching: ObjectMatching,
    *,
    object_hausdorff: float,
    spacing: tuple[float, ...],
) -> ClassScores:
    """Score the pixels and objects of one class.

    Parameters
    ----------
    ours, theirs : ([Z,] Y, X) bool
        True where the prediction, and the reference, has the class.
    matching : ObjectMatching
        Of their objects.
    object_hausdorff : float
        Of their objects, in the unit of ``spacing``.
    spacing : tuple of float
        Voxel size along ([Z,] Y, X).
    """
    counts = count_overlap(ours, theirs)
    surface = surface_distances(ours, theirs, spacing=spacing)
    return ClassScores(
        dice=counts.dice,
        jaccard=counts.jaccard,
        precision=counts.precision,
        recall=counts.recall,
        ravd=counts.relative_volume_difference,
        hausdorff=surface.hausdorff,
        hausdorff95=surface.hausdorff95,
        asd=surface.mean_to_reference,
        assd=surface.symmetric_mean,
        object_dice=matching.dice,
        object_hausdorff=object_hausdorff,
        object_f1=matching.f1,
        n_predicted=matching.predicted.ids.size,
        n_reference=matching.reference.ids.size,
        one_empty=surface.one_empty,
        both_empty=surface.both_empty,
    )


def object_scores(
    class_id: int, matching: ObjectMatching, distances: ObjectDistances
) -> list[ObjectScores]:
    """Score all reference objects, then the predicted ones that overlap none.

    Parameters
    ----------
    class_id : int
        Class of all of them.
    matching : ObjectMatching
        Which object answers which.
    distances : ObjectDistances
        How far they are apart.
    """
    exact, found = matching.reference, matching.predicted
    covers = found.overlaps >= FOUND_SHARE * found.partner_sizes
    answered = {int(i) for i in found.partners[covers & (found.partners != UNPAINTED)]}
    rows = [
        ObjectScores(
            class_id=class_id,
            reference=int(exact.ids[i]),
            prediction=int(exact.partners[i]) or None,
            size=int(exact.sizes[i]),
            partner_size=int(exact.partner_sizes[i]),
            dice=float(exact.dice[i]),
            hausdorff=float(distances.reference[i]),
            found=int(exact.ids[i]) in answered,
        )
        for i in range(exact.ids.size)
    ]
    rows.extend(
        ObjectScores(
            class_id=class_id,
            reference=None,
            prediction=int(found.ids[i]),
            size=int(found.sizes[i]),
            partner_size=0,
            dice=0.0,
            hausdorff=float(distances.predicted[i]),
            found=False,
        )
        for i in np.flatnonzero(found.partners == UNPAINTED)
    )
    return rows
