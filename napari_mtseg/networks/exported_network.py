"""A network as other programs run it: one tensor in, a tuple of probabilities out."""

import math
from typing import cast

from torch import Tensor, nn

from napari_mtseg.networks.mean_answers import activated
from napari_mtseg.networks.windowed_network import WindowedNetwork


class ExportedNetwork(nn.Module):
    """A network whose answers have their activations applied and a fixed order.

    Heads that answer for every pixel come first, those for the whole input last.

    Parameters
    ----------
    network : torch.nn.Module
        A :class:`~napari_mtseg.networks.windowed_network.WindowedNetwork`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def windowed(self) -> WindowedNetwork:
        """The network, and what it says of itself."""
        return cast("WindowedNetwork", self.network)

    @property
    def heads(self) -> dict[str, int]:
        """Channels of each answer by name, in the order of the answers."""
        return {**self.windowed.head_channels, **self.windowed.image_heads}

    @property
    def size_multiple(self) -> tuple[int, ...]:
        """Pixels per axis ([Z,] Y, X) of which a traced image's size is a multiple."""
        return self.windowed.size_multiple

    @property
    def least_size(self) -> tuple[int, ...]:
        """Fewest pixels per axis ([Z,] Y, X) of a traced image.

        Twice the pooling grid, for normalisation needs more than one value; a single
        plane where planes are not pooled.
        """
        *planes, height, width = self.size_multiple
        deep = tuple(1 if n == 1 else 2 * n for n in planes)
        return (*deep, 2 * height, 2 * width)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the probabilities of each head.

        Parameters
        ----------
        image : (N, C, [Z,] Y, X) float
            Normalised images.

        Returns
        -------
        tuple of Tensor
            (N, channels, [Z,] Y, X), or (N, channels) of heads that answer for the
            input as a whole: probabilities, or plain values of a regression.
        """
        logits = self.network(image)
        kinds = self.windowed.activations
        return tuple(
            activated(logits[name], kinds.get(name, "softmax"), dim=1)
            for name in self.heads
        )

    def sizes(self, *factors: int, at_least: int = 8) -> tuple[int, ...]:
        """Return a size that fits the pooling grid.

        Parameters
        ----------
        *factors : int
            One per axis ([Z,] Y, X): how many cells of the grid.
        at_least : int
            Fewest pixels of a cell along Y and X, where the grid itself is finer.
        """
        *planes, height, width = self.size_multiple
        cells = (*planes, *(n * math.ceil(at_least / n) for n in (height, width)))
        return tuple(n * factor for n, factor in zip(cells, factors, strict=True))
