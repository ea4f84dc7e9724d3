"""Where patches are taken, and what they show."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mtseg.batches import places
from napari_mtseg.batches.batch import Batch
from napari_mtseg.batches.patches import (
    PatchSampler,
    TrainingImage,
    patch_size,
    training_image,
)
from napari_mtseg.batches.warp import Augmentation, source_size
from napari_mtseg.domain.targets import BACKGROUND, IGNORE, ImageTargets
from napari_mtseg.geometry.slabs import slabs

AS_IT_IS = Augmentation(flip=False, rotate=0, rescale=1, intensity=0)
CPU = torch.device("cpu")


def numbered(
    shape: tuple[int, ...], known: np.ndarray | None = None, stratum: str = "full"
) -> TrainingImage:
    """Return an image whose pixels are numbered from 0, as are its targets."""
    numbers = np.arange(np.prod(shape)).reshape(shape)
    known = np.zeros(shape, np.uint8) if known is None else known
    targets = ImageTargets(
        maps={
            "weight": -numbers.astype(np.float32),
            "classes": (numbers % 250).astype(np.uint8),
        },
        known=known,
        objects=np.zeros(shape, np.uint32),
        stratum=stratum,
    )
    pixels = numbers[np.newaxis].astype(np.float32)
    return training_image(pixels, targets, rng=np.random.default_rng(0))


def drawn(
    images: list[TrainingImage],
    size: tuple[int, ...],
    *,
    n: int = 1,
    known_share: float = 0.0,
    augmentation: Augmentation = AS_IT_IS,
    seed: int = 0,
    **arguments,
) -> Batch:
    sampler = PatchSampler(
        images,
        size=size,
        batch_size=n,
        known_share=known_share,
        augmentation=augmentation,
    )
    return sampler.draw(np.random.default_rng(seed), device=CPU, **arguments)


@pytest.mark.parametrize(
    ("shape", "size"), [((9, 12), (4, 5)), ((5, 8, 8), (2, 3, 8)), ((6, 6), (6, 6))]
)
def test_without_augmentation_patches_are_exact_crops(shape, size):
    image = numbered(shape)
    batch = drawn([image], size, n=16)
    for i, patch in enumerate(batch.image[:, 0].numpy()):
        corner = np.unravel_index(int(patch.flat[0]), shape)
        place = tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))
        np.testing.assert_array_equal(patch, image.pixels[0][place])
        for name, target in image.targets.maps.items():
            np.testing.assert_array_equal(batch.targets[name][i], target[place])


@given(st.data())
def test_patches_mirror_the_image_and_ignore_what_is_outside(data):
    shape = data.draw(
        st.one_of(
            st.tuples(*[st.integers(1, 6)] * 2), st.tuples(*[st.integers(1, 4)] * 3)
        )
    )
    size = data.draw(st.tuples(*[st.integers(1, 11)] * len(shape)))
    centre = data.draw(st.tuples(*[st.integers(0, n - 1) for n in shape]))
    known = np.full(shape, IGNORE, np.uint8)
    known[centre] = 1
    image = numbered(shape, known)
    batch = drawn([image], size, known_share=1.0)
    place = tuple(
        slice(c - n // 2 + 20, c - n // 2 + 20 + n)
        for c, n in zip(centre, size, strict=True)
    )
    wide = np.pad(image.pixels[0], 20, mode="symmetric")[place]
    np.testing.assert_array_equal(batch.image[0, 0], wide)
    np.testing.assert_array_equal(batch.targets["weight"][0], -wide)
    codes = np.pad(image.targets.maps["classes"], 20, constant_values=IGNORE)[place]
    np.testing.assert_array_equal(batch.targets["classes"][0], codes)


def test_augmented_class_maps_show_what_the_image_shows():
    image = np.zeros((40, 40), np.float32)
    image[:, 20:] = 1
    targets = ImageTargets(
        maps={"classes": image.astype(np.uint8)},
        known=np.zeros((40, 40), np.uint8),
        objects=np.zeros((40, 40), np.uint32),
        stratum="full",
    )
    ready = training_image(image[np.newaxis], targets, rng=np.random.default_rng(0))
    batch = drawn(
        [ready], (24, 24), n=8, augmentation=Augmentation(intensity=0), seed=3
    )
    known = batch.targets["classes"] != IGNORE
    shown = batch.image[:, 0]
    clear = known & ((shown < 0.49) | (shown > 0.51))
    assert clear.float().mean() > 0.5
    assert torch.equal(batch.targets["classes"][clear], (shown > 0.5).long()[clear])


def test_classes_then_objects_are_visited_evenly():
    known = np.full((1, 1000), IGNORE, np.uint8)
    known[0, :900], known[0, 900:989], known[0, 990] = BACKGROUND, 1, 1
    objects = np.zeros((1, 1000), np.uint32)
    objects[0, 900:989], objects[0, 990] = 5, 9
    targets = ImageTargets(
        maps={"classes": known}, known=known, objects=objects, stratum="weak"
    )
    pixels = np.where(known == BACKGROUND, -1, objects.astype(np.float32))
    image = training_image(pixels[np.newaxis], targets, rng=np.random.default_rng(0))
    batch = drawn([image], (1, 1), n=2000, known_share=1.0)
    counts = Counter(batch.image.flatten().tolist())
    assert counts[-1] == pytest.approx(1000, abs=100)
    assert counts[5] == pytest.approx(500, abs=100)
    assert counts[9] == pytest.approx(500, abs=100)


def test_the_share_of_centred_patches_is_as_set():
    known = np.full((30, 30), IGNORE, np.uint8)
    known[7, 7] = 1
    image = numbered((30, 30), known)
    batch = drawn([image], (1, 1), n=1000, known_share=0.5)
    centred = (batch.image == 7 * 30 + 7).float().mean()
    assert float(centred) == pytest.approx(0.5, abs=0.06)


def test_an_image_without_known_pixels_is_spread_evenly():
    image = numbered((4, 4), np.full((4, 4), IGNORE, np.uint8))
    batch = drawn([image], (1, 1), n=400, known_share=1.0)
    assert len(batch.image.unique()) == 16


def test_half_of_a_batch_is_fully_annotated():
    strong = [numbered((4, 4))]
    weak = [numbered((4, 4), stratum="weak") for _ in range(9)]
    for image in weak:
        image.pixels[:] = 100
    batch = drawn(strong + weak, (2, 2), n=8)
    assert int((batch.image[:, 0, 0, 0] == 100).sum()) == 4


def test_batches_of_one_patch_visit_both_kinds():
    weak = numbered((4, 4), stratum="weak")
    weak.pixels[:] = 100
    firsts = [
        float(drawn([numbered((4, 4)), weak], (1, 1), seed=seed).image)
        for seed in range(40)
    ]
    assert 8 < sum(value == 100 for value in firsts) < 32


def test_small_objects_stay_among_the_places_of_a_large_image(monkeypatch):
    monkeypatch.setattr(places, "MAX_PLACES", 100)
    known = np.zeros((100, 100), np.uint8)
    known[:40], known[50, :3] = 1, 1
    objects = np.zeros((100, 100), np.uint32)
    objects[:40], objects[50, :3] = 4_000_000_000, 2
    targets = ImageTargets(
        maps={"classes": known}, known=known, objects=objects, stratum="full"
    )
    image = training_image(
        np.zeros((1, 100, 100), np.float32), targets, rng=np.random.default_rng(0)
    )
    (background,), (small, large) = image.places
    assert small.tolist() == [5000, 5001, 5002]
    assert 30 < len(large) < 120
    assert 30 < len(background) < 120


def test_the_parts_of_two_processes_are_the_whole_batch():
    images = [numbered((20, 20)), numbered((20, 20), stratum="weak")]
    augmentation = Augmentation()
    whole = drawn(images, (8, 8), n=6, augmentation=augmentation)
    for part in (slice(0, 3), slice(3, 6)):
        half = drawn(images, (8, 8), n=6, augmentation=augmentation, part=part)
        torch.testing.assert_close(half.image, whole.image[part])
        for name, target in whole.targets.items():
            torch.testing.assert_close(half.targets[name], target[part])


def test_the_same_generator_draws_the_same_batch():
    image = numbered((20, 20))
    first, second = (
        drawn([image], (8, 8), n=4, augmentation=Augmentation(), seed=5)
        for _ in range(2)
    )
    assert torch.equal(first.image, second.image)


def test_batches_have_the_types_that_losses_expect():
    batch = drawn(
        [numbered((20, 20))],
        (8, 8),
        n=4,
        augmentation=Augmentation(),
        layout=torch.channels_last,
    )
    assert batch.image.dtype == torch.float32
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    assert batch.targets["classes"].dtype == torch.int64
    assert batch.targets["weight"].dtype == torch.float32
    assert batch.targets["weight"].shape == (4, 8, 8)


def test_a_patch_says_by_how_much_it_was_enlarged():
    ramp = np.tile(np.arange(64, dtype=np.float32), (64, 1))
    targets = ImageTargets(
        maps={"ramp": ramp, "classes": np.zeros((64, 64), np.uint8)},
        known=np.zeros((64, 64), np.uint8),
        objects=np.zeros((64, 64), np.uint32),
        stratum="full",
    )
    image = training_image(ramp[np.newaxis], targets, rng=np.random.default_rng(0))
    larger = Augmentation(flip=False, rotate=0, rescale=2, intensity=0)
    batch = drawn([image], (8, 8), n=5, augmentation=larger)
    slope = batch.targets["ramp"][:, 4, 4] - batch.targets["ramp"][:, 4, 3]
    torch.testing.assert_close(slope, 1 / batch.magnification)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(500, 500), (60, 700)], (256, 256)),
        ([(100, 90)], (112, 96)),
        ([(50, 64, 300)], (16, 64, 256)),
        ([(3, 64, 64)], (4, 64, 64)),
    ],
)
def test_patches_fit_the_images_and_the_network(shapes, expected):
    multiple = (4, 16, 16)[-len(expected) :]
    assert patch_size(shapes, patch=256, depth=16, multiple=multiple) == expected


def test_facts_of_the_image_follow_each_of_its_patches():
    images = []
    for scene, stratum in enumerate(("full", "none", "weak")):
        image = numbered((6, 6), stratum=stratum)
        facts = {"scene": np.array(scene), "tagged": np.array([scene, 7])}
        image = replace(image, targets=replace(image.targets, facts=facts))
        pixels = np.full((1, 6, 6), scene, np.float32)
        images.append(replace(image, pixels=pixels))
    batch = drawn(images, (4, 4), n=9)
    assert batch.facts["scene"].tolist() == batch.image[:, 0, 0, 0].tolist()
    assert batch.facts["tagged"].shape == (9, 2)
    assert set(batch.facts["scene"].tolist()) == {0, 1, 2}


class Watched:
    """Pixels that note how many are read at once."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape = pixels, pixels.shape
        self.reads: list[int] = []

    def __getitem__(self, index):
        part = self.pixels[index]
        self.reads.append(part.size)
        return part


def test_of_lazy_pixels_each_patch_reads_its_region_once_and_nothing_else():
    image = numbered((40, 60, 60))
    watched = Watched(np.asarray(image.pixels))
    lazy = replace(image, pixels=watched)
    size, augmentation = (4, 8, 8), Augmentation(flip=True, rotate=0, rescale=1)
    batch = drawn([lazy], size, n=5, augmentation=augmentation)
    assert len(watched.reads) == 5
    assert max(watched.reads) <= np.prod(source_size(augmentation, size))
    held = drawn([image], size, n=5, augmentation=augmentation)
    assert torch.equal(batch.image, held.image)


def test_places_do_not_depend_on_how_the_image_is_cut(monkeypatch):
    rng = np.random.default_rng(0)
    known = rng.choice([BACKGROUND, 1, 2, IGNORE], (20, 30)).astype(np.uint8)
    objects = rng.integers(1, 9, (20, 30)).astype(np.uint32) * 500_000_000
    targets = ImageTargets(maps={}, known=known, objects=objects, stratum="full")
    monkeypatch.setattr(places, "MAX_PLACES", 100)
    monkeypatch.setattr(places, "MIN_PLACES", 5)
    whole = places.known_places(targets, np.random.default_rng(0))
    monkeypatch.setattr(places, "slabs", lambda shape: slabs(shape, n_pixels=70))
    cut = places.known_places(targets, np.random.default_rng(0))
    assert [[o.tolist() for o in c] for c in cut] == [
        [o.tolist() for o in c] for c in whole
    ]
    assert 50 < sum(len(o) for c in whole for o in c) < 200
