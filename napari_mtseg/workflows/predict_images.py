"""Prediction of many images: files and folders, or the images of a project.

One bad image does not stop the others: it is reported, and the next one follows.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from napari_mtseg.domain.errors import (
    ImageError,
    MtsegError,
    SettingsError,
    StorageError,
)
from napari_mtseg.domain.image import Image
from napari_mtseg.domain.prediction import ONE_PASS, Prediction
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.review import known_scores
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.image_tags import tags_of
from napari_mtseg.storage.locks import FolderLock
from napari_mtseg.storage.prediction_files import save_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.result_files import AnswerTable, WholeImage, write_results
from napari_mtseg.storage.run_folder import find_run
from napari_mtseg.storage.write import clear_write_errors
from napari_mtseg.uncertainty.disagreement import disagreeing_classes
from napari_mtseg.workflows.map_choice import DEFAULT_MAPS, checked_maps
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.prediction_paths import check_out, output_names
from napari_mtseg.workflows.uncertainty_source import (
    FROM_ONE_PASS,
    UncertaintySource,
)


@dataclass(frozen=True, kw_only=True)
class ImageOutcome:
    """How the prediction of one image went."""

    name: str
    """file name"""
    error: str | None = None
    """what is wrong with it, as one sentence; None if it was predicted"""
    notices: tuple[str, ...] = ()
    """what the user should know, a sentence each"""
    n_objects: dict[str, int]
    """class name -> number of objects"""
    whole: WholeImage = field(default_factory=WholeImage)
    """what is said of the image as a whole"""
    scores: dict[str, float] = field(default_factory=dict)
    """of :data:`~napari_mtseg.domain.review.SCORES`, those that are known"""
    uncertainty_from: str = ONE_PASS
    """which answers the uncertainty comes from, in words"""
    files: tuple[Path, ...] = ()
    """what was written"""
    seconds: float = 0.0
    """wall time"""


def predict_files(
    model: Model,
    files: Sequence[Path],
    out: Path,
    *,
    maps: Collection[str] = DEFAULT_MAPS,
    channels: Sequence[int] | None = None,
    axes: str | None = None,
) -> Iterator[ImageOutcome]:
    """Predict image files and write ``NAME_MAP.tif`` for each.

    Beside 'instances' goes ``NAME_objects.csv`` with the class and size of each
    object. Maps are OME-TIFFs with the voxel size; contours are 0 and 255. What a
    model tells of classes, scenes and doubt goes into one table,
    ``image_answers.csv``.

    Parameters
    ----------
    model : Model
        From :func:`~napari_mtseg.workflows.predict.load_model`.
    files : sequence of Path
        From :func:`~napari_mtseg.workflows.prediction_paths.input_files`.
    out : Path
        Folder for the results; made if it is missing.
    maps : collection of str
        Which of :func:`~napari_mtseg.workflows.map_choice.maps_of` the model to
        write.
    channels : sequence of int, optional
        Channels of the files to use, from 0.
    axes : str, optional
        Axes of the files, such as 'ZYX', where they do not say.

    Yields
    ------
    ImageOutcome
        One per file, in order.

    Raises
    ------
    SettingsError
        If the model has no such map, or the results would lie among the images.
    StorageError
        If the disk is full or ``out`` cannot be written.
    """
    wanted = checked_maps(maps, model)
    check_out(out, files)
    with clear_write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    names = output_names(files)
    answers = AnswerTable(out, names)
    for file, name in zip(files, names, strict=True):
        predicted = partial(
            _file_predicted,
            model,
            file,
            out / name,
            maps=wanted,
            channels=channels,
            axes=axes,
        )
        done = _outcome_of(predicted, file.name)
        if done.error is None:
            answers.add(name, done.whole)
        yield done


def predict_project(
    project: Project,
    model: Model,
    *,
    images: Sequence[ImageEntry],
    maps: Collection[str] | None = None,
) -> Iterator[ImageOutcome]:
    """Predict images of a project into ``predictions/RUN/IMAGE_ID/``.

    Parameters
    ----------
    project : Project
        The project.
    model : Model
        Loaded from one of its runs, whose name it carries.
    images : sequence of ImageEntry
        Which images, such as those of :func:`images_of_split`.
    maps : collection of str, optional
        Which of the model's derived maps to save beside classes, instances,
        probabilities and the method's own maps; all by default.

    Yields
    ------
    ImageOutcome
        One per image, in order.

    Raises
    ------
    ProjectError
        If another process predicts with the same run.
    StorageError
        If the disk is full or the project cannot be written.
    """
    run = model.info.provenance.run
    folder = project.path / "predictions" / run
    with FolderLock(folder, purpose=f"predictions of run {run}"):
        for entry in images:
            predicted = partial(
                _entry_predicted, model, project, entry, folder / entry.id, maps=maps
            )
            yield _outcome_of(predicted, entry.name)


def model_of_project(
    project: Project,
    run_name: str | None,
    *,
    device: str = "auto",
    memory: float | None = None,
    uncertainty: UncertaintySource = FROM_ONE_PASS,
) -> Model:
    """Load the best weights of a run by name, or of the newest run.

    Raises
    ------
    RunError
        If there is no such run, it has no weights yet, or nothing to compute the
        uncertainty from.
    """
    run = find_run(project.path, run_name)
    return load_model(run, device=device, memory=memory, uncertainty=uncertainty)


def images_of_split(project: Project, split: str) -> tuple[ImageEntry, ...]:
    """Return the images of 'train', 'validate' or 'test', or of 'all'.

    Raises
    ------
    SettingsError
        If there is no such split.
    ImageError
        If it holds no image.
    """
    names = ("all", "train", "validate", "test")
    if split not in names:
        raise SettingsError(
            f"There is no split '{split}'. Choose one of: {', '.join(names)}."
        )
    found = tuple(e for e in project.images if split in {"all", e.split})
    if not found:
        which = "no images" if split == "all" else f"no image in the split '{split}'"
        raise ImageError(
            f"The project '{project.info.name}' has {which}. See 'mtseg project info "
            f"{project.path.name}'."
        )
    return found


def are_objects_expected(project: Project, entry: ImageEntry) -> bool:
    """Return False if a person said of every class that the image holds none."""
    present = tags_of(project, entry).present
    classes = range(1, project.info.n_classes + 1)
    return any(present.get(c, True) for c in classes)


def _outcome_of(predicted: Callable[[], ImageOutcome], name: str) -> ImageOutcome:
    """Return what ``predicted`` returns, or why it could not.

    It makes and leaves the prediction itself, so that none is in memory beside the
    next one.
    """
    began = time.monotonic()
    try:
        done = predicted()
    except StorageError:
        raise
    except MtsegError as error:
        done = ImageOutcome(name=name, error=str(error), n_objects={})
    return replace(done, seconds=time.monotonic() - began)


def _file_predicted(
    model: Model,
    file: Path,
    stem: Path,
    *,
    maps: Sequence[str],
    channels: Sequence[int] | None,
    axes: str | None,
) -> ImageOutcome:
    image = open_image(file, channels=channels, axes=axes)
    derived = [name for name in maps if name in model.derived_maps]
    found = model.predict_image(image, maps=derived)
    names = model.class_names
    written = write_results(stem, found, maps=maps, info=image.info, class_names=names)
    return _done(model, image, found, files=written)


def _entry_predicted(
    model: Model,
    project: Project,
    entry: ImageEntry,
    folder: Path,
    *,
    maps: Collection[str] | None,
) -> ImageOutcome:
    image = project.open_image(entry)
    expected = are_objects_expected(project, entry)
    found = model.predict_image(image, maps=maps, expected=expected)
    save_prediction(
        folder,
        found,
        spacing=entry.spacing,
        unit=entry.unit,
        class_names=tuple(model.class_names.values()),
        scene_names=model.info.scenes,
        disagreeing=disagreeing_classes(found.present, found.classes),
    )
    return _done(model, image, found, files=(folder,))


def _done(
    model: Model, image: Image, found: Prediction, *, files: tuple[Path, ...]
) -> ImageOutcome:
    count = Counter(found.class_of.values())
    return ImageOutcome(
        name=image.name,
        notices=model.notices(image.info),
        n_objects={name: count[c] for c, name in model.class_names.items()},
        whole=_whole_image(found, model),
        scores=known_scores(found.scores),
        uncertainty_from=found.uncertainty_from,
        files=files,
    )


def _whole_image(found: Prediction, model: Model) -> WholeImage:
    """Return what a prediction says of the image as a whole, by names."""
    names = model.class_names
    scenes = zip(model.info.scenes, found.scenes, strict=True) if found.scenes else ()
    return WholeImage(
        scenes=dict(scenes),
        present={names[c]: p for c, p in sorted(found.present.items()) if c in names},
        disagreeing=tuple(
            names[c] for c in disagreeing_classes(found.present, found.classes)
        ),
        disagreement=found.scores.get("disagreement", math.nan),
        doubt=found.scores.get("doubt", math.nan) if model.is_sampled else math.nan,
    )
