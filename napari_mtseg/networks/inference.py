"""A trained network applied to an image of any size in bounded memory."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.geometry.tiles import Mode, WindowGrid
from napari_mtseg.geometry.window_choice import window_grid
from napari_mtseg.networks.mean_answers import spread_maps_of
from napari_mtseg.networks.part_inference import fill_part
from napari_mtseg.networks.sample_overlap import SampleOverlap
from napari_mtseg.networks.samples import Samples
from napari_mtseg.networks.seams import seam_deviation
from napari_mtseg.networks.whole_image import joined_answers
from napari_mtseg.networks.window_answer import (
    SliceableImage,
    WindowAnswer,
    window_answer,
)
from napari_mtseg.networks.window_memory import bytes_per_window_pixel
from napari_mtseg.networks.windowed_network import WindowedNetwork


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowsInfo:
    """How an image was predicted."""

    mode: Mode
    """'whole', 'exact' or 'blended'"""
    n_windows: int
    overhead: float
    """pixels computed per pixel of the image"""
    deviation: float
    """largest difference of a probability to that of a window centred where blended
    windows meet, at the places checked; 0 for 'whole' and 'exact'"""
    overlap: SampleOverlap | None = None
    """what the segmentations of several answers have in common"""


def empty_maps(
    network: WindowedNetwork,
    names: Sequence[str],
    shape: Sequence[int],
    *,
    dtype: type[np.floating[Any]] = np.float32,
) -> dict[str, NDArray[Any]]:
    """Return arrays ``(channels, [Z,] Y, X)`` for the probabilities of some heads."""
    return {
        name: np.empty((network.head_channels[name], *shape), dtype) for name in names
    }


def apply_in_windows(  # noqa: PLR0913 - three of the arguments are optional
    network: WindowedNetwork,
    image: SliceableImage,
    *,
    device: torch.device,
    memory_budget_bytes: int,
    outputs: Sequence[str] | Mapping[str, NDArray[Any]],
    normalise: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None,
    between_windows: Callable[[], None] | None = None,
    samples: Samples | None = None,
) -> tuple[dict[str, NDArray[Any]], WindowsInfo]:
    """Return the answers of some heads, computed in bounded memory.

    The whole image at once if it fits, else the windows of
    :func:`~napari_mtseg.geometry.window_choice.window_grid`, as large as the budget
    allows, one at a time: a batch of smaller windows would only add overlap.

    Parameters
    ----------
    network
        In eval mode, on ``device``; best from
        :func:`~napari_mtseg.networks.prepared.prepared_for_inference`.
    image : (C, [Z,] Y, X)
        Normalised float32, or any sliceable array with ``normalise``.
    device : torch.device
        Where the network is.
    memory_budget_bytes : int
        For the activations of one window; image and results are the caller's.
    outputs
        Names of heads, or arrays by name to write into, ``(channels, [Z,] Y, X)`` of
        a float type (a memory map, for example). Heads that answer for the input as a
        whole are always returned too, as ``(channels,)``: of several windows the mean
        by their area, and with a sigmoid, which tells whether something occurs, the
        largest.
    normalise : callable, optional
        Applied to what is read of each window; must not depend on the window.
    between_windows : callable, optional
        Called before each window, and before each further answer for it; what it
        raises ends the prediction.
    samples : Samples, optional
        Several answers for each window, of ``network`` among others or of it alone;
        what is returned is their mean.

    Returns
    -------
    (dict, WindowsInfo)
        Answers by head, the softmax over the first axis unless the network's
        ``activations`` say otherwise; and how it was computed. With ``samples`` and
        the output 'segmentation' also EXPECTED_ENTROPY and VARIANCE, ([Z,] Y, X), of
        :func:`~napari_mtseg.networks.mean_answers.mean_answers`.

    Raises
    ------
    MemoryShortageError
        If not even the smallest window fits.
    ValueError
        If a network is in training mode or lacks a head.
    """
    names = tuple(outputs)
    answer = window_answer(
        network,
        image,
        device=device,
        outputs=names,
        normalise=normalise,
        between=between_windows,
        samples=samples,
    )
    shape = tuple(image.shape[1:])
    if isinstance(outputs, Mapping):
        maps = dict(outputs)
    else:
        maps = empty_maps(network, names, shape)
    if samples is not None:
        for name in spread_maps_of(names, network.activations):
            maps[name] = np.empty(shape, np.float32)
    grid = planned_windows(answer, memory_budget_bytes)
    whole = tuple(slice(0, size) for size in shape)
    found = fill_part(maps, answer, grid, whole, inner=whole)
    info = WindowsInfo(
        mode=grid.mode,
        n_windows=grid.n_windows,
        overhead=grid.overhead,
        deviation=_deviation(answer, maps, grid) if grid.mode == "blended" else 0.0,
        overlap=found.overlap,
    )
    return {**maps, **joined_answers(network, found.said)}, info


def planned_windows(answer: WindowAnswer, memory_budget_bytes: int) -> WindowGrid:
    """Return the windows of an image, as large as the budget allows.

    Parameters
    ----------
    answer : WindowAnswer
        Of :func:`~napari_mtseg.networks.window_answer.window_answer`; knows the image.
    memory_budget_bytes : int
        For the activations of one window.

    Raises
    ------
    MemoryShortageError
        If not even the smallest window fits.
    """
    n_channels, *shape = answer.image.shape
    networks, multiple = answer.networks, answer.size_multiple
    halo = tuple(map(max, zip(*(each.halo for each in networks), strict=True)))
    per_pixel = bytes_per_window_pixel(
        answer.network,
        n_channels,
        multiple=multiple,
        device=answer.device,
        samples=answer.samples,
    )
    if answer.samples is not None:
        per_pixel += answer.samples.n  # the classes that each answers, a byte each
    grid = window_grid(
        shape,
        max_pixels=int(memory_budget_bytes / per_pixel),
        halo=halo,
        multiple=multiple,
        norm_is_local=not any(each.norm_depends_on_tile for each in networks),
    )
    if grid is None:
        needed = per_pixel * math.prod(multiple) / 2**20
        raise MemoryShortageError(
            f"Prediction may use {memory_budget_bytes / 2**20:.1f} MB of memory, but "
            f"its smallest window needs {needed:.1f} MB. Allow more memory or train "
            "a smaller network."
        )
    return grid


def _deviation(
    answer: WindowAnswer, maps: Mapping[str, NDArray[Any]], grid: WindowGrid
) -> float:
    heads = set(maps) & set(answer.network.head_channels)
    return seam_deviation(
        answer,
        {name: maps[name] for name in heads},
        [window.read for window in grid.windows()],
        grid=answer.size_multiple,
    )
