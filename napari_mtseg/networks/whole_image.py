"""What heads that answer for the input as a whole say of an image in windows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.geometry.tiles import Window
from napari_mtseg.networks.windowed_network import WindowedNetwork


@dataclass(frozen=True, eq=False, kw_only=True)
class Said:
    """What the heads for the input as a whole say of one window."""

    number: int
    """of the window"""
    area: int
    """pixels that it writes"""
    answers: Mapping[str, NDArray[np.float32]]
    """(channels,) by head"""


def taken_answers(
    network: WindowedNetwork, answers: dict[str, NDArray[np.float32]], window: Window
) -> Said:
    """Take the answers for a window as a whole out of those of its pixels."""
    return Said(
        number=window.number,
        area=math.prod(part.stop - part.start for part in window.write),
        answers={name: answers.pop(name) for name in network.image_heads},
    )


def joined_answers(
    network: WindowedNetwork, said: Sequence[Said]
) -> dict[str, NDArray[np.float32]]:
    """Return (channels,) by head for an image, from all of its windows.

    With a sigmoid, which tells whether something occurs, the largest; else the mean
    by area.
    """
    in_order = sorted(said, key=lambda one: one.number)
    areas = [one.area for one in in_order]
    joined = {}
    for name in network.image_heads:
        answers = np.stack([one.answers[name] for one in in_order])
        if network.activations.get(name) == "sigmoid":
            joined[name] = np.asarray(answers.max(axis=0))
        else:
            mean = np.average(answers, axis=0, weights=areas)
            joined[name] = mean.astype(np.float32)
    return joined
