"""Which device a training or prediction runs on, and whether its memory suffices."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from napari_mtseg.domain.errors import MemoryShortageError, SettingsError
from napari_mtseg.storage.main_memory import free_main_memory

Device = Literal["auto", "cpu", "cuda", "mps"]
DEVICES = ("auto", "cpu", "cuda", "mps")

TRAINING_COPIES = 2.5
"""bytes held for backward and its gradients, per byte of the forward activations
(measured on U-Nets, rounded up)"""

SMALLEST_IN_GIB = 0.95 * 2**30
"""bytes below which sizes are told in MiB"""

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
    return free_main_memory()


@dataclass(frozen=True, kw_only=True)
class StepMemory:
    """What a training step needs, estimated from shapes alone."""

    per_patch: float
    """bytes for each patch of the batch"""
    fixed: float
    """bytes for weights and what belongs to them"""

    def of(self, batch_size: int) -> int:
        """Return the bytes of a step with a batch of ``batch_size`` patches."""
        return int(self.per_patch * batch_size + self.fixed)

    def fitting(self, batch_size: int, *, free: int) -> int:
        """Return the largest batch size, by halving, whose step fits into ``free``.

        Raises
        ------
        MemoryShortageError
            If not even one patch fits.
        """
        fitting = batch_size
        while fitting > 1 and self.of(fitting) > free:
            fitting //= 2
        if self.of(fitting) > free:
            raise MemoryShortageError(
                f"One training step needs about {gib(self.of(fitting))} but "
                f"{gib(free)} are free. Set a smaller patch or fewer base_channels, or "
                "close other programs."
            )
        return fitting


def step_memory(
    network: nn.Module,
    *,
    n_channels: int,
    size: tuple[int, ...],
    adversary: nn.Module | None = None,
) -> StepMemory:
    """Estimate the memory of one training step.

    One patch is sent through a copy of the network without weights or values (torch's
    meta device) and the sizes of all results are added up.

    Parameters
    ----------
    network : Module
        What learns; may lie on the meta device itself.
    n_channels : int
        Channels of the image.
    size : ([Z,] Y, X)
        Patch size in pixels.
    adversary : Module, optional
        Learns against the network; its weights count, its smaller maps do not.
    """
    activations = activation_bytes(network, n_channels=n_channels, size=size)
    parameters = [*network.parameters(), *(adversary.parameters() if adversary else ())]
    weights = sum(p.numel() * p.element_size() for p in parameters)
    return StepMemory(
        per_patch=activations * TRAINING_COPIES, fixed=weights * WEIGHT_COPIES
    )


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
    """Return a size for people, such as '1.5 GiB' or '180 MiB'; at least 1 MiB."""
    if n_bytes < SMALLEST_IN_GIB:
        return f"{max(n_bytes / 2**20, 1):.0f} MiB"
    return f"{n_bytes / 2**30:.1f} GiB"


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())
