"""What holds for every network that pools."""

import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.distilling import DistillingNetwork
from napari_mtseg.networks.encoder_unet import EncoderUNet
from napari_mtseg.networks.fcn import FCN
from napari_mtseg.networks.joint_unet import JointUNet
from napari_mtseg.networks.recursive_unet import RecursiveUNet
from napari_mtseg.networks.unet import UNet

HEADS = {"segmentation": 2}
SMALL = {"base": 2, "levels": 3}


def unet(**settings):
    return UNet(1, HEADS, **SMALL, **settings)


def recursive(**settings):
    return RecursiveUNet(1, 2, **SMALL, **settings)


def joint(**settings):
    return JointUNet(1, HEADS, **SMALL, **settings)


def distilling(**settings):
    return DistillingNetwork(1, HEADS, **SMALL, **settings)


def fcn():
    return FCN(1, HEADS, base=1)


def encoder_unet(**settings):
    return EncoderUNet(1, HEADS, encoder_base=4, base=2, **settings)


def sizes_seen(network, *images):
    """Return the sizes of the first maps for each image."""
    seen = []
    first = next(m for m in network.modules() if not any(m.children()))
    first.register_forward_pre_hook(lambda _, x: seen.append(tuple(x[0].shape[2:])))
    for image in images:
        network(image)
    return seen


def images(*shapes):
    with seeded(3):
        return [torch.randn(shape) for shape in shapes]


@pytest.mark.parametrize(
    "make", [unet, recursive, joint, distilling, fcn, encoder_unet]
)
def test_a_batch_of_one_image_of_one_deepest_pixel_teaches(make):
    with seeded(2):
        network = make().train()
    size = network.size_multiple
    (image,) = images((1, 1, *size))
    answers = network(image)
    assert answers["segmentation"].shape == (1, 2, *size)
    answers["segmentation"].square().sum().backward()
    learned = [p.grad for p in network.parameters() if p.grad is not None]
    assert learned
    assert all(torch.isfinite(gradient).all() for gradient in learned)


@pytest.mark.parametrize("make", [unet, recursive, joint, distilling])
def test_instance_norm_answers_for_one_deepest_pixel(make):
    network = make(norm="instance")
    image, batch = images((1, 1, 5, 7), (2, 1, 5, 7))
    for training in (True, False):
        answers = network.train(training)(image), network(batch)
        assert [a["segmentation"].shape[2:] for a in answers] == [(5, 7)] * 2


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(
    ("norm", "training", "n_images", "expected"),
    [
        ("batch", True, 1, 8),
        ("batch", True, 2, 4),
        ("batch", False, 1, 4),
        ("instance", True, 2, 8),
        ("instance", False, 1, 8),
        ("none", True, 1, 4),
    ],
)
def test_only_a_variance_of_one_value_is_padded_away(
    ndim, norm, training, n_images, expected
):
    network = unet(norm=norm, ndim=ndim).train(training)
    small, large = images(
        (n_images, 1, *(3, 4, 2)[-ndim:]), (n_images, 1, *(3, 4, 5)[-ndim:])
    )
    seen = sizes_seen(network, small, large)
    assert seen == [(expected,) * ndim, (*(4,) * (ndim - 1), 8)]


@pytest.mark.parametrize("make", [unet, recursive, joint])
def test_without_pathway_there_is_nothing_of_it(make):
    plain = make()
    assert not [key for key in plain.state_dict() if key.startswith("skips")]
    assert plain.halo == make(high_resolution=0, high_resolution_width=7).halo


@pytest.mark.parametrize("make", [unet, recursive, joint, encoder_unet])
def test_a_pathway_keeps_the_draw_of_its_paper(make):
    with seeded(5):
        pathway = make(high_resolution=2).skips.pathway
    for block in pathway.blocks:
        for convolution in (block[0].first.conv, block[0].conv):
            weight = convolution.weight.detach()
            bound = (6 / (2 * weight[0].numel())) ** 0.5
            assert 0.8 * bound < float(weight.abs().max()) <= bound


@pytest.mark.parametrize("make", [unet, recursive, joint])
def test_a_stage_without_skip_is_refused(make):
    with pytest.raises(ValueError, match=r"at stage 3, not 0\.\.2"):
        make(high_resolution=3)
