"""What every network that pools says of itself."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from torch import Tensor, nn

from napari_mtseg.networks.blocks import Norm
from napari_mtseg.networks.pooling_grid import padded_to_multiple, size_multiple

Activation = Literal["softmax", "sigmoid", "none"]
"""How a head's output becomes its answer: probabilities of classes that exclude each
other, each channel on its own in 0..1, or as it is."""


class PooledNetwork(nn.Module):
    """A network of several resolutions, applicable in windows."""

    pools: tuple[tuple[int, ...], ...]
    """pooling factor per level and axis"""
    norm: Norm
    """normalisation between convolutions"""
    head_channels: dict[str, int]
    """channels of each head that answers for every pixel"""
    image_heads: Mapping[str, int] = MappingProxyType({})
    """channels of each head that answers ``(N, channels)`` for the input as a whole"""
    activations: Mapping[str, Activation] = MappingProxyType({})
    """of heads that do not classify; all others are 'softmax'"""

    def _name_heads(
        self,
        heads: Mapping[str, int],
        activations: Mapping[str, Activation] | None,
        *,
        image_heads: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Keep the channels of the heads, and the activations of those there are.

        Raises
        ------
        ValueError
            If there is no head.
        """
        if not heads:
            raise ValueError("a network needs at least one head")
        self.head_channels = dict(heads)
        self.image_heads = dict(image_heads)
        known = {*heads, *image_heads}
        self.activations = {
            name: kind for name, kind in (activations or {}).items() if name in known
        }

    @property
    def part_parameters(self) -> Mapping[str, int]:
        """Parameters by part, in words, where a paper counts by part; else none."""
        return {}

    @property
    def context_receptive_fields(self) -> tuple[int, ...]:
        """Pixels in a row that each range of a context ensemble reads, of its own maps.

        None where there is no such ensemble.
        """
        return ()

    @property
    def size_multiple(self) -> tuple[int, ...]:
        """Grid of the poolings in pixels per axis; other sizes are padded inside."""
        return size_multiple(self.pools)

    @property
    def norm_depends_on_tile(self) -> bool:
        """True if the answer at a pixel depends on how far the input extends."""
        return self.norm == "instance" or (self.norm == "batch" and self.training)

    def padded(self, x: Tensor) -> Tensor:
        """Return images ``(N, C, [Z,] Y, X)`` with their end repeated to the grid.

        To twice the grid where a norm would measure the variance of a single value,
        which PyTorch refuses: where the deepest map is one pixel, with instance norm,
        and with batch norm while training on one image.
        """
        grid = self.size_multiple
        is_one_pixel = all(n <= m for n, m in zip(x.shape[2:], grid, strict=True))
        is_one_image = self.norm == "instance" or x.shape[0] == 1
        if is_one_pixel and is_one_image and self.norm_depends_on_tile:
            grid = tuple(2 * m for m in grid)
        return padded_to_multiple(x, grid)
