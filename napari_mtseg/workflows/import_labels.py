"""Labels from files into a project, and out of it again.

An export holds a TIFF per image and kind of annotation, and ``labels.json`` with all
that pixels cannot say: class of each object, complete regions, tags.

::

    OUT/
      labels.json
      partial/ID.tif        object ids of partial masks
      scribbles/ID.tif      0 unpainted, 1 background, 2 separator, 3 and up the classes
      full/ID.tif           object ids of full masks
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import (
    SCRIBBLE_FIRST_CLASS,
    Annotation,
    CompleteRegion,
)
from napari_mtseg.domain.errors import (
    AnnotationError,
    ImageError,
    MemoryShortageError,
    SettingsError,
)
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.storage.annotation_files import LAYERS, annotation_from, facts_of
from napari_mtseg.storage.label_files import read_labels
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.whole_annotation import check_labels_fit, whole_annotation
from napari_mtseg.storage.write import clear_write_errors, read_json, write_json
from napari_mtseg.workflows.mask_files import (
    MaskValues,
    class_mask_notice,
    looks_like_classes,
    mask_files,
    match_masks,
    read_object_masks,
)

TABLES = "labels.json"
FORMAT_VERSION = 1

LabelKind = Literal["full", "partial", "scribble"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """Which labels reached their images."""

    imported: tuple[str, ...]
    """ids of the images that got labels"""
    failed: Mapping[str, str] = field(default_factory=dict)
    """file name -> sentence, of files that could not be used"""
    unmatched: tuple[str, ...] = ()
    """names of label files that fit no image of the project"""
    notices: tuple[str, ...] = ()
    """what the user should know, a sentence each"""


def import_labels(
    project: Project,
    source: Path,
    *,
    kind: LabelKind | None = None,
    values: MaskValues = "objects",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Put label files, named like the images, into a project's annotations.

    Parameters
    ----------
    project : Project
        Where the labels go.
    source : Path
        A folder of masks, a single mask, or a folder made by :func:`export_labels`.
    kind : {'full', 'partial', 'scribble'}, optional
        What the masks are: exact objects of whole images, rough inner regions, or
        strokes with the codes of a scribble. Not needed for an export.
    values : {'objects', 'classes'}
        What the values of full and partial masks mean.
    overwrite : bool
        True replaces what is painted on the same layer.
    progress : callable, optional
        Called with the number of files done and to do.

    Returns
    -------
    ImportReport
        A file that cannot be used does not keep the others out.

    Raises
    ------
    AnnotationError
        If no file fits an image, or the classes of an export are not the project's.
    SettingsError
        If ``kind`` is needed and missing.
    ProjectError
        If another process edits the annotations.
    """
    source = Path(source)
    if kind is None:
        if not (source / TABLES).is_file():
            raise SettingsError(
                f"'{source}' has no {TABLES}, so what its masks are must be said: "
                "--kind full, partial or scribble."
            )
        return _import_export(project, source, overwrite, progress)
    if kind not in get_args(LabelKind):
        raise SettingsError(
            f"--kind is '{kind}' but must be one of {', '.join(get_args(LabelKind))}."
        )
    return _import_masks(project, source, kind, values, overwrite, progress)


def export_labels(
    project: Project, folder: Path, *, progress: Progress | None = None
) -> tuple[str, ...]:
    """Write all annotations as TIFF files and one JSON.

    Parameters
    ----------
    project : Project
        What is exported.
    folder : Path
        Made if it does not exist; files of an earlier export are replaced.
    progress : callable, optional
        Called with the number of images done and to do.

    Returns
    -------
    tuple of str
        Ids of the images that are annotated.

    Raises
    ------
    MemoryShortageError
        If the labels of a large image do not fit into memory.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    tables: dict[str, Any] = {}
    for done, entry in enumerate(project.images, start=1):
        annotation = whole_annotation(project, entry)
        if any(labels.any() for labels in _layers_of(annotation).values()) or (
            not annotation.is_empty
        ):
            for layer, labels in _layers_of(annotation).items():
                _write_tiff(folder / layer / f"{entry.id}.tif", labels)
            tables[entry.id] = {"name": entry.name, **facts_of(annotation)}
        if progress is not None:
            progress(done, len(project.images))
    with clear_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(
        folder / TABLES,
        {
            "format_version": FORMAT_VERSION,
            "classes": [c.name for c in project.info.classes],
            "images": tables,
        },
    )
    return tuple(tables)


def _import_masks(
    project: Project,
    source: Path,
    kind: LabelKind,
    values: MaskValues,
    overwrite: bool,
    progress: Progress | None,
) -> ImportReport:
    files = match_masks(source, project.images)
    unmatched = _names(mask_files(source), set(files.values()))
    if not files:
        raise AnnotationError(_no_match_sentence(project, source, unmatched))
    suspects: list[str] = []

    def read(image_id: str) -> Annotation:
        file, entry = files[image_id], project.image(image_id)
        check_labels_fit(entry)
        before = project.annotation(entry)
        after = _with_layer(before, project, entry, file, kind=kind, values=values)
        _refuse_to_replace(entry, before, {kind}, overwrite=overwrite)
        if kind != "scribble" and values == "objects":
            masks = after.full if kind == "full" else after.partial
            suspects.extend([file.name] if looks_like_classes(masks.objects) else [])
        return after

    names = {key: file.name for key, file in files.items()}
    report = _saved(project, names, read, progress)
    return replace(report, unmatched=unmatched, notices=class_mask_notice(suspects))


def _import_export(
    project: Project, folder: Path, overwrite: bool, progress: Progress | None
) -> ImportReport:
    content = read_json(folder / TABLES)
    _check_export(project, folder, content)
    stored = {key: facts["name"] for key, facts in content["images"].items()}
    keys = dict(_matching_ids(project, stored))
    if not keys:
        raise AnnotationError(
            _no_match_sentence(project, folder, tuple(stored.values()))
        )

    def read(image_id: str) -> Annotation:
        entry = project.image(image_id)
        check_labels_fit(entry)
        layers: dict[str, NDArray[Any]] = {
            layer: read_labels(
                folder / layer / f"{keys[image_id]}.tif",
                entry.spatial_shape,
                image_name=entry.name,
            )
            for layer in LAYERS
        }
        _check_scribbles(f"{keys[image_id]}.tif", layers["scribbles"], project)
        before = project.annotation(entry)
        _refuse_to_replace(entry, before, set(get_args(LabelKind)), overwrite=overwrite)
        return annotation_from(content["images"][keys[image_id]], layers)

    names = {key: stored[keys[key]] for key in keys}
    unmatched = tuple(n for key, n in stored.items() if key not in keys.values())
    return replace(_saved(project, names, read, progress), unmatched=unmatched)


def _saved(
    project: Project,
    names: Mapping[str, str],
    read: Callable[[str], Annotation],
    progress: Progress | None,
) -> ImportReport:
    """Read and save image by image; what cannot be read is noted."""
    imported: list[str] = []
    failed: dict[str, str] = {}
    with project.annotation_lock():
        for done, (image_id, name) in enumerate(names.items(), start=1):
            try:
                annotation = read(image_id)
            except (AnnotationError, ImageError, MemoryShortageError) as error:
                failed[name] = str(error)
            else:
                project.save_annotation(project.image(image_id), annotation)
                imported.append(image_id)
            if progress is not None:
                progress(done, len(names))
    return ImportReport(imported=tuple(imported), failed=failed)


def _with_layer(
    annotation: Annotation,
    project: Project,
    entry: ImageEntry,
    file: Path,
    *,
    kind: LabelKind,
    values: MaskValues,
) -> Annotation:
    # Full masks from a prediction stay such beside weak labels of a person.
    origin = annotation.origin if annotation.is_accepted_prediction else "imported"
    if kind == "scribble":
        codes = read_labels(file, entry.spatial_shape, image_name=entry.name)
        _check_scribbles(file.name, codes, project)
        return replace(annotation, scribbles=codes.astype(np.uint8), origin=origin)
    masks = read_object_masks(file, entry, project.info, values=values)
    if kind == "partial":
        return replace(annotation, partial=masks, origin=origin)
    whole = CompleteRegion(whole=True)
    return replace(annotation, full=masks, complete=whole, origin="imported")


def _check_scribbles(name: str, codes: NDArray[Any], project: Project) -> None:
    top = project.info.n_classes + SCRIBBLE_FIRST_CLASS - 1
    if codes.max(initial=0) > top:
        raise AnnotationError(
            f"Scribbles '{name}' have the value {codes.max()} but the project allows 0 "
            f"to {top}: 0 unpainted, 1 background, 2 separator, 3 and up its classes. "
            "Change the values and import again."
        )


def _check_export(project: Project, folder: Path, content: dict[str, Any]) -> None:
    if content.get("format_version") != FORMAT_VERSION:
        raise AnnotationError(
            f"'{folder / TABLES}' has format version {content.get('format_version')} "
            f"but this program reads {FORMAT_VERSION}. Update napari-mtseg."
        )
    ours = [c.name for c in project.info.classes]
    if content["classes"] != ours:
        raise AnnotationError(
            f"The labels in '{folder}' are of the classes "
            f"{', '.join(content['classes'])} but the project has "
            f"{', '.join(ours)}. Import them into a project with the same "
            "classes in the same order."
        )


def _refuse_to_replace(
    entry: ImageEntry, before: Annotation, kinds: set[str], *, overwrite: bool
) -> None:
    painted = {
        "full": not before.full.is_empty or before.has_full,
        "partial": before.has_partial,
        "scribble": before.has_scribbles,
    }
    taken = [kind for kind in kinds if painted[kind]]
    if taken and not overwrite:
        raise AnnotationError(
            f"'{entry.name}' has {_LABELS[taken[0]]} already ({before.origin}). "
            "Replace them on purpose with --overwrite."
        )


_LABELS = {"full": "full masks", "partial": "partial masks", "scribble": "scribbles"}


def _layers_of(annotation: Annotation) -> dict[str, NDArray[Any]]:
    """Return the three layers by name."""
    layers: dict[str, NDArray[Any]] = {
        "partial": annotation.partial.objects,
        "scribbles": annotation.scribbles,
        "full": annotation.full.objects,
    }
    return layers


def _matching_ids(
    project: Project, stored: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Pair images with exported ones: by id, else by a file name that is unique."""
    names = list(stored.values())
    for entry in project.images:
        if stored.get(entry.id) == entry.name:
            yield entry.id, entry.id
        elif names.count(entry.name) == 1:
            yield entry.id, next(k for k, name in stored.items() if name == entry.name)


def _names(files: list[Path], used: set[Path]) -> tuple[str, ...]:
    return tuple(file.name for file in files if file not in used)


def _no_match_sentence(
    project: Project, source: Path, unmatched: tuple[str, ...]
) -> str:
    image = project.images[0].name if project.images else None
    found = f"such as '{unmatched[0]}'" if unmatched else "which holds none"
    expected = f"such as '{image}'" if image else "which has none"
    return (
        f"No label file in '{source}', {found}, has the name of an image of the "
        f"project, {expected}. Name them alike, up to an ending like _mask."
    )


def _write_tiff(path: Path, labels: NDArray[Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with clear_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(partial, labels, compression="zlib", photometric="minisblack")
        partial.replace(path)
