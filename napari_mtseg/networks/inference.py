"""A trained network applied to an image of any size in bounded memory."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.geometry.tiles import Mode, Slices, Window, WindowPlan, window_plan
from napari_mtseg.networks.mean_answers import (
    SPREAD_OF,
    activated,
    mean_answers,
    spread_maps_of,
)
from napari_mtseg.networks.sample_overlap import (
    OverlapCount,
    SampleOverlap,
    owned_parts,
    within_window,
)
from napari_mtseg.networks.samples import Samples
from napari_mtseg.networks.seams import seam_deviation
from napari_mtseg.networks.whole_image import WholeImage
from napari_mtseg.networks.window_memory import bytes_per_window_pixel
from napari_mtseg.networks.windowed_network import WindowedNetwork


class SliceableImage(Protocol):
    """Pixels ``(C, [Z,] Y, X)`` that are read by slicing; a NumPy or a lazy array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, [Z,] Y, X)."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return the pixels of a tuple of slices."""
        ...


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
    :func:`~napari_mtseg.geometry.tiles.window_plan`, as large as the budget allows,
    one at a time: a batch of smaller windows would only add overlap.

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
    networks = (network,) if samples is None else tuple(samples.networks)
    if any(each.training for each in networks):
        raise ValueError("the network is in training mode; call eval() first")
    if unknown := set(names) - set(network.head_channels):
        raise ValueError(f"the network has no heads {sorted(unknown)}")
    shape = tuple(image.shape[1:])
    if isinstance(outputs, Mapping):
        maps = dict(outputs)
    else:
        maps = empty_maps(network, names, shape)
    if samples is not None:
        for name in spread_maps_of(names, network.activations):
            maps[name] = np.empty(shape, np.float32)
    answer = _Answer(
        network=network,
        networks=networks,
        image=image,
        heads=(*names, *network.image_heads),
        device=device,
        normalise=normalise,
        between=between_windows,
        samples=samples,
    )
    plan = _plan(answer, memory_budget_bytes)
    whole = WholeImage(network)
    info = _filled(maps, answer, plan, whole)
    return {**maps, **whole.answers()}, info


@dataclass(frozen=True, eq=False, kw_only=True)
class _Answer:
    """Reads one window of the image and predicts it."""

    network: WindowedNetwork
    networks: Sequence[WindowedNetwork]
    """all that answer"""
    image: SliceableImage
    heads: tuple[str, ...]
    device: torch.device
    normalise: Callable[[NDArray[Any]], NDArray[np.float32]] | None
    between: Callable[[], None] | None
    samples: Samples | None

    @property
    def size_multiple(self) -> tuple[int, ...]:
        """Grid in pixels per axis that fits the poolings of all networks."""
        grids = zip(*(each.size_multiple for each in self.networks), strict=True)
        return tuple(math.lcm(*grid) for grid in grids)

    @torch.inference_mode()
    def __call__(
        self, read: Slices, *, kept: list[Tensor] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Return the answers inside ``read``, by map and head for the whole input.

        Of several answers, the classes of each are added to ``kept``.
        """
        if self.between is not None:
            self.between()
        pixels = np.asarray(self.image[(slice(None), *read)])
        if self.normalise is not None:
            pixels = self.normalise(pixels)
        contiguous = np.ascontiguousarray(pixels, np.float32)
        x = torch.from_numpy(contiguous)[None].to(self.device)
        activations = self.network.activations
        if self.samples is not None:
            means = mean_answers(
                self.samples(x),
                self.heads,
                activations,
                between=self.between,
                kept=kept,
            )
            return {name: mean.cpu().numpy() for name, mean in means.items()}
        logits = self.network(x)
        return {
            name: activated(
                logits.pop(name)[0].float(), activations.get(name, "softmax")
            )
            .cpu()
            .numpy()
            for name in self.heads
        }


def _filled(
    maps: Mapping[str, NDArray[Any]],
    answer: _Answer,
    plan: WindowPlan,
    whole: WholeImage,
) -> WindowsInfo:
    """Write all windows of the plan into ``maps``, and let ``whole`` hear of each."""
    is_blended = plan.mode == "blended"
    if is_blended:
        for one in maps.values():
            one[...] = 0
    overlap = OverlapCount()
    for window, own in zip(plan.windows, owned_parts(plan.windows), strict=True):
        kept: list[Tensor] = []
        answers = answer(window.read, kept=kept)
        if kept:
            n_outputs = len(answers[SPREAD_OF])
            overlap.add(kept, within_window(own, window), n_outputs=n_outputs)
        whole.hear(answers, window)
        _write(maps, answers, window)
    return WindowsInfo(
        mode=plan.mode,
        n_windows=len(plan.windows),
        overhead=plan.overhead,
        deviation=_deviation(answer, maps, plan) if is_blended else 0.0,
        overlap=overlap.total(),
    )


def _deviation(
    answer: _Answer, maps: Mapping[str, NDArray[Any]], plan: WindowPlan
) -> float:
    heads = set(maps) & set(answer.network.head_channels)
    return seam_deviation(
        answer,
        {name: maps[name] for name in heads},
        [window.read for window in plan.windows],
        grid=answer.size_multiple,
    )


def _plan(answer: _Answer, memory_budget_bytes: int) -> WindowPlan:
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
    plan = window_plan(
        shape,
        max_pixels=int(memory_budget_bytes / per_pixel),
        halo=halo,
        multiple=multiple,
        norm_is_local=not any(each.norm_depends_on_tile for each in networks),
    )
    if plan is None:
        needed = per_pixel * math.prod(multiple) / 2**20
        raise MemoryShortageError(
            f"Prediction may use {memory_budget_bytes / 2**20:.1f} MB of memory, but "
            f"its smallest window needs {needed:.1f} MB. Allow more memory or train "
            "a smaller network."
        )
    return plan


def _write(
    maps: Mapping[str, NDArray[Any]],
    answers: Mapping[str, NDArray[np.float32]],
    window: Window,
) -> None:
    target: tuple[Any, ...] = (..., *window.write)
    source: tuple[Any, ...] = (..., *window.crop)
    for name, probabilities in answers.items():
        if window.weights is None:
            maps[name][target] = probabilities[source]
        else:
            weighted = probabilities * window.weight()
            maps[name][target] += weighted.astype(maps[name].dtype)
