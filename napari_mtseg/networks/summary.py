"""What a network consists of and needs: layers, parameters, memory."""

import math
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WORKSPACE = 1.5
"""Peak memory of a pass over the bytes of its live tensors (ours): what convolution
libraries take for reordered copies. Measured on a CPU: 1.0 to 1.2 in 2D, up to 1.44
in 3D"""

_WITHOUT_EFFECT = (nn.Identity, nn.Dropout, nn.Dropout2d, nn.Dropout3d)
"""layers that a table of those that predict leaves out"""


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer, in the order in which the layers run."""

    name: str
    """path inside the network, for example 'encoder.levels.0.0.conv'"""
    kind: str
    """class name, for example 'Conv2d'"""
    output_shape: tuple[int, ...]
    """(C, [Z,] Y, X) of one sample"""
    parameters: int
    """trainable numbers; 0 where a shared layer runs again"""


def layer_table(
    network: nn.Module, in_channels: int, size: Sequence[int]
) -> list[LayerRow]:
    """Return a row per layer that runs, for one image of ``size``.

    Parameters
    ----------
    network : torch.nn.Module
        Left as it was.
    in_channels : int
        Channels of the image.
    size : ([Z,] Y, X)
        Image size in pixels.

    Returns
    -------
    list of LayerRow
        The parameters of all rows sum to those of the network, but for layers that
        run while training only.
    """
    rows: list[LayerRow] = []
    leaves = [
        (name, module)
        for name, module in network.named_modules()
        if not list(module.children()) and not isinstance(module, _WITHOUT_EFFECT)
    ]
    seen: set[str] = set()

    def note(name: str, module: nn.Module, _: object, output: Tensor) -> None:
        count = sum(p.numel() for p in module.parameters()) if name not in seen else 0
        seen.add(name)
        shape = tuple(output.shape[1:])
        kind = type(module).__name__
        rows.append(
            LayerRow(name=name, kind=kind, output_shape=shape, parameters=count)
        )

    hooks = [m.register_forward_hook(partial(note, name)) for name, m in leaves]
    was_training = network.training
    device = next(network.parameters()).device
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, in_channels, *size, device=device))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return rows


def n_parameters(*modules: nn.Module | None) -> int:
    """Return the trainable numbers of modules; those that are None have none."""
    return sum(p.numel() for m in modules if m is not None for p in m.parameters())


def parameter_counts(network: nn.Module) -> dict[str, int]:
    """Return the ``"conv_weights"`` and the ``"total"`` of trainable parameters.

    ``"conv_weights"`` counts the weights of convolutions without their biases, as the
    tables of the papers do.
    """
    convolutions = (
        nn.Conv2d,
        nn.Conv3d,
        nn.ConvTranspose2d,
        nn.ConvTranspose3d,
    )
    weights = sum(
        module.weight.numel()
        for module in network.modules()
        if isinstance(module, convolutions)
    )
    return {
        "conv_weights": weights,
        "total": n_parameters(network),
    }


@torch.inference_mode()
def bytes_per_pixel(
    network: Callable[[Tensor], dict[str, Tensor]],
    in_channels: int,
    *,
    multiple: Sequence[int],
    device: torch.device,
) -> float:
    """Return the memory that prediction needs per pixel of a window, bytes.

    A small window is passed while the bytes of all live tensors are summed; the
    largest sum, times :data:`WORKSPACE`, is shared out over the pixels. All maps grow
    with the window, so the figure holds for large ones. Weights are not counted.

    Parameters
    ----------
    network
        In eval mode, on ``device``.
    in_channels : int
        Channels of the image.
    multiple : sequence of int
        Pooling grid of the network per axis, pixels.
    device : torch.device
        Where the network is.
    """
    size = tuple(2 * m if m > 1 else 4 for m in multiple)
    with _LiveBytes() as live:
        logits = network(torch.zeros(1, in_channels, *size, device=device))
        for name in tuple(logits):
            logits.pop(name).float().softmax(1)
    return float(WORKSPACE * live.peak / math.prod(size))


class _LiveBytes(TorchDispatchMode):
    """Sums the bytes of all tensors that are alive, and keeps the largest sum."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._live: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the operation and count what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        self.peak = max(self.peak, sum(self._live.values()))
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._live:
            self._live[key] = storage.nbytes()
            weakref.finalize(storage, self._live.pop, key, None)
