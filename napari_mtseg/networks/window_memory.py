"""The memory that the answer for one window needs."""

from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor

from napari_mtseg.networks.mean_answers import mean_answers
from napari_mtseg.networks.samples import Samples
from napari_mtseg.networks.summary import bytes_per_pixel
from napari_mtseg.networks.windowed_network import WindowedNetwork

FURTHER_ANSWERS = 2
"""Answers that are measured beside one per network: what the first pass keeps, and
perhaps the second, is there in full in the third"""


def bytes_per_window_pixel(
    network: WindowedNetwork,
    in_channels: int,
    *,
    multiple: Sequence[int],
    device: torch.device,
    samples: Samples | None = None,
) -> float:
    """Return the memory that prediction needs per pixel of a window, bytes.

    As :func:`~napari_mtseg.networks.summary.bytes_per_pixel` measures it; of several
    answers also what is kept between them, and their sums.

    Parameters
    ----------
    network
        In eval mode, on ``device``.
    in_channels : int
        Channels of the image.
    multiple : sequence of int
        Pooling grid per axis, pixels; with several networks one that fits all.
    device : torch.device
        Where the network is.
    samples : Samples, optional
        What answers instead of ``network``, with the same heads.
    """
    if samples is None:
        return bytes_per_pixel(network, in_channels, multiple=multiple, device=device)
    n = len(samples.networks) + FURTHER_ANSWERS
    heads = (*network.head_channels, *network.image_heads)

    def no_logits_left(x: Tensor) -> dict[str, Tensor]:
        answers = islice(samples(x), n)
        mean_answers(answers, heads, network.activations)
        return {}

    return bytes_per_pixel(
        no_logits_left, in_channels, multiple=multiple, device=device
    )
