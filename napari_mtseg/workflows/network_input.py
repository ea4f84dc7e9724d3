"""What a trained network sees of an image: colour mode and scale, read as needed."""

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.batches.normalisation import Normalisation, normalisation_of
from napari_mtseg.domain.errors import ImageError
from napari_mtseg.domain.project import Colour
from napari_mtseg.storage.colour_modes import in_colour_mode


@dataclass(frozen=True, eq=False)
class NetworkPixels:
    """Pixels (C, [Z,] Y, X) in the model's colour mode, read by slicing."""

    pixels: NDArray[np.generic]
    """(C, [Z,] Y, X) as in the file; may be lazy"""
    colour: Colour
    """how the file's channels become the network's"""

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, [Z,] Y, X) after the colour mode."""
        n_channels = {"as_is": self.pixels.shape[0], "grey": 1, "rgb": 3}[self.colour]
        return (n_channels, *self.pixels.shape[1:])

    def __getitem__(self, index: Any, /) -> NDArray[np.float32]:
        """Read a tuple of slices, of which the first takes all channels."""
        return in_colour_mode(np.asarray(self.pixels[index], np.float32), self.colour)


class CheckedNormalisation:
    """Normalises windows of one image, and refuses what cannot be segmented."""

    def __init__(self, name: str, normalise: Normalisation) -> None:
        self._name = name
        self._normalise = normalise
        self._low, self._high = np.inf, -np.inf

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Normalise one window.

        Raises
        ------
        ImageError
            If it holds NaN or infinite values.
        """
        low, high = float(pixels.min()), float(pixels.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ImageError(_not_finite(self._name))
        self._low, self._high = min(self._low, low), max(self._high, high)
        return self._normalise(pixels)

    def check_contrast(self) -> None:
        """Refuse an image whose pixels, all seen by now, are all equal."""
        if self._low == self._high:
            raise ImageError(
                f"'{self._name}' has the value {self._low:g} in every pixel, so there "
                "is nothing to segment. Leave it out or export it again."
            )


def normalisation_for(
    name: str, pixels: NetworkPixels, kind: Literal["percentile", "zscore", "none"]
) -> CheckedNormalisation:
    """Find the normalisation of one image from a thinned sample of its pixels.

    Raises
    ------
    ImageError
        If the sample holds NaN or infinite values.
    """
    with np.errstate(invalid="ignore"):
        found = normalisation_of(cast("NDArray[np.generic]", pixels), kind)
    if not (np.isfinite(found.offset).all() and np.isfinite(found.scale).all()):
        raise ImageError(_not_finite(name))
    return CheckedNormalisation(name, found)


def _not_finite(name: str) -> str:
    return (
        f"'{name}' holds NaN or infinite values. Replace them, for example by 0, and "
        "save the image again."
    )
