"""How paint spreads: curved strokes and irregular regions inside a shape."""

from dataclasses import dataclass
from math import ceil

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.graph import MCP_Geometric

from napari_mtseg.geometry.components import connected_components
from napari_mtseg.geometry.distances import Spacing

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Room:
    """Where paint may go, and how easily it spreads there."""

    depth: NDArray[np.float32]
    """distance to the boundary, 0 outside"""
    resistance: NDArray[np.float64]
    """time that the front of the paint takes per unit of way, inf outside"""
    spacing: Spacing

    @classmethod
    def of(
        cls, free: Mask, spacing: tuple[float, ...], rng: np.random.Generator
    ) -> "Room":
        """Room with a random, smooth resistance that rises towards the boundary."""
        depth = edt.edt(free, anisotropy=spacing, black_border=True)
        deepest = depth.max()
        cell = deepest / np.array(spacing)
        noise = _smooth_noise(free.shape, 1.5 * cell, rng)
        noise += _smooth_noise(free.shape, np.maximum(3, 0.5 * cell), rng)
        resistance = np.exp(0.75 * noise) * (1 + 9 * np.exp(-4 * depth / deepest))
        resistance[~free] = np.inf
        return cls(depth=depth, resistance=resistance, spacing=spacing)

    def curve(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """(n, ndim) pixels of a curved line between two places off the boundary."""
        deep = np.argwhere(self.depth >= rng.uniform(0.4, 0.8) * self.depth.max())
        start, *others = deep[rng.integers(0, len(deep), 4)]
        way = (np.array(others) - start) * self.spacing
        end = others[np.square(way).sum(axis=1).argmax()]
        paths = self._paths()
        paths.find_costs([tuple(start)], [tuple(end)])
        line = np.array(paths.traceback(tuple(end)))
        smooth = ndimage.gaussian_filter1d(
            line.astype(float), len(line) / 10, axis=0, mode="nearest"
        )
        drawn = np.floor(smooth + 0.5).astype(np.intp)
        return drawn if self.depth[tuple(drawn.T)].all() else line

    def arrival(self, starts: NDArray[np.intp]) -> NDArray[np.float64]:
        """Time at which paint from ``starts`` arrives at each pixel."""
        return self._paths().find_costs([tuple(start) for start in starts])[0]

    def _paths(self) -> MCP_Geometric:
        return MCP_Geometric(self.resistance, sampling=self.spacing)


def blob(free: Mask, n_pixels: int, spacing: Spacing, rng: np.random.Generator) -> Mask:
    """Return a connected region of ``n_pixels``, or of all that is free."""
    room = Room.of(free, spacing, rng)
    curve = room.curve(rng)
    stroke = curve[: min(n_pixels, rng.integers(1, len(curve) + 1))]
    n_first = min(n_pixels, np.count_nonzero(free))
    first = np.argsort(room.arrival(stroke), axis=None, kind="stable")[:n_first]
    blob = np.zeros(free.shape, bool)
    blob.flat[first] = True
    return blob


def largest_piece(free: Mask) -> Mask:
    """Return the largest (8- or 26-connected) piece of ``free``."""
    pieces = connected_components(free)
    sizes = np.bincount(pieces[free])
    return free & (pieces == np.argmax(sizes)) if sizes.size else free


def _smooth_noise(
    shape: tuple[int, ...], cell: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Random field of standard deviation near 1 that varies over ``cell`` pixels."""
    n_cells = [
        max(2, ceil(n / max(1.0, c)) + 1) for n, c in zip(shape, cell, strict=True)
    ]
    coarse = rng.normal(size=n_cells)
    zoom = [n / m for n, m in zip(shape, n_cells, strict=True)]
    return ndimage.zoom(coarse, zoom, order=3, mode="nearest")
