import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.discriminator import Discriminator


def small(n_maps=1, n_channels=1, *, ndim=2):
    with seeded(3):
        return Discriminator(n_maps, n_channels, ndim=ndim, base=4)


def drawn(*shape):
    with seeded(sum(shape)):
        return torch.randn(shape)


def test_parameters_are_those_of_the_specification():
    with torch.device("meta"):
        network = Discriminator(1, 1, ndim=3)
    assert sum(p.numel() for p in network.parameters()) == 11_019_777


@pytest.mark.parametrize(
    "size", [(16, 16), (33, 50), (1, 1), (3, 20), (6, 24, 24), (1, 16, 5)]
)
def test_images_of_any_size_get_one_answer_each(size):
    network = small(2, 3, ndim=len(size))
    answers = network(drawn(3, 2, *size), drawn(3, 3, *size))
    assert answers.shape == (3,)
    assert torch.isfinite(answers).all()


def test_an_axis_is_halved_until_it_is_one_pixel():
    network, seen = small(ndim=3), []
    for conv in (network.from_maps, *network.convs):
        conv.register_forward_hook(lambda _, __, x: seen.append(tuple(x.shape[2:])))
    network(drawn(1, 1, 6, 32, 16), drawn(1, 1, 6, 32, 16))
    assert seen == [(3, 16, 8), (1, 8, 4), (1, 4, 2), (1, 2, 1)]


def test_maps_and_image_are_added_after_their_own_convolution():
    network = small().eval()
    maps, image = drawn(1, 1, 16, 16), drawn(1, 1, 16, 16)
    sums = []
    network.act.register_forward_pre_hook(lambda _, x: sums.append(x[0].clone()))
    network(maps, image)
    expected = network.from_maps(maps) + network.from_image(image)
    torch.testing.assert_close(sums[0], expected)


def test_both_inputs_and_all_weights_get_a_gradient():
    network = small().eval()
    maps, image = (drawn(2, 1, 16, 16).requires_grad_() for _ in range(2))
    network(maps, image).sum().backward()
    for part in (maps, image, *network.parameters()):
        assert part.grad is not None
        assert part.grad.abs().sum() > 0


def test_dropout_is_random_while_training_only():
    network = small()
    inputs = drawn(1, 1, 16, 16), drawn(1, 1, 16, 16)
    with seeded(0):
        assert not torch.equal(network(*inputs), network(*inputs))
    network.eval()
    assert torch.equal(network(*inputs), network(*inputs))
