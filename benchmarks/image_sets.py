"""The real images that benchmarks measure on, prepared alike for every row."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from skimage.io import imread
from skimage.transform import downscale_local_mean

from napari_mtseg.domain.project import Colour
from napari_mtseg.workflows.mask_files import MaskValues


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """How one data folder is used."""

    name: str
    colour: Colour
    """'as_is', 'grey' or 'rgb'"""
    values: MaskValues
    """'objects' or 'classes': what mask values mean"""
    classes: tuple[str, ...]
    shrink: int
    """factor by which height and width are reduced"""
    max_pixels: int
    """larger images are left out, before shrinking"""
    n_train: int
    n_full: int
    """training images with full masks"""
    full_of_each_scene: bool = False
    """True if they are drawn from each scene in turn, False from all images"""
    licence: str


IMAGE_SETS = {
    s.name: s
    for s in (
        ImageSet(
            name="dsb2018",
            colour="rgb",
            values="objects",
            classes=("nucleus",),
            shrink=1,
            max_pixels=400 * 400,
            n_train=60,
            n_full=2,
            full_of_each_scene=True,
            licence="BBBC038 / Data Science Bowl 2018, CC0",
        ),
        ImageSet(
            name="hc18",
            colour="grey",
            values="classes",
            classes=("head",),
            shrink=4,
            max_pixels=10**7,
            n_train=83,
            n_full=3,
            licence="HC18 fetal head ultrasound, CC BY 4.0",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One image with its exact mask, prepared."""

    name: str
    split: str
    scene: str
    """kind of image; empty where the set has one kind"""
    image: Path
    mask: Path


def prepared(data: Path, out: Path, images: ImageSet) -> list[Item]:
    """Write the images and masks of a set, shrunk, into ``out``; return them by name.

    Training images beyond ``n_train`` are left out evenly over the sorted names.
    """
    with (data / "split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if _usable(data, row, images)]
    train = [row for row in rows if row["split"] == "train"]
    chosen = {train[i * len(train) // images.n_train]["name"] for i in range(
        min(images.n_train, len(train))
    )}  # fmt: skip
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    items = []
    for row in rows:
        if row["split"] == "train" and row["name"] not in chosen:
            continue
        item = Item(
            name=row["name"],
            split=row["split"],
            scene=row.get("scene") or "",
            image=out / "images" / f"{row['name']}.tif",
            mask=out / "masks" / f"{row['name']}.tif",
        )
        if not item.mask.exists():
            _prepare(data, item, images.shrink)
        items.append(item)
    return items


def _usable(data: Path, row: dict[str, str], images: ImageSet) -> bool:
    height, width = imread(data / "masks" / f"{row['name']}.png").shape[:2]
    return bool(height * width <= images.max_pixels)


def _prepare(data: Path, item: Item, shrink: int) -> None:
    image = imread(data / "images" / f"{item.name}.png")
    mask = imread(data / "masks" / f"{item.name}.png")
    if shrink > 1:
        factors = (shrink, shrink, 1)[: image.ndim]
        image = np.round(downscale_local_mean(image, factors)).astype(image.dtype)
        centres = slice(shrink // 2, None, shrink)
        rows, columns = image.shape[:2]
        grown = np.pad(mask, ((0, shrink), (0, shrink)))
        mask = grown[centres, centres][:rows, :columns]
    photometric = "rgb" if image.ndim == 3 else "minisblack"
    tifffile.imwrite(item.image, image, photometric=photometric)
    tifffile.imwrite(item.mask, mask.astype(np.uint16))
