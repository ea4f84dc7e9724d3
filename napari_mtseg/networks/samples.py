"""Several answers for one input: passes with dropout, or several networks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.dropout import active_dropouts
from napari_mtseg.networks.repeated_passes import RepeatedPasses
from napari_mtseg.networks.windowed_network import WindowedNetwork

EXPECTED_ENTROPY = "expected_entropy"
"""Name of the map of the mean entropy of the answers, nats"""

VARIANCE = "variance"
"""Name of the map of the mean over classes of the variance of their probability"""


class Samples(Protocol):
    """Answers of networks that doubt shows in: where they differ, nobody knows."""

    @property
    def n(self) -> int:
        """Answers for each input."""
        ...

    @property
    def description(self) -> str:
        """Where the answers come from, in words."""
        ...

    @property
    def networks(self) -> Sequence[WindowedNetwork]:
        """The networks that answer."""
        ...

    def __call__(self, x: Tensor, /) -> Iterator[dict[str, Tensor]]:
        """Return logits by head ``n`` times; each is computed when it is asked for.

        The dicts are the caller's, the tensors must not be changed in place.
        """
        ...


class MonteCarloDropout:
    """Passes of one network that each drop other maps.

    Only dropout modules are in training mode during a pass: batch norm and all else
    predict. What a pass draws depends on the seed and the number of the pass alone, so
    that a dropout of whole maps drops the same maps in every window of an image; one
    of single pixels, or of the planes of a volume one by one, does not. What lies
    before the first dropout is computed once per input.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode, with dropout; stays as it is.
    n_passes : int
        Answers per input, 1 or more.
    seed : int
        Equal seeds give equal answers on one device, 0 or more.

    Raises
    ------
    ValueError
        If the network has no dropout or is in training mode, or there is no pass.

    References
    ----------
    .. [1] Y. Gal and Z. Ghahramani, "Dropout as a Bayesian approximation: representing
       model uncertainty in deep learning", ICML 2016. One sub-network for all windows
       of an image is ours.
    """

    def __init__(self, network: Any, *, n_passes: int, seed: int) -> None:
        self._dropouts = active_dropouts(network)
        if not self._dropouts:
            raise ValueError("the network has no dropout")
        if network.training:
            raise ValueError("the network is in training mode; call eval() first")
        if n_passes < 1:
            raise ValueError(f"n_passes must be 1 or more, not {n_passes}")
        self._network: nn.Module = network
        self._seeds = [seed_of_pass(seed, number) for number in range(n_passes)]
        self._copied: set[int] = set()

    @property
    def n(self) -> int:
        """Passes for each input."""
        return len(self._seeds)

    @property
    def description(self) -> str:
        """Where the answers come from, for example '20 passes with dropout'."""
        return f"{self.n} {'pass' if self.n == 1 else 'passes'} with dropout"

    @property
    def networks(self) -> tuple[WindowedNetwork]:
        """The one network that answers."""
        return (cast("WindowedNetwork", self._network),)

    def __call__(self, x: Tensor, /) -> Iterator[dict[str, Tensor]]:
        """Return logits by head, pass by pass, for ``x`` ``(N, C, [Z,] Y, X)``."""
        passes = RepeatedPasses(self._network, x, self._dropouts, copied=self._copied)
        for seed in self._seeds:
            with (
                torch.inference_mode(mode=False),  # tensors there hide their changes
                torch.no_grad(),
                seeded(seed, x.device),
                _in_training(self._dropouts),
            ):
                answer = passes()
            yield answer


class Ensemble:
    """Networks that were trained apart, or at several moments of one training.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        In eval mode on one device, with equal heads; all else may differ.

    Raises
    ------
    ValueError
        If there is none, one is in training mode, or their heads differ.

    References
    ----------
    .. [1] B. Lakshminarayanan et al., "Simple and scalable predictive uncertainty
       estimation using deep ensembles", NeurIPS 2017. Several checkpoints of one
       training are ours: they differ less than networks trained apart.
    """

    def __init__(self, networks: Sequence[Any]) -> None:
        self._networks: tuple[WindowedNetwork, ...] = tuple(networks)
        if not self._networks:
            raise ValueError("an ensemble needs at least one network")
        if any(network.training for network in self._networks):
            raise ValueError("a network is in training mode; call eval() first")
        first, *others = map(_heads, self._networks)
        if any(other != first for other in others):
            raise ValueError("the networks of an ensemble have different heads")

    @property
    def n(self) -> int:
        """Networks."""
        return len(self._networks)

    @property
    def description(self) -> str:
        """Where the answers come from, for example 'ensemble of 3'."""
        return f"ensemble of {self.n}"

    @property
    def networks(self) -> tuple[WindowedNetwork, ...]:
        """The networks that answer, in their order."""
        return self._networks

    def __call__(self, x: Tensor, /) -> Iterator[dict[str, Tensor]]:
        """Return logits by head, network by network, for ``(N, C, [Z,] Y, X)``."""
        for network in self._networks:
            with torch.no_grad():
                answer = network(x)
            yield answer


def seed_of_pass(seed: int, number: int) -> int:
    """Return what torch's generator is seeded with for a pass, counted from 0.

    Passes whose seed or number differs draw independently.
    """
    drawn = np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)
    return int(drawn[0] >> np.uint64(1))


@contextmanager
def _in_training(modules: Sequence[nn.Module]) -> Iterator[None]:
    try:
        for module in modules:
            module.train()
        yield
    finally:
        for module in modules:
            module.eval()


def _heads(
    network: WindowedNetwork,
) -> tuple[dict[str, int], dict[str, int], dict[str, str]]:
    return (
        dict(network.head_channels),
        dict(network.image_heads),
        dict(network.activations),
    )
