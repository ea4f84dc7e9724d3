"""The real images that benchmarks measure on, prepared alike for every row."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
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
    ndim: int = 2
    """3 for volumes, which are .npz files instead of pictures"""
    shrink: int
    """factor by which height and width are reduced"""
    max_pixels: int
    """images of larger planes are left out, before shrinking"""
    n_train: int
    n_full: int
    """training images with full masks"""
    full_of_each_scene: bool = False
    """True if they are drawn from each scene in turn, False from all images"""
    licence: str
    """source and licence, named in every table"""
    split_column: str = "split"
    """column of split.csv that says 'train' or 'test'"""
    class_of_value: Mapping[int, int] = field(default_factory=dict)
    """mask value -> class, 0 background; empty where masks hold what they mean"""


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
        ImageSet(
            name="sstem_vnc",
            colour="grey",
            values="classes",
            classes=("membrane", "mitochondrion", "synapse", "glia"),
            shrink=4,
            max_pixels=10**7,
            n_train=15,
            n_full=3,
            licence="ssTEM of Drosophila larva VNC (Gerhard et al., doi "
            "10.6084/m9.figshare.856713), CC BY-NC-SA 3.0",
            split_column="split_block",
            class_of_value={
                **dict.fromkeys((0, 32, 64, 96, 128), 1),
                191: 2,
                223: 3,
                159: 4,
                255: 0,
            },
        ),
        ImageSet(
            name="acdc_scribble",
            colour="grey",
            values="classes",
            classes=("right ventricle", "myocardium", "left ventricle"),
            ndim=3,
            shrink=2,
            max_pixels=10**7,
            n_train=30,
            n_full=3,
            licence="ACDC cardiac MRI (Bernard et al., doi 10.1109/TMI.2018.2837502), "
            "CC BY-NC-SA 4.0 (second hand)",
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

    Raises
    ------
    ValueError
        If a mask holds a value that ``class_of_value`` does not name.
    """
    with (data / "split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if _usable(data, row, images)]
    split = images.split_column
    train = [row for row in rows if row[split] == "train"]
    n = min(images.n_train, len(train))
    chosen = {train[i * len(train) // n]["name"] for i in range(n)}
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    items = []
    for row in rows:
        if row[split] == "train" and row["name"] not in chosen:
            continue
        item = Item(
            name=row["name"],
            split=row[split],
            scene=row.get("scene") or "",
            image=out / "images" / f"{row['name']}.tif",
            mask=out / "masks" / f"{row['name']}.tif",
        )
        if not item.mask.exists():
            _prepare(data, item, images)
        items.append(item)
    return items


def _usable(data: Path, row: dict[str, str], images: ImageSet) -> bool:
    mask = _read(data, "mask", row["name"], images)
    height, width = mask.shape[-2:]
    return bool(height * width <= images.max_pixels)


def _read(data: Path, what: str, name: str, images: ImageSet) -> NDArray[Any]:
    """Return an 'image' or a 'mask' of the set, as it was published."""
    if images.ndim == 2:
        picture: NDArray[Any] = imread(data / f"{what}s" / f"{name}.png")
        return picture
    with np.load(data / f"{what}s" / f"{name}.npz") as file:
        volume: NDArray[Any] = file[what]
        return volume


def _prepare(data: Path, item: Item, images: ImageSet) -> None:
    image = _read(data, "image", item.name, images)
    mask = _read(data, "mask", item.name, images)
    shrink = images.shrink
    is_rgb = image.ndim > mask.ndim
    if shrink > 1:
        factors = (1, shrink, shrink)[-mask.ndim :] + (1,) * is_rgb
        smaller = downscale_local_mean(image, factors)
        whole = np.issubdtype(image.dtype, np.integer)
        image = (np.round(smaller) if whole else smaller).astype(image.dtype)
        centres = slice(shrink // 2, None, shrink)
        rows, columns = image.shape[mask.ndim - 2 : mask.ndim]
        grown = np.pad(mask, [(0, 0)] * (mask.ndim - 2) + [(0, shrink)] * 2)
        mask = grown[..., centres, centres][..., :rows, :columns]
    photometric = "rgb" if is_rgb else "minisblack"
    axes: dict[str, Any] = {}
    if images.ndim == 3:
        axes = {"ome": True, "metadata": {"axes": "ZYX"}}
    tifffile.imwrite(item.image, image, photometric=photometric, **axes)
    tifffile.imwrite(item.mask, _meant(mask, images).astype(np.uint16), **axes)


def _meant(mask: NDArray[np.integer], images: ImageSet) -> NDArray[np.integer]:
    """Return the classes that the values of a mask stand for."""
    if not images.class_of_value:
        return mask
    values, places = np.unique(mask, return_inverse=True)
    unknown = sorted({int(v) for v in values} - set(images.class_of_value))
    if unknown:
        raise ValueError(f"masks of {images.name} hold values without class: {unknown}")
    classes = np.array([images.class_of_value[int(v)] for v in values])
    found: NDArray[np.integer] = classes[places].reshape(mask.shape)
    return found
