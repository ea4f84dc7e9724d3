"""HMEDN: what each kind of paint teaches, and how touching nuclei are separated."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from napari_mtseg.batches.batch import Batch
from napari_mtseg.domain.annotation import (
    Annotation,
    CompleteRegion,
    ObjectMasks,
    empty_annotation,
)
from napari_mtseg.domain.targets import IGNORE, ImageTargets
from napari_mtseg.methods.catalog import preset, variants
from napari_mtseg.methods.high_resolution.method import HighResolution
from napari_mtseg.methods.high_resolution.settings import HighResolutionSettings
from napari_mtseg.methods.protocol import Task
from napari_mtseg.targets.paint_summary import PaintSummary, summarise

WHOLE = CompleteRegion(whole=True)
SHAPE = (32, 32)
WEIGHT = 25.0


class Answers(nn.Module):
    """A network whose answer is its weights, so that their gradient can be read."""

    def __init__(self, **heads: int) -> None:
        super().__init__()
        self.maps = nn.ParameterDict(
            {name: torch.zeros(1, n, *SHAPE) for name, n in heads.items()}
        )

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict(self.maps)


def method(*, n_classes: int = 1, ndim: int = 2, **settings) -> HighResolution:
    task = Task(n_channels=1, n_classes=n_classes, spacing=(1.0,) * ndim)
    small = {
        "base_channels": 4,
        "levels": 3,
        "pathway": 1,
        "pathway_width": 4,
        "difficulty_weight": WEIGHT,
        **settings,
    }
    return HighResolution(HighResolutionSettings.checked(small), task)


def square(start: int = 6, side: int = 20) -> ObjectMasks:
    objects = np.zeros(SHAPE, np.uint32)
    objects[start : start + side, start : start + side] = 5
    return ObjectMasks(objects=objects, class_of={5: 1})


def partial() -> Annotation:
    return replace(empty_annotation(SHAPE), partial=square())


def stroked() -> Annotation:
    scribbles = np.zeros(SHAPE, np.uint8)
    scribbles[16, 6:18], scribbles[2, 2:20] = 3, 1
    return replace(empty_annotation(SHAPE), scribbles=scribbles)


def exact() -> Annotation:
    return replace(empty_annotation(SHAPE), full=square(), complete=WHOLE)


def batch_of(targets: ImageTargets) -> Batch:
    maps = {}
    for name, values in targets.maps.items():
        values = np.array(values)[np.newaxis]
        is_codes = values.dtype == np.uint8
        maps[name] = torch.from_numpy(values.astype(np.int64 if is_codes else "f4"))
    return Batch(
        image=torch.zeros(1, 1, *SHAPE), targets=maps, magnification=torch.ones(1)
    )


def gradients(maker: HighResolution, annotation: Annotation) -> dict[str, np.ndarray]:
    """Return how much each head is pulled at each pixel."""
    network = Answers(segmentation=2, auxiliary=2, boundary=1, border=2, marker=2)
    # A boundary that is answered as 1/2 everywhere is wrong wherever it is known.
    network.maps["boundary"].data += 0.5
    batch = batch_of(maker.targets(annotation, painted=annotation))
    torch.stack(list(maker.losses(network, batch, 0.0).values())).sum().backward()
    return {
        name: weights.grad.abs().sum(dim=(0, 1)).numpy()
        for name, weights in network.maps.items()
    }


@pytest.mark.parametrize("kind", [partial, stroked])
def test_unpainted_pixels_get_no_gradient_from_any_head(kind):
    pull = gradients(method(nuclei=True), kind())
    painted = kind().partial.objects + kind().scribbles > 0
    for name, found in pull.items():
        assert (found[~painted] == 0).all(), name
    assert (pull["segmentation"][painted] > 0).all()
    assert (pull["auxiliary"][painted] > 0).all()


def test_the_edge_of_a_partial_mask_is_no_boundary():
    pull = gradients(method(nuclei=True, contour_width=2, border_width=2), partial())
    edge = np.zeros(SHAPE, bool)
    edge[6:26, 6:26] = True
    edge[8:24, 8:24] = False
    for name in ("boundary", "border", "marker"):
        assert (pull[name][edge] == 0).all(), name
        assert (pull[name][15:17, 15:17] > 0).all(), name


def test_foreground_scribbles_teach_no_boundary():
    pull = gradients(method(nuclei=True), stroked())
    assert (pull["boundary"] == 0).all()
    assert (pull["border"][16] == 0).all()


@pytest.mark.parametrize("kind", [partial, stroked])
def test_weak_labels_weigh_all_pixels_alike(kind):
    maker = method()
    annotation = kind()
    weight = maker.targets(annotation, painted=annotation).maps["weight"]
    assert (weight == 1).all()


def test_pixels_near_a_boundary_weigh_more_and_far_ones_1():
    rows = np.zeros((128, 128), np.uint32)
    rows[64:] = 1
    objects = ObjectMasks(objects=rows, class_of={1: 1})
    annotation = replace(empty_annotation(rows.shape), full=objects, complete=WHOLE)
    weight = method().targets(annotation, painted=annotation).maps["weight"]
    assert weight[64, 64] == pytest.approx(1 + WEIGHT, rel=0.02)
    assert weight[0, 64] == pytest.approx(1, abs=0.01)


def test_without_difficulty_all_classes_count_alike():
    maker = method(
        difficulty=False,
        class_weighting="frequency",
        contour=False,
        deep_supervision=0,
    )
    annotation = exact()
    network = Answers(segmentation=2)
    batch = batch_of(maker.targets(annotation, painted=annotation))
    maker.losses(network, batch, 0.0)["segmentation"].backward()
    pull = network.maps["segmentation"].grad[0, 0].abs()
    inside = torch.from_numpy(annotation.full.objects > 0)
    torch.testing.assert_close(pull[inside].sum(), pull[~inside].sum())


def test_full_masks_teach_the_boundary_everywhere():
    maker = method()
    annotation = exact()
    maps = maker.targets(annotation, painted=annotation).maps
    assert (maps["boundary_known"] != IGNORE).all()
    assert maps["boundary"][6, 16] == pytest.approx(1, abs=0.01)
    assert maps["boundary"][16, 16] == pytest.approx(0, abs=0.01)


def test_the_weight_of_boundaries_follows_from_the_paint():
    paint = PaintSummary(n_background_pixels=70, n_object_pixels=10)
    assert method(difficulty_weight=0).adapted(paint).difficulty_weight == 7
    assert method(difficulty_weight=3).adapted(paint).difficulty_weight == 3
    flooded = PaintSummary(n_background_pixels=7, n_object_pixels=10)
    assert method(difficulty_weight=0).adapted(flooded).difficulty_weight == 1
    rare = PaintSummary(n_background_pixels=1000, n_object_pixels=1)
    assert method(difficulty_weight=0).adapted(rare).difficulty_weight == 50


@pytest.mark.parametrize(
    ("kinds", "difficulty", "expected"),
    [
        ([exact], True, "off"),
        ([exact], False, "frequency"),
        ([exact, stroked], True, "root"),
        ([partial], False, "root"),
    ],
)
def test_classes_are_weighed_as_the_paint_needs(kinds, difficulty, expected):
    paint = summarise([kind() for kind in kinds])
    found = method(difficulty=difficulty).adapted(paint)
    assert found.class_weighting == expected


def test_touching_nuclei_are_separated_by_their_cores():
    maker = method(nuclei=True, contour=False, difficulty=False)
    body = np.zeros((12, 20), bool)
    body[2:10, 2:18] = True
    core = np.zeros_like(body)
    core[4:8, 4:8] = core[4:8, 12:16] = True
    outputs = {
        name: np.stack([~mask, mask]).astype(np.float32)
        for name, mask in (
            ("segmentation", body),
            ("marker", core),
            ("border", body & ~core),
        )
    }
    found = maker.interpret(outputs)
    assert len(found.class_of) == 2
    assert found.instances[5, 5] != found.instances[5, 13]
    assert ((found.instances > 0) == body).all()
    assert set(maker.own_maps) == set(found.maps)


def test_a_prediction_holds_boundary_and_difficulty():
    body = np.zeros((40, 40), bool)
    body[10:30, 10:30] = True
    outputs = {
        "segmentation": np.stack([~body, body]).astype(np.float32),
        "boundary": np.full((1, 40, 40), 1.5, np.float32),
    }
    maker = method()
    found = maker.interpret(outputs)
    assert (found.maps["boundary"] == 1).all(), "clipped"
    assert found.maps["difficulty"][10, 20] > found.maps["difficulty"][0, 0] >= 1
    assert set(maker.own_maps) == set(found.maps)


def test_what_an_object_encloses_belongs_to_it_where_asked():
    classes = np.ones((9, 9), bool)
    classes[0], classes[4, 4] = False, False
    outputs = {"segmentation": np.stack([~classes, classes]).astype(np.float32)}
    plain = {"contour": False, "difficulty": False}
    filled = method(**plain, fill_islands=True).interpret(outputs)
    assert filled.classes[4, 4] == 1
    assert method(**plain).interpret(outputs).classes[4, 4] == 0


def test_several_slices_need_volumes_and_patches_as_deep():
    paint = summarise([stroked()])
    assert method(slices=5).readiness(paint).problems == (
        "slices=5 is for 3D images but the images are 2D. Set slices=1.",
    )
    assert method(ndim=3, slices=5, patch_depth=16).readiness(paint).problems == (
        "slices=5 learns from patches of as many planes, but patch_depth is 16. Set "
        "patch_depth=5.",
    )


def test_a_pathway_deeper_than_the_network_is_refused():
    assert method(pathway=3, levels=3).readiness(summarise([exact()])).problems == (
        "pathway=3 needs more than 3 levels, but levels is 3. Set a smaller pathway or "
        "more levels.",
    )


def test_a_pathway_above_the_first_stage_of_a_resnet_is_refused():
    found = method(pathway=1, network="resnet34").readiness(summarise([exact()]))
    assert found.problems == (
        "pathway=1 is at full resolution, which network=resnet34 does not have. Set "
        "pathway to 2, 3 or 4, or to 0 for none.",
    )


@pytest.mark.parametrize(
    ("on", "wanting", "results"),
    [
        (
            ("difficulty", "contour"),
            "difficulty and contour",
            "the result is close to that of the plain network and the map 'boundary' "
            "tells little",
        ),
        (
            ("difficulty", "contour", "nuclei"),
            "difficulty, contour and nuclei",
            "the result is close to that of the plain network, the map 'boundary' "
            "tells little and touching objects may be split wrongly",
        ),
        (("nuclei",), "nuclei", "touching objects may be split wrongly"),
    ],
)
def test_without_a_full_mask_the_user_is_told(on, wanting, results):
    chosen = {n: n in on for n in ("difficulty", "contour", "nuclei")}
    assert method(**chosen).readiness(summarise([stroked()])).notices == (
        f"No full mask is painted: the boundaries that {wanting} would use are hardly "
        f"known, so {results}. Mark one image complete.",
    )
    assert method(**chosen).readiness(summarise([exact()])).notices == ()


def test_only_the_centre_plane_of_several_slices_is_learned():
    maker = method(ndim=3, slices=5, patch_depth=5, contour=False, difficulty=False)
    classes = torch.full((1, 5, 16, 16), IGNORE)
    classes[:, 2] = 1
    classes[:, 2, :8] = 0
    batch = Batch(
        image=torch.randn(1, 1, 5, 16, 16),
        targets={"classes": classes, "weight": torch.ones(1, 5, 16, 16)},
        magnification=torch.ones(1),
    )
    network = maker.network().train()
    assert network(batch.image)["segmentation"].shape == (1, 2, 1, 16, 16)
    assert float(maker.losses(network, batch, 0.0)["segmentation"].detach()) > 0
    classes[:, 2] = IGNORE
    classes[:, 0] = 1
    assert float(maker.losses(network, batch, 0.0)["segmentation"].detach()) == 0


@pytest.mark.parametrize(
    ("name", "ndim"),
    [(name, ndim) for ndim in (2, 3) for name in variants("high_resolution", ndim)],
)
def test_every_row_of_the_papers_tables_makes_a_network(name, ndim):
    row = preset("high_resolution", name, ndim=ndim)
    maker = method(ndim=ndim, **{"levels": 5, **row, "base_channels": 4})
    network = maker.network().eval()
    answers = network(torch.zeros(1, 1, *(5, 16, 16)[-ndim:]))
    assert set(answers) == set(network.head_channels)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("DCAN", 20.77), ("E-UNet", 2.77), ("DeepMedic", 0.25), ("DenseSeg", 0.31)],
)
def test_networks_compared_with_have_their_own_channels(name, millions):
    row = preset("high_resolution", name, ndim=2)
    task = Task(n_channels=5, n_classes=3, spacing=(1.0, 1.0))
    maker = HighResolution(HighResolutionSettings.checked(row), task)
    with torch.device("meta"):
        network = maker.network()
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    ("network", "grid"),
    [
        ("dcan", (1, 4, 4)),
        ("isensee", (4, 16, 16)),
        ("deepmedic", (1, 3, 3)),
        ("dense_seg", (4, 16, 16)),
    ],
)
def test_networks_compared_with_pool_thick_slices_later(network, grid):
    task = Task(n_channels=1, n_classes=1, spacing=(5.0, 1.0, 1.0))
    settings = {"network": network, "base_channels": 2, "levels": 3}
    maker = HighResolution(HighResolutionSettings.checked(settings), task)
    assert maker.network().size_multiple == grid


def test_dcan_answers_all_but_the_mask_from_a_second_decoder():
    network = method(network="dcan", nuclei=True).network()
    network(torch.randn(1, 1, 16, 16))["segmentation"].mean().backward()
    second = list(network.decoders)[1:]
    assert len(second) == 1
    assert all(p.grad is None for p in second[0].parameters())
    assert list(network.head_channels) == [
        "segmentation",
        "boundary",
        "border",
        "marker",
    ]


@pytest.mark.parametrize("network", ["dcan", "isensee", "deepmedic", "dense_seg"])
def test_networks_compared_with_take_no_heed_of_a_pathway(network):
    maker = method(network=network, pathway=4)
    assert maker.readiness(summarise([exact()])).problems == ()
    assert maker.network().head_channels == {"segmentation": 2, "boundary": 1}
