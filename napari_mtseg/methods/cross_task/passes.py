"""Several passes of a network with dropout, while it is trained."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from napari_mtseg.networks.samples import MonteCarloDropout


@torch.no_grad()
def dropout_passes(
    network: nn.Module,
    image: Tensor,
    *,
    n: int,
    noise: float,
    rng: np.random.Generator | None,
) -> Iterator[Tensor]:
    """Yield what a network says of the mask, with other maps dropped in each pass.

    Batch norm is frozen, no gradient is kept, and the network is left in the mode in
    which it came.

    Parameters
    ----------
    network : nn.Module
        Has dropout and a head 'segmentation'.
    image : (N, C, [Z,] Y, X)
        Normalised patches.
    n : int
        Passes.
    noise : float
        Standard deviation of what is added to the image, anew in each pass, cut off at
        twice as much; without noise, what lies before the first dropout is computed
        once.
    rng : Generator, optional
        Of the dropped maps; one and the same if left out. Noise is drawn from torch's
        own generator.

    Yields
    ------
    (N, classes, [Z,] Y, X) float
        Probabilities.
    """
    was_training = network.training
    drawn_from = np.random.default_rng(0) if rng is None else rng
    network.eval()
    try:
        for changed, n_passes in _changed(image, noise, n):
            passes = MonteCarloDropout(
                network, n_passes=n_passes, seed=int(drawn_from.integers(2**31))
            )
            for answers in passes(changed):
                yield answers["segmentation"].softmax(dim=1)
    finally:
        network.train(was_training)


def _changed(image: Tensor, noise: float, n: int) -> Iterator[tuple[Tensor, int]]:
    """Yield images with the number of passes on each: one per pass with noise."""
    if noise == 0:
        yield image, n
        return
    for _ in range(n):
        added = (noise * torch.randn_like(image)).clamp(-2 * noise, 2 * noise)
        yield image + added, 1
