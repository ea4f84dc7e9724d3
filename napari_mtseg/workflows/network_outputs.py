"""A network's probabilities for whole images, in bounded memory."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mtseg.geometry.tiles import Slices, WindowGrid
from napari_mtseg.networks.inference import (
    WindowsInfo,
    apply_in_windows,
    planned_windows,
)
from napari_mtseg.networks.part_inference import PartAnswers, part_answers
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.sample_overlap import SampleOverlap
from napari_mtseg.networks.samples import Ensemble, MonteCarloDropout, Samples
from napari_mtseg.networks.whole_image import Said, joined_answers
from napari_mtseg.networks.window_answer import (
    SliceableImage,
    WindowAnswer,
    window_answer,
)
from napari_mtseg.networks.windowed_network import WindowedNetwork

GIB = 2**30


class StoppedError(Exception):
    """Whoever watches asked to stop; not a failure."""


class Predictor:
    """A frozen copy of a network that answers for images of any size.

    Parameters
    ----------
    network : nn.Module
        Trained network; a copy of it is prepared, the network itself stays as it is.
    device : torch.device
        Where to compute.
    memory : float
        GiB that the activations of one window may take.
    between_windows : callable, optional
        Called before each window, and of several answers before each; what it raises
        ends the prediction.
    passes : int
        With 2 or more, the answer is the mean of so many with dropout (Monte Carlo
        dropout), and its spread is told too.
    seed : int
        Of the maps that are dropped.
    members : sequence of nn.Module
        Further networks; with any, the answer is the mean of all (an ensemble), and
        its spread is told too.

    Raises
    ------
    ValueError
        If several passes are asked of an ensemble, or of a network without dropout, or
        the heads of the members differ.
    """

    def __init__(  # noqa: PLR0913 - the last three say where the doubt comes from
        self,
        network: Any,
        *,
        device: torch.device,
        memory: float,
        between_windows: Callable[[], None] | None = None,
        passes: int = 1,
        seed: int = 0,
        members: Sequence[Any] = (),
    ) -> None:
        if passes > 1 and members:
            raise ValueError("an ensemble answers once per network, without dropout")
        networks = [
            prepared_for_inference(each).to(device) for each in (network, *members)
        ]
        self._network: WindowedNetwork = networks[0]
        self._samples: Samples | None = None
        if members:
            self._samples = Ensemble(networks)
        elif passes > 1:
            self._samples = MonteCarloDropout(networks[0], n_passes=passes, seed=seed)
        self._device = device
        self._budget = int(memory * GIB)
        self._between_windows = between_windows
        self.info: WindowsInfo | None = None

    @property
    def description(self) -> str:
        """Where the answers come from, in words, for example 'one pass'."""
        return "one pass" if self._samples is None else self._samples.description

    @property
    def heads(self) -> dict[str, int]:
        """Channels by head that answers for every pixel."""
        return dict(self._network.head_channels)

    @property
    def image_heads(self) -> dict[str, int]:
        """Channels by head that answers for the image as a whole."""
        return dict(self._network.image_heads)

    @property
    def overlap(self) -> SampleOverlap | None:
        """What several answers for the last image have in common; None of one."""
        return None if self.info is None else self.info.overlap

    def __call__(
        self,
        pixels: SliceableImage,
        *,
        normalise: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return (classes, [Z,] Y, X) probabilities by head.

        Of several answers the mean, and beside them EXPECTED_ENTROPY and VARIANCE,
        ([Z,] Y, X), of :mod:`napari_mtseg.networks.samples`.

        Parameters
        ----------
        pixels : (C, [Z,] Y, X)
            Normalised, or as in the file with ``normalise``; may be lazy.
        normalise : callable, optional
            Applied to what is read of each window.
        """
        maps, self.info = apply_in_windows(
            self._network,
            pixels,
            device=self._device,
            memory_budget_bytes=self._budget,
            outputs=tuple(self._network.head_channels),
            normalise=normalise,
            between_windows=self._between_windows,
            samples=self._samples,
        )
        return maps

    def grid(self, pixels: SliceableImage) -> WindowGrid:
        """Return the windows that an image ``(C, [Z,] Y, X)`` is answered in."""
        return planned_windows(self._answer(pixels, None), self._budget)

    def of_part(
        self,
        pixels: SliceableImage,
        grid: WindowGrid,
        part: Slices,
        *,
        inner: Slices,
        normalise: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None,
    ) -> PartAnswers:
        """Return what :meth:`__call__` says of a part of an image, and no more.

        Parameters
        ----------
        pixels : (C, [Z,] Y, X)
            The whole image; only what the part needs is read.
        grid : WindowGrid
            Of :meth:`grid`, or of that of an equal predictor.
        part, inner : Slices
            As in :func:`~napari_mtseg.networks.part_inference.part_answers`.
        normalise : callable, optional
            Applied to what is read of each window.
        """
        answer = self._answer(pixels, normalise)
        return part_answers(answer, grid, part, inner=inner)

    def joined(self, said: Sequence[Said]) -> dict[str, NDArray[np.float32]]:
        """Return what all windows together say of the image as a whole, by head."""
        return joined_answers(self._network, said)

    def _answer(
        self,
        pixels: SliceableImage,
        normalise: Callable[[NDArray[Any]], NDArray[np.float32]] | None,
    ) -> WindowAnswer:
        return window_answer(
            self._network,
            pixels,
            device=self._device,
            outputs=tuple(self._network.head_channels),
            normalise=normalise,
            between=self._between_windows,
            samples=self._samples,
        )
