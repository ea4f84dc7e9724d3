"""The projects that the example models are trained on, and images to try them with."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.example_samples import SHAPE, blobs, write_volume
from benchmarks.image_sets import IMAGE_SETS, ImageSet, prepared
from napari_mtseg.domain.project import Split
from napari_mtseg.storage.project import Project
from napari_mtseg.workflows.import_labels import import_labels
from napari_mtseg.workflows.mask_files import MaskValues

N_VOLUMES: dict[Split, int] = {"train": 16, "validate": 4, "test": 10}
N_LABELLED = 6
"""training volumes with full masks; the others have no paint at all"""

SPLITS: dict[str, Split] = {"train": "train", "test": "test", "held out": "validate"}
"""what the items of an image set are used for"""

_IMAGES = {
    "dsb2018": replace(
        IMAGE_SETS["dsb2018"],
        colour="grey",
        max_pixels=700 * 700,
        n_train=147,
        n_held_out=14,
    ),
    "hc18": replace(IMAGE_SETS["hc18"], n_held_out=10),
}


@dataclass(frozen=True, kw_only=True)
class ExampleProject:
    """A project, and the masks of its test images, which are not part of it."""

    project: Project
    test_masks: Path
    values: MaskValues
    """'objects' or 'classes': what mask values mean"""


def example_project(name: str, data: Path, work: Path) -> ExampleProject:
    """Make the project of a data set below ``work``, or open it again.

    Parameters
    ----------
    name : {'dsb2018', 'hc18', 'blobs3d'}
        The data set.
    data : Path
        Folder of the published ones.
    work : Path
        Folder of what is made here.
    """
    path, marker = work / f"{name}.mtseg", work / "painted"
    values: MaskValues = "classes" if name == "hc18" else "objects"
    test_masks = work / "masks" / "test"
    if not marker.exists():
        shutil.rmtree(path, ignore_errors=True)
        if name == "blobs3d":
            _make_blobs(path, work)
        else:
            _make_published(path, _IMAGES[name], data / name, work)
        marker.touch()
    return ExampleProject(
        project=Project.open(path), test_masks=test_masks, values=values
    )


def _written_blobs(work: Path, name: str, split: Split) -> Path:
    seed = 1000 * list(N_VOLUMES).index(split) + int(name[-2:])
    volume, objects = blobs(SHAPE, seed=seed)
    image, mask = work / "images", work / "masks" / split
    for folder in (image, mask):
        folder.mkdir(parents=True, exist_ok=True)
    write_volume(image / f"{name}.tif", volume)
    write_volume(mask / f"{name}.tif", objects)
    return image / f"{name}.tif"


def _make_blobs(path: Path, work: Path) -> None:
    """Write generated volumes and a project of them, of which few are labelled."""
    project = Project.create(path, classes=["blob"])
    for split, n in N_VOLUMES.items():
        for i in range(n):
            project.add_image(
                _written_blobs(work, f"{split}_{i:02d}", split), split=split
            )
    for file in sorted((work / "masks" / "train").glob("*.tif"))[N_LABELLED:]:
        file.unlink()
    for split in ("train", "validate"):
        import_labels(project, work / "masks" / split, kind="full")


def _make_published(path: Path, images: ImageSet, data: Path, work: Path) -> None:
    """Write the images of a published set and a project of them, with full masks."""
    project = Project.create(path, classes=images.classes, colour=images.colour)
    for item in prepared(data, work / "prepared", images):
        split = SPLITS[item.split]
        project.add_image(item.image, split=split)
        folder = work / "masks" / split
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.mask, folder / item.mask.name)
    for known in ("train", "validate"):
        import_labels(
            project, work / "masks" / known, kind="full", values=images.values
        )
