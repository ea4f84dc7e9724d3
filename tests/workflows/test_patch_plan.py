"""How the batch of one or several processes is made to fit the memory."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_mtseg.domain.errors import MemoryShortageError, SettingsError
from napari_mtseg.methods.catalog import load_method, settings_model
from napari_mtseg.methods.protocol import Task
from napari_mtseg.workflows import patch_plan
from napari_mtseg.workflows.devices import StepMemory
from napari_mtseg.workflows.patch_plan import PatchPlan
from napari_mtseg.workflows.processes import Place
from tests.tiny_projects import TINY

CPU, GPU = torch.device("cpu"), torch.device("cuda")
GB = 10**9
ALONE = Place()


@pytest.fixture
def planned(monkeypatch):
    """Make the plan of one of several processes; a patch takes 1 GB."""

    def made(device, *, batch_size, free, place=ALONE, others=()):
        monkeypatch.setattr(patch_plan, "place", lambda: place)
        monkeypatch.setattr(patch_plan, "n_processes", lambda: place.n)
        monkeypatch.setattr(patch_plan, "all_say", lambda own: [own, *others])
        monkeypatch.setattr(patch_plan, "free_memory", lambda _: free)
        monkeypatch.setattr(
            patch_plan,
            "step_memory_of",
            lambda *_, **__: StepMemory(per_patch=GB, fixed=0),
        )
        task = Task(n_channels=1, n_classes=1, spacing=(1, 1))
        settings = settings_model("baseline").checked(
            {**TINY, "batch_size": batch_size}
        )
        images = [SimpleNamespace(pixels=np.zeros((1, 32, 32)))]
        learner = SimpleNamespace(device=device, size_multiple=(2, 2), network=None)
        method = load_method("baseline")(settings, task)
        return PatchPlan(method, SimpleNamespace(images=images), learner)

    return made


def test_a_lone_process_holds_the_whole_batch(planned):
    plan = planned(GPU, batch_size=8, free=4 * GB)
    assert "does not hold 8 patches at once" in plan.fit_to_memory()
    assert plan.batch_size == 4


def test_each_gpu_holds_its_share_of_the_batch_alone(planned):
    four = Place(0, 4, 0, 4)
    plan = planned(GPU, batch_size=8, free=2 * GB, place=four, others=[2, 2, 2])
    assert plan.fit_to_memory() is None
    assert plan.batch_size == 8


def test_the_smallest_gpu_decides_for_all(planned):
    two = Place(0, 2, 0, 2)
    plan = planned(GPU, batch_size=8, free=9 * GB, place=two, others=[1])
    assert "goes on with 2 patches per step" in plan.fit_to_memory()
    assert plan.batch_size == 2


def test_the_processes_of_a_machine_share_its_memory(planned):
    node = Place(0, 4, 0, 2)
    plan = planned(CPU, batch_size=16, free=4 * GB, place=node, others=[2, 2, 2])
    plan.fit_to_memory()
    assert plan.batch_size == 8


def test_what_one_process_cannot_hold_all_refuse(planned):
    two = Place(0, 2, 0, 2)
    why = "One training step needs about 2 GiB."
    plan = planned(GPU, batch_size=2, free=9 * GB, place=two, others=[why])
    with pytest.raises(MemoryShortageError, match=why):
        plan.fit_to_memory()
    plan = planned(CPU, batch_size=2, free=GB, place=two, others=[1])
    with pytest.raises(MemoryShortageError, match=r"needs about 1\.9 GiB"):
        plan.fit_to_memory()


def test_a_batch_that_cannot_be_shared_is_refused(planned):
    plan = planned(GPU, batch_size=6, free=GB, place=Place(0, 4, 0, 4))
    with pytest.raises(SettingsError, match="batch_size is 6 but 4 devices"):
        plan.fit_to_memory()
