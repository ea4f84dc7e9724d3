"""Prediction of the images of a project, into the project."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from napari_mtseg.domain.errors import ImageError, SettingsError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.image_tags import tags_of
from napari_mtseg.storage.locks import FolderLock
from napari_mtseg.storage.prediction_files import save_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import find_run
from napari_mtseg.uncertainty.disagreement import disagreeing_classes
from napari_mtseg.workflows.image_outcome import (
    ImageOutcome,
    done_outcome,
    outcome_of,
)
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.uncertainty_source import (
    FROM_ONE_PASS,
    UncertaintySource,
)


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
            yield outcome_of(predicted, entry.name)


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
    return done_outcome(model, image.name, image.info, found, files=(folder,))
