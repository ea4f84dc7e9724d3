"""Prediction: a trained model answers for one image of any size."""

import math
import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.domain.image import Image, ImageInfo
from napari_mtseg.domain.prediction import Prediction
from napari_mtseg.methods.protocol import Method
from napari_mtseg.storage.main_memory import free_main_memory
from napari_mtseg.storage.model_info import ModelInfo
from napari_mtseg.workflows.array_image import SliceableArray, image_of_array
from napari_mtseg.workflows.derived_maps import (
    DERIVED_MAPS,
    SAMPLED_MAPS,
    doubt_maps,
    sampled_maps,
    with_derived_maps,
)
from napari_mtseg.workflows.devices import best_device, gib, is_out_of_memory
from napari_mtseg.workflows.ensemble import check_has_dropout, ensemble_of
from napari_mtseg.workflows.image_fit import check_fits, voxel_notices
from napari_mtseg.workflows.model_fingerprint import fingerprint_of
from napari_mtseg.workflows.network_input import (
    CheckedNormalisation,
    NetworkPixels,
    NormalisedPixels,
    normalisation_for,
)
from napari_mtseg.workflows.network_outputs import Predictor
from napari_mtseg.workflows.quality_scores import with_descriptor, with_scores
from napari_mtseg.workflows.trained_model import (
    Source,
    facts_and_weights,
    trained_method,
    trained_network,
)
from napari_mtseg.workflows.uncertainty_source import (
    FROM_ONE_PASS,
    UncertaintySource,
)

BYTES_PER_PIXEL = 48
"""what turning probabilities into objects takes per pixel, beside them (ours)"""

SAMPLED_BYTES_PER_PIXEL = 16
"""what several answers take beside that: four maps of float32"""


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
    uncertainty : UncertaintySource
        What the uncertainty is computed from; the network answers once by default.
    source : path or RunFolder, optional
        Where the weights come from, for messages and for kept checkpoints.

    Raises
    ------
    ModelError
        If the weights, method or settings do not fit this version or each other.
    ModelError, RunError
        If the network has no dropout, or the ensemble no members that fit.
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
        uncertainty: UncertaintySource = FROM_ONE_PASS,
        source: Source | None = None,
    ) -> None:
        self.info = info
        self._method = trained_method(info)
        self._network = trained_network(info, tensors)
        self._device = best_device(device)
        self._memory = memory or self._method.settings.prediction_memory
        self._uncertainty = uncertainty
        self._members: Sequence[nn.Module] = ()
        origin = info.name if source is None else source
        if uncertainty.kind == "dropout":
            check_has_dropout(origin, self._network)
        elif uncertainty.kind == "ensemble":
            members = uncertainty.members
            self._members = ensemble_of(origin, info, self._network, members)
        self._predictor = self._new_predictor()

    @property
    def class_names(self) -> dict[int, str]:
        """Class -> name, from 1."""
        return {i: c.name for i, c in enumerate(self.info.classes, start=1)}

    @property
    def class_colours(self) -> dict[int, str]:
        """Class -> '#rrggbb', from 1."""
        return {i: c.colour for i, c in enumerate(self.info.classes, start=1)}

    @property
    def uncertainty_from(self) -> str:
        """Which answers the uncertainty comes from, in words."""
        return self._predictor.description

    @property
    def is_sampled(self) -> bool:
        """True if each image is answered several times."""
        return self._uncertainty.kind != "one-pass"

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of all that the answers depend on."""
        networks = (self._network, *self._members)
        return fingerprint_of(self.info, networks, self._uncertainty)

    @property
    def derived_maps(self) -> tuple[str, ...]:
        """Maps that can be asked for beside those of the method."""
        return (*DERIVED_MAPS, *(SAMPLED_MAPS if self.is_sampled else ()))

    def predict(
        self,
        pixels: SliceableArray,
        *,
        axes: str | None = None,
        spacing: tuple[float, ...] | None = None,
        maps: Collection[str] | None = None,
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
        maps : collection of str, optional
            Which of ``derived_maps`` to add, all by default. The method's own maps
            are always there.

        Returns
        -------
        Prediction
            In the array's own pixels. ``maps['contours']`` is bool,
            ``maps['distance']`` the signed distance to the outline in units of
            ``spacing``, negative inside (infinite where the image has no object),
            ``maps['uncertainty']`` the entropy of the softmax output, 0..1, which is
            not calibrated. Of several answers all this is said of their mean, and
            ``maps`` also has 'expected_entropy' and 'mutual_information', whose sum
            is the uncertainty, and 'variance'. Its scores say how doubtful the image,
            its objects and its planes are, whichever maps are wanted.

        Raises
        ------
        ModelError
            If the array has other channels or dimensions than the model.
        ImageError
            If it is empty, constant, or holds NaN or infinite values.
        MemoryShortageError
            If the memory does not hold the result.
        """
        image = image_of_array(pixels, self.info, axes=axes, spacing=spacing)
        if spacing is not None:
            for notice in self.notices(image.info):
                warnings.warn(notice, stacklevel=2)
        return self.predict_image(image, maps=maps)

    def predict_image(
        self,
        image: Image,
        *,
        maps: Collection[str] | None = None,
        expected: bool = True,
    ) -> Prediction:
        """Segment an opened image, as :meth:`predict`; pixels are read as needed.

        ``expected`` is False of an image that is known to hold no object: then finding
        none is not the worst.
        """
        check_fits(image, self.info)
        self._check_memory(image)
        pixels = NetworkPixels(image.pixels, self.info.colour)
        normalise = normalisation_for(
            image.name, pixels, self._method.settings.normalisation
        )
        outputs = self._outputs(pixels, normalise)
        normalise.check_contrast()
        sampled = sampled_maps(outputs)
        found = self._method.interpret(outputs)
        del outputs  # as large as all that is still to come
        doubts, spacing = doubt_maps(found, sampled), image.info.spacing
        found = with_scores(
            replace(found, uncertainty_from=self.uncertainty_from),
            uncertainty=doubts["uncertainty"],
            spacing=spacing,
            overlap=self._predictor.overlap,
            expected=expected,
        )
        seen = NormalisedPixels(pixels, normalise)
        found = with_descriptor(found, seen, doubts["uncertainty"])
        chosen = self.derived_maps if maps is None else maps
        return with_derived_maps(found, maps=chosen, spacing=spacing, doubts=doubts)

    def notices(self, image: ImageInfo) -> tuple[str, ...]:
        """Return what the user should know before this image is predicted."""
        return voxel_notices(image, self.info)

    @property
    def method(self) -> Method:
        """The method, as it was set."""
        return self._method

    @property
    def predictor(self) -> Predictor:
        """The network, which answers for whole images and parts of them."""
        return self._predictor

    @property
    def memory(self) -> float:
        """GiB that the network may take for one window."""
        return self._memory

    @property
    def bytes_per_pixel(self) -> int:
        """What predicting at once takes of the memory per pixel of an image."""
        per_pixel = 4 * sum(self._predictor.heads.values()) + BYTES_PER_PIXEL
        return per_pixel + SAMPLED_BYTES_PER_PIXEL * self.is_sampled

    def _check_memory(self, image: Image) -> None:
        needed = math.prod(image.info.spatial_shape) * self.bytes_per_pixel
        free = free_main_memory()
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
        with_dropout = self._uncertainty.kind == "dropout"
        return Predictor(
            self._network,
            device=self._device,
            memory=self._memory,
            passes=self._uncertainty.passes if with_dropout else 1,
            seed=self._uncertainty.seed,
            members=self._members,
        )


def load_model(
    source: Source,
    *,
    device: str = "auto",
    memory: float | None = None,
    uncertainty: UncertaintySource = FROM_ONE_PASS,
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
    uncertainty : UncertaintySource
        What the uncertainty is computed from; the network answers once by default.

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
    ModelError, RunError
        If the network has no dropout, or the ensemble no members that fit.
    """
    info, tensors = facts_and_weights(source)
    return Model(
        info,
        tensors,
        device=device,
        memory=memory,
        uncertainty=uncertainty,
        source=source,
    )
