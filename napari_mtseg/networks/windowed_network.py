"""What a network must say of itself to be applied in windows."""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from napari_mtseg.networks.pooled_network import Activation


class WindowedNetwork(Protocol):
    """What a network must say of itself to be applied in windows."""

    training: bool
    head_channels: dict[str, int]
    """channels of each head that answers for every pixel"""

    image_heads: Mapping[str, int]
    """channels of each head that answers for the input as a whole"""

    activations: Mapping[str, Activation]
    """of heads that do not classify; all others are 'softmax'"""

    @property
    def halo(self) -> tuple[int, ...]:
        """Receptive radius in pixels per axis."""
        ...

    @property
    def size_multiple(self) -> tuple[int, ...]:
        """Pooling grid in pixels per axis."""
        ...

    @property
    def norm_depends_on_tile(self) -> bool:
        """True if the answer at a pixel depends on how far the input extends."""
        ...

    def __call__(self, x: Tensor, /) -> dict[str, Tensor]:
        """Return logits by head: ``(N, channels, [Z,] Y, X)``, or ``(N, channels)``."""
        ...
