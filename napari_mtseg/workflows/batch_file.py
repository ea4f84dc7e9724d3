"""One file of a batch: predicted, and its results written, by whichever process."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.storage.image_files import open_image
from napari_mtseg.storage.result_files import result_format_of, write_results
from napari_mtseg.workflows.block_request import is_too_large
from napari_mtseg.workflows.image_outcome import (
    ImageOutcome,
    done_outcome,
    outcome_of,
    with_areas,
)
from napari_mtseg.workflows.map_choice import DEFAULT_MAPS
from napari_mtseg.workflows.measure import measured_objects
from napari_mtseg.workflows.overview import write_overview
from napari_mtseg.workflows.predict import Model
from napari_mtseg.workflows.predict_blocks import predict_in_blocks
from napari_mtseg.workflows.task_runner import ModelSource, TaskRunner

OVERVIEW = "_overview.png"
"""how the names of overview pictures end"""

MAPS_ONLY = (
    "It was predicted in blocks, so only its maps and the table of its objects are "
    "written: no overview, ROI set or COCO file."
)
"""what is told of an image of which more was wanted"""

NO_PLACE = (
    "It was predicted in blocks, so its maps are OME-Zarr, without the place and the "
    "direction of the image in the patient; --blocks never keeps both."
)
"""what is told of a medical image"""

Progress = Callable[[str, float], None]

Blocks = Literal["auto", "always", "never"]


@dataclass(frozen=True, kw_only=True)
class BatchChoices:
    """What is wanted of each image."""

    maps: tuple[str, ...] = DEFAULT_MAPS
    """maps to write, of :func:`~napari_mtseg.workflows.map_choice.maps_of`"""
    also: tuple[str, ...] = ()
    """files for other programs beside them: 'rois', 'coco'"""
    overview: bool = True
    """True to write a picture of each result"""
    channels: tuple[int, ...] | None = None
    """channels of the files to use, from 0; all by default"""
    axes: str | None = None
    """axes of the files, such as 'ZYX', where they do not say"""
    blocks: Blocks = "auto"
    """'auto' predicts images whose result does not fit into memory in blocks"""
    again: bool = False
    """True also predicts what an earlier batch has done"""

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of all that is written of an image."""
        return (*self.maps, *self.also, *(["overview"] if self.overview else []))


@dataclass(frozen=True, kw_only=True)
class FileTask:
    """One image to predict."""

    file: Path
    """absolute path of the image"""
    out: Path
    """absolute path of the folder of the results"""
    name: str
    """with which the names of the results begin"""
    choices: BatchChoices
    """what is wanted of it"""


def predicted_file(model: Model, task: FileTask) -> ImageOutcome:
    """Predict one image in memory and write its results.

    Where blocks are 'auto', an image whose result does not fit into memory comes back
    with ``is_too_large``: it is for :func:`file_in_blocks`.

    Raises
    ------
    StorageError
        If the disk is full or refuses.
    """
    return outcome_of(partial(_predicted, model, task), task.file.name)


def file_in_blocks(
    task: FileTask,
    source: ModelSource,
    runner: TaskRunner,
    *,
    progress: Progress | None = None,
) -> ImageOutcome:
    """Predict one image in blocks, which are tasks of the runner, into OME-Zarr.

    Parameters
    ----------
    task : FileTask
        The image.
    source : ModelSource
        The model.
    runner : TaskRunner
        Does the blocks.
    progress : callable, optional
        Called with the name of the image and the share that is done, 0..1.

    Raises
    ------
    StorageError
        If the disk is full or refuses.
    """
    choices, name = task.choices, task.file.name
    predicted = partial(
        predict_in_blocks,
        source,
        task.file,
        task.out / task.name,
        maps=choices.maps,
        runner=runner,
        channels=choices.channels,
        axes=choices.axes,
        between=partial(progress, name) if progress else None,
    )
    done = outcome_of(predicted, name)
    if done.error is not None:
        return done
    more = [MAPS_ONLY] if choices.also or choices.overview else []
    if result_format_of(task.file) == "nifti":
        more.append(NO_PLACE)
    return replace(done, notices=(*done.notices, *more), in_blocks=True)


def _predicted(model: Model, task: FileTask) -> ImageOutcome:
    choices = task.choices
    image = open_image(task.file, channels=choices.channels, axes=choices.axes)
    if choices.blocks == "auto" and is_too_large(model, image):
        raise MemoryShortageError(f"The result of '{image.name}' is too large.")
    derived = [name for name in choices.maps if name in model.derived_maps]
    found = model.predict_image(image, maps=derived)
    names = model.class_names
    table = measured_objects(found, image, class_names=names)
    written = write_results(
        task.out / task.name,
        found,
        maps=choices.maps,
        info=image.info,
        class_names=names,
        image_path=task.file,
        axes=choices.axes,
        table=table,
        also=choices.also,
        class_colours=model.class_colours,
    )
    if choices.overview:
        picture = task.out / f"{task.name}{OVERVIEW}"
        info = model.info
        write_overview(picture, found, image, classes=info.classes, colour=info.colour)
        written = (*written, picture)
    done = done_outcome(model, image.name, image.info, found, files=written)
    return with_areas(done, table)
