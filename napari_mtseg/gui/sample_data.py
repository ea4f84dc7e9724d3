"""Sample images in File > Open Sample: one embedded, others from scikit-image."""

from importlib.resources import as_file, files
from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def epithelium() -> list[LayerData]:
    """Return a stained section of the colon and the mask of its epithelium.

    The image comes with scikit-image (``immunohistochemistry``); the mask was made for
    this project by ``docs/make_sample_mask.py``.
    """
    from skimage import data
    from skimage.io import imread
    from skimage.measure import label

    with as_file(files("napari_mtseg") / "samples" / "epithelium.png") as path:
        mask = label(imread(path) > 0)
    image = data.immunohistochemistry()
    return [
        (image, {"name": "Epithelium", "rgb": True}, "image"),
        (mask, {"name": "Epithelium, exact masks", "visible": False}, "labels"),
    ]


def human_mitosis() -> list[LayerData]:
    """Return fluorescent nuclei, fetched by scikit-image once."""
    from skimage import data

    return [(data.human_mitosis(), {"name": "Human mitosis"}, "image")]


def cells3d() -> list[LayerData]:
    """Return nuclei in 3D, fetched by scikit-image once."""
    from skimage import data

    nuclei = data.cells3d()[:, 1]
    shape = {"scale": (0.29, 0.26, 0.26), "units": ("um", "um", "um")}
    return [(nuclei, {"name": "Nuclei, 3D", **shape}, "image")]
