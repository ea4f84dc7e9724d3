"""What learns: network, optimiser and running average, saved and restored as one."""

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_mtseg.batches.patches import PatchSampler
from napari_mtseg.methods.protocol import Method, stage_at
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.workflows.processes import (
    n_processes,
    n_processes_here,
    part_of_batch,
)

CHANNELS_LAST_UP_TO = 16
"""base channels up to which the channels-last layout is faster on a CPU (measured)"""

ADAM_KEYS = ("exp_avg", "exp_avg_sq", "step")


class Learner:
    """One network in training.

    Parameters
    ----------
    method : Method
        Makes the network and its losses.
    seed : int
        Of the initial weights.
    device : torch.device
        Where it learns; ignored where torchrun started several processes.
    total_steps : int
        Steps of the whole run.
    """

    def __init__(
        self, method: Method, *, seed: int, device: torch.device, total_steps: int
    ) -> None:
        from lightning_fabric import Fabric

        settings = method.settings
        self._method = method
        self._total_steps = total_steps
        self.fabric = Fabric(
            accelerator={"cuda": "gpu"}.get(device.type, device.type),
            devices=n_processes_here(),
            num_nodes=n_processes() // n_processes_here(),
            # Stages leave heads out of the loss whose turn has not come.
            strategy="ddp_find_unused_parameters_true" if n_processes() > 1 else "auto",
            precision=settings.precision,
        )
        if n_processes() > 1:
            self.fabric.launch()
        with seeded(seed):
            network: Any = method.network()
        self._layout = self._memory_layout()
        self.network: nn.Module = network.to(memory_format=self._layout)
        # Named as the network's own, so that a checkpoint needs no wrapper to be read.
        self._names = [name for name, _ in self.network.named_parameters()]
        optimizer = torch.optim.Adam(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        compiled: Any = network
        if settings.compile:
            compiled = torch.compile(network)
        self._model, self._optimizer = self.fabric.setup(compiled, optimizer)
        self._mean = deepcopy(self.network).eval() if settings.average > 0 else None
        self.n_steps = 0

    @property
    def device(self) -> torch.device:
        """Where it learns."""
        return self.fabric.device

    @property
    def size_multiple(self) -> tuple[int, ...]:
        """Pooling grid of the network in pixels per axis."""
        network: Any = self.network
        multiple: tuple[int, ...] = network.size_multiple
        return multiple

    @property
    def mean_network(self) -> nn.Module:
        """The network that predicts: its weights are the running average."""
        return self.network if self._mean is None else self._mean

    def step(self, sampler: PatchSampler, rng: np.random.Generator) -> dict[str, float]:
        """Take one optimiser step and return the loss terms with their total."""
        progress = self.n_steps / self._total_steps
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate(progress)
        self.network.train()
        batch = sampler.draw(
            rng,
            device=self.device,
            layout=self._layout,
            part=part_of_batch(sampler.batch_size),
        )
        terms = self._method.losses(self._model, batch, progress)
        total = torch.stack(list(terms.values())).sum()
        self._optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        self._optimizer.step()
        self.n_steps += 1
        self._update_mean()
        shown = {name: t.detach() for name, t in {**terms, "total": total}.items()}
        if n_processes() > 1:
            means: Any = self.fabric.all_reduce(shown, reduce_op="mean")
            shown = means
        return {name: float(value) for name, value in shown.items()}

    def wait_for_all(self) -> None:
        """Wait until every process has come here; at once where there is one."""
        self.fabric.barrier()

    def lead_says(self, value: int) -> int:
        """Return the lead's value in every process."""
        return value if n_processes() == 1 else int(self.fabric.broadcast(value))

    def weights(self) -> dict[str, Tensor]:
        """Return the weights that predict."""
        return dict(self.mean_network.state_dict())

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Start from weights of the same network.

        Raises
        ------
        RuntimeError
            If a weight is missing, of another shape, or none of the network's.
        """
        self.network.load_state_dict(weights)
        if self._mean is not None:
            self._mean.load_state_dict(weights)

    def load_some_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Start from weights of a part of the network; the others stay as drawn."""
        self.load_weights({**self.network.state_dict(), **weights})

    def tensors(self) -> dict[str, Tensor]:
        """Return all that a resumed run needs, by name."""
        found = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        if self._mean is not None:
            found |= {f"mean.{k}": v for k, v in self._mean.state_dict().items()}
        for name, parameter in zip(self._names, self.network.parameters(), strict=True):
            for key, value in self._optimizer.state.get(parameter, {}).items():
                found[f"adam.{key}.{name}"] = value
        return found

    def restore(self, tensors: dict[str, Tensor], n_steps: int) -> None:
        """Go on from what :meth:`tensors` returned."""
        self.network.load_state_dict(_below("network.", tensors))
        if self._mean is not None:
            self._mean.load_state_dict(_below("mean.", tensors))
        moments = {key: _below(f"adam.{key}.", tensors) for key in ADAM_KEYS}
        state = {
            index: {key: moments[key][name] for key in ADAM_KEYS}
            for index, name in enumerate(self._names)
            if name in moments["step"]
        }
        saved: dict[str, Any] = self._optimizer.state_dict()
        self._optimizer.load_state_dict({**saved, "state": state})
        self.n_steps = n_steps

    def _learning_rate(self, progress: float) -> float:
        settings, stages = self._method.settings, self._method.stages()
        rate = settings.learning_rate * stages[stage_at(stages, progress)].learning_rate
        if settings.schedule == "constant":
            return rate
        return rate * (1 + math.cos(math.pi * progress)) / 2

    def _memory_layout(self) -> torch.memory_format:
        small = self._method.settings.base_channels <= CHANNELS_LAST_UP_TO
        on_gpu = self.fabric.device.type == "cuda"
        if self._method.task.ndim == 3:
            return torch.contiguous_format
        return torch.channels_last if small or on_gpu else torch.contiguous_format

    @torch.no_grad()
    def _update_mean(self) -> None:
        if self._mean is None:
            return
        # Early on the average follows quickly, else the random start would linger.
        decay = min(self._method.settings.average, self.n_steps / (self.n_steps + 9))
        mean = self._mean.state_dict()
        for name, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                mean[name].lerp_(value, 1 - decay)
            else:
                mean[name].copy_(value)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): t
        for name, t in tensors.items()
        if name.startswith(prefix)
    }
