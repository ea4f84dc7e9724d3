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

UNLABELLED = 4
"""value of a published scribble where nobody drew"""


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
    n_test: int | None = None
    """test images, taken evenly over the sorted names; None for all"""
    n_held_out: int = 0
    """training images of which choices are made: they enter no project"""
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
    scribbles: bool = False
    """True if the folder holds scribbles of a person beside the masks"""
    spacing: tuple[float, ...] | None = None
    """voxel size along ([Z,] Y, X) after shrinking, mm; None to count in pixels"""


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
            scribbles=True,
        ),
        ImageSet(
            name="hippocampus_msd",
            colour="grey",
            values="classes",
            classes=("anterior", "posterior"),
            ndim=3,
            shrink=1,
            max_pixels=10**7,
            n_train=80,
            n_test=33,
            n_full=8,
            licence="Medical Segmentation Decathlon, Task04 Hippocampus, CC BY-SA 4.0",
            spacing=(1.0, 1.0, 1.0),
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One image with its exact mask, prepared."""

    name: str
    split: str
    """'train', 'test', or 'held out' for training images that enter no project"""
    scene: str
    """kind of image; empty where the set has one kind"""
    image: Path
    mask: Path
    scribble: Path | None = None
    """classes as in the mask and UNLABELLED; None where the set has none"""


def prepared(data: Path, out: Path, images: ImageSet) -> list[Item]:
    """Write the images and masks of a set, shrunk, into ``out``; return them by name.

    Images beyond ``n_train`` and ``n_test`` are left out evenly over the sorted names;
    those held out lie evenly among the ``n_train``.

    Raises
    ------
    ValueError
        If a mask holds a value that ``class_of_value`` does not name.
    """
    with (data / "split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if _usable(data, row, images)]
    for folder in ("images", "masks", "scribbles"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    items = []
    for name, split in _chosen(rows, images).items():
        scribble = out / "scribbles" / f"{name}.tif" if images.scribbles else None
        item = Item(
            name=name,
            split=split,
            scene=next(row.get("scene") or "" for row in rows if row["name"] == name),
            image=out / "images" / f"{name}.tif",
            mask=out / "masks" / f"{name}.tif",
            scribble=scribble,
        )
        if not item.mask.exists():
            _prepare(data, item, images)
        items.append(item)
    return items


def _chosen(rows: list[dict[str, str]], images: ImageSet) -> dict[str, str]:
    """Return the name and split of each image that is used, in the order of rows."""
    names: dict[str, list[str]] = {"train": [], "test": []}
    for row in rows:
        names[row[images.split_column]].append(row["name"])
    train = evenly(names["train"], images.n_train)
    held_out = set(evenly(train, images.n_held_out))
    split_of = {name: "held out" if name in held_out else "train" for name in train}
    split_of |= dict.fromkeys(evenly(names["test"], images.n_test), "test")
    return {r["name"]: split_of[r["name"]] for r in rows if r["name"] in split_of}


def evenly(names: list[str], n: int | None) -> list[str]:
    """Return ``n`` of the names, evenly spread over their order; all for None."""
    n = len(names) if n is None else min(n, len(names))
    return [names[i * len(names) // n] for i in range(n)]


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
    is_rgb = image.ndim > mask.ndim
    if images.shrink > 1:
        image, mask = _shrunk(image, mask, images.shrink)
    axes: dict[str, Any] = {}
    if images.ndim == 3:
        axes = {"ome": True, "metadata": {"axes": "ZYX", **_spacing(images)}}
    photometric = "rgb" if is_rgb else "minisblack"
    tifffile.imwrite(item.image, image, photometric=photometric, **axes)
    if item.scribble is not None:
        strokes = _read(data, "scribble", item.name, images)
        strokes = shrunk_strokes(strokes, images.shrink)
        rows, columns = mask.shape[-2:]
        strokes = strokes[..., :rows, :columns]
        tifffile.imwrite(item.scribble, strokes, photometric="minisblack")
    classes = _meant(mask, images).astype(np.uint16)
    tifffile.imwrite(item.mask, classes, photometric="minisblack", **axes)


def _shrunk(
    image: NDArray[Any], mask: NDArray[Any], shrink: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return means of blocks of the image, and the middles of those of the mask."""
    factors = (1, shrink, shrink)[-mask.ndim :] + (1,) * (image.ndim - mask.ndim)
    smaller = downscale_local_mean(image, factors)
    whole = np.issubdtype(image.dtype, np.integer)
    smaller = (np.round(smaller) if whole else smaller).astype(image.dtype)
    centres = slice(shrink // 2, None, shrink)
    rows, columns = smaller.shape[mask.ndim - 2 : mask.ndim]
    grown = np.pad(mask, [(0, 0)] * (mask.ndim - 2) + [(0, shrink)] * 2)
    return smaller, grown[..., centres, centres][..., :rows, :columns]


def shrunk_strokes(strokes: NDArray[np.uint8], shrink: int) -> NDArray[np.uint8]:
    """Return the label of each block: that of its labelled pixels if they agree.

    Strokes are a few pixels wide, and the middles of blocks would lose most of them.

    Parameters
    ----------
    strokes : ([Z,] Y, X) uint8
        Classes, 0 background, UNLABELLED elsewhere.
    shrink : int
        Height and width of the blocks; those at the border may be smaller.
    """
    rows, columns = (-size % shrink for size in strokes.shape[-2:])
    margins = [(0, 0)] * (strokes.ndim - 2) + [(0, rows), (0, columns)]
    padded = np.pad(strokes, margins, constant_values=UNLABELLED)
    *planes, height, width = padded.shape
    blocks = padded.reshape(*planes, height // shrink, shrink, width // shrink, shrink)
    labelled = blocks != UNLABELLED
    least = np.where(labelled, blocks, UNLABELLED).min(axis=(-3, -1))
    most = np.where(labelled, blocks, 0).max(axis=(-3, -1))
    agreed: NDArray[np.uint8] = np.where(least == most, least, UNLABELLED)
    return agreed.astype(np.uint8)


def _spacing(images: ImageSet) -> dict[str, Any]:
    """Return the OME-TIFF metadata of the voxel size, none where it is not known."""
    facts: dict[str, Any] = {}
    if images.spacing is None:
        return facts
    for axis, size in zip("ZYX", images.spacing, strict=True):
        facts |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "mm"}
    return facts


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
