import pytest
import torch
from torch import nn

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.context_ensemble import ContextEnsemble, DilatedCascade
from napari_mtseg.networks.summary import parameter_counts


def of_ones(module):
    """Return the module with positive weights, so that gradients do not cancel."""
    for parameter in module.parameters():
        nn.init.constant_(parameter, 1 / parameter[0].numel())
    return module.double()


def reached(output, image, axis):
    """Return the first and last pixel of the image that ``output`` reads."""
    (gradient,) = torch.autograd.grad(output, image, retain_graph=True)
    others = [n for n in range(gradient.ndim) if n != axis]
    pixels = gradient.sum(dim=others).nonzero().ravel()
    return int(pixels[0]), int(pixels[-1])


def test_outputs_read_3_7_15_31_and_63_pixels():
    cascade = of_ones(DilatedCascade(1, ndim=2, norm="none"))
    image = torch.ones(1, 1, 65, 65, dtype=torch.double, requires_grad=True)
    fields, x = [], image
    for convolution in cascade.convolutions:
        x = convolution(x)
        for axis in (2, 3):
            low, high = reached(x[0, 0, 32, 32], image, axis)
            fields.append(high - low + 1)
    assert fields == [3, 3, 7, 7, 15, 15, 31, 31, 63, 63]
    assert cascade.receptive_fields == (3, 7, 15, 31, 63)
    assert cascade.reach == (31, 31)


def test_a_volume_may_be_dilated_along_rows_and_columns_only():
    cascade = of_ones(
        DilatedCascade(1, ndim=3, norm="none", dilations=(1, 2, 4), in_plane=True)
    )
    image = torch.ones(1, 1, 9, 17, 17, dtype=torch.double, requires_grad=True)
    centre = cascade(image)[0, 0, 4, 8, 8]
    extents = [reached(centre, image, axis) for axis in (2, 3, 4)]
    assert extents == [(1, 7), (1, 15), (1, 15)]
    assert cascade.reach == (3, 7, 7)
    assert DilatedCascade(1, ndim=3, norm="none").reach == (31, 31, 31)


def test_the_latent_is_the_input_and_all_outputs_summed():
    with seeded(1):
        cascade = DilatedCascade(2, ndim=2, norm="none", dilations=(1, 2))
    x = torch.rand(1, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    first = cascade.convolutions[0](x)
    second = cascade.convolutions[1](first)
    torch.testing.assert_close(cascade(x), x + first + second)


def test_parameters_are_counted_by_hand():
    enlarging = 512 * 256 * 4 * 4 + 256
    cascade = 5 * (256 * 256 * 3 * 3 + 256)
    with torch.device("meta"):
        one, three = (
            ContextEnsemble(512, 256, norm="none", n_latents=n) for n in (1, 3)
        )
    assert parameter_counts(one)["total"] == enlarging + cascade == 5_047_808
    assert parameter_counts(three)["total"] == enlarging + 3 * cascade


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_each_latent_is_twice_as_large_as_the_input(norm):
    ensemble = ContextEnsemble(3, 2, norm=norm, n_latents=2)
    latents = ensemble(torch.zeros(2, 3, 4, 5))
    assert [tuple(latent.shape) for latent in latents] == [(2, 2, 8, 10)] * 2


def test_what_is_read_is_the_support_of_the_gradient():
    ensemble = of_ones(ContextEnsemble(1, 1, norm="none"))
    image = torch.ones(1, 1, 40, 1, dtype=torch.double, requires_grad=True)
    (latent,) = ensemble(image)
    for position in (38, 39, 40, 41):
        found = reached(latent[0, 0, position, 0], image, axis=2)
        assert ensemble.read((position, position)) == found


def test_enlarging_keeps_the_scale_of_rectified_maps():
    with seeded(1):
        enlarge = ContextEnsemble(64, 256, norm="none").enlarge
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(4, 64, 8, 8, generator=generator).relu()
    inside = enlarge(maps)[..., 1:-1, 1:-1].relu()
    ratio = inside.square().mean() / maps.square().mean()
    assert 0.9 < ratio < 1.1
