"""Answers for a part of an image, from the windows of the whole image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_mtseg.geometry.tiles import Slices, Window, WindowGrid, shared, within
from napari_mtseg.networks.mean_answers import SPREAD_OF, spread_maps_of
from napari_mtseg.networks.sample_overlap import OverlapCount, SampleOverlap
from napari_mtseg.networks.whole_image import Said, taken_answers
from napari_mtseg.networks.window_answer import WindowAnswer


@dataclass(frozen=True, eq=False, kw_only=True)
class PartAnswers:
    """What a network says of a part of an image."""

    maps: dict[str, NDArray[Any]]
    """by name, ``(channels, [Z,] Y, X)`` or ``([Z,] Y, X)`` of the part"""
    said: tuple[Said, ...]
    """by the heads for the input as a whole, of the windows that begin in ``inner``"""
    overlap: SampleOverlap | None
    """what several answers have in common in ``inner``; None of one answer"""


def part_answers(
    answer: WindowAnswer, grid: WindowGrid, part: Slices, *, inner: Slices
) -> PartAnswers:
    """Return the answers for a part, equal to those that the whole image gets there.

    All windows that write into the part are computed, in the order of the grid.

    Parameters
    ----------
    answer : WindowAnswer
        Answers for one window.
    grid : WindowGrid
        Windows of the whole image.
    part : Slices
        Of the image, an axis each.
    inner : Slices
        Inside ``part``: what is counted here, and in no other part.
    """
    shape = tuple(side.stop - side.start for side in part)
    channels, network = answer.network.head_channels, answer.network
    names = [name for name in answer.heads if name in channels]
    maps: dict[str, NDArray[Any]] = {
        name: np.empty((channels[name], *shape), np.float32) for name in names
    }
    if answer.samples is not None:
        for name in spread_maps_of(names, network.activations):
            maps[name] = np.empty(shape, np.float32)
    return fill_part(maps, answer, grid, part, inner=inner)


def fill_part(
    maps: dict[str, NDArray[Any]],
    answer: WindowAnswer,
    grid: WindowGrid,
    part: Slices,
    *,
    inner: Slices,
) -> PartAnswers:
    """Write the answers for a part into arrays of its size, as :func:`part_answers`."""
    if grid.mode == "blended":
        for one in maps.values():
            one[...] = 0
    overlap, said = OverlapCount(), []
    for window in grid.windows(part):
        kept: list[Tensor] = []
        answers = answer(window.read, kept=kept)
        counted = shared(window.own, inner)
        if kept and counted is not None:
            n_outputs = len(answers[SPREAD_OF])
            overlap.add(kept, within(counted, window.read), n_outputs=n_outputs)
        whole = taken_answers(answer.network, answers, window)
        if whole.answers and _begins_in(window, inner):
            said.append(whole)
        _write(maps, answers, window, part)
    return PartAnswers(maps=maps, said=tuple(said), overlap=overlap.total())


def _begins_in(window: Window, inner: Slices) -> bool:
    return all(
        side.start <= write.start < side.stop
        for side, write in zip(inner, window.write, strict=True)
    )


def _write(
    maps: Mapping[str, NDArray[Any]],
    answers: Mapping[str, NDArray[np.float32]],
    window: Window,
    part: Slices,
) -> None:
    written = shared(window.write, part)
    if written is None:
        return
    target: tuple[Any, ...] = (..., *within(written, part))
    crop = within(written, window.read)
    source: tuple[Any, ...] = (..., *crop)
    weight = None if window.weights is None else window.weight()[crop]
    for name, probabilities in answers.items():
        if weight is None:
            maps[name][target] = probabilities[source]
        else:
            weighted = probabilities[source] * weight
            maps[name][target] += weighted.astype(maps[name].dtype)
