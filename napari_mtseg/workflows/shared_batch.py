"""A batch that several processes share, so that they learn what one would.

Each process sends its part through the network and gets the answers for all parts, so
that every loss is that of the whole batch: sums over known pixels, overlaps and the
choice of rare classes are no means of means. Gradients flow through the own part alone;
their sum over the processes is that of the whole batch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, distributed, nn

from napari_mtseg.batches.batch import Batch


def whole_batch(part: Batch) -> Batch:
    """Return the batch whose parts the processes have, in their order."""
    return replace(
        part,
        image=_joined(part.image),
        targets={name: _joined(t) for name, t in part.targets.items()},
        magnification=_joined(part.magnification),
        facts={name: _joined(t) for name, t in part.facts.items()},
    )


class SharedNetwork(nn.Module):
    """A network whose work on a batch the processes share.

    Parameters
    ----------
    network : torch.nn.Module
        Set up by Fabric, so that gradients become the mean of all processes'.
    n, rank : int
        Processes, and the number of this one.
    """

    def __init__(self, network: nn.Module, *, n: int, rank: int) -> None:
        super().__init__()
        self.network = network
        self._n = n
        self._rank = rank
        self._dropouts = [m for m in network.modules() if isinstance(m, _SHARED_DROPS)]

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the answers for the whole batch ``(N, C, [Z,] Y, X)`` by head.

        Without gradients, and where it cannot be shared evenly, each process does all.
        """
        answers: dict[str, Tensor]
        if not torch.is_grad_enabled():
            answers = self.network(x)
            return answers
        if len(x) % self._n:
            answers = self.network(x)
            return {k: _with_share_of_gradient(t, self._n) for k, t in answers.items()}
        share = len(x) // self._n
        own = slice(self._rank * share, (self._rank + 1) * share)
        with dropping_of(self._dropouts, len(x), own):
            answers = self.network(x[own])
        return {k: _joined(t, own=self._rank) for k, t in answers.items()}


class RepeatedNetwork(nn.Module):
    """A network that every process sends the whole batch through.

    Parameters
    ----------
    network : torch.nn.Module
        Set up by Fabric, so that gradients become the mean of all processes'.
    n : int
        Processes.
    """

    def __init__(self, network: nn.Module, *, n: int) -> None:
        super().__init__()
        self.network = network
        self._n = n

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return its answer; the gradients of all processes add up to one of them."""
        return _with_share_of_gradient(self.network(*inputs), self._n)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm of images over the parts of all processes."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N, C, Y, X)``; in training by mean and variance of all."""
        return _normalised(self, x) if self.training else super().forward(x)


class SharedBatchNorm3d(nn.BatchNorm3d):
    """Batch norm of volumes over the parts of all processes."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N, C, Z, Y, X)``; in training by mean and variance of all."""
        return _normalised(self, x) if self.training else super().forward(x)


class SharedDropout(nn.Dropout):
    """Dropout of values that draws for the parts of all processes."""

    share: tuple[int, slice] | None = None
    """samples of the whole batch, and which are here; None where all are"""

    def forward(self, x: Tensor) -> Tensor:
        """Drop of ``(N, ...)`` what one process would have dropped."""
        return _dropped(self, x, super().forward, x.shape[1:])


class SharedDropout2d(nn.Dropout2d):
    """Dropout of maps that draws for the parts of all processes."""

    share: tuple[int, slice] | None = None
    """samples of the whole batch, and which are here; None where all are"""

    def forward(self, x: Tensor) -> Tensor:
        """Drop of ``(N, C, Y, X)`` what one process would have dropped."""
        return _dropped(self, x, super().forward, (x.shape[1], 1, 1))


class SharedDropout3d(nn.Dropout3d):
    """The same of volumes."""

    share: tuple[int, slice] | None = None
    """samples of the whole batch, and which are here; None where all are"""

    def forward(self, x: Tensor) -> Tensor:
        """Drop of ``(N, C, Z, Y, X)`` what one process would have dropped."""
        return _dropped(self, x, super().forward, (x.shape[1], 1, 1, 1))


_SHARED_DROPS = (SharedDropout, SharedDropout2d, SharedDropout3d)

_SHARED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm2d: SharedBatchNorm2d,
    nn.BatchNorm3d: SharedBatchNorm3d,
    nn.Dropout: SharedDropout,
    nn.Dropout2d: SharedDropout2d,
    nn.Dropout3d: SharedDropout3d,
}


def share_layers(network: nn.Module) -> None:
    """Let the batch norms and dropouts of a network act on the whole batch.

    torch's own batch norm for several processes needs GPUs. Only the class changes:
    weights keep their names, and copies that predict are prepared as ever.
    """
    for module in network.modules():
        if type(module) in _SHARED:
            module.__class__ = _SHARED[type(module)]


@contextmanager
def dropping_of(dropouts: Sequence[nn.Module], n: int, own: slice) -> Iterator[None]:
    """Let shared dropouts draw for ``n`` samples, of which ``own`` are here."""
    try:
        for module in dropouts:
            module.share = n, own  # type: ignore[assignment]
        yield
    finally:
        for module in dropouts:
            del module.share


def _dropped(
    module: Any, x: Tensor, drop: Callable[[Tensor], Tensor], shape: Sequence[int]
) -> Tensor:
    if module.share is None or not module.training:
        return drop(x)
    n, own = module.share
    return x * drop(x.new_ones((n, *shape)))[own]


class _MeanOfAll(torch.autograd.Function):
    """The mean over all processes; its gradient is the mean of theirs."""

    @staticmethod
    def forward(_context: Any, own: Tensor) -> Tensor:
        """Return the mean of what the processes have."""
        total = own.clone()
        distributed.all_reduce(total)
        return total / distributed.get_world_size()

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        """Return the mean of the gradients that the processes have."""
        return _MeanOfAll.forward(None, gradients[0])


def _mean_of_all(own: Tensor) -> Tensor:
    apply: Any = _MeanOfAll.apply
    mean: Tensor = apply(own)
    return mean


def _normalised(norm: Any, x: Tensor) -> Tensor:
    axes = (0, *range(2, x.dim()))
    per_channel = (1, -1, *[1] * (x.dim() - 2))
    n = distributed.get_world_size()
    values = x.to(torch.promote_types(x.dtype, torch.float32))
    mean = _mean_of_all(values.mean(axes))
    centred = values - mean.view(per_channel)
    variance = _mean_of_all(centred.square().mean(axes))
    count = n * x.numel() // x.shape[1]
    with torch.no_grad():
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * count / max(count - 1, 1), norm.momentum)
        norm.num_batches_tracked += 1
    found = centred * (variance + norm.eps).rsqrt().view(per_channel)
    if norm.affine:
        found = found * norm.weight.view(per_channel) + norm.bias.view(per_channel)
    return found.to(x.dtype)


def _joined(t: Tensor, *, own: int | None = None) -> Tensor:
    """Return the parts of all processes in their order; ``own`` keeps its gradient."""
    # Class codes travel as bytes: int64 would take eight times as long.
    codes = t.dtype == torch.int64 and t.dim() > 2
    sent = (t.to(torch.uint8) if codes else t.detach()).contiguous()
    parts = [torch.empty_like(sent) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, sent)
    if codes:
        parts = [part.long() for part in parts]
    if own is not None:
        parts[own] = t
    return torch.cat(parts)


def _with_share_of_gradient(t: Tensor, n: int) -> Tensor:
    """Return the same values; gradients arrive divided by ``n``."""
    return t / n + t.detach() * ((n - 1) / n)
