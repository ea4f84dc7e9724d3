"""Cross-task consistency: what each switch teaches, whom, and from which images."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import (
    Annotation,
    Box,
    CompleteRegion,
    ObjectMasks,
    Tags,
    empty_annotation,
)
from napari_mtseg.methods.catalog import PRESETS, settings_of, variants
from napari_mtseg.methods.cross_task.method import CrossTask
from napari_mtseg.methods.cross_task.settings import CrossTaskSettings
from napari_mtseg.methods.protocol import Companions, Task
from napari_mtseg.targets.paint_summary import PaintSummary, summarise

SHAPE = (16, 16)
SMALL = {
    "base_channels": 2,
    "levels": 2,
    "passes": 2,
    "noise": 0.0,
    "steepness": 10.0,
    "adversary_channels": 2,
    "distance_norm": "trunc",
    "entropy": "off",
    "class_weighting": "off",
    "batch_size": 2,
}
HALF = 0.5
"""progress at which all ramps have begun"""


def method(
    *, variant: str = "MTCTL", n_classes: int = 1, ndim: int = 2, **settings
) -> CrossTask:
    task = Task(n_channels=1, n_classes=n_classes, spacing=(1.0,) * ndim)
    named = variants("cross_task")[variant]
    return CrossTask(CrossTaskSettings.checked({**SMALL, **named, **settings}), task)


def square(n_class: int = 1) -> ObjectMasks:
    objects = np.zeros(SHAPE, np.uint32)
    objects[4:12, 4:12] = 5
    return ObjectMasks(objects=objects, class_of={5: n_class})


def unpainted() -> Annotation:
    return empty_annotation(SHAPE)


def exact() -> Annotation:
    return replace(unpainted(), full=square(), complete=CompleteRegion(whole=True))


def partial() -> Annotation:
    scribbles = np.zeros(SHAPE, np.uint8)
    scribbles[0] = 1
    return replace(unpainted(), partial=square(), scribbles=scribbles)


def strokes() -> Annotation:
    scribbles = np.zeros(SHAPE, np.uint8)
    scribbles[0], scribbles[8] = 1, 3
    return replace(unpainted(), scribbles=scribbles)


def batch_of(maker: CrossTask, *annotations: Annotation) -> Batch:
    targets = [maker.targets(a, painted=a) for a in annotations]
    maps, facts = {}, {}
    for name, first in targets[0].maps.items():
        values = torch.from_numpy(np.stack([t.maps[name] for t in targets]))
        maps[name] = values.long() if first.dtype == np.uint8 else values
    for name in targets[0].facts:
        facts[name] = torch.from_numpy(np.stack([t.facts[name] for t in targets]))
    drawn = torch.Generator().manual_seed(0)
    return Batch(
        image=torch.rand(len(annotations), 1, *SHAPE, generator=drawn),
        targets=maps,
        magnification=torch.ones(len(annotations)),
        facts=facts,
    )


class Team:
    """A network with what stands beside it in a training, all with small weights."""

    def __init__(self, maker: CrossTask) -> None:
        torch.manual_seed(0)
        self.maker = maker
        self.network = maker.network()
        self.average = maker.network().eval().requires_grad_(False)
        made = maker.adversary()
        self.adversary = None if made is None else made.network

    def judge(self, *inputs: torch.Tensor) -> torch.Tensor:
        assert self.adversary is not None
        fixed = {k: p.detach() for k, p in self.adversary.named_parameters()}
        self.adversary.eval()
        return torch.func.functional_call(self.adversary, fixed, inputs)

    def losses(self, batch: Batch, progress: float = HALF) -> dict[str, torch.Tensor]:
        companions = Companions(
            average=self.average,
            adversary=self.adversary,
            judge=None if self.adversary is None else self.judge,
            rng=np.random.default_rng(0),
        )
        return self.maker.losses(self.network, batch, progress, companions)


def has_gradient(network: nn.Module) -> bool:
    return any(
        p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters()
    )


@pytest.mark.parametrize(
    ("variant", "terms"),
    [
        ("V-Net", {"overlap"}),
        ("UA-MT", {"overlap", "cross_entropy", "teacher"}),
        ("SASSNet", {"overlap", "distance", "adversary", "misleading"}),
        ("DTC", {"overlap", "distance", "cross_task"}),
        (
            "MTCTL",
            {
                "overlap",
                "distance",
                "cross_task",
                "guidance",
                "adversary",
                "misleading",
            },
        ),
    ],
)
def test_each_row_of_the_table_has_its_own_losses(variant, terms):
    team = Team(method(variant=variant))
    assert set(team.losses(batch_of(team.maker, exact(), unpainted()))) == terms


@pytest.mark.parametrize(
    ("variant", "n_parameters"),
    [
        ("V-Net", 9_448_849),
        ("UA-MT", 9_448_849),
        ("SASSNet", 9_448_866),
        ("DTC", 9_448_866),
        ("MTCTL", 11_520_802),
    ],
)
def test_networks_have_the_papers_number_of_parameters(variant, n_parameters):
    values = {**SMALL, "base_channels": 16, "levels": 5, "adversary_channels": 64}
    task = Task(n_channels=1, n_classes=1, spacing=(1.0,) * 3)
    settings = {**values, **variants("cross_task")[variant]}
    maker = CrossTask(CrossTaskSettings.checked(settings), task)
    with torch.device("meta"):
        network, adversary = maker.network(), maker.adversary()
    assert sum(p.numel() for p in network.parameters()) == n_parameters
    if adversary is not None:
        n_of_adversary = sum(p.numel() for p in adversary.network.parameters())
        assert n_of_adversary == 11_019_777


@pytest.mark.parametrize("variant", variants("cross_task"))
def test_an_image_without_paint_is_learned_from_unless_a_row_has_no_use_for_it(variant):
    assert method(variant=variant).uses(unpainted()) == (variant != "V-Net")
    assert method(variant=variant).uses(exact())


def test_paint_alone_decides_what_is_supervised():
    team = Team(method())
    terms = team.losses(batch_of(team.maker, unpainted(), unpainted()))
    assert terms["overlap"].item() == 0
    assert terms["distance"].item() == 0
    assert terms["cross_task"].item() > 0


def test_nothing_is_known_of_the_distance_on_an_image_without_paint():
    for rule, ends in (("trunc", (-2.0, 2.0)), ("sides", (0.0, 1.0))):
        maker = method(distance_norm=rule)
        maps = maker.targets(unpainted(), painted=unpainted()).maps
        for side, end in zip(("low", "high"), ends, strict=True):
            assert np.unique(maps[f"distance_{side}_1"]).tolist() == [end]


def test_distances_of_a_full_mask_are_known_and_negative_inside():
    maps = method(distance_norm="sides").targets(exact(), painted=exact()).maps
    low, high = maps["distance_low_1"], maps["distance_high_1"]
    assert np.array_equal(low, high)
    assert low[8, 8] < 0.5 < low[0, 0]
    assert low[4, 4] == 0.5


def test_strokes_alone_teach_no_overlap():
    team = Team(method(entropy="on"))
    terms = team.losses(batch_of(team.maker, strokes(), unpainted()))
    assert terms["overlap"].item() == 0
    assert terms["cross_entropy"].item() > 0
    with_masks = team.losses(batch_of(team.maker, partial(), unpainted()))
    assert with_masks["overlap"].item() > 0


def test_only_images_of_full_masks_count_as_labelled():
    maker = method()
    for annotation, labelled in (
        (exact(), 1),
        (partial(), 0),
        (strokes(), 0),
        (unpainted(), 0),
    ):
        facts = maker.targets(annotation, painted=annotation).facts
        assert int(facts["labelled"]) == labelled


def test_an_image_of_one_complete_region_is_drawn_with_the_weak_ones():
    box = CompleteRegion(boxes=(Box(start=(0, 0), stop=(8, 8)),))
    regional = replace(exact(), complete=box)
    maker = method()
    assert maker.targets(exact(), painted=exact()).stratum == "full"
    assert maker.targets(regional, painted=regional).stratum == "weak"


def test_agreement_teaches_both_decoders_without_any_label():
    team = Team(method(dropout=0.0, guidance=False))
    batch = batch_of(team.maker, unpainted(), unpainted())
    team.losses(batch)["cross_task"].backward()
    heads = team.network.heads
    assert heads["segmentation"].weight.grad.abs().sum() > 0
    assert heads["distance"].weight.grad.abs().sum() > 0


def test_doubt_gets_no_gradient_and_leaves_the_network_as_it_was():
    team = Team(method())
    team.network.train()
    before = {k: v.clone() for k, v in team.network.state_dict().items()}
    image = batch_of(team.maker, exact(), unpainted()).image
    doubt = team.maker._doubt(team.network, image, Companions())
    assert not doubt.requires_grad
    assert doubt.shape == (2, *SHAPE)
    assert 0 <= float(doubt.min()) <= float(doubt.max()) <= np.log(2) + 1e-6
    assert all(module.training for module in team.network.modules())
    after = team.network.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_noise_changes_doubt_and_repeats_with_the_seed():
    found = []
    for noise in (0.0, 0.1, 0.1):
        team = Team(method(noise=noise))
        image = batch_of(team.maker, exact()).image
        torch.manual_seed(3)
        found.append(team.maker._doubt(team.network, image, Companions()))
    assert not torch.equal(found[0], found[1])
    assert torch.equal(found[1], found[2])


@pytest.mark.parametrize("kind", ["geman_mcclure", "cross_entropy"])
def test_the_adversary_learns_from_its_own_loss_and_the_network_from_the_other(kind):
    team = Team(method(adversary=kind, cross=False, guidance=False, dropout=0.0))
    batch = batch_of(team.maker, exact(), unpainted())
    team.losses(batch)["adversary"].backward()
    assert has_gradient(team.adversary)
    assert not has_gradient(team.network)
    team.adversary.zero_grad()
    team.losses(batch)["misleading"].backward()
    assert has_gradient(team.network)
    assert not has_gradient(team.adversary)


@pytest.mark.parametrize(
    ("kind", "of_labelled"), [("geman_mcclure", -1), ("cross_entropy", 1)]
)
def test_the_adversary_parts_labelled_from_unlabelled_maps(kind, of_labelled):
    team = Team(method(adversary=kind))
    answers = torch.zeros(2, requires_grad=True)
    labelled = torch.tensor([True, False])
    team.maker._adversary_objective(answers, labelled).backward()
    # what descends follows the negative gradient
    assert torch.sign(-answers.grad).tolist() == [of_labelled, -of_labelled]


@pytest.mark.parametrize("kind", ["geman_mcclure", "cross_entropy"])
def test_a_step_of_the_network_makes_unlabelled_maps_look_labelled(kind):
    team = Team(method(adversary=kind, cross=False, guidance=False, dropout=0.0))
    batch = batch_of(team.maker, exact(), unpainted())
    optimizer = torch.optim.SGD(team.network.parameters(), lr=1.0)
    first = team.losses(batch)["misleading"]
    first.backward()
    optimizer.step()
    assert team.losses(batch)["misleading"].item() < first.item()


def test_without_an_unlabelled_patch_nothing_is_misled():
    team = Team(method())
    terms = team.losses(batch_of(team.maker, exact(), exact()))
    assert terms["misleading"].item() == 0


def test_what_needs_no_label_begins_gently():
    team = Team(method())
    batch = batch_of(team.maker, exact(), unpainted())
    team.network.eval()
    first, last = (team.losses(batch, p)["cross_task"].item() for p in (0.0, 1.0))
    assert first == pytest.approx(last * np.exp(-5), rel=1e-4)


def test_the_teacher_speaks_for_images_without_full_masks_only():
    team = Team(method(variant="UA-MT"))
    terms = team.losses(batch_of(team.maker, exact(), exact()))
    assert terms["teacher"].item() == 0
    terms = team.losses(batch_of(team.maker, exact(), unpainted()), progress=1.0)
    assert terms["teacher"].item() > 0


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("preset_name", PRESETS)
def test_presets_are_for_2d_and_3d(preset_name, ndim):
    found = settings_of("cross_task", preset_name=preset_name, ndim=ndim, values={})
    task = Task(n_channels=1, n_classes=2, spacing=(1.0,) * ndim)
    assert CrossTask(found, task).readiness(enough()).problems == ()


def test_several_classes_have_a_distance_map_each():
    maker = method(n_classes=3)
    assert maker.network().head_channels == {"segmentation": 4, "distance": 3}


def test_thick_slices_are_pooled_in_their_plane_first():
    task = Task(n_channels=1, n_classes=1, spacing=(5.0, 1.0, 1.0))
    settings = CrossTaskSettings.checked({**SMALL, "levels": 4})
    assert CrossTask(settings, task).network().pools[0] == (1, 2, 2)


def enough() -> PaintSummary:
    return replace(summarise([exact()]), n_unpainted=3)


def weak() -> PaintSummary:
    return replace(summarise([partial()]), n_unpainted=3)


def test_full_masks_and_unpainted_images_are_wanted_together():
    readiness = method().readiness(enough())
    assert readiness.problems == ()
    assert readiness.notices == (
        "3 training images without paint will be learned from as well.",
    )
    assert method().readiness(summarise([exact()])).notices == (
        "No training image is without paint: this method learns from such images too, "
        "and gains most where there are many.",
        "The adversary is left out: it compares images with and without full masks, "
        "and every image has full masks.",
    )


def test_a_row_of_the_labelled_share_says_what_it_leaves_out():
    assert method(variant="V-Net").readiness(enough()).notices == (
        "3 training images without paint will not be used: with these settings the "
        "method learns from painted images alone.",
    )


def test_without_full_masks_the_adversary_is_dropped_and_the_rest_kept():
    maker = method(distance_norm="auto", entropy="auto", class_weighting="auto")
    found = maker.adapted(weak())
    assert found.adversary == "none"
    assert found.cross
    assert found.guidance
    assert (found.distance_norm, found.entropy) == ("trunc", "on")
    assert maker.readiness(weak()).notices[-1] == (
        "The adversary is left out: it compares images with and without full masks, "
        "and no image has full masks of all of it."
    )


def test_full_masks_alone_keep_the_papers_losses():
    maker = method(distance_norm="auto", entropy="auto", class_weighting="auto")
    found = maker.adapted(enough())
    assert (found.distance_norm, found.entropy) == ("sides", "off")
    assert found.adversary == "geman_mcclure"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"distance": False, "adversary": "none"},
            "cross and guidance need the distance map, but distance is false. Set "
            "distance=true, or cross=false, guidance=false.",
        ),
        (
            {"distance": False},
            "cross, guidance and adversary need the distance map, but distance is "
            "false. Set distance=true, or cross=false, guidance=false, "
            "adversary=none.",
        ),
        (
            {"dropout": 0.0},
            "guidance=true measures doubt by dropout, but dropout is 0. Set "
            "dropout=0.2, or guidance=false.",
        ),
        (
            {"teacher": True, "average": 0.0},
            "teacher=true follows the running average of the weights, but average is "
            "0. Set average=0.99, or teacher=false.",
        ),
        (
            {"batch_size": 1},
            "The adversary compares patches of one step, but batch_size is 1. Set "
            "batch_size=2 or more, or adversary=none.",
        ),
        (
            {"precision": "16-mixed"},
            "The adversary has an optimiser of its own, which precision=16-mixed does "
            "not allow for. Set precision=bf16-mixed or 32-true, or adversary=none.",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_named(settings, problem):
    assert method(**settings).readiness(enough()).problems == (problem,)


def test_distances_by_the_largest_of_the_image_need_full_masks():
    assert method(distance_norm="sides").readiness(weak()).problems == (
        "distance_norm=sides needs full masks of whole images, but 1 of 1 painted "
        "training images is painted in part. Set distance_norm=trunc, or mark the "
        "whole images complete.",
    )


def test_a_prediction_holds_the_learned_distance_in_pixels():
    maker = method(reach=32.0)
    p = np.zeros((2, *SHAPE), np.float32)
    p[0] = 1
    distance = np.full((1, *SHAPE), 0.75, np.float32)
    found = maker.interpret({"segmentation": p, "distance": distance})
    assert maker.own_maps == ("shape_distance",)
    assert np.unique(found.maps["shape_distance"]).tolist() == [16.0]


def test_the_largest_object_of_a_class_can_be_kept_alone():
    p = np.zeros((2, 1, 6), np.float32)
    p[1, 0] = [1, 1, 0, 1, 0, 0]
    p[0] = 1 - p[1]
    found = method(variant="V-Net", largest=True).interpret({"segmentation": p})
    assert found.classes.tolist() == [[1, 1, 0, 0, 0, 0]]


def test_tags_do_not_make_an_image_painted():
    tagged = replace(unpainted(), tags=Tags(scene=0))
    assert method().targets(tagged, painted=tagged).stratum == "none"
