"""The answer of a network, or of several, for one window of an image."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mtseg.geometry.tiles import Slices
from napari_mtseg.networks.mean_answers import activated, mean_answers
from napari_mtseg.networks.samples import Samples
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


def window_answer(  # noqa: PLR0913 - three of the arguments are optional
    network: WindowedNetwork,
    image: SliceableImage,
    *,
    device: torch.device,
    outputs: Sequence[str],
    normalise: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None,
    between: Callable[[], None] | None = None,
    samples: Samples | None = None,
) -> "WindowAnswer":
    """Return what answers for windows of an image; see :class:`WindowAnswer`.

    Heads that answer for the input as a whole are always among those that do.

    Raises
    ------
    ValueError
        If a network is in training mode or lacks a head.
    """
    networks = (network,) if samples is None else tuple(samples.networks)
    if any(each.training for each in networks):
        raise ValueError("the network is in training mode; call eval() first")
    if unknown := set(outputs) - set(network.head_channels):
        raise ValueError(f"the network has no heads {sorted(unknown)}")
    return WindowAnswer(
        network=network,
        networks=networks,
        image=image,
        heads=(*outputs, *network.image_heads),
        device=device,
        normalise=normalise,
        between=between,
        samples=samples,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowAnswer:
    """Reads one window of the image and predicts it."""

    network: WindowedNetwork
    """in eval mode, on ``device``"""
    networks: Sequence[WindowedNetwork]
    """all that answer"""
    image: SliceableImage
    """(C, [Z,] Y, X)"""
    heads: tuple[str, ...]
    """those that are wanted"""
    device: torch.device
    """where the networks are"""
    normalise: Callable[[NDArray[Any]], NDArray[np.float32]] | None
    """applied to what is read"""
    between: Callable[[], None] | None
    """called before each answer; what it raises ends the prediction"""
    samples: Samples | None
    """several answers for each window; None of one"""

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
