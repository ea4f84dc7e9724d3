"""Which device a training or prediction runs on, and whether its memory suffices."""

from typing import Literal

import psutil
import torch
from torch import Tensor, nn

from napari_mtseg.domain.errors import MemoryShortageError, SettingsError

Device = Literal["auto", "cpu", "cuda", "mps"]
DEVICES = ("auto", "cpu", "cuda", "mps")

TRAINING_COPIES = 2.5
"""bytes held for backward and its gradients, per byte of the forward activations
(measured on U-Nets, rounded up)"""

WEIGHT_COPIES = 5
"""weights, gradients, two Adam moments, running average"""


def best_device(wanted: str) -> torch.device:
    """Return the device to use.

    Raises
    ------
    SettingsError
        If the wanted device does not exist or is not on this machine.
    """
    if wanted not in DEVICES:
        raise SettingsError(
            f"Device '{wanted}' is not known. Choose one of: {', '.join(DEVICES)}."
        )
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": _has_mps()}
    if wanted == "auto":
        return torch.device(next(d for d in ("cuda", "mps", "cpu") if has[d]))
    if not has[wanted]:
        raise SettingsError(
            f"Device '{wanted}' was asked for but this machine has none that torch can "
            "use. Choose --device cpu or auto."
        )
    return torch.device(wanted)


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def training_bytes(
    network: nn.Module, *, n_channels: int, size: tuple[int, ...], batch_size: int
) -> int:
    """Estimate the memory of one training step.

    One patch is sent through a copy of the network without weights or values (torch's
    meta device) and the sizes of all results are added up.
    """
    activations = activation_bytes(network, n_channels=n_channels, size=size)
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    return int(activations * batch_size * TRAINING_COPIES + weights * WEIGHT_COPIES)


def activation_bytes(
    network: nn.Module, *, n_channels: int, size: tuple[int, ...]
) -> int:
    """Return the bytes that the layers' results take for one patch."""
    total = 0

    def count(_module: nn.Module, _inputs: object, result: object) -> None:
        nonlocal total
        if isinstance(result, Tensor):
            total += result.numel() * 4

    leaves = [m for m in network.modules() if not list(m.children())]
    hooks = [m.register_forward_hook(count) for m in leaves]
    was_training = network.training
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    empty = {name: t.detach().to("meta") for name, t in tensors.items()}
    try:
        network.eval()
        with torch.no_grad():
            torch.func.functional_call(
                network, empty, (torch.empty(1, n_channels, *size, device="meta"),)
            )
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return total


def fitting_batch_size(
    network: nn.Module,
    *,
    n_channels: int,
    size: tuple[int, ...],
    batch_size: int,
    free: int,
) -> int:
    """Return the largest batch size, by halving, whose step fits into ``free`` bytes.

    Raises
    ------
    MemoryShortageError
        If not even one patch fits.
    """
    fitting = batch_size
    while fitting > 1 and free < training_bytes(
        network, n_channels=n_channels, size=size, batch_size=fitting
    ):
        fitting //= 2
    needed = training_bytes(
        network, n_channels=n_channels, size=size, batch_size=fitting
    )
    if needed > free:
        raise MemoryShortageError(
            f"One training step needs about {gib(needed)} but {gib(free)} are free. "
            "Set a smaller patch or fewer base_channels, or close other programs."
        )
    return fitting


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that the device's memory is used up."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text
        or "not enough memory" in text
        or "out of memory" in text
    )


def gib(n_bytes: float) -> str:
    """Return a size for people, such as '1.5 GiB'."""
    return f"{n_bytes / 2**30:.1f} GiB"


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())
