import pytest
import torch

from napari_mtseg.networks.decomposed_network import DecomposedNetwork
from napari_mtseg.networks.dilated import DilatedNetwork
from napari_mtseg.networks.exported_network import ExportedNetwork
from napari_mtseg.networks.joint_unet import JointUNet
from napari_mtseg.networks.unet import UNet


def test_answers_are_activated_and_in_the_order_of_the_heads():
    heads = {"segmentation": 3, "distance": 1, "boundary": 1}
    kinds = {"distance": "sigmoid", "boundary": "none"}
    plain = UNet(1, heads, activations=kinds, base=2, levels=2).eval()
    network = ExportedNetwork(plain)
    image = torch.rand(2, 1, 8, 8)
    logits = plain(image)
    segmentation, distance, boundary = network(image)
    assert list(network.heads.items()) == list(heads.items())
    torch.testing.assert_close(segmentation, logits["segmentation"].softmax(1))
    torch.testing.assert_close(distance, logits["distance"].sigmoid())
    torch.testing.assert_close(boundary, logits["boundary"])


def test_heads_for_the_whole_image_come_last():
    plain = DecomposedNetwork(1, 2, 3, classes=True, base=2, width=4, hidden=4)
    network = ExportedNetwork(plain.eval())
    shapes = [tuple(answer.shape) for answer in network(torch.rand(1, 1, 64, 64))]
    assert list(network.heads) == ["segmentation", "classes", "scenes"]
    assert shapes == [(1, 2, 64, 64), (1, 2), (1, 3)]


@pytest.mark.parametrize(
    ("pools", "multiple", "least"),
    [
        (((1, 2, 2), (1, 2, 2)), (1, 4, 4), (1, 8, 8)),
        (((2, 2, 2), (1, 2, 2)), (2, 4, 4), (4, 8, 8)),
    ],
)
def test_the_least_size_is_one_plane_where_planes_are_not_pooled(
    pools, multiple, least
):
    network = ExportedNetwork(UNet(1, 2, ndim=3, base=2, levels=3, pools=pools))
    assert network.size_multiple == multiple
    assert network.least_size == least


def test_sizes_fit_the_grid_and_are_not_tiny():
    pooled = ExportedNetwork(JointUNet(1, {"segmentation": 2}, base=2, levels=5))
    assert pooled.sizes(2, 3) == tuple(
        n * factor for n, factor in zip(pooled.size_multiple, (2, 3), strict=True)
    )
    heads = {"segmentation": 2}
    plain = ExportedNetwork(DilatedNetwork(1, heads, width=4, n_blocks=6))
    assert plain.size_multiple == (1, 1)
    assert plain.sizes(2, 3) == (16, 24)
