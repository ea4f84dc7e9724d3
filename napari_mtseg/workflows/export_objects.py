"""Exact objects of a project for other programs: ImageJ ROI sets and COCO."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from napari_mtseg.domain.errors import AnnotationError
from napari_mtseg.storage.coco_files import Coco, coco_of, merged_coco, save_coco
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.roi_files import roifile_package, write_rois
from napari_mtseg.storage.whole_annotation import whole_annotation
from napari_mtseg.storage.write import clear_write_errors

ObjectFormat = Literal["rois", "coco"]

COCO_FILE = "coco.json"
"""holds the objects of all images"""


def export_objects(
    project: Project,
    folder: Path,
    *,
    form: ObjectFormat,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, ...]:
    """Write the full masks of a project for another program.

    Partial masks and scribbles are left out: they are rough, and other programs would
    take them for whole objects.

    Parameters
    ----------
    project : Project
        What is exported.
    folder : Path
        Made if it does not exist; files of an earlier export are replaced.
    form : {'rois', 'coco'}
        ``ID_rois.zip`` for each image, or one COCO_FILE for all.
    progress : callable, optional
        Called with the number of images done and to do.

    Returns
    -------
    tuple of str
        Ids of the images that have full masks.

    Raises
    ------
    AnnotationError
        If no image has one.
    MemoryShortageError
        If the labels of a large image do not fit into memory.
    SettingsError
        If a package is missing.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    if form == "rois":
        roifile_package()
    names = {c: kind.name for c, kind in enumerate(project.info.classes, start=1)}
    colours = {c: kind.colour for c, kind in enumerate(project.info.classes, start=1)}
    exported: list[str] = []
    contents: list[Coco] = []
    for done, entry in enumerate(project.images, start=1):
        full = whole_annotation(project, entry).full
        if not full.is_empty:
            with clear_write_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            exported.append(entry.id)
            if form == "rois":
                write_rois(
                    folder / f"{entry.id}_rois.zip",
                    full.objects,
                    class_of=full.class_of,
                    class_names=names,
                    class_colours=colours,
                )
            else:
                contents.append(
                    coco_of(
                        full.objects,
                        class_of=full.class_of,
                        class_names=names,
                        file_name=entry.name,
                    )
                )
        if progress is not None:
            progress(done, len(project.images))
    if not exported:
        raise AnnotationError(
            f"No image of the project '{project.info.name}' has a full mask, and only "
            "these hold exact objects. Draw some, or export with --format masks."
        )
    if form == "coco":
        save_coco(folder / COCO_FILE, merged_coco(contents))
    return tuple(exported)
