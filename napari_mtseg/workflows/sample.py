"""The embedded sample: a real stained section with its epithelium marked.

The image comes with scikit-image (``immunohistochemistry``: colonic glands, brown DAB
stain); the mask was made for this project by ``docs/make_sample_mask.py``.
"""

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import tifffile
from skimage import data
from skimage.io import imread

from napari_mtseg.instances.components import separate_objects
from napari_mtseg.storage.write import clear_write_errors

TILE = 128
"""height and width of the sample's tiles, pixels"""

CLASS_NAME = "epithelium"


@dataclass(frozen=True, kw_only=True)
class SampleFiles:
    """The sample, cut into tiles that do not overlap."""

    images: tuple[Path, ...]
    """RGB tiles, TIFF"""
    masks: tuple[Path, ...]
    """exact objects of each tile, by id, TIFF"""


def write_sample(folder: Path) -> SampleFiles:
    """Write the sample's tiles and masks below ``folder``.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    image = data.immunohistochemistry()
    with as_file(files("napari_mtseg") / "samples" / "epithelium.png") as path:
        mask = imread(path)
    images, masks = [], []
    with clear_write_errors(folder):
        for name in ("images", "masks"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for row in range(0, image.shape[0], TILE):
            for column in range(0, image.shape[1], TILE):
                place = np.s_[row : row + TILE, column : column + TILE]
                objects, _ = separate_objects((mask[place] > 0).astype(np.uint8))
                name = f"tile_{row // TILE}{column // TILE}.tif"
                images.append(folder / "images" / name)
                masks.append(folder / "masks" / name)
                tifffile.imwrite(images[-1], image[place], photometric="rgb")
                tifffile.imwrite(masks[-1], objects.astype(np.uint16))
    return SampleFiles(images=tuple(images), masks=tuple(masks))
