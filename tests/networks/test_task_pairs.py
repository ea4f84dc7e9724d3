import pytest
import torch

from napari_mtseg.networks.blocks import seeded
from napari_mtseg.networks.summary import parameter_counts
from napari_mtseg.networks.task_pairs import TaskPairs

PAIRS = ("segmentation_class", "segmentation_scene", "class_scene")


def small(n_classes_out=3, n_scenes=2, *, n_in=4, ndim=2, norm="none"):
    with seeded(1):
        return TaskPairs(
            n_in,
            width=5,
            ndim=ndim,
            norm=norm,
            n_classes_out=n_classes_out,
            n_scenes=n_scenes,
            hidden=6,
        )


def drawn(*size):
    return torch.rand(*size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("n_classes_out", "n_scenes", "pairs", "width", "first_layers"),
    [
        (3, 2, PAIRS, 10, {"classes": 10, "scenes": 10}),
        (3, 0, PAIRS[:1], 5, {"classes": 5}),
        (0, 2, PAIRS[1:2], 5, {"scenes": 5}),
        (0, 0, (), 4, {}),
    ],
)
def test_a_pair_exists_where_both_of_its_tasks_are_on(
    n_classes_out, n_scenes, pairs, width, first_layers
):
    network = small(n_classes_out, n_scenes)
    assert tuple(network.pairs) == pairs
    assert network.width_for_segmentation == width
    found = {name: head[0].in_features for name, head in network.heads.items()}
    assert found == first_layers
    seen, answers = network(drawn(2, 4, 3, 3))
    assert tuple(seen.shape) == (2, width, 3, 3)
    sizes = {"classes": (2, n_classes_out), "scenes": (2, n_scenes)}
    assert {name: tuple(value.shape) for name, value in answers.items()} == {
        name: sizes[name] for name in first_layers
    }


def test_parameters_are_counted_by_hand():
    with torch.device("meta"):
        network = TaskPairs(
            256, width=256, ndim=2, norm="none", n_classes_out=12, n_scenes=3
        )
    parts = [network.pairs, network.heads["classes"], network.heads["scenes"]]
    assert [parameter_counts(part)["total"] for part in parts] == [
        3 * (256 * 256 * 9 + 256),
        512 * 256 + 256 + 256 * 12 + 12,
        512 * 256 + 256 + 256 * 3 + 3,
    ]
    assert 3 * (256 * 256 * 9 + 256) == 1_770_240


def test_without_image_heads_segmentation_sees_the_latent_itself():
    latent = drawn(1, 4, 3, 3)
    seen, answers = small(0, 0)(latent)
    assert seen is latent
    assert answers == {}
    assert small(0, 0).reach == 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_segmentation_sees_its_two_pairs_and_not_the_third(ndim):
    network = small(ndim=ndim)
    latent = drawn(1, 4, *(3,) * ndim)
    seen, _ = network(latent)
    expected = torch.cat([network.pairs[name](latent) for name in PAIRS[:2]], 1)
    torch.testing.assert_close(seen, expected)
    assert network.reach == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("segmentation", [True, True, False]),
        ("classes", [True, False, True]),
        ("scenes", [False, True, True]),
    ],
)
def test_each_pair_reads_a_latent_of_its_own_if_given(answer, expected):
    latents = [drawn(1, 4, 3, 3).requires_grad_() for _ in range(3)]
    seen, answers = small()(*latents)
    {"segmentation": seen, **answers}[answer].sum().backward()
    reached = [t.grad is not None and bool(t.grad.any()) for t in latents]
    assert reached == expected


def test_image_heads_do_not_know_where_in_the_image_something_is():
    network = small()
    latent = torch.zeros(1, 4, 8, 8)
    latent[..., 2, 2] = 1
    _, here = network(latent)
    _, there = network(latent.roll((3, 2), dims=(2, 3)))
    for name, answer in here.items():
        torch.testing.assert_close(there[name], answer)


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_only_convolutions_without_norm_have_a_bias(norm):
    biases = [pair.conv.bias is not None for pair in small(norm=norm).pairs.values()]
    assert biases == [norm == "none"] * 3


def test_a_wrong_number_of_latents_is_refused():
    latent = drawn(1, 4, 3, 3)
    with pytest.raises(ValueError, match="2 latents, but 1 or 3 are needed"):
        small()(latent, latent)
