"""What a trained network sees of an image: colour mode and scale, read as needed."""

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_mtseg.batches.normalisation import Normalisation, normalisation_of
from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.errors import ImageError
from napari_mtseg.domain.project import Colour
from napari_mtseg.storage.colour_modes import in_colour_mode
from napari_mtseg.storage.lazy_pixels import CroppedPixels


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

    @property
    def normalise(self) -> Normalisation:
        """What is done to each window."""
        return self._normalise

    @property
    def seen(self) -> tuple[float, float]:
        """Lowest and highest intensity of all windows so far."""
        return self._low, self._high

    def see(self, low: float, high: float) -> None:
        """Take note of what other windows hold, which were normalised elsewhere."""
        self._low, self._high = min(self._low, low), max(self._high, high)

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


@dataclass(frozen=True, eq=False)
class NormalisedPixels:
    """Pixels (C, [Z,] Y, X) as a network sees them; a region is read when sliced."""

    pixels: NetworkPixels
    """in the file's intensities"""
    normalise: CheckedNormalisation
    """found once for the whole image"""

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, [Z,] Y, X)."""
        return self.pixels.shape

    @property
    def ndim(self) -> int:
        """3 or 4."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Type of what is read."""
        return np.dtype(np.float32)

    def __getitem__(self, index: Any, /) -> NDArray[np.float32]:
        """Read a tuple of slices, of which the first takes all channels.

        Raises
        ------
        ImageError
            If that part of the file is damaged, or holds NaN or infinite values.
        """
        return self.normalise(self.pixels[index])

    def inside(self, box: Box) -> "NormalisedPixels":
        """Return a box of the image, normalised as the whole is; nothing is read."""
        part = cast("NDArray[np.generic]", CroppedPixels(self.pixels.pixels, box))
        return NormalisedPixels(NetworkPixels(part, self.pixels.colour), self.normalise)

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        """Read everything."""
        if copy is False:
            raise ValueError("pixels of a file cannot be had without a copy")
        whole = self[(slice(None),) * self.ndim]
        return whole if dtype is None else whole.astype(dtype, copy=False)


def normalised_pixels_of(
    name: str,
    pixels: NDArray[np.generic],
    *,
    colour: Colour,
    kind: Literal["percentile", "zscore", "none"],
) -> NormalisedPixels:
    """Return an image as a network sees it; only a thinned sample is read now.

    Parameters
    ----------
    name : str
        File name, for messages.
    pixels : (C, [Z,] Y, X)
        As in the file; may be lazy.
    colour : {'as_is', 'grey', 'rgb'}
        How the file's channels become the network's.
    kind : {'percentile', 'zscore', 'none'}
        As in :func:`~napari_mtseg.batches.normalisation.normalisation_of`.

    Raises
    ------
    ImageError
        If the sample holds NaN or infinite values.
    """
    seen = NetworkPixels(pixels, colour)
    return NormalisedPixels(seen, normalisation_for(name, seen, kind))


def _not_finite(name: str) -> str:
    return (
        f"'{name}' holds NaN or infinite values. Replace them, for example by 0, and "
        "save the image again."
    )
