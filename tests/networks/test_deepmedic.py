import numpy as np
import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.deepmedic import DeepMedic, Pathway
from napari_mtseg.networks.inference import apply_in_windows
from napari_mtseg.networks.prepared import prepared_for_inference
from napari_mtseg.networks.summary import (
    bytes_per_pixel,
    layer_table,
    parameter_counts,
)
from tests.gradient_support import support_radius

CPU = torch.device("cpu")
HEADS = {"segmentation": 2, "boundary": 1}


def small(heads=HEADS, **settings):
    with seeded(2):
        return DeepMedic(1, heads, **{"ndim": 2, "base": 3, **settings})


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


def test_widths_are_those_of_the_paper():
    with torch.device("meta"):
        network = DeepMedic(4, {"segmentation": 4})
    rows = layer_table(network, 4, (3, 3, 3))
    widths = [row.output_shape[0] for row in rows if row.kind == "Conv3d"]
    pathway = [30, 30, 40, 40, 40, 40, 50, 50]
    assert widths == [*pathway, *pathway, 150, 150, 4]
    expected = {"conv_weights": 660_180, "total": 662_064}
    assert parameter_counts(network) == expected
    assert sum(row.parameters for row in rows) == expected["total"]


def test_shortcuts_lead_past_two_convolutions():
    path = Pathway((3, 3, 3, 4, 4, 4, 4, 5, 5), ndim=2, residual=True).eval()
    for layer in path.layers[2:]:
        layer.conv.weight.data.zero_()
    image = drawn(1, 3, 6, 6)
    second = path.layers[1](path.layers[0](image))
    answer = path(image)
    torch.testing.assert_close(answer[:, :3], second)
    assert (answer[:, 3:] == 0).all()


def test_without_shortcuts_the_parameters_are_the_same():
    plain, residual = small(residual=False), small()
    assert parameter_counts(plain) == parameter_counts(residual)
    image = drawn(1, 1, 9, 9)
    answers = [n.eval()(image)["boundary"] for n in (plain, residual)]
    assert not torch.allclose(*answers)


@pytest.mark.parametrize("size", [(1, 1), (9, 9), (10, 14), (2, 5, 7)])
def test_any_size_is_answered_in_its_own_size(size):
    network = small(ndim=len(size)).eval()
    shapes = {k: tuple(v.shape) for k, v in network(torch.ones(1, 1, *size)).items()}
    assert shapes == {"segmentation": (1, 2, *size), "boundary": (1, 1, *size)}


def test_halo_is_the_support_of_the_gradient():
    network = small()
    assert network.size_multiple == (3, 3)
    assert network.halo == (26, 26)
    assert support_radius(network, 66) == 26


def test_planes_far_apart_are_not_averaged():
    network = small(ndim=3, base=1, in_plane=True)
    assert network.size_multiple == (1, 3, 3)
    assert network.halo == (8, 26, 26)
    assert support_radius(network, 21, axis=0) == 8


def test_exact_windows_equal_the_whole_image():
    network = prepared_for_inference(small())
    image = 30 * drawn(1, 40, 121).numpy()
    per_pixel = bytes_per_pixel(network, 1, multiple=(3, 3), device=CPU)
    whole, parts = (
        apply_in_windows(
            network,
            image,
            device=CPU,
            memory_budget_bytes=int(budget),
            outputs=[*HEADS],
        )
        for budget in (1e12, per_pixel * 42 * 90)
    )
    assert (whole[1].mode, parts[1].mode) == ("whole", "exact")
    for name in HEADS:
        np.testing.assert_allclose(parts[0][name], whole[0][name], atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_prepared_network_answers_the_same(ndim):
    network = small(ndim=ndim)
    image = drawn(2, 1, *(9,) * ndim)
    network.train()(2 * image + 1)
    prepared = prepared_for_inference(network.eval())
    assert not any("BatchNorm" in type(m).__name__ for m in prepared.modules())
    for name, answer in network(image).items():
        torch.testing.assert_close(prepared(image)[name], answer, atol=1e-4, rtol=1e-4)


def test_every_weight_learns():
    network = small().train()
    sum(a.square().mean() for a in network(drawn(2, 1, 9, 9)).values()).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_activations_of_absent_heads_are_passed_over():
    network = small(activations={"boundary": "none", "distance": "sigmoid"})
    assert network.activations == {"boundary": "none"}
    assert network.head_channels == HEADS


@pytest.mark.parametrize(
    ("heads", "ndim", "message"),
    [({}, 2, "at least one head"), (HEADS, 4, "ndim must be 2 or 3, not 4")],
)
def test_what_cannot_be_built_is_refused(heads, ndim, message):
    with pytest.raises(ValueError, match=message):
        small(heads, ndim=ndim)
