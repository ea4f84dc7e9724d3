"""Prediction of many images: files and folders, or the images of a project.

One bad image does not stop the others: it is reported, and the next one follows.
"""

import math
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_mtseg.domain.errors import (
    ImageError,
    MtsegError,
    SettingsError,
    StorageError,
)
from napari_mtseg.domain.image import Image
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.image_files import (
    is_image_file,
    list_image_files,
    open_image,
)
from napari_mtseg.storage.locks import FolderLock
from napari_mtseg.storage.prediction_files import save_prediction
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.result_files import AnswerTable, WholeImage, write_results
from napari_mtseg.storage.run_folder import find_run
from napari_mtseg.storage.write import clear_write_errors
from napari_mtseg.uncertainty.disagreement import disagreeing_classes
from napari_mtseg.workflows.derived_maps import DERIVED_MAPS
from napari_mtseg.workflows.predict import Model, load_model
from napari_mtseg.workflows.trained_model import trained_method

MAPS = ("classes", "instances", "probabilities", *DERIVED_MAPS)
"""what can be written for an image, whatever the method"""

DEFAULT_MAPS = ("instances", "classes", "contours")
"""what is written where nothing is chosen"""


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
    files: tuple[Path, ...] = ()
    """what was written"""
    seconds: float
    """wall time"""


def input_files(inputs: Sequence[Path]) -> list[Path]:
    """Return the image files of files and folders, each once.

    A path that does not exist stays in the list, to be reported in its turn.

    Raises
    ------
    ImageError
        If a folder holds no image, or nothing is given.
    """
    found: dict[Path, None] = {}
    for path in inputs:
        if not path.is_dir() or is_image_file(path):
            found[path] = None
            continue
        inside = list_image_files(path)
        if not inside:
            raise ImageError(
                f"The folder '{path}' holds no image. Give a folder with images, or "
                "the image files."
            )
        found.update(dict.fromkeys(inside))
    if not found:
        raise ImageError("No image was given to predict. Name image files or folders.")
    return list(found)


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
    model tells of classes and scenes goes into one table, ``image_answers.csv``.

    Parameters
    ----------
    model : Model
        From :func:`~napari_mtseg.workflows.predict.load_model`.
    files : sequence of Path
        From :func:`input_files`.
    out : Path
        Folder for the results; made if it is missing.
    maps : collection of str
        Which of :func:`maps_of` the model to write.
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
    _check_out(out, files)
    with clear_write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    names = output_names(files)
    answers = AnswerTable(out, names)
    for file, name in zip(files, names, strict=True):
        began = time.monotonic()
        try:
            image = open_image(file, channels=channels, axes=axes)
            found = model.predict_image(
                image, maps=[m for m in wanted if m in DERIVED_MAPS]
            )
            written = write_results(
                out / name,
                found,
                maps=wanted,
                info=image.info,
                class_names=model.class_names,
            )
        except StorageError:
            raise
        except MtsegError as error:
            yield _failed(file.name, error, began)
            continue
        done = _done(model, image, found, began, files=written)
        answers.add(name, done.whole)
        yield done


def predict_project(
    project: Project,
    model: Model,
    *,
    images: Sequence[ImageEntry],
    maps: Collection[str] = DERIVED_MAPS,
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
    maps : collection of str
        Which of DERIVED_MAPS to save beside classes, instances, probabilities and
        the method's own maps.

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
            began = time.monotonic()
            try:
                image = project.open_image(entry)
                found = model.predict_image(image, maps=maps)
                save_prediction(
                    folder / entry.id,
                    found,
                    spacing=entry.spacing,
                    unit=entry.unit,
                    class_names=tuple(model.class_names.values()),
                    scene_names=model.info.scenes,
                    disagreeing=disagreeing_classes(found.present, found.classes),
                )
            except StorageError:
                raise
            except MtsegError as error:
                yield _failed(entry.name, error, began)
                continue
            yield _done(model, image, found, began, files=(folder / entry.id,))


def model_of_project(
    project: Project,
    run_name: str | None,
    *,
    device: str = "auto",
    memory: float | None = None,
) -> Model:
    """Load the best weights of a run by name, or of the newest run.

    Raises
    ------
    RunError
        If there is no such run, or it has no weights yet.
    """
    return load_model(find_run(project.path, run_name), device=device, memory=memory)


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


def maps_of(model: Model) -> tuple[str, ...]:
    """Return what a model can write for an image: MAPS and its method's own."""
    return (*MAPS, *trained_method(model.info).own_maps)


def checked_maps(maps: Collection[str], model: Model) -> tuple[str, ...]:
    """Return the chosen maps in the order of :func:`maps_of`; nothing is predicted.

    Raises
    ------
    SettingsError
        If the model has no such map, or none is chosen.
    """
    known = maps_of(model)
    unknown = [name for name in maps if name not in known]
    if unknown or not maps:
        what = (
            f"This model has no map '{unknown[0]}'" if unknown else "No map was chosen"
        )
        raise SettingsError(f"{what}. Choose from: {', '.join(known)}.")
    return tuple(name for name in known if name in maps)


def output_names(files: Sequence[Path]) -> list[str]:
    """Return a name for the results of each file, no two the same.

    The file's name without its suffix where that tells the files apart, else with the
    suffix, else with the folder before it, else with a number behind it.
    """
    plain = [_stem(file) for file in files]
    longer = [file.name.replace(".", "_") for file in files]
    longest = [
        f"{file.resolve().parent.name}-{name}"
        for file, name in zip(files, longer, strict=True)
    ]
    names = plain
    for other in (longer, longest):
        count = Counter(name.lower() for name in names)
        names = [
            name if count[name.lower()] == 1 else more
            for name, more in zip(names, other, strict=True)
        ]
    seen: Counter[str] = Counter()
    for place, name in enumerate(names):
        seen[name.lower()] += 1
        if seen[name.lower()] > 1:
            names[place] = f"{name}-{seen[name.lower()]}"
    return names


def _stem(file: Path) -> str:
    name = file.name
    for ending in (".ome.tiff", ".ome.tif", ".ome.zarr", ".nii.gz"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return file.stem


def _check_out(out: Path, files: Sequence[Path]) -> None:
    if out.resolve() in {file.resolve().parent for file in files}:
        raise SettingsError(
            f"--out '{out}' is the folder of the images: the next time, the results "
            "would be taken for images. Choose another folder."
        )


def _failed(name: str, error: MtsegError, began: float) -> ImageOutcome:
    return ImageOutcome(
        name=name, error=str(error), n_objects={}, seconds=time.monotonic() - began
    )


def _done(
    model: Model,
    image: Image,
    found: Prediction,
    began: float,
    *,
    files: tuple[Path, ...],
) -> ImageOutcome:
    count = Counter(found.class_of.values())
    return ImageOutcome(
        name=image.name,
        notices=model.notices(image.info),
        n_objects={name: count[c] for c, name in model.class_names.items()},
        whole=_whole_image(found, model),
        files=files,
        seconds=time.monotonic() - began,
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
    )
