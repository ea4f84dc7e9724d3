"""Pixels of an image on the canvas: read in a thread, shown as Image layers."""

import itertools
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from napari.layers import Layer
from numpy.typing import NDArray

from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.image import Image
from napari_mtseg.domain.project import ImageEntry
from napari_mtseg.gui.image_levels import levels_of
from napari_mtseg.gui.work_area import PLANE_LIMIT
from napari_mtseg.storage.project import Project

IN_MEMORY = 2**29
"""Images up to this many bytes are read at once; larger ones as they are shown."""

_SAMPLE_SIDE = 512
_SAMPLE_PLANES = 5
_CONTRAST_PERCENTILES = (0.1, 99.9)
_TWO_COLOURS = ("green", "magenta")
_COLOURS = ("red", "green", "blue", "gray", "cyan", "magenta", "yellow")
_AXES = ("z", "y", "x")


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where an image and all that belongs to it lie in the world."""

    scale: tuple[float, ...]
    """voxel size along ([Z,] Y, X)"""
    units: tuple[str, ...]
    """unit of ``scale``, once per axis"""
    axis_labels: tuple[str, ...]
    """('z', 'y', 'x') or ('y', 'x')"""
    translate: tuple[float, ...]
    """world position of the first pixel along ([Z,] Y, X)"""


@dataclass(frozen=True, eq=False, kw_only=True)
class ShownImage:
    """Pixels as the canvas shows them."""

    name: str
    """file name"""
    layers: tuple[Any, ...]
    """([Z,] Y, X) per channel, or one ([Z,] Y, X, 3) if ``rgb``; may be lazy; a list
    of ever coarser ones where ``is_multiscale``"""
    rgb: bool
    """True if the pixels are colours"""
    contrast: tuple[tuple[float, float], ...]
    """limits per layer, from a sample of the pixels"""
    placement: Placement
    """where they lie"""
    is_multiscale: bool = False
    """True if each layer is a list of copies of which the view decides"""


class _LazyChannel:
    """One channel, or all as colours in the last axis, of pixels in a file."""

    def __init__(
        self,
        pixels: Any,
        channel: int | None,
        *,
        limits: tuple[float, float] | None = None,
    ) -> None:
        self._pixels = pixels
        self._channel = channel
        self._limits = limits
        colours = () if channel is not None else (pixels.shape[0],)
        self.shape: tuple[int, ...] = (*pixels.shape[1:], *colours)
        self.dtype = np.dtype(pixels.dtype if limits is None else np.uint8)
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape, dtype=np.int64))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            filling = [slice(None)] * (self.ndim - len(keys) + 1)
            keys[at : at + 1] = filling
        if self._channel is not None:
            return np.asarray(self._pixels[(self._channel, *keys)])
        n_space = self.ndim - 1
        part = np.asarray(self._pixels[(slice(None), *keys[:n_space])])
        colours = np.moveaxis(part, 0, -1)
        if self._limits is not None:
            colours = _in_8_bit(colours, self._limits)
        return colours[(..., *keys[n_space:])]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)


def placement_of(entry: ImageEntry, area: Box | None = None) -> Placement:
    """Return scale, units and axis labels of an image, as napari names them.

    Of a part of the image where ``area`` is given.
    """
    n_axes = len(entry.spatial_shape)
    first = (0,) * n_axes if area is None else area.start
    return Placement(
        scale=entry.spacing,
        units=(_known_unit(entry.unit),) * n_axes,
        axis_labels=_AXES[-n_axes:],
        translate=tuple(
            float(n * size) for n, size in zip(first, entry.spacing, strict=True)
        ),
    )


def read_shown_image(project: Project, entry: ImageEntry) -> ShownImage:
    """Read an image for the canvas; slow, for a thread.

    Raises
    ------
    ImageError
        If the file is gone, damaged, or no longer the image that was added.
    MemoryShortageError
        If the file must be read at once and memory does not suffice.
    """
    image = project.open_image(entry)
    rgb = image.info.rgb and image.info.n_channels == 3
    if prod(image.info.spatial_shape[-2:]) > PLANE_LIMIT:
        return _shown_in_levels(entry, levels_of(project, entry, image), rgb=rgb)
    if _n_bytes(image) <= IN_MEMORY:
        pixels: Any = np.array(image.pixels)
        layers = [np.moveaxis(pixels, 0, -1)] if rgb else list(pixels)
    else:
        channels = [None] if rgb else list(range(image.info.n_channels))
        layers = [_LazyChannel(image.pixels, channel) for channel in channels]
    if rgb and image.pixels.dtype != np.uint8:
        layers = [_as_8_bit(layers[0])]
    return ShownImage(
        name=entry.name,
        layers=tuple(layers),
        rgb=rgb,
        contrast=tuple(_contrast(_sample(layer, rgb=rgb)) for layer in layers),
        placement=placement_of(entry),
    )


def _shown_in_levels(
    entry: ImageEntry, levels: tuple[Any, ...], *, rgb: bool
) -> ShownImage:
    channels = [None] if rgb else list(range(levels[0].shape[0]))
    limits: list[tuple[float, float]] = []
    layers: list[list[_LazyChannel]] = []
    for channel in channels:
        copies = [_LazyChannel(level, channel) for level in levels]
        limits.append(_contrast(_sample(copies[-1], rgb=rgb)))
        if rgb and levels[0].dtype != np.uint8:
            copies = [_LazyChannel(each, None, limits=limits[-1]) for each in levels]
        layers.append(copies)
    return ShownImage(
        name=entry.name,
        layers=tuple(layers),
        rgb=rgb,
        contrast=tuple(limits),
        placement=placement_of(entry),
        is_multiscale=True,
    )


class ImageLayers:
    """The Image layers of the current image, made once and filled anew."""

    def __init__(self, viewer: ViewerModel) -> None:
        # Units are read from a file on first use, which two threads must not do at
        # once: images are read in a thread while layers are made here.
        _known_unit("pixel")
        self._viewer = viewer
        self._layers: list[ImageLayer] = []
        self._automatic: list[tuple[float, float]] = []

    @property
    def layers(self) -> tuple[ImageLayer, ...]:
        """Image layers that are in the viewer."""
        return tuple(layer for layer in self._layers if layer in self._viewer.layers)

    def show(self, image: ShownImage) -> None:
        """Show an image in the layers that exist; contrast that a user set stays."""
        fits = len(self.layers) == len(image.layers) and all(
            layer.rgb == image.rgb
            and layer.ndim == len(image.placement.scale)
            and layer.multiscale == image.is_multiscale
            for layer in self._layers
        )
        if not fits:
            self.remove()
            self._add(image)
            return
        for n, (layer, pixels) in enumerate(
            zip(self._layers, image.layers, strict=True)
        ):
            layer.data = pixels
            place(layer, image.placement)
            if not image.rgb:
                self._set_contrast(n, image.contrast[n])

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        for layer in self.layers:
            self._viewer.layers.remove(layer)
        self._layers = []

    def _add(self, image: ShownImage) -> None:
        several = len(image.layers) > 1
        colours = _TWO_COLOURS if len(image.layers) == len(_TWO_COLOURS) else _COLOURS
        self._automatic = list(image.contrast)
        for n, (pixels, colour) in enumerate(
            zip(image.layers, itertools.cycle(colours), strict=False)
        ):
            layer = ImageLayer(
                pixels,
                name=f"Image (channel {n + 1})" if several else "Image",
                rgb=image.rgb,
                multiscale=image.is_multiscale,
                colormap=colour if several else "gray",
                blending="additive" if several else "translucent_no_depth",
                contrast_limits=None if image.rgb else image.contrast[n],
                scale=image.placement.scale,
                units=image.placement.units,
                axis_labels=image.placement.axis_labels,
            )
            self._layers.append(layer)
            self._viewer.layers.insert(n, layer)

    def _set_contrast(self, n: int, limits: tuple[float, float]) -> None:
        layer = self._layers[n]
        if tuple(layer.contrast_limits) != self._automatic[n]:
            return
        self._automatic[n] = limits
        layer.contrast_limits_range = limits
        layer.contrast_limits = limits


def place(layer: Layer, placement: Placement) -> None:
    """Give a layer the scale, units and axis labels of the image, where they differ."""
    if tuple(layer.scale) != placement.scale:
        layer.scale = placement.scale
    if tuple(map(str, layer.units)) != placement.units:
        layer.units = placement.units
    if layer.axis_labels != placement.axis_labels:
        layer.axis_labels = placement.axis_labels
    if tuple(layer.translate) != placement.translate:
        layer.translate = placement.translate


def _known_unit(name: str) -> str:
    """Return a unit in the spelling of napari; 'pixel' for what it does not know."""
    layer = ImageLayer(np.zeros((1, 1)), contrast_limits=(0, 1))
    try:
        layer.units = (name, name)
    except ValueError:
        return "pixel"
    return str(layer.units[0])


def _n_bytes(image: Image) -> int:
    shape = np.array(image.info.shape, np.int64)
    return int(shape.prod()) * np.dtype(image.pixels.dtype).itemsize


def _as_8_bit(colours: Any) -> NDArray[np.uint8]:
    """Return colours of any range, as 8 bits for the screen."""
    pixels = np.asarray(colours)
    return _in_8_bit(pixels, _contrast(_sample(pixels, rgb=True)))


def _in_8_bit(pixels: NDArray[Any], limits: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = limits
    scaled = (pixels.astype(np.float32) - low) * (255 / (high - low))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _sample(pixels: Any, *, rgb: bool) -> NDArray[Any]:
    """Return some of the pixels: every n-th of a few planes."""
    n_axes = len(pixels.shape) - rgb
    steps = [slice(None, None, max(1, n // _SAMPLE_SIDE)) for n in pixels.shape]
    if n_axes == len(_AXES):
        n_planes = pixels.shape[0]
        planes = np.linspace(0, n_planes - 1, min(n_planes, _SAMPLE_PLANES), dtype=int)
        key = tuple(steps[1:n_axes])
        return np.stack([np.asarray(pixels[(int(z), *key)]) for z in planes])
    return np.asarray(pixels[tuple(steps[:n_axes])])


def _contrast(sample: NDArray[Any]) -> tuple[float, float]:
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.percentile(finite, _CONTRAST_PERCENTILES)
    if low == high:
        low, high = float(finite.min()), float(finite.max())
    if low == high:
        high = low + 1
    return float(low), float(high)
