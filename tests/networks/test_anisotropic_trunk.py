import pytest
import torch
from torch import nn

from napari_mtseg.networks.anisotropic_trunk import (
    HALF,
    LAST,
    WHOLE,
    AnisotropicTrunk,
    ConvNormPReLU,
    PlaneResidual,
    PlaneStage,
    ScoresDecoder,
    plane_convolution,
)
from napari_mtseg.networks.blocks import seeded


def drawn(*shape):
    with seeded(1):
        return torch.randn(shape)


def small_trunk(**settings):
    with seeded(2):
        return AnisotropicTrunk(2, 3, **{"norm": "batch", **settings}).eval()


def changed(part, volume, where):
    """Return where the answer differs after one voxel was changed, (Z, Y, X) bool."""
    other = volume.clone()
    other[(0, 0, *where)] += 1
    return (part(other) != part(volume)).any(1)[0]


def n_parameters(part):
    return sum(p.numel() for p in part.parameters())


def test_stages_are_at_full_half_and_twice_a_quarter_of_rows_and_columns():
    maps = small_trunk()(drawn(1, 2, 3, 8, 12), range(4))
    shapes = {stage: tuple(m.shape) for stage, m in maps.items()}
    assert shapes == {
        WHOLE: (1, 3, 3, 8, 12),
        HALF: (1, 3, 3, 4, 6),
        LAST - 1: (1, 3, 3, 2, 3),
        LAST: (1, 3, 3, 2, 3),
    }


def test_only_maps_that_are_asked_for_are_kept():
    assert list(small_trunk()(drawn(1, 2, 1, 4, 4), (LAST,))) == [LAST]


def test_convolutions_are_dilated_as_published():
    found = [
        [block.branch[-1].dilation for block in stage.blocks]
        for stage in small_trunk().stages
    ]
    assert [[d for _, _, d in stage] for stage in found] == [
        [1, 1],
        [1, 1],
        [1, 2, 3],
        [3, 2, 1],
    ]
    assert {z for stage in found for z, _, _ in stage} == {1}


def test_a_residual_block_leaves_other_planes_alone():
    block = PlaneResidual(1, dilation=2, norm="none").eval()
    for parameter in block.parameters():
        nn.init.ones_(parameter)
    reached = changed(block, torch.ones(1, 1, 3, 12, 12), (1, 6, 6))
    assert reached.any((1, 2)).tolist() == [False, True, False]
    rows = reached[1].any(1).nonzero().ravel().tolist()
    assert rows == [2, 4, 6, 8, 10]


def test_a_residual_block_starts_as_the_identity_where_nothing_is_positive():
    block = PlaneResidual(2, dilation=1, norm="none")
    nn.init.zeros_(block.branch[2].bias)
    nn.init.zeros_(block.branch[-1].bias)
    volume = -drawn(1, 2, 1, 4, 4).abs()
    assert torch.equal(block(volume), volume), "norm and PReLU come before convolving"


def test_a_stage_fuses_three_planes():
    with seeded(2):
        stage = PlaneStage(1, (1,), halved=False, norm="none").eval()
    for parameter in stage.parameters():
        nn.init.ones_(parameter)
    reached = changed(stage, torch.ones(1, 1, 5, 6, 6), (2, 3, 3))
    assert reached.any((1, 2)).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_convolutions_have_a_bias_without_norm_only(norm):
    trunk = small_trunk(norm=norm)
    convolutions = [m for m in trunk.modules() if isinstance(m, nn.Conv3d)]
    assert {m.bias is not None for m in convolutions} == {norm == "none"}


def test_slopes_are_learned_per_channel_and_start_at_zero():
    slopes = [m.weight for m in small_trunk().modules() if isinstance(m, nn.PReLU)]
    assert {tuple(slope.shape) for slope in slopes} == {(3,)}
    assert not torch.cat(slopes).any()


def test_parameters_of_the_published_trunk():
    # A (1, 3, 3) convolution 32 -> 32 has 9216 weights, a (3, 1, 1) one 3072; norm and
    # PReLU have 3 numbers per channel, 96.
    convolved, fused = 9216 + 96, 3072 + 96
    blocks = (2 + 2 + 3 + 3) * 2 * convolved  # 186 240
    entry, halvings = 4 * 32 * 9, 2 * convolved  # 1152, 18 624
    with torch.device("meta"):
        trunk = AnisotropicTrunk(4, 32, norm="batch")
    assert n_parameters(trunk) == entry + blocks + 4 * fused + halvings == 218_688


def test_what_a_trunk_reads_joins_what_its_stages_are_asked_for():
    trunk = small_trunk()
    last = trunk.read({LAST: (5, 5)}, axis=1)
    both = trunk.read({LAST: (5, 5), WHOLE: (200, 200)}, axis=1)
    assert both[0] == last[0]
    # one convolution enters, and two blocks have two each
    assert both[1] == 200 + 5
    assert trunk.read({LAST: (5, 5)}, axis=0) == (1, 9), "four fusions"


def test_scores_of_three_stages_come_back_to_full_size_side_by_side():
    with seeded(2):
        decoder = ScoresDecoder(3, 2, norm="batch").eval()
    maps = small_trunk()(drawn(1, 2, 2, 8, 12), decoder.stages)
    scored = decoder(maps)
    assert scored.shape == (1, (1 + 2 + 4) * 2, 2, 8, 12)
    assert decoder.width == 14
    assert not maps, "memory is freed"


def test_a_transposed_convolution_is_normalised_and_activated_too():
    conv = nn.ConvTranspose3d(1, 2, 1)
    part = ConvNormPReLU(conv, norm="batch")
    assert part.norm.num_features == 2
    assert (part(drawn(2, 1, 1, 4, 4)) >= 0).all()


def test_a_plane_convolution_keeps_the_size():
    conv = plane_convolution(1, 1, dilation=3, bias=False)
    assert conv(drawn(1, 1, 2, 5, 4)).shape == (1, 1, 2, 5, 4)
    assert conv.bias is None
