"""What a training will take, told before it starts."""

from types import SimpleNamespace

import psutil
import pytest
import torch

from napari_mtseg.domain.annotation import Box
from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.methods.catalog import CATALOG, load_method, settings_of
from napari_mtseg.methods.protocol import Task
from napari_mtseg.workflows import memory_estimate
from napari_mtseg.workflows.data_memory import (
    DataMemory,
    Footprint,
    check_validation_memory,
    data_memory,
)
from napari_mtseg.workflows.devices import StepMemory
from napari_mtseg.workflows.memory_estimate import MemoryEstimates, memory_sentence

CPU = torch.device("cpu")
GIB = 2**30


def footprint(name, shape, *, painted=True):
    entry = SimpleNamespace(id=name, name=f"{name}.tif", spatial_shape=shape)
    return Footprint(entry=entry, is_painted=painted)


def free(monkeypatch, n_bytes):
    memory = SimpleNamespace(available=int(n_bytes))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)


def method(key="baseline", *, ndim=2, **values):
    settings = settings_of(key, preset_name="fast", ndim=ndim, values=values)
    task = Task(n_channels=1, n_classes=2, spacing=(1.0,) * ndim, n_scenes=2)
    return load_method(key)(settings, task)


DATA = DataMemory(n_images=12, from_disk=frozenset(), held=2**29, free=12 * GIB)


@pytest.mark.parametrize(
    ("from_disk", "n_images", "end"),
    [
        ((), 12, "12.0 GiB of memory that are free."),
        ("abc", 12, "are free; 3 of them are read from disk, patch by patch."),
        ("a", 12, "are free; 1 of them is read from disk, patch by patch."),
        ("ab", 2, "are free; all are read from disk, patch by patch."),
        ("a", 1, "are free; it is read from disk, patch by patch."),
    ],
)
def test_one_sentence_tells_what_is_needed_and_what_is_free(from_disk, n_images, end):
    data = DataMemory(
        n_images=n_images, from_disk=frozenset(from_disk), held=2**29, free=12 * GIB
    )
    sentence = memory_sentence(3 * GIB // 2, data, batch_size=8)
    images = "1 image" if n_images == 1 else f"{n_images} images"
    assert sentence.startswith(
        f"A step with 8 patches takes about 1.5 GiB and {images} with their labels "
        "512 MiB, of 12.0 GiB of memory that are free"
    )
    assert sentence.endswith(end)


def test_a_gpu_has_its_own_memory():
    sentence = memory_sentence(GIB, DATA, batch_size=1, free_on_gpu=70 * GIB)
    assert sentence == (
        "A step with 1 patch takes about 1.0 GiB of 70.0 GiB that are free on the GPU, "
        "and 12 images with their labels 512 MiB, of 12.0 GiB of memory that are free."
    )


def test_unpainted_images_take_their_pixels_only(monkeypatch):
    free(monkeypatch, 2**40)
    images = [footprint("a", (10, 10)), footprint("b", (10, 20), painted=False)]
    assert data_memory(images, n_channels=2).held == 300 * 8 + 100 * 24


def test_the_largest_images_are_read_from_disk_until_the_rest_fits(monkeypatch):
    images = [
        footprint(name, (10, n), painted=False)
        for name, n in zip("abc", (1, 3, 2), strict=True)
    ]
    free(monkeypatch, 4 * 4 * 30)
    assert data_memory(images, n_channels=1).from_disk == {"b"}
    free(monkeypatch, 4 * 4 * 60)
    assert data_memory(images, n_channels=1).from_disk == frozenset()


@pytest.mark.parametrize("key", CATALOG)
@pytest.mark.parametrize("ndim", [2, 3])
def test_every_method_is_estimated_without_weights(key, ndim, monkeypatch):
    free(monkeypatch, 2**50)
    images = [footprint("a", (20, 300, 300)[-ndim:])]
    made = method(key, ndim=ndim)
    before = torch.random.get_rng_state()
    (sentence,) = MemoryEstimates().sentences(made, images, device=CPU)
    assert sentence.startswith("A step with ")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_same_question_is_answered_without_a_network(monkeypatch):
    free(monkeypatch, 2**40)
    built = []
    really = memory_estimate.step_memory_of

    def counted(*args, **values):
        built.append(1)
        return really(*args, **values)

    monkeypatch.setattr(memory_estimate, "step_memory_of", counted)
    estimates, images = MemoryEstimates(), [footprint("a", (64, 64))]
    for _ in range(3):
        estimates.sentences(method(), images, device=CPU)
    assert len(built) == 1
    estimates.sentences(method(patch=64), images, device=CPU)
    estimates.sentences(method(patch=64), [footprint("a", (32, 32))], device=CPU)
    assert len(built) == 3


def test_a_batch_that_does_not_fit_is_told_with_the_one_that_does(monkeypatch):
    step = StepMemory(per_patch=GIB, fixed=0)
    monkeypatch.setattr(memory_estimate, "step_memory_of", lambda *_, **__: step)
    free(monkeypatch, 5 * GIB)
    images = [footprint("a", (8, 8))]
    told = MemoryEstimates().sentences(method(batch_size=8), images, device=CPU)
    assert told == (
        "A step with 4 patches takes about 4.0 GiB and 1 image with their labels "
        "1 MiB, of 5.0 GiB of memory that are free.",
        "The memory does not hold 8 patches at once: training goes on with 4 patches "
        "per step.",
    )
    free(monkeypatch, GIB / 2)
    with pytest.raises(MemoryShortageError, match="One training step needs about"):
        MemoryEstimates().sentences(method(batch_size=8), images, device=CPU)


@pytest.mark.parametrize(
    ("box", "way_out"),
    [
        (
            None,
            "Of 'a.tif' all pixels are used, since all of it is complete or every "
            "object marked: mark boxes as complete instead.",
        ),
        (
            Box(start=(0, 0), stop=(10000, 10000)),
            "Paint on 'a.tif' that lies close together reaches over 10000 x 10000 "
            "pixels, all of which are used: erase parts of long strokes, so that what "
            "is left lies far apart.",
        ),
    ],
)
def test_validation_images_that_do_not_fit_are_told_with_the_way_out(
    monkeypatch, box, way_out
):
    free(monkeypatch, GIB)
    entry = footprint("a", (10000, 20000)).entry
    images = [Footprint(entry=entry, is_painted=True, box=box)]
    with pytest.raises(MemoryShortageError) as raised:
        check_validation_memory(images, n_classes=1)
    needed = 33 * 100_000_000 * (1 if box else 2) / GIB
    assert str(raised.value) == (
        f"To validate needs about {needed:.1f} GiB of memory but 1.0 GiB are free. "
        f"{way_out}"
    )


def test_one_validation_image_is_predicted_at_a_time(monkeypatch):
    images = [footprint("a", (10, 10)), footprint("b", (10, 20))]
    free(monkeypatch, 300 * 9 + 200 * (18 + 2 * 6))
    check_validation_memory(images, n_classes=2)
    free(monkeypatch, 300 * 9 + 200 * (18 + 2 * 6) - 1)
    with pytest.raises(MemoryShortageError):
        check_validation_memory(images, n_classes=2)
    unpainted = [footprint("a", (10, 10), painted=False)]
    check_validation_memory(unpainted, n_classes=2)
