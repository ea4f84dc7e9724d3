"""The images of a training, their targets, and the labels that grow."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.batches.patches import TrainingImage, training_image
from napari_mtseg.domain.annotation import Annotation, ObjectMasks
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.targets import ImageTargets
from napari_mtseg.methods.protocol import Method
from napari_mtseg.storage.lazy_pixels import is_read_in_parts
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.snapshot import Snapshot
from napari_mtseg.storage.target_files import (
    load_targets,
    pixels_copied,
    pixels_copy,
    save_targets,
)
from napari_mtseg.workflows.annotated_places import (
    PaintSource,
    Place,
    margin_for,
    places_of,
)
from napari_mtseg.workflows.data_memory import DataMemory, Footprint, data_memory
from napari_mtseg.workflows.network_input import NormalisedPixels, normalised_pixels_of
from napari_mtseg.workflows.processes import is_lead, n_processes, rank

FLOODED = 6.0
"""times its partial masks that an image's labels may cover before the user is told"""

Outputs = Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]
"""normalised pixels of one image -> the network's probabilities by name"""


@dataclass(eq=False)
class LearningImage:
    """One image that is learned from; its annotation grows."""

    place: Place
    """the image, or the part of a large one"""
    pixels: NDArray[np.float32]
    """(C, [Z,] Y, X) normalised; a large image is read from its file when sliced"""
    painted: Annotation
    """what the person painted"""
    annotation: Annotation
    """what is learned from now"""

    @property
    def entry(self) -> ImageEntry:
        """The image."""
        return self.place.entry


class TrainingData:
    """All images that a run learns from."""

    def __init__(
        self,
        method: Method,
        images: list[LearningImage],
        *,
        run: RunFolder,
        seed: int,
        memory: DataMemory,
    ) -> None:
        self.images = images
        self.memory = memory
        self._method = method
        self._run = run
        self._seed = seed
        self._told: set[str] = set()

    def patches(self, iteration: int) -> list[TrainingImage]:
        """Return the images with the targets of this iteration."""
        return [
            training_image(
                image.pixels,
                self._targets(image),
                rng=np.random.default_rng([self._seed, iteration, index]),
            )
            for index, image in enumerate(self.images)
        ]

    def _targets(self, image: LearningImage) -> ImageTargets:
        """Compute the targets of one image once for the run, unless its labels grow."""
        grows = any(stage.grows for stage in self._method.stages())
        folder = self._run.targets_folder(image.place.key)
        saved = None if grows else load_targets(folder)
        if saved is not None:
            return saved
        targets = self._method.targets(image.annotation, painted=image.painted)
        if grows or not is_lead():
            return targets
        save_targets(folder, targets)
        return load_targets(folder) or targets

    def grow(self, outputs: Outputs, *, iteration: int) -> None:
        """Enlarge the labels of every image that has any and is of this process.

        ``iteration`` is 1 for the first growth of the run.
        """
        for image in self._own_share():
            image.annotation = self._method.grow(
                image.annotation, outputs(image.pixels), iteration=iteration
            )

    def n_labelled(self) -> int:
        """Return the pixels that the growing labels of all images cover."""
        return sum(
            int(np.count_nonzero(image.annotation.partial.objects))
            for image in self._growing()
        )

    def newly_flooded(self) -> list[str]:
        """Return the names of images whose labels have grown suspiciously large.

        Each is named once. Strokes are tiny seeds and may grow at will; partial masks
        cover a fair share of their objects.
        """
        names = []
        for image in self._growing():
            painted = int(np.count_nonzero(image.painted.partial.objects))
            grown = int(np.count_nonzero(image.annotation.partial.objects))
            if 0 < FLOODED * painted < grown and image.entry.name not in self._told:
                names.append(image.entry.name)
        self._told.update(names)
        return names

    def save_grown(self, run: RunFolder, iteration: int) -> dict[str, str]:
        """Save the growing labels of this process; return the files of all by name.

        The name is the image's id, or :attr:`Place.key` of a part; the file that in
        the run folder.
        """
        for image in self._own_share():
            objects = image.annotation.partial.objects
            run.save_grown(iteration, image.place.key, objects)
        keys = [image.place.key for image in self._growing()]
        return {key: run.grown_file(iteration, key) for key in keys}

    def _growing(self) -> list[LearningImage]:
        return [i for i in self.images if i.annotation.has_partial]

    def _own_share(self) -> list[LearningImage]:
        """Return the images whose labels this process grows."""
        return self._growing()[rank() :: n_processes()]

    def load_grown(self, run: RunFolder, iteration: int) -> None:
        """Go back to the labels after an iteration."""
        for image in self.images:
            objects = run.load_grown(iteration, image.place.key)
            if objects is not None:
                image.annotation = with_objects(image.annotation, objects)


def load_training_data(
    project: Project, snapshot: Snapshot, method: Method, run: RunFolder
) -> TrainingData:
    """Open the training images and start their labels.

    Images are read whole, as far as they take a small share of the free memory; of
    the largest ones each patch is read from the file. Of an image that is larger still
    the surroundings of its paint are images of their own, which changes nothing that
    is known: unpainted means unknown.

    Raises
    ------
    ImageError
        If an image is gone or damaged.
    MemoryShortageError
        If the images do not fit into memory.
    """
    seed = run.info.seed
    margin = margin_for(method.settings, method.task.ndim)
    places = [
        place
        for entry in snapshot.images
        if entry.split == "train"
        for place in places_of(snapshot, entry, margin=margin)
    ]
    annotated = [(p, annotation_at(snapshot, p)) for p in places]
    usable = [(p, a) for p, a in annotated if not a.is_empty or method.uses(a)]
    memory = data_memory(
        [
            Footprint(entry=p.entry, box=p.box, is_painted=not a.is_empty)
            for p, a in usable
        ],
        n_channels=method.task.n_channels,
    )
    images = []
    reader = _PixelReader(project, method, run)
    for index, (place, annotation) in enumerate(usable):
        pixels = reader.pixels(place, from_disk=place.key in memory.from_disk)
        if annotation.is_empty:
            images.append(LearningImage(place, pixels, annotation, annotation))
            continue
        rng = np.random.default_rng([seed, index])
        started = method.start(annotation, pixels=pixels, rng=rng)
        if method.uses(started):
            images.append(LearningImage(place, pixels, annotation, started))
    return TrainingData(method, images, run=run, seed=seed, memory=memory)


class _PixelReader:
    """Reads training images; the normalisation of each is found once."""

    def __init__(self, project: Project, method: Method, run: RunFolder) -> None:
        self._project, self._method, self._run = project, method, run
        self._last: tuple[str, bool, NormalisedPixels] | None = None

    def pixels(self, place: Place, *, from_disk: bool) -> NDArray[np.float32]:
        """Return the pixels of a place, in memory unless ``from_disk``."""
        key = (place.entry.id, from_disk)
        if self._last is None or self._last[:2] != key:
            self._last = (*key, self._whole(place.entry, from_disk=from_disk))
        whole = self._last[2]
        lazy = whole if place.box is None else whole.inside(place.box)
        return cast("NDArray[np.float32]", lazy) if from_disk else np.asarray(lazy)

    def _whole(self, entry: ImageEntry, *, from_disk: bool) -> NormalisedPixels:
        if from_disk:
            return _pixels_from_disk(self._project, entry, self._method, self._run)
        return normalised_pixels(self._project, entry, self._method)


def annotation_at(source: PaintSource, place: Place) -> Annotation:
    """Return what is painted at a place; layers without paint take no memory.

    Raises
    ------
    MtsegError
        If the annotation is damaged.
    """
    return _without_blank_layers(source.annotation(place.entry, box=place.box))


def normalised_pixels(
    project: Project, entry: ImageEntry, method: Method
) -> NormalisedPixels:
    """Return one image as the network sees it, (C, [Z,] Y, X); read when sliced."""
    return _normalised(project, entry, method, project.open_image(entry).pixels)


def _pixels_from_disk(
    project: Project, entry: ImageEntry, method: Method, run: RunFolder
) -> NormalisedPixels:
    """Return an image that is never whole in memory; where need be, a copy on disk."""
    folder = run.targets_folder(entry.id)
    pixels = pixels_copy(folder)
    if pixels is None:
        pixels = project.open_image(entry).pixels
        if not is_read_in_parts(pixels):
            pixels = pixels_copied(folder, pixels)
    return _normalised(project, entry, method, pixels)


def _normalised(
    project: Project, entry: ImageEntry, method: Method, pixels: NDArray[np.generic]
) -> NormalisedPixels:
    return normalised_pixels_of(
        entry.name,
        pixels,
        colour=project.info.colour,
        kind=method.settings.normalisation,
    )


def with_objects(annotation: Annotation, objects: NDArray[np.uint32]) -> Annotation:
    """Return an annotation with other partial masks of the same ids."""
    return replace(
        annotation,
        partial=ObjectMasks(objects=objects, class_of=annotation.partial.class_of),
    )


def _without_blank_layers(annotation: Annotation) -> Annotation:
    """Return an annotation whose layers take no memory where nothing is painted."""

    def shrunk(layer: NDArray[Any]) -> NDArray[Any]:
        return (
            layer if layer.any() else np.broadcast_to(layer.dtype.type(0), layer.shape)
        )

    partial, full = annotation.partial, annotation.full
    return replace(
        annotation,
        partial=replace(partial, objects=shrunk(partial.objects)),
        scribbles=shrunk(annotation.scribbles),
        full=replace(full, objects=shrunk(full.objects)),
    )
