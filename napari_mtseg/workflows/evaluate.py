"""How good predictions are: scores per image, class and object, with intervals."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import UNPAINTED, ObjectMasks
from napari_mtseg.domain.errors import RunError
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.targets import BACKGROUND
from napari_mtseg.metrics.calibration import pixel_reliability
from napari_mtseg.metrics.object_distances import object_distances
from napari_mtseg.metrics.objects import match_objects
from napari_mtseg.storage.predicted_masks import (
    class_names_of,
    classes_moved,
    prediction_folder,
)
from napari_mtseg.storage.prediction_files import load_answer, load_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import find_run
from napari_mtseg.targets.presence import occurring_classes
from napari_mtseg.uncertainty.disagreement import disagreeing_classes
from napari_mtseg.workflows.class_scores import class_scores, object_scores
from napari_mtseg.workflows.mask_files import MaskValues
from napari_mtseg.workflows.scored_images import check_predicted, images_to_score
from napari_mtseg.workflows.scores import (
    ClassScores,
    Evaluation,
    ImageScores,
    ObjectScores,
)
from napari_mtseg.workflows.truth import FileTruth, PaintedTruth


def evaluate_masks(  # noqa: PLR0913 - two answers and what they need
    prediction: Prediction,
    truth: NDArray[np.uint32],
    class_of: Mapping[int, int],
    *,
    spacing: tuple[float, ...],
    n_classes: int | None = None,
    known: NDArray[np.bool_] | None = None,
    image_id: str = "",
    name: str = "",
) -> ImageScores:
    """Score one prediction against exact objects.

    Parameters
    ----------
    prediction : Prediction
        Its classes score overlap and surfaces, its instances objects.
    truth : ([Z,] Y, X) uint32
        Exact objects by id, 0 elsewhere.
    class_of : Mapping[int, int]
        Class of each exact object.
    spacing : tuple of float
        Voxel size along ([Z,] Y, X).
    n_classes : int, optional
        Classes to score; by default up to the highest that occurs.
    known : ([Z,] Y, X) bool, optional
        True where the truth is known; nothing outside counts, and objects are cut off
        at its edge.
    image_id, name : str
        Passed on to the result.

    Returns
    -------
    ImageScores
        By the rules of METHODS.md section 0 for empty cases.

    Raises
    ------
    ValueError
        If shapes differ or an object has no class.
    """
    found = ObjectMasks(objects=prediction.instances, class_of=prediction.class_of)
    exact = ObjectMasks(objects=truth, class_of=class_of)
    inside = np.ones(truth.shape, bool) if known is None else known
    highest = max([1, *prediction.class_of.values(), *class_of.values()])
    instance_classes, truth_classes = found.class_map(), exact.class_map()
    classes: dict[int, ClassScores] = {}
    rows: list[ObjectScores] = []
    for c in range(1, (n_classes or highest) + 1):
        ours = np.where(inside & (instance_classes == c), found.objects, UNPAINTED)
        theirs = np.where(inside & (truth_classes == c), truth, UNPAINTED)
        matching = match_objects(ours, theirs)
        distances = object_distances(ours, theirs, matching, spacing=spacing)
        classes[c] = class_scores(
            inside & (prediction.classes == c),
            theirs != UNPAINTED,
            matching,
            object_hausdorff=distances.hausdorff,
            spacing=spacing,
        )
        rows.extend(object_scores(c, matching, distances))
    return ImageScores(
        image_id=image_id, name=name, classes=classes, objects=tuple(rows)
    )


def with_answers(
    scores: ImageScores,
    prediction: Prediction,
    exact: ObjectMasks,
    *,
    scene: int | None,
    known: NDArray[np.bool_] | None = None,
) -> ImageScores:
    """Add how good the answers about the image as a whole are.

    Parameters
    ----------
    scores : ImageScores
        Of the same image.
    prediction : Prediction
        What its method tells of classes and scenes; may be nothing.
    exact : ObjectMasks
        Exact objects.
    scene : int or None
        The image's scene, as the prediction counts them; None if it is not known.
    known : ([Z,] Y, X) bool, optional
        True where the truth is known. A class that is not found counts as absent only
        where all is known.
    """
    classes = exact.class_map()
    if known is not None:
        classes = np.where(known, classes, np.uint8(BACKGROUND))
    occurring = occurring_classes(classes)
    all_known = known is None or bool(known.all())
    wrong = disagreeing_classes(prediction.present, classes)
    right = [c not in wrong for c in prediction.present if all_known or c in occurring]
    told = scene is not None and bool(prediction.scenes)
    return replace(
        scores,
        class_accuracy=float(np.mean(right)) if right else math.nan,
        scene_accuracy=float(np.argmax(prediction.scenes) == scene)
        if told
        else math.nan,
        disagreement=float(prediction.scores.get("disagreement", math.nan)),
    )


def evaluate_project(  # noqa: PLR0913 - one argument per choice of the user
    project: Project,
    run_name: str | None = None,
    masks: Path | None = None,
    *,
    split: str = "test",
    values: MaskValues = "objects",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a run's predictions of the images of one split.

    Parameters
    ----------
    project : Project
        Where images, runs and predictions are.
    run_name : str, optional
        The run; the newest by default.
    masks : Path, optional
        Folder of complete masks, named like the images. Without it, the project's
        full masks count, inside their complete regions; accepted predictions never.
    split : {'test', 'validate', 'held-out', 'train', 'all'}
        Which images; 'held-out' are validate and test.
    values : {'objects', 'classes'}
        What the values of the masks mean.
    seed : int
        Seed of the bootstrap intervals.
    progress : callable, optional
        Called with the number of images done and to do.

    Returns
    -------
    Evaluation
        Scores per image and object; intervals from its ``summary``.

    Raises
    ------
    RunError
        If there is no such run, it has not predicted one of the images, or classes
        went or changed places since.
    AnnotationError
        If no image has a mask, or a mask does not fit.
    ProjectError
        If no image is of the split.
    """
    found_run = find_run(project.path, run_name)
    run = found_run.path.name
    entries = images_to_score(project, split)
    truth = (
        PaintedTruth(project, entries, split)
        if masks is None
        else FileTruth(project, entries, Path(masks), values)
    )
    check_predicted(project, run, truth.entries)
    _check_classes(project, run, truth.entries)
    scores = []
    for entry in truth.entries:
        scene = _scene_of(entry, project, found_run.info.scenes)
        exact, known = truth.of(entry)
        prediction = load_prediction(prediction_folder(project, entry, run))
        found = evaluate_masks(
            prediction,
            exact.objects,
            exact.class_of,
            spacing=entry.spacing,
            n_classes=project.info.n_classes,
            known=known,
            image_id=entry.id,
            name=entry.name,
        )
        found = with_answers(found, prediction, exact, scene=scene, known=known)
        scores.append(_with_doubt(found, prediction, exact, known=known))
        if progress is not None:
            progress(len(scores), len(truth.entries))
    return Evaluation(
        run=run,
        split=split,
        truth=truth.description,
        class_names=class_names_of(project),
        unit=truth.entries[0].unit,
        seed=seed,
        images=tuple(scores),
        notices=truth.notices + _unit_notices(truth.entries),
    )


def _check_classes(project: Project, run: str, entries: Sequence[ImageEntry]) -> None:
    """Refuse predictions whose classes are not those of the masks any more."""
    now = class_names_of(project)
    for entry in entries:
        then = load_answer(prediction_folder(project, entry, run)).class_names
        if then and classes_moved(then, now):
            raise RunError(
                f"The prediction of '{entry.name}' has the classes {', '.join(then)}, "
                f"but the project now has {', '.join(now)}. Train and predict again."
            )


def _with_doubt(
    scores: ImageScores,
    prediction: Prediction,
    exact: ObjectMasks,
    *,
    known: NDArray[np.bool_] | None,
) -> ImageScores:
    """Add the scores of doubt, and right pixels by how sure the network was."""
    truth = exact.class_map()
    everywhere = known is None or bool(known.all())
    called = prediction.classes != BACKGROUND
    pixels, object_pixels = (
        pixel_reliability(
            prediction.probabilities, prediction.classes, truth, counted=counted
        )
        for counted in (known, called if known is None else called & known)
    )
    return replace(
        scores,
        doubts=dict(prediction.scores),
        uncertainty_from=prediction.uncertainty_from,
        is_known_everywhere=everywhere,
        pixels=pixels,
        object_pixels=object_pixels,
    )


def _scene_of(entry: ImageEntry, project: Project, told: Sequence[str]) -> int | None:
    """Return the place of an image's scene among those that a run tells, by name."""
    tagged = project.annotation(entry).tags.scene
    if tagged is None or tagged >= len(project.info.scenes):
        return None
    name = project.info.scenes[tagged]
    return told.index(name) if name in told else None


def _unit_notices(entries: Sequence[ImageEntry]) -> tuple[str, ...]:
    units = sorted({entry.unit for entry in entries})
    if len(units) == 1:
        return ()
    return (
        f"Images have different units ({', '.join(units)}): mean distances mix them.",
    )
