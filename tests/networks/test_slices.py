import numpy as np
import pytest
import torch
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.distilling import DistillingNetwork
from napari_mtseg.networks.inference import apply_in_windows
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.slices import SlicesNetwork
from napari_mtseg.networks.summary import bytes_per_pixel
from napari_mtseg.networks.unet import UNet

CPU = torch.device("cpu")
SB = {"segmentation": 2, "boundary": 1}


class Channels(nn.Module):
    """Answers its own input, so that a test sees what the network sees."""

    head_channels = {"segmentation": 3}  # noqa: RUF012
    image_heads: dict[str, int] = {}  # noqa: RUF012
    size_multiple = (1, 1)

    def forward(self, x):
        return {"segmentation": x}


def sliced(n_slices=3, in_channels=1, **settings):
    with seeded(5):
        network = DistillingNetwork(
            in_channels * n_slices,
            SB,
            activations={"boundary": "none"},
            **{"base": 2, "levels": 2, **settings},
        )
    return SlicesNetwork(network, n_slices)


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


def test_each_plane_is_seen_with_its_neighbours_and_the_ends_repeated():
    planes = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 4, 1, 1)
    seen = SlicesNetwork(Channels(), 3).eval()(planes)["segmentation"]
    assert seen[0, :, :, 0, 0].T.tolist() == [
        [1, 1, 2],
        [1, 2, 3],
        [2, 3, 4],
        [3, 4, 4],
    ]


def test_all_channels_of_a_plane_come_before_those_of_the_next():
    channels = torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    volume = channels.view(1, 2, 3, 1, 1)
    seen = SlicesNetwork(Channels(), 3).eval()(volume)["segmentation"]
    assert seen[0, :, 1, 0, 0].tolist() == [1, 10, 2, 20, 3, 30]


def test_samples_of_a_batch_do_not_mix():
    volumes = torch.stack([torch.ones(1, 4, 2, 2), 7 * torch.ones(1, 4, 2, 2)])
    seen = SlicesNetwork(Channels(), 3).eval()(volumes)["segmentation"]
    assert seen.shape == (2, 3, 4, 2, 2)
    assert seen[0].unique().tolist() == [1]
    assert seen[1].unique().tolist() == [7]


def test_a_single_plane_is_its_own_neighbour():
    plane = torch.ones(1, 1, 1, 2, 2)
    seen = SlicesNetwork(Channels(), 5).eval()(plane)["segmentation"]
    assert seen.shape == (1, 5, 1, 2, 2)
    assert seen.unique().tolist() == [1]


def test_as_many_planes_as_are_seen_teach_only_the_middle_one():
    network = sliced(norm="none")
    volume = drawn(2, 1, 3, 6, 8)
    training = network.train()(volume)
    assert training["segmentation"].shape == (2, 2, 1, 6, 8)
    assert training["boundary"].shape == (2, 1, 1, 6, 8)
    evaluation = network.eval()(volume)
    assert evaluation["segmentation"].shape == (2, 2, 3, 6, 8)
    for name in SB:
        torch.testing.assert_close(training[name], evaluation[name][:, :, 1:2])


def test_more_planes_all_teach():
    assert sliced().train()(drawn(1, 1, 5, 6, 8))["segmentation"].shape[2] == 5


def test_a_pathway_answers_for_the_middle_plane_too():
    network = sliced(high_resolution=1).train()
    assert network(drawn(2, 1, 3, 6, 8))["auxiliary"].shape == (2, 2, 1, 6, 8)


def test_one_slice_is_the_2d_network_plane_by_plane():
    network = sliced(1).eval()
    volume = drawn(1, 1, 4, 6, 8)
    found = network(volume)["segmentation"]
    for z in range(4):
        expected = network.network(volume[:, :, z])["segmentation"]
        torch.testing.assert_close(found[:, :, z], expected)


def test_what_it_says_of_itself_follows_from_the_2d_network():
    network = sliced(5, levels=3)
    assert network.halo == (2, *network.network.halo)
    assert network.size_multiple == (1, 4, 4)
    assert network.head_channels == SB
    assert network.activations == {"boundary": "none"}
    assert network.train().norm_depends_on_tile
    assert not network.eval().norm_depends_on_tile


@pytest.mark.parametrize("stage", [0, 1])
def test_prepared_for_inference_answers_the_same(stage):
    network = sliced(high_resolution=stage)
    volume = drawn(2, 1, 4, 10, 9)
    network.train()(volume * 2 + 1)
    prepared = prepared_for_inference(network.eval())
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    for name, expected in network(volume).items():
        found = prepared(volume)[name]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(24, 16, 18), (6, 16, 120)])
def test_exact_windows_equal_the_whole_volume(size):
    network = prepared_for_inference(sliced())
    image = drawn(1, *size).numpy()
    per_pixel = bytes_per_pixel(network, 1, multiple=(1, 2, 2), device=CPU)
    budget = per_pixel * np.prod(size) * 0.8
    whole, parts = (
        apply_in_windows(
            network, image, device=CPU, memory_budget_bytes=int(n), outputs=[*SB]
        )
        for n in (1e12, budget)
    )
    assert (whole[1].mode, parts[1].mode) == ("whole", "exact")
    for name, expected in whole[0].items():
        np.testing.assert_allclose(parts[0][name], expected, atol=1e-5)


@pytest.mark.parametrize("n_slices", [0, 2, -1])
def test_even_numbers_of_slices_are_refused(n_slices):
    with pytest.raises(ValueError, match=f"odd and positive, not {n_slices}"):
        SlicesNetwork(UNet(1, 2, base=1, levels=2), n_slices)


def test_a_3d_network_is_refused():
    with pytest.raises(ValueError, match="must be 2D"):
        SlicesNetwork(UNet(3, 2, base=1, levels=2, ndim=3), 3)
