"""An array from anywhere as an image that a model can read."""

from dataclasses import replace
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.domain.image import Image
from napari_mtseg.storage.lazy_pixels import LazyPixels
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.storage.stored_array import StoredArray, info_of, layout_of, size_text

_NAME = "the array"


class SliceableArray(Protocol):
    """NumPy array, or anything that is read by slicing: zarr, memory map."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size along each axis."""
        ...

    @property
    def dtype(self) -> Any:
        """Pixel type."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return the pixels of a tuple of slices."""
        ...


def image_of_array(
    pixels: SliceableArray,
    model: ModelInfo,
    *,
    axes: str | None = None,
    spacing: tuple[float, ...] | None = None,
) -> Image:
    """Return an array as an image for a model; it is read as needed.

    Parameters
    ----------
    pixels : array
        Intensities of any size.
    model : ModelInfo
        Says which images the model takes.
    axes : str, optional
        A letter of C, Z, Y, X or S (colour) per axis. Without it an array with one
        axis more than the model's images has channels, first or last.
    spacing : tuple of float, optional
        Voxel size along ([Z,] Y, X) in the model's unit; the model's by default.

    Raises
    ------
    ModelError
        If the array has other dimensions than the model's images.
    ImageError
        If it is empty or holds no intensities.
    ValueError
        If the spacing does not have one positive size per axis.
    """
    stored = StoredArray(
        name=_NAME,
        axes="Q" * len(pixels.shape),
        shape=tuple(pixels.shape),
        dtype=np.dtype(pixels.dtype),
        load=lambda: pixels,
    )
    layout = layout_of(stored, axes or _guessed_axes(stored.shape, model))
    info = info_of(stored, layout, range(layout.n_channels))
    spacing = model.spacing if spacing is None else tuple(spacing)
    if len(layout.spatial_shape) == model.ndim and (
        len(spacing) != model.ndim or min(spacing) <= 0
    ):
        raise ValueError(f"spacing {spacing} is not {model.ndim} sizes above 0")
    lazy = LazyPixels(
        pixels,
        name=_NAME,
        layout=layout,
        channels=range(layout.n_channels),
        dtype=stored.dtype,
    )
    return Image(
        name=_NAME,
        pixels=cast("NDArray[np.generic]", lazy),
        info=replace(info, spacing=spacing, unit=model.unit),
    )


def _guessed_axes(shape: tuple[int, ...], model: ModelInfo) -> str:
    spatial, allowed = model.axes[1:], model.allowed_channels
    if len(shape) == len(spatial):
        return spatial
    if len(shape) != len(spatial) + 1:
        raise ModelError(
            f"The model expects {_images_in_words(model)}, but the array is "
            f"{size_text(shape)}. Predict its {model.ndim}D parts one by one."
        )
    if shape[0] in allowed:
        return f"C{spatial}"
    with_opacity = shape[-1] == 4 and 3 in allowed
    if shape[-1] in allowed or with_opacity:
        return f"{spatial}{'S' if with_opacity else 'C'}"
    return f"{spatial}C" if shape[-1] < shape[0] else f"C{spatial}"


def _images_in_words(model: ModelInfo) -> str:
    counts = " or ".join(str(n) for n in model.allowed_channels)
    one = model.allowed_channels == (1,)
    return f"{model.ndim}D images with {counts} channel{'' if one else 's'}"
