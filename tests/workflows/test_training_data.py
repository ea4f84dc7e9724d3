"""Training images in memory or on disk: the same numbers, and only what is needed."""

from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import tifffile
import torch

from napari_mtseg.batches import normalisation
from napari_mtseg.batches.patches import PatchSampler
from napari_mtseg.batches.warp import Augmentation
from napari_mtseg.domain.annotation import empty_annotation
from napari_mtseg.domain.errors import ImageError
from napari_mtseg.methods.catalog import load_method, settings_model
from napari_mtseg.storage.project import Project
from napari_mtseg.storage.snapshot import load_snapshot
from napari_mtseg.workflows import data_memory as data_memory_module
from napari_mtseg.workflows import training_data
from napari_mtseg.workflows.network_input import NormalisedPixels, normalised_pixels_of
from napari_mtseg.workflows.runs import start_run, task_of
from napari_mtseg.workflows.train import train
from napari_mtseg.workflows.training_data import load_training_data, with_objects
from tests.tiny_projects import TINY, annotated, disc_image, disc_project

SETTINGS = {**TINY, "steps": 3}


def method_for(project, name="baseline", **values):
    usual = SETTINGS if name == "baseline" else TINY
    settings = settings_model(name).checked({**usual, **values})
    return load_method(name)(settings, task_of(project, project.images))


def loaded(project, run, name="baseline", **values):
    snapshot = load_snapshot(project, run.snapshot_file)
    method = method_for(project, name, **values)
    return load_training_data(project, snapshot, method, run)


def all_on_disk(monkeypatch):
    monkeypatch.setattr(data_memory_module, "HELD_SHARE", 0.0)


def drawn(data, *, ndim):
    sampler = PatchSampler(
        data.patches(0),
        size=(4, 16, 16)[-ndim:],
        batch_size=6,
        known_share=0.5,
        augmentation=Augmentation(),
    )
    return sampler.draw(np.random.default_rng(0), device=torch.device("cpu"))


@pytest.fixture(params=[2, 3])
def ndim(request):
    return request.param


def compressed(project, folder):
    """Make the first image a file that can only be decoded as a whole."""
    file = folder / "disc_0.tif"
    tifffile.imwrite(file, tifffile.imread(file), compression="zlib", ome=False)
    return project


def test_batches_are_the_same_from_memory_and_from_disk(tmp_path, ndim, monkeypatch):
    project = compressed(disc_project(tmp_path, ndim=ndim), tmp_path)
    run, _ = start_run(project, "baseline", SETTINGS, device="cpu")
    held = loaded(project, run)
    all_on_disk(monkeypatch)
    lazy = loaded(project, run)
    assert not held.memory.from_disk
    assert lazy.memory.from_disk == {entry.id for entry in project.images}
    assert all(isinstance(image.pixels, np.ndarray) for image in held.images)
    assert all(isinstance(image.pixels, NormalisedPixels) for image in lazy.images)
    first, second = drawn(held, ndim=ndim), drawn(lazy, ndim=ndim)
    assert torch.equal(first.image, second.image)
    for name, target in first.targets.items():
        assert torch.equal(target, second.targets[name])


@pytest.mark.parametrize("name", ["baseline", "recursive_approximation"])
def test_a_training_from_disk_learns_the_same(tmp_path, name, monkeypatch):
    values = {"iterations": 1, "steps_per_iteration": 2, "first_steps": 0}
    settings = SETTINGS if name == "baseline" else {**TINY, **values}
    weights = []
    for share in (0.25, 0.0):
        folder = tmp_path / str(share)
        folder.mkdir()
        project = compressed(disc_project(folder, validate=1), folder)
        monkeypatch.setattr(data_memory_module, "HELD_SHARE", share)
        run, _ = start_run(project, name, settings, device="cpu")
        list(train(project, run))
        weights.append(run.checkpoint("best").read_bytes())
        assert not (run.path / "targets").exists()
    assert weights[0] == weights[1]


def test_a_file_that_cannot_be_sliced_is_copied_once(tmp_path, monkeypatch):
    project = compressed(disc_project(tmp_path), tmp_path)
    run, _ = start_run(project, "baseline", SETTINGS, device="cpu")
    all_on_disk(monkeypatch)
    loaded(project, run)
    first, second = (run.targets_folder(entry.id) for entry in project.images[:2])
    copied = np.load(first / "pixels.npy")
    assert copied.dtype == np.uint8
    np.testing.assert_array_equal(copied[0], tifffile.imread(tmp_path / "disc_0.tif"))
    assert not (second / "pixels.npy").exists()
    opened = []
    monkeypatch.setattr(
        Project, "open_image", lambda _, entry: opened.append(entry) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        loaded(project, run)
    assert [entry.id for entry in opened] == [project.images[1].id]


def test_the_largest_images_stay_on_disk_until_the_rest_fits(tmp_path, monkeypatch):
    project = disc_project(tmp_path, n_images=2)
    file = tmp_path / "wide.tif"
    wide = np.tile(disc_image(5, ndim=2, n_discs=1)[0], (1, 2))
    tifffile.imwrite(file, wide, metadata={"axes": "YX"}, ome=False)
    entry = project.add_image(file)
    objects = np.zeros(wide.shape, np.uint32)
    objects[10:20, 10:20] = 1
    project.save_annotation(entry, annotated(objects, exact=True))
    run, _ = start_run(project, "baseline", SETTINGS, device="cpu")
    # 2 x 4 KiB of pixels are a quarter of it; 3 images are 16 KiB.
    memory = SimpleNamespace(available=4 * 2 * 32 * 32 * 4)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(data_memory_module, "BYTES_PER_PIXEL", 1)
    data = loaded(project, run)
    assert data.memory.from_disk == {entry.id}
    assert data.memory.held == 2 * 32 * 32 * 4 + 4 * 32 * 32


def test_an_image_without_paint_takes_no_more_than_its_pixels(tmp_path):
    project = disc_project(tmp_path, n_images=1)
    file = tmp_path / "bare.tif"
    tifffile.imwrite(file, disc_image(7, ndim=2, n_discs=1)[0], ome=False)
    entry = project.add_image(file)
    project.save_annotation(entry, empty_annotation(entry.spatial_shape))
    values = {"encoder_weights": "none", "norm": "batch", "low_memory": True}
    values |= {"unpainted": "all", "levels": 6, "width": 8, "hidden": 8}
    run, _ = start_run(
        project, "task_decomposition", {**SETTINGS, **values}, device="cpu"
    )
    snapshot = load_snapshot(project, run.snapshot_file)
    made = method_for(project, "task_decomposition", **values)
    data = load_training_data(project, snapshot, made, run)
    bare = data.images[0]
    assert bare.annotation.is_empty
    layers = (bare.annotation.partial.objects, bare.annotation.scribbles)
    assert all(layer.strides == (0, 0) for layer in layers)
    targets = data.patches(0)[0].targets
    maps = (targets.known, targets.objects, *targets.maps.values())
    assert all(values.strides == (0, 0) for values in maps)
    assert data.memory.held == 2 * 32 * 32 * 4 + 32 * 32 * 24


def test_pixels_that_are_not_finite_are_refused_where_they_are_read(monkeypatch):
    pixels = np.arange(64, dtype=np.float32).reshape(1, 8, 8)
    pixels[0, 1, 1] = np.nan
    with pytest.raises(ImageError, match="holds NaN or infinite values"):
        normalised_pixels_of("a.tif", pixels, colour="as_is", kind="percentile")
    monkeypatch.setattr(normalisation, "MAX_SAMPLES", 16)
    lazy = normalised_pixels_of("a.tif", pixels, colour="as_is", kind="percentile")
    assert np.isfinite(lazy[:, 2:, 2:]).all()
    with pytest.raises(ImageError, match="holds NaN or infinite values"):
        lazy[:, :2, :2]


def test_processes_that_share_the_growing_count_all_of_it(tmp_path, monkeypatch):
    project = disc_project(tmp_path, n_images=4, full=1)
    name = "recursive_approximation"
    run, _ = start_run(project, name, TINY)

    def flood(self, annotation, outputs, *, iteration):
        return with_objects(annotation, np.ones_like(annotation.partial.objects))

    monkeypatch.setattr(load_method(name), "grow", flood)
    monkeypatch.setattr(training_data, "n_processes", lambda: 2)
    processes = [loaded(project, run, name=name) for _ in range(2)]
    found = []
    for rank, data in enumerate(processes):
        monkeypatch.setattr(training_data, "rank", lambda rank=rank: rank)
        data.grow(lambda _: {}, iteration=1)
        found.append(data.save_grown(run, 1))
    entries = project.images
    assert found == [{e.id: f"grown/001/{e.id}.tif" for e in entries}] * 2
    assert all((run.path / file).exists() for file in found[0].values())
    for data in processes:
        data.load_grown(run, 1)
        assert data.n_labelled() == 4 * 32 * 32
        assert data.newly_flooded() == [e.name for e in entries[1:]]


def test_grabcut_reads_an_image_from_disk_as_a_whole(tmp_path, monkeypatch):
    project = disc_project(tmp_path, full=0)
    run, _ = start_run(
        project, "baseline", {**SETTINGS, "labels": "grabcut"}, device="cpu"
    )
    held = loaded(project, run, labels="grabcut")
    all_on_disk(monkeypatch)
    lazy = loaded(project, run, labels="grabcut")
    for first, second in zip(held.images, lazy.images, strict=True):
        np.testing.assert_array_equal(
            first.annotation.full.objects, second.annotation.full.objects
        )
