"""What every network that pools says of itself."""

from torch import nn

from napari_mtseg.networks.blocks import Norm, size_multiple


class PooledNetwork(nn.Module):
    """A network of several resolutions, applicable in windows."""

    pools: tuple[tuple[int, ...], ...]
    """pooling factor per level and axis"""
    norm: Norm
    """normalisation between convolutions"""

    @property
    def size_multiple(self) -> tuple[int, ...]:
        """Grid of the poolings in pixels per axis; other sizes are padded inside."""
        return size_multiple(self.pools)

    @property
    def norm_depends_on_tile(self) -> bool:
        """True if the answer at a pixel depends on how far the input extends."""
        return self.norm == "instance" or (self.norm == "batch" and self.training)
