"""Prediction: a trained model answers for one image of any size."""

import math
import warnings
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mtseg.domain.errors import MemoryShortageError, ModelError
from napari_mtseg.domain.image import Image, ImageInfo
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.storage.lazy_pixels import LazyPixels
from napari_mtseg.storage.model_folder import load_model_folder
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.run_folder import RunFolder
from napari_mtseg.storage.stored_array import StoredArray, info_of, layout_of, size_text
from napari_mtseg.storage.voxel_sizes import LENGTHS_IN_METRES
from napari_mtseg.workflows.derived_maps import DERIVED_MAPS, with_derived_maps
from napari_mtseg.workflows.devices import best_device, gib, is_out_of_memory
from napari_mtseg.workflows.network_input import (
    CheckedNormalisation,
    NetworkPixels,
    normalisation_for,
)
from napari_mtseg.workflows.network_outputs import Predictor
from napari_mtseg.workflows.trained_model import (
    model_of_run,
    trained_method,
    trained_network,
)

SPACING_TOLERANCE = 0.1
"""share by which the voxel size may differ before the user is told (ours)"""

BYTES_PER_PIXEL = 48
"""what turning probabilities into objects takes per pixel, beside them (ours)"""


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


class Model:
    """A trained network and all that is needed to use it on images.

    Parameters
    ----------
    info : ModelInfo
        What the model is for.
    tensors : dict of str to Tensor
        Its weights.
    device : {'auto', 'cpu', 'cuda', 'mps'}
        Where to compute.
    memory : float, optional
        GiB that the network may take for one window; the model's own by default.

    Raises
    ------
    ModelError
        If the weights, method or settings do not fit this version or each other.
    SettingsError
        If the device is not there.
    """

    def __init__(
        self,
        info: ModelInfo,
        tensors: dict[str, Tensor],
        *,
        device: str = "auto",
        memory: float | None = None,
    ) -> None:
        self.info = info
        self._method = trained_method(info)
        self._network = trained_network(info, tensors)
        self._device = best_device(device)
        self._memory = memory or self._method.settings.prediction_memory
        self._predictor = self._new_predictor()

    @property
    def class_names(self) -> dict[int, str]:
        """Class -> name, from 1."""
        return {i: c.name for i, c in enumerate(self.info.classes, start=1)}

    def predict(
        self,
        pixels: SliceableArray,
        *,
        axes: str | None = None,
        spacing: tuple[float, ...] | None = None,
        maps: Collection[str] = DERIVED_MAPS,
    ) -> Prediction:
        """Segment an array.

        Parameters
        ----------
        pixels : array
            Intensities as they come from the microscope, not normalised, of any size.
        axes : str, optional
            A letter of C, Z, Y, X or S (colour) per axis. Without it an array with
            one axis more than the model's images has channels, first or last.
        spacing : tuple of float, optional
            Voxel size along ([Z,] Y, X) in the model's unit; the model's by default.
        maps : collection of str
            Which of DERIVED_MAPS to add. The method's own maps are always there.

        Returns
        -------
        Prediction
            In the array's own pixels. ``maps['contours']`` is bool,
            ``maps['distance']`` the signed distance to the outline in units of
            ``spacing``, negative inside (infinite where the image has no object),
            ``maps['uncertainty']`` the entropy of the softmax output, 0..1, which is
            not calibrated.

        Raises
        ------
        ModelError
            If the array has other channels or dimensions than the model.
        ImageError
            If it is empty, constant, or holds NaN or infinite values.
        MemoryShortageError
            If the memory does not hold the result.
        """
        image = self._as_image(pixels, axes, spacing)
        if spacing is not None:
            for notice in self.notices(image.info):
                warnings.warn(notice, stacklevel=2)
        return self.predict_image(image, maps=maps)

    def predict_image(
        self, image: Image, *, maps: Collection[str] = DERIVED_MAPS
    ) -> Prediction:
        """Segment an opened image, as :meth:`predict`; pixels are read as needed."""
        self._check_fits(image)
        self._check_memory(image)
        pixels = NetworkPixels(image.pixels, self.info.colour)
        normalise = normalisation_for(
            image.name, pixels, self._method.settings.normalisation
        )
        outputs = self._outputs(pixels, normalise)
        normalise.check_contrast()
        found = self._method.interpret(outputs)
        return with_derived_maps(found, maps=maps, spacing=image.info.spacing)

    def notices(self, image: ImageInfo) -> tuple[str, ...]:
        """Return what the user should know before this image is predicted."""
        known = LENGTHS_IN_METRES.keys()
        if image.unit not in known or self.info.unit not in known:
            return ()
        scale = LENGTHS_IN_METRES[image.unit] / LENGTHS_IN_METRES[self.info.unit]
        ratios = [
            s * scale / t for s, t in zip(image.spacing, self.info.spacing, strict=True)
        ]
        if all(abs(r - 1) <= SPACING_TOLERANCE for r in ratios):
            return ()
        found, expected = _lengths(image.spacing), _lengths(self.info.spacing)
        return (
            f"Its voxels are {found} {image.unit} but the model was trained on "
            f"{expected} {self.info.unit}: rescale the image if the result is poor.",
        )

    def _as_image(
        self,
        pixels: SliceableArray,
        axes: str | None,
        spacing: tuple[float, ...] | None,
    ) -> Image:
        name = "the array"
        stored = StoredArray(
            name=name,
            axes="Q" * len(pixels.shape),
            shape=tuple(pixels.shape),
            dtype=np.dtype(pixels.dtype),
            load=lambda: pixels,
        )
        layout = layout_of(stored, axes or self._guessed_axes(stored.shape))
        info = info_of(stored, layout, range(layout.n_channels))
        spacing = self.info.spacing if spacing is None else tuple(spacing)
        if len(layout.spatial_shape) == self.info.ndim and (
            len(spacing) != self.info.ndim or min(spacing) <= 0
        ):
            raise ValueError(f"spacing {spacing} is not {self.info.ndim} sizes above 0")
        lazy = LazyPixels(
            pixels,
            name=name,
            layout=layout,
            channels=range(layout.n_channels),
            dtype=stored.dtype,
        )
        return Image(
            name=name,
            pixels=cast("NDArray[np.generic]", lazy),
            info=replace(info, spacing=spacing, unit=self.info.unit),
        )

    def _guessed_axes(self, shape: tuple[int, ...]) -> str:
        spatial, allowed = self.info.axes[1:], self.info.allowed_channels
        if len(shape) == len(spatial):
            return spatial
        if len(shape) != len(spatial) + 1:
            raise ModelError(
                f"The model expects {self._images_in_words()}, but the array is "
                f"{size_text(shape)}. Predict its {self.info.ndim}D parts one by one."
            )
        if shape[0] in allowed:
            return f"C{spatial}"
        with_opacity = shape[-1] == 4 and 3 in allowed
        if shape[-1] in allowed or with_opacity:
            return f"{spatial}{'S' if with_opacity else 'C'}"
        return f"{spatial}C" if shape[-1] < shape[0] else f"C{spatial}"

    def _images_in_words(self) -> str:
        counts = " or ".join(str(n) for n in self.info.allowed_channels)
        one = self.info.allowed_channels == (1,)
        return f"{self.info.ndim}D images with {counts} channel{'' if one else 's'}"

    def _check_fits(self, image: Image) -> None:
        if image.info.ndim != self.info.ndim:
            raise ModelError(
                f"The model expects {self.info.ndim}D images but '{image.name}' is "
                f"{image.info.ndim}D ({size_text(image.info.spatial_shape)}). Choose a "
                "model for such images, or convert the image."
            )
        if image.info.n_channels not in self.info.allowed_channels:
            counts = " or ".join(str(n) for n in self.info.allowed_channels)
            plural = "" if counts == "1" else "s"
            raise ModelError(
                f"The model expects {counts} channel{plural} but '{image.name}' has "
                f"{image.info.n_channels}. Choose channels of the image with "
                "--channels, or a model for such images."
            )

    def _check_memory(self, image: Image) -> None:
        heads = cast("dict[str, int]", self._network.head_channels)
        per_pixel = 4 * sum(heads.values()) + BYTES_PER_PIXEL
        needed = math.prod(image.info.spatial_shape) * per_pixel
        free = int(psutil.virtual_memory().available)
        if needed > free:
            raise MemoryShortageError(
                f"The result of '{image.name}' needs about {gib(needed)} of memory but "
                f"{gib(free)} are free. Cut the image into parts, or close other "
                "programs."
            )

    def _outputs(
        self, pixels: "NetworkPixels", normalise: "CheckedNormalisation"
    ) -> dict[str, NDArray[Any]]:
        """Predict; where the memory runs out, in smaller and smaller windows."""
        while True:
            try:
                return self._predictor(pixels, normalise=normalise)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            torch.cuda.empty_cache()
            self._memory /= 2
            self._predictor = self._new_predictor()

    def _new_predictor(self) -> Predictor:
        return Predictor(self._network, device=self._device, memory=self._memory)


def load_model(
    source: Path | str | RunFolder, *, device: str = "auto", memory: float | None = None
) -> Model:
    """Load a model folder, a zip of one, or the best weights of a run.

    Parameters
    ----------
    source : path or RunFolder
        Folder or zip that ``mtseg export`` wrote, or a run of a project.
    device : {'auto', 'cpu', 'cuda', 'mps'}
        Where to compute.
    memory : float, optional
        GiB that the network may take for one window; the model's own by default.

    Returns
    -------
    Model
        Call its ``predict`` with an array. Loading never runs code from the files.

    Raises
    ------
    ModelError
        If there is no model, or it is damaged or of a newer version.
    RunError
        If the run has no weights yet.
    """
    if isinstance(source, RunFolder):
        info, tensors = model_of_run(Project.open(source.path.parents[1]), source)
    else:
        info, tensors = load_model_folder(Path(source))
    return Model(info, tensors, device=device, memory=memory)


def _lengths(spacing: tuple[float, ...]) -> str:
    return " x ".join(f"{size:.3g}" for size in spacing)
