from types import SimpleNamespace

import psutil
import pytest
import torch
from torch import nn

from napari_mtseg.domain.errors import MemoryShortageError, SettingsError
from napari_mtseg.workflows.devices import (
    TRAINING_COPIES,
    WEIGHT_COPIES,
    activation_bytes,
    best_device,
    free_memory,
    gib,
    is_out_of_memory,
    step_memory,
)

ONE = {"n_channels": 1, "size": (8, 8)}


@pytest.fixture
def network():
    """2 layers, 18 weights; an 8 x 8 patch gives 2 x 2 x 64 values."""
    layers = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.ReLU())
    layers.train()
    return layers


def has(monkeypatch, *, cuda, mps):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_fastest_device_there_is(monkeypatch, cuda, mps, expected):
    has(monkeypatch, cuda=cuda, mps=mps)
    assert best_device("auto").type == expected
    assert best_device("cpu").type == "cpu"


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(monkeypatch, wanted):
    has(monkeypatch, cuda=False, mps=False)
    with pytest.raises(SettingsError) as error:
        best_device(wanted)
    assert str(error.value) == (
        f"Device '{wanted}' was asked for but this machine has none that torch can "
        "use. Choose --device cpu or auto."
    )


def test_a_layer_holds_its_results_and_the_network_is_left_as_it_was(network):
    assert activation_bytes(network, **ONE) == 4 * (128 + 128)
    assert network.training
    assert all(len(layer._forward_hooks) == 0 for layer in network)


def test_a_step_needs_activations_per_patch_and_copies_of_the_weights(network):
    expected = 3 * 1024 * TRAINING_COPIES + 18 * 4 * WEIGHT_COPIES
    assert step_memory(network, **ONE).of(3) == int(expected)


def test_an_adversary_adds_copies_of_its_weights(network):
    alone, both = (
        step_memory(network, **ONE),
        step_memory(network, **ONE, adversary=nn.Conv2d(1, 3, 1, bias=False)),
    )
    assert both.of(2) - alone.of(2) == 3 * 4 * WEIGHT_COPIES


def test_a_network_without_values_needs_as_much(network):
    before = step_memory(network, **ONE)
    assert step_memory(network.to("meta"), **ONE) == before


def test_the_batch_is_halved_until_it_fits(network):
    step = step_memory(network, **ONE)
    three, six = (step.of(n) for n in (3, 6))
    assert step.fitting(12, free=three) == 3
    assert step.fitting(12, free=six - 1) == 3
    assert step.fitting(12, free=10**9) == 12


def test_a_patch_that_does_not_fit_is_refused_in_one_sentence(network):
    with pytest.raises(MemoryShortageError) as error:
        step_memory(network, n_channels=1, size=(512, 512)).fitting(4, free=2**20)
    assert str(error.value) == (
        "One training step needs about 10 MiB but 1 MiB are free. Set a smaller "
        "patch or fewer base_channels, or close other programs."
    )


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "1 MiB"), (180 * 2**20, "180 MiB"), (2**30, "1.0 GiB"), (1.96e9, "1.8 GiB")],
)
def test_sizes_are_told_in_the_unit_that_suits_them(n_bytes, text):
    assert gib(n_bytes) == text


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 8 bytes"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: 8 bytes"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error, expected):
    assert is_out_of_memory(error) == expected


def test_free_memory_of_a_cpu_is_that_of_the_machine(monkeypatch):
    memory = SimpleNamespace(available=3 * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert gib(free_memory(torch.device("cpu"))) == "3.0 GiB"
