import numpy as np
import pytest
import torch
from torch import nn

from napari_mtseg.domain.errors import MemoryShortageError
from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.inference import apply_in_windows, empty_maps
from napari_mtseg.networks.joint_unet import JointUNet
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.recursive_unet import RecursiveUNet
from napari_mtseg.networks.samples import (
    EXPECTED_ENTROPY,
    VARIANCE,
    Ensemble,
    MonteCarloDropout,
)
from napari_mtseg.networks.summary import bytes_per_pixel
from napari_mtseg.networks.unet import UNet
from napari_mtseg.networks.window_memory import bytes_per_window_pixel

CPU = torch.device("cpu")


def trained_looking(network):
    """Give every batch norm statistics and scales that are not 0 and 1."""
    with seeded(5):
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
                nn.init.normal_(module.get_buffer("running_mean"), 0, 0.3)
                nn.init.uniform_(module.get_buffer("running_var"), 0.5, 2)
                if module.affine:
                    nn.init.uniform_(module.weight, 0.5, 1.5)
                    nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()


def recursive(ndim, **further):
    with seeded(2):
        settings = {"base": 4, "levels": 3, "separator": True, **further}
        return trained_looking(RecursiveUNet(2, 3, ndim=ndim, **settings))


def image_of(*size):
    return np.random.default_rng(0).normal(size=(2, *size)).astype(np.float32)


def predicted(network, image, budget, **further):
    heads = tuple(network.head_channels)
    return apply_in_windows(
        network, image, device=CPU, memory_budget_bytes=budget, outputs=heads, **further
    )


def budget_for(network, pixels):
    per_pixel = bytes_per_pixel(network, 2, multiple=network.size_multiple, device=CPU)
    return int(per_pixel * pixels * 1.001)


@pytest.mark.parametrize(
    ("ndim", "size", "pixels", "further"),
    [
        (2, (160, 240), 130 * 140, {}),
        (2, (151, 239), 130 * 140, {}),
        (3, (20, 30, 61), 20 * 32 * 48, {"levels": 2, "multi_task_blocks": 1}),
        (
            3,
            (5, 61, 61),
            6 * 48 * 48,
            {"levels": 2, "multi_task_blocks": 1, "pools": ((1, 2, 2),)},
        ),
    ],
)
def test_exact_windows_equal_the_whole_image(ndim, size, pixels, further):
    network = recursive(ndim, **further)
    image = image_of(*size)
    whole, how = predicted(network, image, 2**40)
    assert (how.mode, how.n_windows) == ("whole", 1)
    parts, how = predicted(network, image, budget_for(network, pixels))
    assert how.mode == "exact"
    assert how.n_windows > 1
    assert how.overhead > 1
    for name, expected in whole.items():
        np.testing.assert_allclose(parts[name], expected, atol=1e-5)
        np.testing.assert_allclose(parts[name].sum(axis=0), 1, atol=1e-5)


def test_windows_off_the_pooling_grid_would_differ():
    network = recursive(2)
    image = image_of(96, 160)
    whole, _ = predicted(network, image, 2**40)
    shifted, _ = predicted(network, image[:, :, 2:], 2**40)
    far = (slice(None), slice(None), slice(100, None))
    difference = whole["segmentation"][:, :, 2:][far] - shifted["segmentation"][far]
    assert np.abs(difference).max() > 1e-3


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", [UNet, RecursiveUNet])
def test_folded_network_answers_the_same(ndim, kind):
    with seeded(3):
        network = trained_looking(kind(1, 2, ndim=ndim, base=4, levels=3))
        image = torch.randn(1, 1, *(16,) * ndim)
    prepared = prepared_for_inference(network)
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    assert any("BatchNorm" in type(m).__name__ for m in network.modules())
    for name, logits in network(image).items():
        torch.testing.assert_close(prepared(image)[name], logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("ndim", [2, 3])
def test_batch_norm_without_parameters_is_folded(ndim):
    with seeded(3):
        heads = {"segmentation": 2, "distance": 1}
        network = JointUNet(1, heads, ndim=ndim, base=4, levels=3, affine=False)
        image = torch.randn(1, 1, *(16,) * ndim)
    prepared = prepared_for_inference(trained_looking(network))
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    for name, logits in network(image).items():
        torch.testing.assert_close(prepared(image)[name], logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("two_decoders", [False, True])
def test_exact_windows_of_parallel_heads_equal_the_whole_image(two_decoders):
    with seeded(3):
        heads = {"segmentation": 2, "contour": 2, "distance": 1}
        network = JointUNet(
            2,
            heads,
            activations={"distance": "sigmoid"},
            two_decoders=two_decoders,
            base=4,
            levels=3,
        )
    network = prepared_for_inference(trained_looking(network))
    image = image_of(151, 239)
    whole, _ = predicted(network, image, 2**40)
    parts, how = predicted(network, image, budget_for(network, 151 * 150))
    assert (how.mode, how.n_windows > 1) == ("exact", True)
    assert set(parts) == set(heads)
    for name, expected in whole.items():
        np.testing.assert_allclose(parts[name], expected, atol=1e-5)


def test_too_small_windows_are_blended_and_the_deviation_is_reported():
    network = recursive(2)
    image = image_of(80, 100)
    whole, _ = predicted(network, image, 2**40)
    parts, how = predicted(network, image, budget_for(network, 48 * 48))
    assert how.mode == "blended"
    np.testing.assert_allclose(parts["segmentation"].sum(axis=0), 1, atol=1e-5)
    truth = np.abs(parts["segmentation"] - whole["segmentation"]).max()
    assert 0 < how.deviation < 1
    assert truth < 10 * how.deviation + 1e-6


def test_instance_norm_is_never_called_exact():
    network = prepared_for_inference(UNet(2, 2, base=2, levels=3, norm="instance"))
    _, how = predicted(network, image_of(96, 96), budget_for(network, 80 * 80))
    assert how.mode == "blended"


def test_no_window_is_larger_than_the_budget_allows():
    network = recursive(2)
    seen = []
    network.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].shape[2] * inputs[0].shape[3])
    )
    predicted(network, image_of(120, 150), budget_for(network, 100 * 100))
    assert max(seen) <= 100 * 100 * 1.01


def test_a_budget_below_one_window_says_so():
    network = recursive(2)
    with pytest.raises(MemoryShortageError, match="smallest window needs"):
        predicted(network, image_of(32, 32), 10)


class LazyCounts:
    """A lazy image of raw counts that remembers what was read."""

    def __init__(self, counts):
        self.counts, self.shape, self.reads = counts, counts.shape, []

    def __getitem__(self, index):
        self.reads.append(index)
        return self.counts[index]


def test_lazy_image_is_normalised_window_by_window_into_given_arrays():
    network = recursive(2)
    counts = (image_of(100, 160) * 100).astype(np.int16)
    lazy = LazyCounts(counts)

    def normalise(block):
        return block.astype(np.float32) / 100

    given = empty_maps(network, ("segmentation",), (100, 160), dtype=np.float16)
    maps, how = apply_in_windows(
        network,
        lazy,
        device=CPU,
        memory_budget_bytes=budget_for(network, 100 * 128),
        outputs=given,
        normalise=normalise,
    )
    whole, _ = predicted(network, normalise(counts), 2**40)
    assert maps["segmentation"] is given["segmentation"]
    assert len(lazy.reads) == how.n_windows == 2
    np.testing.assert_allclose(given["segmentation"], whole["segmentation"], atol=1e-3)


def test_prediction_stops_between_windows():
    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    with pytest.raises(StoppedError):
        predicted(recursive(2), image_of(8, 8), 2**40, between_windows=stop)


def test_training_mode_and_unknown_heads_are_refused():
    network = recursive(2)
    with pytest.raises(ValueError, match="no heads"):
        apply_in_windows(
            network,
            image_of(8, 8),
            device=CPU,
            memory_budget_bytes=2**30,
            outputs=("contour",),
        )
    with pytest.raises(ValueError, match="training mode"):
        predicted(network.train(), image_of(8, 8), 2**30)


class Told(nn.Module):
    """Tells of each input whether a pixel exceeds 1, and how many do."""

    head_channels = {"segmentation": 1}  # noqa: RUF012
    image_heads = {"classes": 1, "scenes": 2}  # noqa: RUF012
    activations = {"classes": "sigmoid"}  # noqa: RUF012
    halo = (0, 0)
    size_multiple = (8, 8)
    norm_depends_on_tile = False

    def forward(self, x):
        bright = (x > 1).float()
        share = bright.mean(dim=(1, 2, 3))
        return {
            "segmentation": x,
            "classes": 20 * bright.amax(dim=(1, 2, 3))[:, None] - 10,
            "scenes": torch.stack([share, 1 - share], dim=1).log(),
        }


def test_what_occurs_in_one_window_occurs_in_the_image_and_scenes_are_averaged():
    image = np.zeros((1, 64, 64), np.float32)
    image[0, :4, :4] = 2.0
    network = Told().eval()
    budget = bytes_per_pixel(network, 1, multiple=(8, 8), device=CPU) * 16 * 16
    for allowed, is_whole in ((2**40, True), (int(budget), False)):
        maps, how = predicted(network, image, allowed)
        assert (how.mode == "whole") == is_whole
        assert maps["classes"] == pytest.approx([1.0], abs=1e-4)
        share = 16 / 64**2
        assert maps["scenes"] == pytest.approx([share, 1 - share], abs=1e-6)
        assert maps["segmentation"].shape == (1, 64, 64)


SPREAD = {EXPECTED_ENTROPY, VARIANCE}


def dropping(ndim=2, place="decoder", **further):
    return recursive(ndim, dropout=0.5, dropout_place=place, **further)


def sampled_budget(network, samples, pixels):
    per_pixel = bytes_per_window_pixel(
        network, 2, multiple=network.size_multiple, device=CPU, samples=samples
    )
    return int(per_pixel * pixels * 1.001)


@pytest.mark.parametrize("place", ["deepest", "decoder", "last", "ends"])
@pytest.mark.parametrize(
    ("ndim", "size", "pixels", "further"),
    [
        (2, (151, 239), 130 * 140, {}),
        (3, (20, 30, 61), 20 * 32 * 48, {"levels": 2, "multi_task_blocks": 1}),
    ],
)
def test_passes_in_exact_windows_equal_passes_on_the_whole_image(
    ndim, size, pixels, further, place
):
    network = dropping(ndim, place, **further)
    samples = MonteCarloDropout(network, n_passes=3, seed=1)
    image = image_of(*size)
    whole, how = predicted(network, image, 2**40, samples=samples)
    assert how.mode == "whole"
    budget = sampled_budget(network, samples, pixels)
    parts, how = predicted(network, image, budget, samples=samples)
    assert (how.mode, how.n_windows > 1) == ("exact", True)
    assert set(whole) == set(parts) == set(network.head_channels) | SPREAD
    for name, expected in whole.items():
        np.testing.assert_allclose(parts[name], expected, atol=1e-5)
    assert whole[VARIANCE].shape == whole[EXPECTED_ENTROPY].shape == size
    assert whole[VARIANCE].max() > 1e-3


def test_sampled_maps_are_the_mean_and_the_spread_of_the_passes():
    network = dropping()
    samples = MonteCarloDropout(network, n_passes=4, seed=1)
    image = image_of(32, 40)
    maps, _ = predicted(network, image, 2**40, samples=samples)
    passes = samples(torch.from_numpy(image)[None])
    p = np.stack([each["segmentation"][0].softmax(0).numpy() for each in passes])
    np.testing.assert_allclose(maps["segmentation"], p.mean(0), atol=1e-6)
    np.testing.assert_allclose(maps[VARIANCE], p.var(0).mean(0), atol=1e-6)
    entropy = -(p * np.log(p)).sum(1).mean(0)
    np.testing.assert_allclose(maps[EXPECTED_ENTROPY], entropy, atol=1e-5)
    mean = maps["segmentation"]
    assert (-(mean * np.log(mean)).sum(0) >= maps[EXPECTED_ENTROPY] - 1e-5).all()


def test_blended_windows_blend_the_spread_like_probabilities():
    network = dropping()
    samples = MonteCarloDropout(network, n_passes=3, seed=1)
    image = image_of(80, 100)
    whole, _ = predicted(network, image, 2**40, samples=samples)
    budget = sampled_budget(network, samples, 48 * 48)
    parts, how = predicted(network, image, budget, samples=samples)
    assert how.mode == "blended"
    np.testing.assert_allclose(parts["segmentation"].sum(axis=0), 1, atol=1e-5)
    for name in SPREAD:
        assert np.abs(parts[name] - whole[name]).mean() < 0.2 * whole[name].mean()


def test_one_answer_of_an_ensemble_of_one_is_the_networks_own():
    network = recursive(2)
    image = image_of(30, 40)
    alone, _ = predicted(network, image, 2**40)
    maps, _ = predicted(network, image, 2**40, samples=Ensemble([network]))
    for name, expected in alone.items():
        np.testing.assert_allclose(maps[name], expected, atol=1e-6)
    assert maps[VARIANCE].max() == 0


def test_networks_of_other_depths_share_exact_windows():
    with seeded(4):
        settings = {"base": 2, "norm": "none"}
        members = [UNet(2, 2, levels=n, **settings).eval() for n in (2, 3)]
    image, samples = image_of(90, 200), Ensemble(members)
    whole, _ = predicted(members[0], image, 2**40, samples=samples)
    per_pixel = bytes_per_window_pixel(
        members[0], 2, multiple=(4, 4), device=CPU, samples=samples
    )
    budget = int(per_pixel * 92 * 160)
    parts, how = predicted(members[0], image, budget, samples=samples)
    assert (how.mode, how.n_windows > 1) == ("exact", True)
    for name, expected in whole.items():
        np.testing.assert_allclose(parts[name], expected, atol=1e-5)


def test_a_stop_is_heard_before_every_pass():
    network, asked = dropping(), []
    samples = MonteCarloDropout(network, n_passes=7, seed=0)
    predicted(
        network,
        image_of(8, 8),
        2**40,
        samples=samples,
        between_windows=lambda: asked.append(1),
    )
    assert len(asked) == 7


class Halves:
    """An answer, and one for a darker image."""

    n, description = 2, "two lamps"

    def __init__(self, network):
        self.networks = (network,)

    def __call__(self, x):
        yield self.networks[0](x)
        yield self.networks[0](0 * x)


def test_answers_for_the_whole_input_are_the_mean_over_samples_too():
    image = np.zeros((1, 64, 64), np.float32)
    image[0, :4, :4] = 2.0
    network = Told().eval()
    maps, _ = predicted(network, image, 2**40, samples=Halves(network))
    assert maps["classes"] == pytest.approx([0.5], abs=1e-4)
    share = 16 / 64**2 / 2
    assert maps["scenes"] == pytest.approx([share, 1 - share], abs=1e-6)
