"""A 2D network that sees neighbouring planes of a volume as channels: 2.5D."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_mtseg.networks.pooled_network import Activation
from napari_mtseg.networks.windowed_network import WindowedNetwork


class SlicesNetwork(nn.Module):
    """A 2D network applied to every plane of a volume and the planes beside it.

    Parameters
    ----------
    network : torch.nn.Module
        A 2D network for ``n_slices`` times the channels of the volume: all channels of
        the first plane, then all of the next.
    n_slices : int
        Planes that it sees, odd; it answers for the one in the middle.

    Raises
    ------
    ValueError
        If ``n_slices`` is not odd or the network is not 2D.

    References
    ----------
    .. [1] METHODS.md section 3, Training: five slices, the last plane of a stack
       repeated.
    """

    def __init__(self, network: nn.Module, n_slices: int) -> None:
        super().__init__()
        if n_slices < 1 or n_slices % 2 == 0:
            raise ValueError(f"n_slices must be odd and positive, not {n_slices}")
        self.network = network
        self.n_slices = n_slices
        if len(self._windowed.size_multiple) != 2:
            raise ValueError("the network of several slices must be 2D")
        self.head_channels = dict(self._windowed.head_channels)
        self.image_heads = dict(self._windowed.image_heads)

    @property
    def activations(self) -> Mapping[str, Activation]:
        """Of heads that do not classify; all others are 'softmax'."""
        return self._windowed.activations

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis (Z, Y, X)."""
        return (self.n_slices // 2, *self._windowed.halo)

    @property
    def size_multiple(self) -> tuple[int, ...]:
        """Grid of the poolings in pixels per axis; planes are not pooled."""
        return (1, *self._windowed.size_multiple)

    @property
    def norm_depends_on_tile(self) -> bool:
        """True if the answer at a pixel depends on how far the input extends."""
        return self._windowed.norm_depends_on_tile

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the answers of all heads before their activation.

        Parameters
        ----------
        x : (N, C, Z, Y, X) float
            Normalised volumes. Beyond the ends, the last plane is repeated.

        Returns
        -------
        dict
            (N, channels, Z, Y, X) by head. In training, ``n_slices`` planes teach
            only the one in the middle, whose neighbours are all seen:
            (N, channels, 1, Y, X).
        """
        margin = self.n_slices // 2
        n_planes = x.shape[2]
        if self.training and n_planes == self.n_slices:
            n_planes = 1
        else:
            x = F.pad(x, (0, 0, 0, 0, margin, margin), mode="replicate")
        stacks = x.unfold(2, self.n_slices, 1).permute(0, 2, 5, 1, 3, 4)
        folded = stacks.flatten(2, 3).flatten(0, 1)
        return {
            name: torch.movedim(answer.unflatten(0, (-1, n_planes)), 1, 2)
            for name, answer in self.network(folded).items()
        }

    @property
    def _windowed(self) -> WindowedNetwork:
        return cast("WindowedNetwork", self.network)
