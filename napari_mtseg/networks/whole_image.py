"""What heads that answer for the input as a whole say of an image in windows."""

import math

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.tiles import Window
from napari_mtseg.networks.windowed_network import WindowedNetwork


class WholeImage:
    """What the heads for the input as a whole say of an image, window by window."""

    def __init__(self, network: WindowedNetwork) -> None:
        self._network = network
        self._said: dict[str, list[NDArray[np.float32]]] = {
            name: [] for name in network.image_heads
        }
        self._areas: list[int] = []

    def hear(self, answers: dict[str, NDArray[np.float32]], window: Window) -> None:
        """Take the answers for one window out of those of its pixels."""
        for name, said in self._said.items():
            said.append(answers.pop(name))
        self._areas.append(math.prod(part.stop - part.start for part in window.write))

    def answers(self) -> dict[str, NDArray[np.float32]]:
        """Return (channels,) by head for the image."""
        return {name: self._joined(name) for name in self._said}

    def _joined(self, name: str) -> NDArray[np.float32]:
        said = np.stack(self._said[name])
        if self._network.activations.get(name) == "sigmoid":
            return np.asarray(said.max(axis=0))
        return np.average(said, axis=0, weights=self._areas).astype(np.float32)
