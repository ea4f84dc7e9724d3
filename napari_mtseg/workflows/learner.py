"""What learns: network, adversary, optimisers and running average, saved as one."""

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_mtseg.batches.patches import PatchSampler
from napari_mtseg.domain.training_settings import TrainingSettings
from napari_mtseg.methods.protocol import Companions, Method, stage_at
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.workflows.process_group import (
    LaunchedProcesses,
    lead_says,
    n_devices_here,
    open_group,
)
from napari_mtseg.workflows.processes import n_processes, part_of_batch, rank
from napari_mtseg.workflows.shared_batch import (
    RepeatedNetwork,
    SharedNetwork,
    share_layers,
    whole_batch,
)

CHANNELS_LAST_UP_TO = 16
"""base channels up to which the channels-last layout is faster on a CPU (measured)"""

ADVERSARY = "adversary"
"""what the names of the adversary's tensors begin with in a checkpoint"""


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
            devices=n_devices_here(device),
            num_nodes=n_processes() // n_devices_here(device),
            # Stages leave heads out of the loss whose turn has not come.
            strategy="ddp_find_unused_parameters_true" if n_processes() > 1 else "auto",
            plugins=[LaunchedProcesses(device)],
            precision=settings.precision,
        )
        if n_processes() > 1:
            open_group()
            self.fabric.launch()
        self._seed = seed
        with seeded(seed):
            network: Any = method.network()
            adversary = method.adversary()
        self._layout = self._memory_layout()
        self.network: nn.Module = network.to(memory_format=self._layout)
        if n_processes() > 1:
            share_layers(self.network)
        compiled: Any = network
        if settings.compile:
            compiled = torch.compile(network)
        self._model, self._optimizer = self.fabric.setup(
            compiled, _optimizer(settings, self.network)
        )
        self._adversary = None if adversary is None else adversary.network
        self._opponent: Any = None
        if adversary is not None:
            self._opponent, self._opponent_optimizer = self.fabric.setup(
                adversary.network,
                torch.optim.Adam(
                    adversary.network.parameters(),
                    lr=adversary.learning_rate,
                    betas=adversary.betas,
                ),
            )
        if n_processes() > 1:
            self._model = SharedNetwork(self._model, n=n_processes(), rank=rank())
            if self._opponent is not None:
                self._opponent = RepeatedNetwork(self._opponent, n=n_processes())
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
        self._model.train()
        batch = sampler.draw(
            rng,
            device=self.device,
            layout=self._layout,
            part=part_of_batch(sampler.batch_size),
        )
        if n_processes() > 1:
            batch = whole_batch(batch)
        with seeded(self._seed_of_step(), self.device):
            terms = self._method.losses(
                self._model, batch, progress, self._companions(rng)
            )
            total = torch.stack(list(terms.values())).sum()
            self._optimizer.zero_grad(set_to_none=True)
            if self._opponent is not None:
                self._opponent_optimizer.zero_grad(set_to_none=True)
            # Each process has the gradient of its part, and they become their mean.
            self.fabric.backward(total * n_processes())
        self._optimizer.step()
        if self._opponent is not None:
            self._opponent_optimizer.step()
        self.n_steps += 1
        self._update_mean()
        return {name: t.item() for name, t in {**terms, "total": total}.items()}

    def wait_for_all(self) -> None:
        """Wait until every process has come here; at once where there is one."""
        self.fabric.barrier()

    def lead_says(self, value: int) -> int:
        """Return the lead's value in every process."""
        return lead_says(value)

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
        kind = self._method.settings.optimizer
        found |= _moments(kind, self._optimizer, self.network)
        if self._adversary is not None:
            weights = self._adversary.state_dict()
            found |= {f"{ADVERSARY}.{k}": v for k, v in weights.items()}
            found |= _moments(
                f"{ADVERSARY}_adam", self._opponent_optimizer, self._adversary
            )
        return found

    def restore(self, tensors: dict[str, Tensor], n_steps: int) -> None:
        """Go on from what :meth:`tensors` returned."""
        self.network.load_state_dict(_below("network.", tensors))
        if self._mean is not None:
            self._mean.load_state_dict(_below("mean.", tensors))
        kind = self._method.settings.optimizer
        _restore_moments(kind, self._optimizer, self.network, tensors)
        if self._adversary is not None:
            self._adversary.load_state_dict(_below(f"{ADVERSARY}.", tensors))
            _restore_moments(
                f"{ADVERSARY}_adam", self._opponent_optimizer, self._adversary, tensors
            )
        self.n_steps = n_steps

    def _companions(self, rng: np.random.Generator) -> Companions:
        return Companions(
            average=self._mean,
            adversary=self._opponent,
            judge=None if self._adversary is None else self._judged,
            rng=rng,
        )

    def _judged(self, *inputs: Tensor) -> Tensor:
        """Return what the adversary says, with gradients for its inputs alone."""
        adversary: Any = self._adversary
        fixed = {name: p.detach() for name, p in adversary.named_parameters()}
        adversary.eval()
        try:
            return torch.func.functional_call(adversary, fixed, inputs)
        finally:
            adversary.train()

    def _seed_of_step(self) -> int:
        """Return what dropout is drawn from, the same in every process."""
        sequence = np.random.SeedSequence([self._seed, self.n_steps])
        return int(sequence.generate_state(1)[0])

    def _learning_rate(self, progress: float) -> float:
        settings, stages = self._method.settings, self._method.stages()
        rate = settings.learning_rate * stages[stage_at(stages, progress)].learning_rate
        if settings.schedule == "cosine":
            return rate * (1 + math.cos(math.pi * progress)) / 2
        if settings.schedule == "stepped":
            return rate * 0.1 ** math.floor(progress * 12 / 5)
        return rate

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


def _optimizer(settings: TrainingSettings, network: nn.Module) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
    return torch.optim.Adam(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )


def _moments(prefix: str, optimizer: Any, network: nn.Module) -> dict[str, Tensor]:
    """Return what an optimiser keeps of each weight, under the network's own names.

    So a checkpoint needs no wrapper to be read.
    """
    return {
        f"{prefix}.{key}.{name}": value
        for name, parameter in network.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def _restore_moments(
    prefix: str, optimizer: Any, network: nn.Module, tensors: dict[str, Tensor]
) -> None:
    moments: dict[str, dict[str, Tensor]] = {}
    for full_name, value in _below(f"{prefix}.", tensors).items():
        key, name = full_name.split(".", 1)
        moments.setdefault(name, {})[key] = value
    state = {
        index: moments[name]
        for index, (name, _) in enumerate(network.named_parameters())
        if name in moments
    }
    saved: dict[str, Any] = optimizer.state_dict()
    optimizer.load_state_dict({**saved, "state": state})
