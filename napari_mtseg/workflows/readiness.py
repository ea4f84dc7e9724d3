"""What the paint of a project allows, quick enough to be asked after every stroke."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mtseg.domain.annotation import empty_annotation
from napari_mtseg.domain.errors import MemoryShortageError, MtsegError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.methods.catalog import CATALOG, entry, load_method, settings_of
from napari_mtseg.methods.protocol import Method, Readiness, Task
from napari_mtseg.storage.annotation_files import FACTS
from napari_mtseg.storage.paint_extent import PaintExtent
from napari_mtseg.storage.project import Project
from napari_mtseg.targets.paint_summary import PaintSummary, added_up
from napari_mtseg.workflows.annotated_places import (
    Place,
    is_large,
    margin_for,
    paint_on,
    places_in,
)
from napari_mtseg.workflows.data_memory import Footprint, check_validation_memory
from napari_mtseg.workflows.devices import best_device
from napari_mtseg.workflows.memory_estimate import MemoryEstimates
from napari_mtseg.workflows.run_requests import (
    RunRequest,
    ndim_of,
    settings_of_request,
)
from napari_mtseg.workflows.runs import task_of

PRESET = "fast"
"""preset that the methods are asked with"""

GROWS = "recursive_approximation"
"""method for weak labels"""

PLAIN = "baseline"
"""method for full masks alone"""

NO_IMAGES = "The project has no images yet. Add some first."


@dataclass(frozen=True, kw_only=True)
class ReadinessReport:
    """What the paint of a project allows."""

    summary: str
    """what is painted on all images, as one sentence"""
    methods: Mapping[str, Readiness]
    """key of each method -> whether the training images suffice for it"""
    recommended: str
    """key of the method that suits the paint best"""
    reason: str
    """why that one; what is missing where no method is ready"""
    asked: Readiness | None = None
    """whether the run that was asked about could be trained; None if there was none"""


class PaintCounter:
    """Counts the paint of images, each once until somebody paints on it again.

    It remembers too what the last training that was asked about takes of the memory.
    """

    def __init__(self) -> None:
        self.memory = MemoryEstimates()
        self._counted: dict[Path, tuple[Any, PaintSummary]] = {}
        self._extents: dict[Path, tuple[Any, PaintExtent]] = {}

    def paint_on(
        self, project: Project, image: ImageEntry, *, spacing: tuple[float, ...]
    ) -> PaintSummary:
        """Return what is painted on one image of the project.

        Raises
        ------
        MtsegError
            If its annotation is damaged.
        """
        folder = project.annotation_folder(image)
        if not (folder / FACTS).exists():
            return PaintSummary(n_unpainted=1)
        # Taken before the labels are read: a stroke in between is counted next time.
        state = (spacing, image.spatial_shape, _state_of(folder))
        before, summary = self._counted.get(folder, (None, PaintSummary()))
        if before != state:
            summary = paint_on(project, image, spacing=spacing)
            self._counted[folder] = (state, summary)
        return summary

    def places(
        self, project: Project, image: ImageEntry, *, margin: tuple[int, ...]
    ) -> tuple[Place, ...]:
        """Return the places of an image of the project that are learned from.

        Raises
        ------
        MtsegError
            If its annotation is damaged.
        """
        if not is_large(image):
            return (Place(entry=image),)
        folder = project.annotation_folder(image)
        state = _state_of(folder)
        before, extent = self._extents.get(folder, (None, PaintExtent()))
        if before != state:
            extent = project.extent(image)
            self._extents[folder] = (state, extent)
        return places_in(image, extent, margin=margin)


def readiness_of(
    project: Project, counter: PaintCounter, request: RunRequest | None = None
) -> ReadinessReport:
    """Tell which methods could train on the project, and which suits it best.

    Parameters
    ----------
    project : Project
        Its images, split and annotations count.
    counter : PaintCounter
        The same one every time, so that only new paint is read.
    request : RunRequest, optional
        A run that is wanted: its method is asked with its settings too.

    Raises
    ------
    MtsegError
        If an annotation is damaged.
    """
    if not project.images:
        nothing = Readiness(problems=(NO_IMAGES,))
        return ReadinessReport(
            summary=NO_IMAGES,
            methods=dict.fromkeys(CATALOG, nothing),
            recommended=GROWS,
            reason=NO_IMAGES,
            asked=None if request is None else nothing,
        )
    task = task_of(project, project.images)
    paint = {
        image.id: counter.paint_on(project, image, spacing=task.spacing)
        for image in project.images
    }
    learned = added_up(paint[e.id] for e in project.images if e.split == "train")
    methods = {
        key: _method(key, task, ndim_of(project)).readiness(learned) for key in CATALOG
    }
    recommended, reason = recommendation(learned, methods)
    return ReadinessReport(
        summary=paint_in_words(added_up(paint.values())),
        methods=methods,
        recommended=recommended,
        reason=reason,
        asked=None
        if request is None
        else _asked(project, request, task, paint, counter),
    )


def _asked(
    project: Project,
    request: RunRequest,
    task: Task,
    paint: Mapping[str, PaintSummary],
    counter: PaintCounter,
) -> Readiness:
    """Tell whether a run that is wanted could be trained, with the settings it has."""
    entries = [entry for entry in project.images if entry.split == "train"]
    learned = added_up(paint[entry.id] for entry in entries)
    try:
        settings = settings_of_request(project, request)
        device = best_device(request.device)
    except MtsegError as error:
        return Readiness(problems=(str(error),))
    made: Method = load_method(request.method)(settings, task)
    found = made.readiness(learned)
    if found.problems:
        return found
    made = load_method(request.method)(made.adapted(learned), task)
    uses_unpainted = made.uses(empty_annotation((1,) * task.ndim))
    margin = margin_for(made.settings, task.ndim)
    images = [
        Footprint(entry=entry, box=place.box, is_painted=paint[entry.id].n_images > 0)
        for entry in entries
        if uses_unpainted or paint[entry.id].n_images > 0
        for place in counter.places(project, entry, margin=margin)
    ]
    validating = [
        Footprint(entry=entry, box=place.box, is_painted=True)
        for entry in project.images
        if entry.split == "validate" and paint[entry.id].n_images > 0
        for place in counter.places(project, entry, margin=margin)
    ]
    try:
        check_validation_memory(validating, n_classes=task.n_classes)
        told = counter.memory.sentences(made, images, device=device)
    except MemoryShortageError as error:
        return Readiness(problems=(str(error),), notices=found.notices)
    return Readiness(notices=(*found.notices, *told))


def recommendation(
    paint: PaintSummary, methods: Mapping[str, Readiness]
) -> tuple[str, str]:
    """Return the method that suits the paint best, and why, as a sentence.

    Where none is ready it is the one that lacks least, and the sentence says what.
    """
    has_weak = paint.n_partial > 0 or paint.has_strokes
    first = PLAIN if paint.n_full and not has_weak else GROWS
    order = sorted(methods, key=lambda key: key != first)
    best = min(order, key=lambda key: len(methods[key].problems))
    if problems := methods[best].problems:
        return best, problems[0]
    if best != first:
        title = entry(first).title
        return best, f"{title} is not ready: {methods[first].problems[0]}"
    if best == GROWS:
        what = "Partial masks" if paint.n_partial else "Strokes"
        return best, f"{what} are painted, which this method grows to the boundaries."
    return best, "Only full masks are painted: there is nothing that has to grow."


def paint_in_words(paint: PaintSummary) -> str:
    """Return what is painted as one sentence."""
    n_objects = paint.n_partial_objects
    counts = [
        (f"{n_objects} partial {_plural('mask', n_objects)} on", paint.n_partial),
        ("scribbles on", paint.n_scribbled),
        ("full masks on", paint.n_full),
        ("full masks not marked complete on", paint.n_full_open),
    ]
    parts = [f"{what} {n}" for what, n in counts if n]
    if not parts:
        return "Nothing is painted yet."
    n_first = next(n for _, n in counts if n)
    text = ", ".join([f"{parts[0]} {_plural('image', n_first)}", *parts[1:]])
    return f"{text[0].upper()}{text[1:]}."


def _method(key: str, task: Task, ndim: int) -> Method:
    settings = settings_of(key, preset_name=PRESET, ndim=ndim, values={})
    made: Method = load_method(key)(settings, task)
    return made


def _plural(noun: str, n: int) -> str:
    return noun if n == 1 else f"{noun}s"


def _state_of(folder: Path) -> frozenset[tuple[str, int, int, int]]:
    """Return what changes whenever a file of the folder is written anew."""
    found = set()
    for parent, _, names in os.walk(folder):
        for name in names:
            path = f"{parent}/{name}"
            try:
                stat = Path(path).stat()
            except FileNotFoundError:
                continue
            found.add((path, stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return frozenset(found)
