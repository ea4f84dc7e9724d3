"""A simulated annotator: complete masks in, the cheap labels of a person out.

Some training images get full masks, the others rough partial masks or scribbles, the
validation images full masks. Masks of test images never enter the project. Shares and
habits are ours; METHODS.md asks for 20-80 % of an object's area.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from napari_mtseg.domain.annotation import (
    UNPAINTED,
    Annotation,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
    no_objects,
)
from napari_mtseg.domain.errors import AnnotationError, ProjectError
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.domain.settings import Settings, setting
from napari_mtseg.geometry.components import present_labels
from napari_mtseg.storage.project import Project
from napari_mtseg.targets.simulated_paint import (
    BACKGROUND,
    CLASS,
    SEPARATOR,
    simulate_partial_masks,
    simulate_scribbles,
)
from napari_mtseg.workflows.mask_files import (
    MaskValues,
    class_mask_notice,
    looks_like_classes,
    match_masks,
    missing_mask_sentence,
    read_object_masks,
)

Paint = Literal["full", "weak", "none"]
"""What an image was given: full masks, partial masks or scribbles, or nothing."""


class PaintingHabits(Settings):
    """How much the simulated annotator paints, and how roughly."""

    full_share: float = setting(0.1, ge=0, le=1, step=0.05, source="ours", unit="share")
    """Share of the training images with full masks; above 0, at least one image."""
    full_images: tuple[str, ...] = setting((), source="ours")
    """File names of the training images that get full masks; drawn if left empty."""
    full_count: int | None = setting(None, ge=0, source="ours", unit="images")
    """Number of training images with full masks; replaces the share."""
    kinds: tuple[Literal["partial", "scribble"], ...] = setting(
        ("partial",), source="ours"
    )
    """What the other training images get: 'partial', 'scribble' or both."""
    missed_share: float = setting(
        0.0, ge=0, le=1, step=0.05, source="ours", unit="share"
    )
    """Share of the objects that get no mark."""
    area_low: float = setting(0.2, gt=0, le=1, step=0.05, source="ours", unit="share")
    """Smallest share of an object's area that a partial mask covers."""
    area_high: float = setting(0.8, gt=0, le=1, step=0.05, source="ours", unit="share")
    """Largest share of an object's area that a partial mask covers."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.area_low > self.area_high:
            raise ValueError(
                f"area_low is {self.area_low:g} but must be at most area_high, "
                f"{self.area_high:g}. Swap them"
            )
        if not self.kinds:
            raise ValueError("kinds is empty but needs 'partial', 'scribble' or both")
        return self


@dataclass(frozen=True, kw_only=True)
class ImagePaint:
    """What one image was given."""

    paint: Paint
    """'full', 'weak' or 'none'"""
    n_objects: int
    """objects in its mask"""
    n_marked: int
    """objects with at least one painted pixel"""
    painted_share: float
    """painted share of the objects' pixels, 0..1; 0 where there are no objects"""


@dataclass(frozen=True, kw_only=True)
class SimulationReport:
    """What every image of the project was given."""

    images: Mapping[str, ImagePaint]
    """image id -> what was painted, of all images that were given something"""
    held_out: tuple[str, ...]
    """ids of the test images, which were given nothing"""
    without_mask: tuple[str, ...] = ()
    """ids of images that were left out because they have no mask"""
    notices: tuple[str, ...] = field(default=())
    """what the user should know, a sentence each"""

    def ids(self, paint: Paint) -> tuple[str, ...]:
        """Return the ids of the images that were given one kind of paint."""
        return tuple(key for key, image in self.images.items() if image.paint == paint)


def simulate(  # noqa: PLR0913 - one argument per choice of the user
    project: Project,
    masks: Mapping[str, Path] | Path,
    *,
    habits: PaintingHabits | None = None,
    values: MaskValues = "objects",
    seed: int = 0,
    skip_missing: bool = False,
    replace: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SimulationReport:
    """Paint a project from complete masks, as an annotator would have done.

    What an image gets depends on its id, its mask and the seed, not on other images;
    only which training images get full masks is a choice among them.

    Parameters
    ----------
    project : Project
        Its training and validation images are painted.
    masks : mapping of str to Path, or Path
        Image id -> complete mask, or a folder whose masks are named like the images.
    habits : PaintingHabits, optional
        How much is painted.
    values : {'objects', 'classes'}
        What the masks' values mean: an object each, all of class 1, or the class.
    seed : int
        Same seed, same paint; at least 0.
    skip_missing : bool
        True leaves out images without a mask.
    replace : bool
        True also paints over what was not simulated.
    progress : callable, optional
        Called with the number of images done and to do.

    Returns
    -------
    SimulationReport
        What each image was given.

    Raises
    ------
    AnnotationError
        If an image has no mask, a mask of another shape or with an unknown class, or
        paint of a person. Images before it are painted already; do it again.
    ProjectError
        If another process edits the annotations, or there is nothing to paint.
    """
    chosen = habits or PaintingHabits()
    files = _matched(project, masks)
    to_paint = [entry for entry in project.images if entry.split != "test"]
    missing = [entry for entry in to_paint if entry.id not in files]
    if missing and not skip_missing:
        where = Path() if isinstance(masks, Mapping) else masks
        raise AnnotationError(missing_mask_sentence(missing, len(to_paint), where))
    to_paint = [entry for entry in to_paint if entry.id in files]
    if not to_paint:
        raise ProjectError(
            f"The project '{project.info.name}' has no training or validation image "
            "with a mask, so there is nothing to paint."
        )
    done: dict[str, ImagePaint] = {}
    suspects: list[str] = []
    with project.annotation_lock():
        if not replace:
            _refuse_to_replace(project)
        _clear_held_out(project)
        painter = _Painter(project, files, values, chosen, seed)
        full = painter.fully_masked([e for e in to_paint if e.split == "train"])
        for entry in to_paint:
            truth = painter.truth(entry)
            exact = entry.split == "validate" or entry.id in full
            annotation = _full(truth) if exact else painter.weak(entry, truth)
            project.save_annotation(entry, annotation)
            done[entry.id] = _paint_of(annotation, truth)
            if values == "objects" and looks_like_classes(truth.objects):
                suspects.append(files[entry.id].name)
            if progress is not None:
                progress(len(done), len(to_paint))
    return SimulationReport(
        images=done,
        held_out=tuple(e.id for e in project.images if e.split == "test"),
        without_mask=tuple(e.id for e in missing),
        notices=class_mask_notice(suspects),
    )


@dataclass(frozen=True, eq=False)
class _Painter:
    """The simulated annotator in front of one project."""

    project: Project
    files: Mapping[str, Path]
    values: MaskValues
    habits: PaintingHabits
    seed: int

    def truth(self, entry: ImageEntry) -> ObjectMasks:
        """Return the exact objects of an image."""
        return read_object_masks(
            self.files[entry.id], entry, self.project.info, values=self.values
        )

    def fully_masked(self, training: list[ImageEntry]) -> set[str]:
        """Choose the training images with full masks, those with objects first."""
        if self.habits.full_images:
            return self._named(training)
        share, wanted = self.habits.full_share, self.habits.full_count
        if wanted is None:
            wanted = max(int(share > 0), round(share * len(training)))
        order = sorted(training, key=lambda e: _rng(self.seed, e.id, "order").random())
        chosen: list[str] = []
        empty: list[str] = []
        for entry in order:
            if len(chosen) == wanted:
                break
            (empty if self.truth(entry).is_empty else chosen).append(entry.id)
        return {*chosen, *empty[: wanted - len(chosen)]}

    def _named(self, training: list[ImageEntry]) -> set[str]:
        id_of = {entry.name: entry.id for entry in training}
        for name in self.habits.full_images:
            if name not in id_of:
                raise ProjectError(
                    f"full_images names '{name}', but the project "
                    f"'{self.project.info.name}' has no such training image. List "
                    f"them with 'mtseg project info {self.project.path.name}'."
                )
        return {id_of[name] for name in self.habits.full_images}

    def weak(self, entry: ImageEntry, truth: ObjectMasks) -> Annotation:
        """Return rough partial masks, scribbles, or both."""
        draws = {
            part: _rng(self.seed, entry.id, part)
            for part in ("missed", "partial", "strokes", "background")
        }
        objects = _without_missed(
            truth.objects, self.habits.missed_share, draws["missed"]
        )
        partial = no_objects(truth.objects.shape)
        scribbles = np.full(truth.objects.shape, UNPAINTED, np.uint8)
        if "partial" in self.habits.kinds:
            painted = simulate_partial_masks(
                objects,
                rng=draws["partial"],
                area_share=(self.habits.area_low, self.habits.area_high),
                spacing=entry.spacing,
            )
            partial = ObjectMasks(objects=painted, class_of=_table(truth, painted))
        if "scribble" in self.habits.kinds:
            scribbles = _strokes(objects, truth, entry, draws)
        marked = _marked(partial.objects, scribbles, truth.objects)
        every = marked.size == present_labels(truth.objects).size
        return Annotation(
            partial=partial,
            scribbles=scribbles,
            full=no_objects(truth.objects.shape),
            tags=Tags(exhaustive=every and self.habits.missed_share == 0),
            origin="simulated",
        )


def _strokes(
    objects: NDArray[np.uint32],
    truth: ObjectMasks,
    entry: ImageEntry,
    draws: Mapping[str, np.random.Generator],
) -> NDArray[np.uint8]:
    """Strokes on what was not missed, and on background away from all objects."""
    strokes = simulate_scribbles(
        objects,
        truth.class_of,
        rng=draws["strokes"],
        kinds=frozenset({CLASS, SEPARATOR}),
        spacing=entry.spacing,
    )
    background = simulate_scribbles(
        truth.objects,
        truth.class_of,
        rng=draws["background"],
        kinds=frozenset({BACKGROUND}),
        spacing=entry.spacing,
    )
    return np.where(strokes == UNPAINTED, background, strokes)


def _full(truth: ObjectMasks) -> Annotation:
    shape = truth.objects.shape
    return Annotation(
        partial=no_objects(shape),
        scribbles=np.full(shape, UNPAINTED, np.uint8),
        full=truth,
        complete=CompleteRegion(whole=True),
        tags=Tags(exhaustive=True),
        origin="simulated",
    )


def _paint_of(annotation: Annotation, truth: ObjectMasks) -> ImagePaint:
    inside = truth.objects != UNPAINTED
    painted = (
        (annotation.full.objects != UNPAINTED)
        | (annotation.partial.objects != UNPAINTED)
        | (annotation.scribbles != UNPAINTED)
    ) & inside
    paint: Paint = "full" if annotation.has_full else "weak"
    return ImagePaint(
        paint="none" if annotation.is_empty else paint,
        n_objects=present_labels(truth.objects).size,
        n_marked=present_labels(truth.objects[painted]).size,
        painted_share=float(painted.sum() / max(1, int(inside.sum()))),
    )


def _marked(
    partial: NDArray[np.uint32],
    scribbles: NDArray[np.uint8],
    objects: NDArray[np.uint32],
) -> NDArray[np.integer]:
    return present_labels(objects[(partial != UNPAINTED) | (scribbles != UNPAINTED)])


def _without_missed(
    objects: NDArray[np.uint32], share: float, rng: np.random.Generator
) -> NDArray[np.uint32]:
    ids = present_labels(objects)
    missed = rng.permutation(ids)[: round(share * ids.size)]
    if not missed.size:
        return objects
    return np.where(np.isin(objects, missed), UNPAINTED, objects).astype(np.uint32)


def _table(truth: ObjectMasks, painted: NDArray[np.uint32]) -> dict[int, int]:
    return {int(i): truth.class_of[int(i)] for i in present_labels(painted)}


def _rng(seed: int, image_id: str, purpose: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{purpose}:{image_id}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])


def _matched(project: Project, masks: Mapping[str, Path] | Path) -> dict[str, Path]:
    if isinstance(masks, Mapping):
        return {project.image(key).id: Path(file) for key, file in masks.items()}
    return match_masks(masks, project.images)


def _painted(project: Project) -> Iterator[tuple[ImageEntry, Annotation]]:
    for entry in project.images:
        if project.annotation_folder(entry).exists():
            annotation = project.annotation(entry)
            if not annotation.is_empty:
                yield entry, annotation


def _refuse_to_replace(project: Project) -> None:
    for entry, annotation in _painted(project):
        if entry.split != "test" and annotation.origin != "simulated":
            raise AnnotationError(
                f"'{entry.name}' is annotated already ({annotation.origin}), and "
                "simulated paint would replace that. Use a copy of the project, or "
                "replace it on purpose with --replace."
            )


def _clear_held_out(project: Project) -> None:
    """Take simulated paint off images that became test images since."""
    for entry, annotation in _painted(project):
        if entry.split == "test" and annotation.origin == "simulated":
            project.save_annotation(entry, empty_annotation(entry.spatial_shape))
