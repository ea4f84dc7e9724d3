"""A network's probabilities for whole images, in bounded memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mtseg.networks.inference import (
    SliceableImage,
    WindowedNetwork,
    WindowsInfo,
    apply_in_windows,
    prepared_for_inference,
)

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
        Called before each window; what it raises ends the prediction.
    """

    def __init__(
        self,
        network: Any,
        *,
        device: torch.device,
        memory: float,
        between_windows: Callable[[], None] | None = None,
    ) -> None:
        self._network: WindowedNetwork = prepared_for_inference(network).to(device)
        self._device = device
        self._budget = int(memory * GIB)
        self._between_windows = between_windows
        self.info: WindowsInfo | None = None

    def __call__(
        self,
        pixels: SliceableImage,
        *,
        normalise: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return (classes, [Z,] Y, X) probabilities by head.

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
        )
        return maps
